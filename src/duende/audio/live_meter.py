"""Which beats begin bars, told from beat to beat of music that is still going on."""

from __future__ import annotations

import numpy as np

from duende.audio.bars import BAR_LENGTHS, FLOOR, WALTZ

MEMORY = 32.0
"""Beats in which what was heard falls to a third of its weight."""
LOYALTY = 4.0
"""By how much other bars must be likelier (natural logarithm) than those that were told before."""


class LiveMeter:
    """Counts the evidence for every length of bar and every beat that could begin it.

    Attributes:
        length: beats in a bar.
        phase: the number of a beat that begins a bar, from 0.
    """

    def __init__(self) -> None:
        self.length, self.phase = BAR_LENGTHS[0], 0
        self._scores = {length: np.zeros(length) for length in BAR_LENGTHS}
        self._told = False

    def hear(self, number: int, beat: float, down: float) -> None:
        """Hear how likely a beat, by its number, was a beat and a downbeat."""
        rest = np.clip(beat - down, FLOOR, 1 - FLOOR)
        evidence = float(np.log(np.clip(down, FLOOR, 1 - FLOOR) / rest))
        for length, scores in self._scores.items():
            scores *= np.exp(-1 / MEMORY)
            scores[number % length] += evidence

    def decide(self) -> None:
        """Choose the likeliest bars, those of before unless others are clearly likelier."""
        score, length, phase = max(
            (float(value) - (WALTZ if length == 3 else 0.0), length, phase)
            for length, scores in self._scores.items()
            for phase, value in enumerate(scores)
        )
        before = self._scores[self.length][self.phase] - (WALTZ if self.length == 3 else 0.0)
        if not self._told or score > before + LOYALTY:
            self.length, self.phase, self._told = length, phase, True

    def place(self, number: int) -> int:
        """Return the place in a pair of bars of a beat by its number; both begin with downbeats."""
        return (number - self.phase) % (2 * self.length)
