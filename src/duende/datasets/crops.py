"""Crops of clips in an order that a seed and a step number decide, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from duende.errors import DuendeError

SHIFTS = 0x5817
"""Tells the chance of where crops begin from that of their order, which follows from the same seed."""


class Crop(NamedTuple):
    """Rows of a sequence from ``start`` on, of which those from ``first`` to before ``end`` are learnt from."""

    sequence: int
    start: int
    first: int
    end: int


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
        table = _table(pairs, lengths, length)
        return cls(table[:, 0], table[:, 1], length)

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, step: int, size: int, seed: int) -> list[Crop]:
        """Return the crops of a step: a new shuffle in each epoch, without replacement."""
        return [
            Crop(int(self.sequences[i]), int(self.starts[i]), int(self.starts[i]), int(self.starts[i]) + self.length)
            for _, chosen in in_epochs(step, size, seed, len(self))
            for i in chosen
        ]


@dataclass(frozen=True, eq=False)
class JitteredCrops:
    """As few crops of ``length`` rows as cover each sequence, their borders drawn anew for each epoch.

    Every row is learnt from in one crop of an epoch. The first ``context`` rows of a crop are not, but for those at the
    beginning of a sequence: they are what the crop before learns from, and are there to be looked back on.

    Attributes:
        sequences: of each crop.
        numbers: how many crops of its sequence come before each.
        totals: rows of each sequence.
        slack: rows by which the crops of each sequence can be moved.
        length: of a crop.
        context: rows.
        unit: crops begin at multiples of so many rows.
    """

    sequences: np.ndarray
    numbers: np.ndarray
    totals: np.ndarray
    slack: np.ndarray
    length: int
    context: int
    unit: int

    @classmethod
    def over(
        cls, lengths: Sequence[int], length: int, context: int = 0, unit: int = 1, padded: bool = False
    ) -> JitteredCrops:
        """List the crops; a sequence shorter than ``length`` gives one when ``padded``, none otherwise.

        Raises:
            DuendeError: no sequence is long enough for one.
        """
        stride = length - context
        more = [max(0, -(-(total - length) // stride)) for total in lengths]
        pairs = [
            (index, number)
            for index, total in enumerate(lengths)
            for number in range(more[index] + 1)
            if total >= length or padded
        ]
        table = _table(pairs, lengths, length)
        slack = np.maximum(0, length + stride * np.array(more) - np.array(lengths)) * (np.array(more) > 0)
        return cls(table[:, 0], table[:, 1], np.array(lengths), slack, length, context, unit)

    def __len__(self) -> int:
        return len(self.numbers)

    def batch(self, step: int, size: int, seed: int) -> list[Crop]:
        """Return the crops of a step: a new shuffle in each epoch, without replacement."""
        crops: list[Crop] = []
        for epoch, chosen in in_epochs(step, size, seed, len(self)):
            shifts = self._shifts(seed, epoch)
            crops += [self._crop(int(i), shifts) for i in chosen]
        return crops

    def _shifts(self, seed: int, epoch: int) -> np.ndarray:
        """Draw by how many rows the borders in each sequence lie earlier than they could."""
        rng = np.random.default_rng([SHIFTS, seed, epoch])
        return np.asarray(rng.integers(0, self.slack // self.unit + 1) * self.unit)

    def _crop(self, index: int, shifts: np.ndarray) -> Crop:
        sequence, number = int(self.sequences[index]), int(self.numbers[index])
        total, stride = int(self.totals[sequence]), self.length - self.context
        end = self.length + number * stride - int(shifts[sequence])
        first = end - stride if number else 0
        # The last crop of a sequence is full too: it looks back further where it would reach past the end.
        start = max(0, min(first - self.context, total - self.length))
        return Crop(sequence, start, first, min(end, total))


def in_epochs(step: int, size: int, seed: int, count: int) -> Iterator[tuple[int, np.ndarray]]:
    """Say which of ``count`` crops a step looks at: each epoch that it touches, and the numbers of the crops."""
    wanted = np.arange(step * size, (step + 1) * size)
    for epoch in np.unique(wanted // count):
        yield int(epoch), _order(seed, int(epoch), count)[wanted[wanted // count == epoch] % count]


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _table(pairs: list[tuple[int, int]], lengths: Sequence[int], length: int) -> np.ndarray:
    if not pairs:
        longest = max(lengths, default=0)
        raise DuendeError(f"no clip holds {length} rows, the longest has {longest}; train with shorter crops")
    return np.array(pairs)


def cropped(sequence: np.ndarray, start: int, length: int) -> np.ndarray:
    """Return rows ``start`` to ``start + length``, the last row repeated where the sequence ends before."""
    rows = sequence[start : start + length]
    if len(rows) < length:
        rows = np.concatenate([rows, np.repeat(rows[-1:], length - len(rows), axis=0)])
    return rows
