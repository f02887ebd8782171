"""How far the pitches of music that is still going on lie from A440's."""

from __future__ import annotations

import numpy as np

from duende.audio import spectral
from duende.audio.chroma import BINS, STEPS, TUNED, peaks

FIRST = 8
"""Rows after which the tuning is told for the first time; from then on when twice as many were heard, as new wavelets
take time to make."""
LEVELS = (-120, 80)
"""Decibels of the weakest and the strongest pitches that are told apart, by one decibel."""


class LiveTuning:
    """Hears harmonic sound row by row; counts the pitches by loudness and by how far they lie from the nearest bin."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._counts = np.zeros((LEVELS[1] - LEVELS[0], STEPS), int)
        self._rows, self._next, self._tuning = 0, FIRST, 0.0

    def hear(self, sound: np.ndarray) -> float:
        """Hear the sound of a row and the four hops before it; return the tuning in bins.

        It is that of :func:`duende.audio.chroma.estimated_tuning`.
        """
        # Whole windows alone: a cut one has other peaks.
        magnitude = np.abs(spectral.spectrum(sound, part=(2, max(3, len(sound) // spectral.HOP - 2)))).T
        hertz, strength = peaks(magnitude, self._rate)
        level = np.clip(
            np.round(20 * np.log10(np.maximum(strength, 1e-6))).astype(int) - LEVELS[0], 0, len(self._counts) - 1
        )
        distance = np.mod(BINS * np.log2(hertz / np.float32(TUNED / 16)) + 0.5, 1.0)
        np.add.at(self._counts, (level, np.minimum((distance * STEPS).astype(int), STEPS - 1)), 1)
        self._rows += 1
        if self._rows == self._next:
            self._next *= 2
            self._tuning = self._told()
        return self._tuning

    def _told(self) -> float:
        """Return the commonest distance among the louder half of the pitches."""
        total = self._counts.sum()
        if not total:
            return 0.0
        first = int(np.searchsorted(np.cumsum(self._counts.sum(axis=1)), total / 2))
        return int(self._counts[first:].sum(axis=0).argmax()) / STEPS - 0.5
