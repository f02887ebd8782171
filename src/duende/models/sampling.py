"""From scores to codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from duende.errors import DuendeError

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""
Chance = torch.Generator | Sequence[torch.Generator] | None
"""Where chance comes from: one source for all dances, one for each, or torch's global one."""


@dataclass(frozen=True)
class Sampling:
    """How a code is drawn from its scores. The defaults take the most probable one, as the paper does.

    Attributes:
        temperature: 0 takes the most probable code, 1 draws as often as the network expects, more is bolder.
        top_k: draw among so many codes; None for all.
        top_p: draw among the most probable codes that make up this share; None for all.
        guidance: how far scores go from those without music, at 0, through those with it, at 1, and beyond
            (classifier-free guidance, Ho and Salimans, 2022); other than 1 it needs a network trained with
            ``music_dropout``.
        style_guidance: the same for the style: 1 follows it as in training, more exaggerates it.
        candidates: how many continuations are tried of each phrase, the best of which goes on; 1 for none.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    guidance: float = 1.0
    style_guidance: float = 1.0
    candidates: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise DuendeError(f"the temperature of sampling is 0 or above, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise DuendeError(f"top_k keeps at least 1 code, got {self.top_k}; leave it out to keep all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise DuendeError(f"top_p is above 0 and at most 1, got {self.top_p}; leave it out to keep all")
        for name in ("guidance", "style_guidance"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise DuendeError(f"the {name} of sampling is 0 or above, got {getattr(self, name)}; 1 is none")
        if self.candidates < 1:
            raise DuendeError(f"at least 1 candidate dances, got {self.candidates}; 1 is no choice")

    def alone(self) -> Sampling:
        """Return the same without choosing among candidates."""
        return replace(self, candidates=1)


@dataclass(frozen=True)
class DiffusionSampling:
    """How a dance is drawn out of noise; defaults are EDGE's.

    Attributes:
        steps: of denoising; more are slower and finer.
        eta: how much new noise each step brings: 1 as much as was taken out, 0 none, which makes the first noise decide
            everything (Song et al., "Denoising Diffusion Implicit Models", 2021).
        guidance: how far a dance goes from one without music, at 0, through one with it, at 1, and beyond
            (classifier-free guidance, Ho and Salimans, 2022).
        coupling: how windows of a long dance come to agree. ``"overwritten"``, as EDGE has it: after every step what a
            window says of the frames that it shares with the one before gives way to what that one says. ``"faded"``
            (ours): windows share their noise, and what they predict of shared frames fades from one to the other at
            every step, so that each sees a dance without a break (as in MultiDiffusion, Bar-Tal et al., 2023).
        guidance_ramp: whether guidance rises from 0 over the first half of the steps where a dance has several windows.
    """

    steps: int = 50
    eta: float = 1.0
    guidance: float = 2.0
    guidance_ramp: bool = True
    coupling: Literal["faded", "overwritten"] = "faded"

    def __post_init__(self) -> None:
        if self.coupling not in ("faded", "overwritten"):
            raise DuendeError(f"the coupling of sampling is 'faded' or 'overwritten', got {self.coupling!r}")
        if self.steps < 1:
            raise DuendeError(f"denoising takes at least 1 step, got steps {self.steps}; 50 is usual")
        if not 0 <= self.eta <= 1:
            raise DuendeError(f"the eta of sampling is between 0 and 1, got {self.eta}; 0 brings no new noise")
        if not 0 <= self.guidance < float("inf"):
            raise DuendeError(f"the guidance of sampling is 0 or above, got {self.guidance}; 1 is none")

    def alone(self) -> DiffusionSampling:
        """Return the same without a choice among candidates, of which there is none here."""
        return self

    def guidance_at(self, step: int, windows: int) -> float:
        """Guidance of a step, counted from 0, of a dance of so many windows."""
        if not self.guidance_ramp or windows == 1 or self.steps == 1:
            return self.guidance
        return min(self.guidance, 2 * self.guidance * step / (self.steps - 1))


def drawn(scores: Tensor, sampling: Sampling, chance: Chance) -> Tensor:
    """Draw one code ``(B,)`` from scores ``(B, codes)``; of several sources of chance each has as many rows."""
    if sampling.temperature == 0:
        return scores.argmax(dim=-1)
    scores = scores.float() / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k, dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if sampling.top_p is not None:
        ordered, order = scores.softmax(dim=-1).sort(dim=-1, descending=True)
        beyond = (ordered.cumsum(dim=-1) - ordered) >= sampling.top_p
        scores = scores.masked_fill(beyond.scatter(-1, order, beyond), -torch.inf)
    # As torch.multinomial draws a single code, without its checks: the largest of probability over waiting time.
    return (scores.softmax(dim=-1) / waiting_times(scores, chance)).argmax(dim=-1)


def waiting_times(like: Tensor, chance: Chance) -> Tensor:
    """Draw exponentially distributed numbers of the shape of ``like``, source by source in equal parts."""
    times = torch.empty_like(like)
    sources = chance if isinstance(chance, Sequence) else [chance]
    for part, source in zip(times.chunk(len(sources)), sources, strict=True):
        part.exponential_(generator=source)
    return times


def copied_chance(chance: Chance) -> Chance:
    """Return sources that will draw what these will, and leave these as they are; torch's global one is shared."""
    if isinstance(chance, Sequence):
        return [_copied(source) for source in chance]
    return None if chance is None else _copied(chance)


def _copied(source: torch.Generator) -> torch.Generator:
    copied = torch.Generator(source.device)
    copied.set_state(source.get_state())
    return copied


def guided(scores: Tensor, weights: Sequence[float]) -> Tensor:
    """Mix scores ``(K B, ...)`` of K ways to hear the same music, one after the other, to ``(B, ...)``."""
    ways = scores.unflatten(0, (len(weights), -1))
    return torch.tensordot(torch.tensor(weights, dtype=ways.dtype, device=ways.device), ways, dims=1)
