"""Codes one after the other: the loop around the GPT, with its cache, guidance and choice among candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy as shallow_copy
from dataclasses import dataclass

import torch
from torch import Tensor

from duende.errors import DuendeError
from duende.models.captured import CapturedScorer
from duende.models.gpt import CrossConditionalGPT
from duende.models.sampling import Chance, Progress, Sampling, copied_chance, drawn, guided
from duende.models.scoring import CachedScorer, RecomputedScorer, Scorer


@dataclass(frozen=True)
class Audition:
    """A choice among candidates, phrase by phrase: all begin at the same codes, the best goes on.

    Attributes:
        candidates: how many.
        phrase: codes in a phrase.
        judge: given codes ``(dances, candidates, N, 2)`` so far and the index of the first code of the phrase, returns
            for each dance which candidate is the best.
    """

    candidates: int
    phrase: int
    judge: Callable[[Tensor, int], Sequence[int]]


class Generation:
    """Dances that are still going on: codes chosen so far, and what the network remembers of them.

    Code 0 of each dance is its ``start``. Every row of music that :meth:`extend` is given is that of the code that is
    chosen with it: the first row that is ever given is the music of code 1. Memory grows with the codes alone (16 bytes
    a code and candidate), time per code does not grow.

    Args:
        network: that scores the codes.
        start: ``(B, 2)`` upper and lower code to begin with.
        style: as in :meth:`CrossConditionalGPT.forward`.
        sampling: how codes are drawn.
        generator: source of chance for a temperature above 0: one for all dances, or one for each, which makes what is
            drawn for a dance independent of the others; None for torch's global one, which copies share.

    Raises:
        DuendeError: guidance is asked of a network that was trained without ``music_dropout`` or styles.
    """

    @torch.inference_mode()
    def __init__(
        self,
        network: CrossConditionalGPT,
        start: Tensor,
        *,
        style: Tensor | None = None,
        sampling: Sampling | None = None,
        generator: Chance = None,
    ) -> None:
        self.network, self.sampling, self.generator = network, sampling or Sampling(), generator
        self._ways = _ways(network, self.sampling)
        with _calm(network):
            known = _known_styles(network, style, start, self._ways)
        self._scorer = _scorer(network, known, len(start), len(self._ways))
        self._codes = start[:, None, None].clone()
        self.count = 1

    @property
    def codes(self) -> Tensor:
        """All codes so far ``(B, count, 2)``, the start being the first."""
        return self._codes[:, 0, : self.count]

    @torch.inference_mode()
    def extend(
        self,
        music: Tensor,
        *,
        given: Tensor | None = None,
        audition: Audition | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Choose the next codes.

        A dance in pieces is the dance as a whole, code for code, if an audition's calls end where its phrases do.

        Args:
            music: ``(B, n, D)``, each row the music of the code that is chosen with it.
            given: ``(B, n, 2)`` codes that are taken as they are, -1 where the network chooses.
            audition: a choice among candidates. The call begins a phrase, every ``phrase`` codes another begins, and
                the call ends one, however short.
            progress: called with codes done and codes in all, of this call.

        Returns:
            ``(B, n, 2)`` codes.
        """
        begin, end = self.count, self.count + music.shape[1]
        self._make_room(audition.candidates if audition else 1, end)
        first = begin
        with _calm(self.network):
            for place in range(begin, end):
                # Candidates agree on all codes before their phrase, and one of them speaks for all.
                past = self._codes[:, : 1 if place == first else None, place - 1]
                codes = self._drawn(self._scorer(self._heard(music[:, place - begin]), past))
                if given is not None:
                    told = given[:, None, place - begin]
                    codes = torch.where(told < 0, codes, told)
                self._codes[:, :, place] = codes
                self.count = place + 1
                if audition is None:
                    first = self.count
                elif self.count - first == audition.phrase or self.count == end:
                    self._choose(audition, first)
                    first = self.count
                if progress:
                    progress(self.count - begin, end - begin)
        return self.codes[:, begin:end].clone()

    @torch.inference_mode()
    def copy(self, dances: Sequence[int] | None = None) -> Generation:
        """Return one that goes on by itself, with its own chance: what it does leaves this one as it is.

        Args:
            dances: those that go on in the copy, by their rows; all by default.
        """
        copied = shallow_copy(self)
        copied._scorer, copied._codes = self._scorer.copy(), self._codes.clone()
        copied.generator = copied_chance(self.generator)
        if dances is not None:
            copied.keep(dances)
        return copied

    @torch.inference_mode()
    def keep(self, dances: Sequence[int]) -> None:
        """Go on with these dances alone, by their rows."""
        rows = torch.tensor(dances, dtype=torch.long, device=self._codes.device)
        self._scorer.keep_dances(rows)
        self._codes = self._codes[rows]
        if isinstance(self.generator, Sequence):
            self.generator = [self.generator[dance] for dance in dances]

    def _heard(self, music: Tensor) -> Tensor:
        """Hear one row ``(B, D)`` in all ways ``(ways * B, width)``.

        Row by row, whatever the caller gives at once: larger products round otherwise, and pieces would differ.
        """
        heard = self.network.hear(music[:, None].to(self.network.upper.weight.dtype))[:, 0]
        if len(self._ways) == 1:
            return heard
        unheard = self.network.unheard
        return torch.cat([heard if unheard is None or way.music else unheard.expand_as(heard) for way in self._ways])

    def _drawn(self, scores: Tensor) -> Tensor:
        """Draw codes ``(B, candidates, 2)`` from scores ``(ways * B, C, 2, codes)``."""
        scores = guided(scores, [way.weight for way in self._ways])
        scores = scores.expand(-1, self._codes.shape[1], -1, -1)
        return drawn(scores.flatten(0, 2), self.sampling, self.generator).view(scores.shape[:3])

    def _choose(self, audition: Audition, first: int) -> None:
        """End the phrase that began at code ``first``."""
        codes = self._codes[:, :, : self.count]
        best = torch.tensor(list(audition.judge(codes, first)), device=codes.device)
        chosen = codes[torch.arange(len(codes), device=codes.device), best, first:]
        codes[:, :, first:] = chosen[:, None]
        # The first step of the phrase was the same for all.
        self._scorer.keep(best, self.count - first - 1)

    def _make_room(self, candidates: int, end: int) -> None:
        """Make room for ``end`` codes of so many candidates, doubling what there is."""
        dances, present, room, _ = self._codes.shape
        self._scorer.spread(candidates)
        if present == candidates and room >= end:
            return
        codes = self._codes.new_zeros(dances, candidates, end if room >= end else max(end, 2 * room), 2)
        codes[:, :, : self.count] = self._codes[:, :1, : self.count]
        self._codes = codes


def generate(
    network: CrossConditionalGPT,
    music: Tensor,
    start: Tensor,
    *,
    style: Tensor | None = None,
    sampling: Sampling | None = None,
    audition: Audition | None = None,
    given: Tensor | None = None,
    generator: Chance = None,
    progress: Progress | None = None,
) -> Tensor:
    """Choose the codes of whole dances one after the other.

    Args:
        network: that scores them.
        music: ``(B, N, D)``, row i the music of code i + 1; the last row is not needed.
        start: ``(B, 2)`` upper and lower code to begin with.
        style: as in :meth:`CrossConditionalGPT.forward`.
        sampling: how codes are drawn.
        audition: a choice among candidates, phrase by phrase from code 1 on.
        given: ``(B, N, 2)`` codes that are taken as they are, -1 where the network chooses.
        generator: as of :class:`Generation`.
        progress: called with codes done and codes in all.

    Returns:
        ``(B, N, 2)`` codes, the first being ``start`` where nothing else is given.

    Raises:
        DuendeError: guidance is asked of a network that was trained without ``music_dropout``.
    """
    first = start if given is None else torch.where(given[:, 0] < 0, start, given[:, 0])
    first = first.expand(len(music), -1)
    generation = Generation(network, first, style=style, sampling=sampling, generator=generator)
    generation.extend(
        music[:, :-1],
        given=None if given is None else given[:, 1:],
        audition=audition,
        progress=None if progress is None else lambda done, count: progress(done + 1, count + 1),
    )
    return generation.codes.clone()


@dataclass(frozen=True)
class _Way:
    """One way to hear the same music: with its sound, with the style told, and how much its scores count."""

    music: bool
    style: bool
    weight: float


def _ways(network: CrossConditionalGPT, sampling: Sampling) -> tuple[_Way, ...]:
    """Hear the music as it is and, where scores are guided, without its sound and without the style being told.

    Both guidances are added up: each moves the scores away from those that lack what it amplifies.
    """
    lacking = []
    if sampling.guidance != 1:
        if network.unheard is None:
            raise DuendeError("this model was trained without music_dropout and knows no guidance; leave it at 1")
        lacking.append(_Way(False, True, 1 - sampling.guidance))
    if sampling.style_guidance != 1:
        if network.style is None:
            raise DuendeError("this model knows no styles and no style_guidance; leave it at 1")
        lacking.append(_Way(True, False, 1 - sampling.style_guidance))
    return (_Way(True, True, 1.0 - sum(way.weight for way in lacking)), *lacking)


def _scorer(network: CrossConditionalGPT, style: Tensor | None, dances: int, ways: int) -> Scorer:
    if network.table is not None:
        return RecomputedScorer(network, style, dances, ways)
    kind = CachedScorer if network.stepping == "plain" else CapturedScorer
    return kind(network, style, dances, ways)


def _known_styles(
    network: CrossConditionalGPT, style: Tensor | None, start: Tensor, ways: Sequence[_Way]
) -> Tensor | None:
    """Return the styles told in each way, ``(ways * B,)`` ids or ``(ways * B, styles + 1)`` weights."""
    told, untold = (network.known_style(known, start) for known in (style, None))
    if told is None or untold is None:
        return None
    if told.is_floating_point():
        untold = torch.nn.functional.one_hot(untold, network.config.styles + 1).to(told.dtype)
    told = told.expand(len(start), *told.shape[1:])
    return torch.cat([told if way.style else untold for way in ways])


@contextmanager
def _calm(network: CrossConditionalGPT) -> Iterator[None]:
    """Drop nothing and withhold nothing while the network generates, even in the middle of its training."""
    training = network.training
    if training:
        network.eval()
    try:
        yield
    finally:
        if training:
            network.train()
