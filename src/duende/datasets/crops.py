"""Crops of clips in an order that a seed and a step number decide, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duende.errors import DuendeError


@dataclass(frozen=True, eq=False)
class Crops:
    """All crops of ``length`` rows from sequences of the given lengths, every ``stride`` rows.

    A sequence shorter than ``length`` gives one crop at its start when ``padded``, none otherwise.
    """

    sequences: np.ndarray
    starts: np.ndarray
    length: int

    @classmethod
    def over(cls, lengths: Sequence[int], length: int, stride: int, padded: bool = False) -> Crops:
        """List the crops.

        Raises:
            DuendeError: no sequence is long enough for one.
        """
        pairs = [
            (index, start)
            for index, total in enumerate(lengths)
            for start in (range(0, total - length + 1, stride) if total >= length else [0] * padded)
        ]
        if not pairs:
            longest = max(lengths, default=0)
            raise DuendeError(f"no clip holds {length} rows, the longest has {longest}; train with shorter crops")
        table = np.array(pairs)
        return cls(table[:, 0], table[:, 1], length)

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, step: int, size: int, seed: int) -> list[tuple[int, int]]:
        """Return (sequence, start) of the crops of a step: a new shuffle in each epoch, without replacement."""
        wanted = np.arange(step * size, (step + 1) * size)
        chosen = []
        for epoch in np.unique(wanted // len(self)):
            order = np.random.default_rng([seed, int(epoch)]).permutation(len(self))
            chosen.append(order[wanted[wanted // len(self) == epoch] % len(self)])
        return [(int(self.sequences[i]), int(self.starts[i])) for i in np.concatenate(chosen)]


def cropped(sequence: np.ndarray, start: int, length: int) -> np.ndarray:
    """Return rows ``start`` to ``start + length``, the last row repeated where the sequence ends before."""
    rows = sequence[start : start + length]
    if len(rows) < length:
        rows = np.concatenate([rows, np.repeat(rows[-1:], length - len(rows), axis=0)])
    return rows
