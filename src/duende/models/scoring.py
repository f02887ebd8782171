"""Scores of the next codes, one step at a time: with remembered keys and values, or by the paper's loop."""

from __future__ import annotations

from copy import copy
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from duende.models.gpt import Block, CrossConditionalGPT, rotation

ANGLES_AT_ONCE = 512
"""Steps whose rotary angles are computed together."""
STREAMS = 3


class Scorer(Protocol):
    """Scores the next codes of several dances, each heard in one or several ways and with one or several candidates.

    Music and styles have ``K = ways * dances`` rows, those of the first way first. Candidates of a dance agree at first
    and after each :meth:`keep`; as long as they do, one may stand for all.
    """

    def __call__(self, heard: Tensor, codes: Tensor) -> Tensor:
        """Score what follows the last codes, upper and lower.

        Args:
            heard: ``(K, width)`` music tokens of the codes to be chosen.
            codes: ``(dances, C, 2)`` the last codes, C being 1 or all candidates.

        Returns:
            Scores ``(K, C, 2, codes)``.
        """

    def spread(self, candidates: int) -> None:
        """Make room for so many candidates of each dance, which agree."""

    def keep(self, best: Tensor, steps: int) -> None:
        """Go on with the candidates ``best`` ``(dances,)``, which have differed for the last ``steps`` steps."""

    def keep_dances(self, dances: Tensor) -> None:
        """Go on with these dances in place of the present ones."""

    def copy(self) -> Scorer:
        """Return one that goes on by itself."""


class RecomputedScorer:
    """The paper's way: the last ``window - 1`` codes once more for every code."""

    def __init__(self, network: CrossConditionalGPT, style: Tensor | None, dances: int, ways: int = 1) -> None:
        self.network, self.style, self.dances, self.ways, self.candidates = network, style, dances, ways, 1
        width = network.config.width
        self.heard = network.upper.weight.new_zeros(ways * dances, 0, width)
        self.codes = torch.zeros(dances, 1, 0, 2, dtype=torch.long, device=self.heard.device)

    def __call__(self, heard: Tensor, codes: Tensor) -> Tensor:
        """Score what follows ``codes``."""
        kept = max(1, self.network.config.window - 1)
        present = codes[:, :, None].expand(-1, self.candidates, -1, -1)
        self.heard = torch.cat([self.heard, heard[:, None]], dim=1)[:, -kept:]
        self.codes = torch.cat([self.codes, present], dim=2)[:, :, -kept:]
        count = codes.shape[1]
        past = self.codes[:, :count].repeat(self.ways, 1, 1, 1).flatten(0, 1)
        style = None if self.style is None else self.style.repeat_interleave(count, dim=0)
        music = self.heard.repeat_interleave(count, dim=0)
        logits = self.network.scores(music, past[..., 0], past[..., 1], style)
        return torch.stack([logits.upper[:, -1], logits.lower[:, -1]], dim=1).unflatten(0, (-1, count))

    def spread(self, candidates: int) -> None:
        """Make room for so many candidates of each dance, which agree."""
        self.candidates = candidates
        self.codes = self.codes[:, :1].expand(-1, candidates, -1, -1)

    def keep(self, best: Tensor, steps: int) -> None:
        """Go on with the candidates ``best`` ``(dances,)``."""
        chosen = self.codes[torch.arange(self.dances, device=best.device), best]
        self.codes = chosen[:, None].expand(-1, self.candidates, -1, -1)

    def keep_dances(self, dances: Tensor) -> None:
        """Go on with these dances in place of the present ones."""
        rows = rows_of(dances, self.dances, self.ways)
        self.heard, self.codes, self.dances = self.heard[rows], self.codes[dances], len(dances)
        self.style = None if self.style is None else self.style[rows]

    def copy(self) -> RecomputedScorer:
        """Return one that goes on by itself."""
        copied = RecomputedScorer(self.network, self.style, self.dances, self.ways)
        copied.heard, copied.codes, copied.candidates = self.heard, self.codes, self.candidates
        return copied


class CachedScorer:
    """Ours: three tokens a step, keys and values of the last ``window`` steps in a ring.

    All that a step changes is in tensors of fixed shape and place, so that a graphics processor can replay it.
    """

    def __init__(self, network: CrossConditionalGPT, style: Tensor | None, dances: int, ways: int = 1) -> None:
        config = network.config
        self.network, self.style, self.dances, self.ways, self.candidates = network, style, dances, ways, 1
        self.step = 0
        weight = network.upper.weight
        self.rings = weight.new_zeros(
            config.layers, 2, ways * dances, 1, config.heads, STREAMS * config.window, config.width // config.heads
        )
        steps = torch.arange(config.window, device=weight.device)
        self._places = STREAMS * steps[:, None] + torch.arange(STREAMS, device=weight.device)
        empty = (steps[:, None] < steps.repeat_interleave(STREAMS))[:, None, None, None]
        self._unfilled = torch.zeros_like(empty, dtype=weight.dtype).masked_fill(empty, -torch.inf)
        self._turns = self._angles()
        assert network.stream is not None
        music, upper, lower = network.stream
        self._told = music.expand(ways * dances, -1) if style is None else network.told(style, weight.dtype) + music
        self._danced = torch.cat([network.upper.weight + upper, network.lower.weight + lower])
        self._offsets = torch.tensor([0, config.codes], device=weight.device)

    def __call__(self, heard: Tensor, codes: Tensor) -> Tensor:
        """Score what follows ``codes``."""
        turn, places, unfilled = self.moment()
        full = self.step >= self.network.config.window - 1
        scores = self.stepped(heard, codes, turn, places, None if full else unfilled)
        self.step += 1
        return scores

    def moment(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``turn``, ``places`` and ``unfilled`` of the step that comes, see :meth:`stepped`."""
        window, place = self.network.config.window, self.step % ANGLES_AT_ONCE
        if self.step and not place:
            self._turns = self._angles()
        return self._turns[place], self._places[self.step % window], self._unfilled[min(self.step, window - 1)]

    def stepped(self, heard: Tensor, codes: Tensor, turn: Tensor, places: Tensor, unfilled: Tensor | None) -> Tensor:
        """Score what follows ``codes`` at the step that ``turn``, ``places`` and ``unfilled`` stand for.

        Args:
            heard: as in a call.
            codes: as in a call.
            turn: ``(2, 3, 1, 2, h)`` what queries, keys and values are multiplied with to be turned.
            places: ``(3,)`` where in the ring the three tokens go.
            unfilled: ``(1, 1, 1, 3 window)`` minus infinity where the ring is empty, else 0; None for a full ring.
        """
        network = self.network
        rows, count = len(heard), codes.shape[1]
        tokens = self._tokens(heard, codes)
        last = len(network.blocks) - 1
        for number, block in enumerate(network.blocks):
            assert isinstance(block, Block)
            attention, ring = block.attention, self.rings[number]
            queries, memory = attention.turned(block.attention_norm(tokens), turn)
            memory = memory.unflatten(1, (rows, count))
            ring.index_copy_(-2, places, memory.expand(-1, -1, self.candidates, -1, -1, -1))
            keys, values = ring[:, :, 0] if count == 1 else ring.flatten(1, 2)
            if number == last:
                # No score comes from the last music token.
                tokens, queries = tokens[:, 1:], queries[:, :, 1:]
            mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=unfilled)
            tokens = tokens + attention.output(mixed.transpose(1, 2).flatten(2))
            tokens = tokens + block.hidden(block.hidden_norm(tokens))
        upper, lower = network.norm(tokens).unbind(1)
        scores = torch.stack([network.upper_scores(upper), network.lower_scores(lower)], dim=1)
        return scores.unflatten(0, (rows, count))

    def spread(self, candidates: int) -> None:
        """Make room for so many candidates of each dance, which agree."""
        if candidates != self.candidates:
            self.rings = self.rings[:, :, :, :1].repeat(1, 1, 1, candidates, 1, 1, 1)
            self.candidates = candidates

    def keep(self, best: Tensor, steps: int) -> None:
        """Go on with the candidates ``best`` ``(dances,)``: what the others remember of the last steps is replaced."""
        window = self.network.config.window
        differing = torch.arange(self.step - min(steps, window), self.step, device=best.device) % window
        places = self._places[differing].flatten()
        rows = torch.arange(self.ways * self.dances, device=best.device)
        chosen = self.rings.index_select(-2, places)[:, :, rows, best.repeat(self.ways)]
        spread = chosen[:, :, :, None].expand(-1, -1, -1, self.candidates, -1, -1, -1)
        self.rings.index_copy_(-2, places, spread)

    def keep_dances(self, dances: Tensor) -> None:
        """Go on with these dances in place of the present ones."""
        rows = rows_of(dances, self.dances, self.ways)
        self.rings, self.dances, self._told = self.rings[:, :, rows], len(dances), self._told[rows]

    def copy(self) -> CachedScorer:
        """Return one that goes on by itself."""
        copied = copy(self)
        copied.rings = self.rings.clone()
        return copied

    def _tokens(self, heard: Tensor, codes: Tensor) -> Tensor:
        """Lay out the three tokens of this step ``(K C, 3, width)``."""
        count = codes.shape[1]
        told = (heard + self._told)[:, None, None].expand(-1, count, -1, -1)
        danced = F.embedding(codes + self._offsets, self._danced)
        danced = danced.expand(self.ways, *danced.shape).flatten(0, 1)
        return torch.cat([told, danced], dim=2).flatten(0, 1)

    def _angles(self) -> Tensor:
        """Turns of the coming steps ``(N, 2, 3, 1, 2, h)``: cosines, then signed sines; values are not turned.

        In double precision and on the processor: in single precision those of an endless dance would grow coarse.
        """
        first = self.step - self.step % ANGLES_AT_ONCE
        steps = torch.arange(first, first + ANGLES_AT_ONCE, dtype=torch.float64)
        angles = rotation(self.network.config, steps)
        assert angles is not None
        cosine, sine = angles.float()[:, :, None]
        queries = torch.stack([cosine.expand(-1, 2, -1), torch.cat([-sine, sine], dim=1)], dim=1)
        values = torch.stack([torch.ones_like(queries[:, 0]), torch.zeros_like(queries[:, 0])], dim=1)
        return torch.stack([queries, queries, values], dim=2)[:, :, :, None].to(self.rings.device)


def rows_of(dances: Tensor, count: int, ways: int) -> Tensor:
    """Return which of ``ways * count`` rows belong to ``dances``, those of the first way first."""
    return (torch.arange(ways, device=dances.device)[:, None] * count + dances).flatten()
