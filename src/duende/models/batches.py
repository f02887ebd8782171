"""Many dances of different lengths in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from duende.models.generation import Audition, Generation
from duende.models.gpt import CrossConditionalGPT
from duende.models.sampling import Progress, Sampling


def generate_many(
    network: CrossConditionalGPT,
    music: Sequence[Tensor],
    start: Tensor,
    generators: Sequence[torch.Generator],
    *,
    style: Tensor | None = None,
    sampling: Sampling | None = None,
    auditions: Callable[[Sequence[int]], Audition] | None = None,
    progress: Progress | None = None,
) -> list[Tensor]:
    """Choose the codes of many whole dances, each as :func:`duende.models.generation.generate` does for it alone.

    Every dance draws from its own chance, so that only rounding, which depends on the size of a batch, can tell it from
    the same dance alone. A dance that is done leaves the batch; with recorded steps, whose shape is fixed, the batch
    is made smaller when half of it is done.

    Args:
        network: that scores the codes.
        music: ``(N, D)`` of each dance, row i the music of code i + 1; the last row is not needed.
        start: ``(B, 2)`` codes to begin with.
        generators: source of chance of each dance.
        style: as in :meth:`CrossConditionalGPT.forward`.
        sampling: how codes are drawn.
        auditions: the choice among candidates for the dances of these numbers; its judge is also shown codes past the
            end of a dance.
        progress: called with codes done and codes in all.

    Returns:
        ``(N, 2)`` codes of each dance.
    """
    generation = Generation(network, start, style=style, sampling=sampling, generator=list(generators))
    lengths, danced = [len(rows) for rows in music], dict[int, Tensor]()
    rows = list(range(len(music)))
    while True:
        for row, dance in enumerate(rows):
            if lengths[dance] <= generation.count and dance not in danced:
                danced[dance] = generation.codes[row, : lengths[dance]].clone()
        if progress:
            progress(sum(min(length, generation.count) for length in lengths), sum(lengths))
        left = [row for row, dance in enumerate(rows) if dance not in danced]
        if not left:
            return [danced[dance] for dance in range(len(music))]
        if len(left) < len(rows) and (network.stepping == "plain" or 2 * len(left) <= len(rows)):
            generation.keep(left)
            rows = [rows[row] for row in left]
        audition = auditions(rows) if auditions else None
        phrase = audition.phrase if audition else 1
        missing = min(lengths[dance] for dance in rows if dance not in danced) - generation.count
        steps = -(-missing // phrase) * phrase
        following = torch.stack([_piece(music[dance], generation.count - 1, steps) for dance in rows])
        generation.extend(following, audition=audition)


def _piece(rows: Tensor, first: int, count: int) -> Tensor:
    """Return ``count`` rows from ``first`` on, the last repeated past the end."""
    places = torch.arange(first, first + count, device=rows.device).clamp_max(len(rows) - 1)
    return rows[places]
