"""Mean and spread of the music that a network is trained on, taken piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST = 1e-3
"""A column that hardly changes is not blown up."""


@dataclass(frozen=True, eq=False)
class MusicSpread:
    """What brings music features to a mean of 0 and a deviation of 1.

    Attributes:
        mean: ``(D,)`` of each column.
        scale: ``(D,)`` deviation of each column, :data:`SMALLEST` or more.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, pieces: Sequence[np.ndarray]) -> MusicSpread:
        """Take them from features ``(T, D)``; no more than one piece is held in single precision at a time."""
        rows = sum(len(piece) for piece in pieces)
        width = pieces[0].shape[1]
        total = np.zeros(width, np.float32)
        for piece in pieces:
            total = _added(total, np.asarray(piece, np.float32))
        mean = total / np.float32(rows)
        squares = np.zeros(width, np.float32)
        for piece in pieces:
            squares = _added(squares, (np.asarray(piece, np.float32) - mean) ** 2)
        return cls(mean, np.maximum(np.sqrt(squares / np.float32(rows)), np.float32(SMALLEST)))


def _added(total: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Add rows one after the other, so that the sum does not depend on where pieces end."""
    return np.asarray(np.add.reduce(np.concatenate([total[None], rows]), axis=0))
