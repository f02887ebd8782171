"""Codes one after the other: the loop around the GPT, with its cache, guidance and choice among candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from duende.errors import DuendeError
from duende.models.gpt import Block, CrossConditionalGPT, Logits
from duende.models.sampling import Progress, Sampling, drawn, guided


@dataclass(frozen=True)
class Audition:
    """A choice among candidates, phrase by phrase: all begin at the same codes, the best goes on.

    Attributes:
        candidates: how many.
        phrase: codes in a phrase.
        judge: given codes ``(candidates, N, 2)`` so far and the index of the first code of the phrase, returns which
            candidate is the best.
    """

    candidates: int
    phrase: int
    judge: Callable[[Tensor, int], int]


class Scorer(Protocol):
    """Scores of the next codes, step by step."""

    def __call__(self, step: int, codes: Tensor) -> Logits:
        """Score what follows ``codes[:, step]``, having been called for all steps before."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch in place of the present ones."""


class RecomputedScorer:
    """The paper's way: the last ``window - 1`` codes once more for every code."""

    def __init__(self, network: CrossConditionalGPT, heard: Tensor, style: Tensor | None) -> None:
        self.network, self.heard, self.style = network, heard, style

    def __call__(self, step: int, codes: Tensor) -> Logits:
        """Score what follows ``codes[:, step]``."""
        window = self.network.config.window
        first = 0 if step + 1 < window else step + 2 - window
        past = codes[:, first : step + 1]
        return self.network.scores(self.heard[:, first : step + 1], past[..., 0], past[..., 1], self.style)

    def keep(self, rows: Tensor) -> None:
        """Nothing is remembered but the codes."""


class CachedScorer:
    """Ours: three tokens a step, keys and values of the last ``window`` steps in a ring."""

    def __init__(self, network: CrossConditionalGPT, heard: Tensor, style: Tensor | None) -> None:
        config = network.config
        self.network, self.heard, self.style = network, heard, style
        shape = (len(heard), config.heads, 3 * config.window, config.width // config.heads)
        self.rings = [(heard.new_zeros(shape), heard.new_zeros(shape)) for _ in network.blocks]

    def __call__(self, step: int, codes: Tensor) -> Logits:
        """Score what follows ``codes[:, step]``."""
        network, window = self.network, self.network.config.window
        now = torch.full((1,), step, device=self.heard.device)
        past = codes[:, step : step + 1]
        tokens = network.tokens(self.heard[:, step : step + 1], past[..., 0], past[..., 1], self.style, now)
        rotation = network.rotation(now.repeat(3))
        place, filled = 3 * (step % window), 3 * min(step + 1, window)
        for block, (keys, values) in zip(network.blocks, self.rings, strict=True):
            assert isinstance(block, Block)
            query, key, value = block.attention.keys_and_values(block.attention_norm(tokens), rotation)
            keys[:, :, place : place + 3] = key
            values[:, :, place : place + 3] = value
            attended = block.attention.attend(query, keys[:, :, :filled], values[:, :, :filled], None)
            tokens = block.finish(tokens, attended)
        tokens = network.norm(tokens)
        return Logits(network.upper_scores(tokens[:, 1:2]), network.lower_scores(tokens[:, 2:3]))

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch in place of the present ones."""
        self.rings = [(keys[rows], values[rows]) for keys, values in self.rings]


@torch.inference_mode()
def generate(
    network: CrossConditionalGPT,
    music: Tensor,
    start: Tensor,
    *,
    style: Tensor | None = None,
    sampling: Sampling | None = None,
    audition: Audition | None = None,
    given: Tensor | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Choose codes one after the other.

    Args:
        network: that scores them.
        music: ``(B, N, D)``, row i the music of code i + 1; the last row is not needed.
        start: ``(B, 2)`` upper and lower code to begin with.
        style: as in :meth:`CrossConditionalGPT.forward`.
        sampling: how codes are drawn.
        audition: for a single dance (B = 1), a choice among candidates.
        given: ``(B, N, 2)`` codes that are taken as they are, -1 where the network chooses.
        generator: source of chance for a temperature above 0.
        progress: called with codes done and codes in all.

    Returns:
        ``(B, N, 2)`` codes, the first being ``start`` where nothing else is given.

    Raises:
        DuendeError: guidance is asked of a network that was trained without ``music_dropout``.
    """
    training = network.training
    network.eval()
    sampling = sampling or Sampling()
    rows = len(music) * (audition.candidates if audition else 1)
    ways = _ways(network, music, style, sampling, rows)
    codes = torch.empty(rows, music.shape[1], 2, dtype=torch.long, device=music.device)
    codes[:, 0] = start if given is None else torch.where(given[:, 0] < 0, start, given[:, 0])
    scorer: Scorer = (CachedScorer if network.table is None else RecomputedScorer)(network, ways.heard, ways.style)
    count, phrase_start = music.shape[1], 1
    for step in range(count - 1):
        logits = scorer(step, codes.repeat(len(ways.weights), 1, 1))
        scores = guided(torch.stack([logits.upper[:, -1], logits.lower[:, -1]], dim=1), ways.weights)
        codes[:, step + 1] = drawn(scores.flatten(0, 1), sampling, generator).view(rows, 2)
        if given is not None:
            codes[:, step + 1] = torch.where(given[:, step + 1] < 0, codes[:, step + 1], given[:, step + 1])
        if audition and (step + 2 - phrase_start == audition.phrase or step + 2 == count):
            best = audition.judge(codes[:, : step + 2], phrase_start)
            codes[:] = codes[best].clone()
            kept = torch.arange(len(ways.weights), device=codes.device).repeat_interleave(rows) * rows + best
            scorer.keep(kept)
            phrase_start = step + 2
        if progress:
            progress(step + 2, count)
    network.train(training)
    return codes[: len(music)]


@dataclass(frozen=True)
class _Ways:
    """Ways to hear the same music, one after the other in a batch, and how much the scores of each count."""

    heard: Tensor
    style: Tensor | None
    weights: tuple[float, ...]


def _ways(network: CrossConditionalGPT, music: Tensor, style: Tensor | None, sampling: Sampling, rows: int) -> _Ways:
    """Hear the music as it is and, where scores are guided, without its sound and without the style being told.

    Both guidances are added up: each moves the scores away from those that lack what it amplifies.
    """
    heard = network.hear(music).expand(rows, -1, -1)
    told, untold = (_spread(network.known_style(known, music), rows) for known in (style, None))
    ways, weights = [(heard, told)], [1.0]
    if sampling.guidance != 1:
        if network.unheard is None:
            raise DuendeError("this model was trained without music_dropout and knows no guidance; leave it at 1")
        ways.append((network.unheard.expand_as(heard), told))
        weights.append(1 - sampling.guidance)
    if sampling.style_guidance != 1:
        if untold is None:
            raise DuendeError("this model knows no styles and no style_guidance; leave it at 1")
        blend = torch.nn.functional.one_hot(untold, network.config.styles + 1).to(heard.dtype)
        ways.append((heard, blend if told is not None and told.is_floating_point() else untold))
        weights.append(1 - sampling.style_guidance)
    weights[0] -= sum(weights[1:])
    styles = [known for _, known in ways if known is not None]
    return _Ways(torch.cat([sound for sound, _ in ways]), torch.cat(styles) if styles else None, tuple(weights))


def _spread(style: Tensor | None, rows: int) -> Tensor | None:
    return None if style is None else style.expand(rows, *style.shape[1:])
