"""What the music was like a bar or two ago and just now: the guess of what it will be like."""

from __future__ import annotations

import numpy as np

from duende.audio.music import FeatureSet

KEPT = 120
"""Rows that are kept."""
RECENT = 15
"""Rows whose mean is one of the guesses."""
LASTING = {"mfcc": 0.6, "mfcc_delta": 0.0, "chroma": 0.8, "tempogram": 1.0}
"""How much of a family's last row is taken to last from row to row; the rest is as bars ago and as of late."""
PULSING = "onset"
"""The family that tells what happens when, and is repeated to the frame."""
REPEATS = (0.5, 1.0, 2.0)
"""Bars after which onsets are taken to come again."""


class LiveMemory:
    """Keeps the last rows of a feature set.

    The shares of the guesses are those that came nearest to the real rows of songs, one to seven rows ahead.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._features = features
        self._families = {name: features.slice(name) for name, _ in features.columns}
        self._rows = np.zeros((0, features.dimension), np.float32)

    def keep(self, row: np.ndarray) -> None:
        """Remember a row ``(D,)``, forget the oldest."""
        self._rows = np.concatenate([self._rows, row[None]])[-KEPT:]

    def expected(self, count: int, bar: float) -> np.ndarray:
        """Guess the heard families of the next rows ``(count, D)``; the other columns are the last row's.

        Args:
            count: how many.
            bar: its length in rows, 0 where none is known.
        """
        if len(self._rows) == 0:
            return np.zeros((count, self._features.dimension), np.float32)
        table = np.repeat(self._rows[-1:], count, axis=0)
        ahead = np.arange(count)
        for family, lasting in LASTING.items():
            if family in self._families and lasting < 1:
                columns = self._families[family]
                share = (lasting ** (ahead + 1))[:, None]
                guess = np.mean(
                    [*self._repeated(columns, ahead, bar, (1.0, 2.0)), self._recent(columns, count)], axis=0
                )
                table[:, columns] = share * table[:, columns] + (1 - share) * guess
        if PULSING in self._families:
            columns = self._families[PULSING]
            mean = np.full_like(table[:, columns], self._rows[-RECENT:, columns].mean())
            table[:, columns] = np.mean([*self._frames_again(columns, ahead, bar), mean], axis=0)
        return table

    def _recent(self, columns: slice, count: int) -> np.ndarray:
        return np.repeat(self._rows[-RECENT:, columns].mean(axis=0, keepdims=True), count, axis=0)

    def _repeated(self, columns: slice, ahead: np.ndarray, bar: float, repeats: tuple[float, ...]) -> list[np.ndarray]:
        """Rows some bars before those that are ``ahead``, between two rows in part of both."""
        guesses = []
        for place in _places(len(self._rows), ahead.astype(float), [bar * times for times in repeats]):
            before = place.astype(int)
            share = (place - before)[:, None]
            after = np.minimum(before + 1, len(self._rows) - 1)
            guesses.append(self._rows[before, columns] * (1 - share) + self._rows[after, columns] * share)
        return guesses

    def _frames_again(self, columns: slice, ahead: np.ndarray, bar: float) -> list[np.ndarray]:
        """Strengths of onsets some bars before, to the nearest frame."""
        width = columns.stop - columns.start
        frames = self._rows[:, columns].ravel()
        coming = (ahead[:, None] * width + np.arange(width)).ravel().astype(float)
        places = _places(len(frames), coming, [bar * times * width for times in REPEATS])
        return [frames[np.minimum(np.round(place).astype(int), len(frames) - 1)].reshape(-1, width) for place in places]


def _places(heard: int, ahead: np.ndarray, periods: list[float]) -> list[np.ndarray]:
    """Where, among ``heard``, things ``ahead`` of them were a period ago, or the fewest periods that were heard."""
    places = []
    for period in periods:
        if 1 <= period <= heard:
            # Rounded up: the nearest repetition that lies in the past, not the present itself.
            place = heard + ahead - np.ceil((ahead + 1) / period) * period
            places.append(np.maximum(place, 0.0))
    return places
