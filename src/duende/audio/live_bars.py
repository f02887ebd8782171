"""The likeliest bars of music that is still going on: each moment adds a little to the search, and old music fades."""

from __future__ import annotations

import numpy as np

from duende.audio.bars import FINENESS, BarModel, Bars, bar_length, bar_model, finer
from duende.audio.beat_network import FRAMES_A_SECOND

FINE_RATE = FINENESS * FRAMES_A_SECOND
KEPT = 12.0
"""Seconds whose beats are told."""
MEMORY = 20.0
"""Seconds in which what was heard falls to a third of its weight, so that a new tempo can win over an old one."""
OPEN = 60
"""Frames of the activation that are searched anew each time, as later sound still changes what is heard there."""


class LiveBars:
    """The search of :mod:`duende.audio.bars`, carried on from where it was."""

    def __init__(self, tempi: tuple[float, float] | None = None) -> None:
        self._model: BarModel = bar_model(60.0 * FINE_RATE, tempi)
        self._score = self._model.unheard()
        self._choice = np.zeros((0, *self._score.shape[1:]), np.int8)
        self._done = 0

    def hear(self, activation: np.ndarray, end: int) -> Bars:
        """Find the bars of the last seconds.

        Args:
            activation: ``(T, 2)`` of the last frames as it looks now; at least the :data:`OPEN` last ones and those
                since the call before.
            end: number of the frame after the last.

        Returns:
            Beats in frames since the first sound, at most :data:`KEPT` seconds old.
        """
        fine, first = finer(activation), FINENESS * (end - len(activation))
        settled = max(self._done, FINENESS * (end - OPEN))
        self._score, choice = self._searched(self._score, fine[self._done - first : settled - first])
        self._choice = np.concatenate([self._choice, choice])[-round(KEPT * FINE_RATE) :]
        self._done = settled
        score, choice = self._searched(self._score, fine[settled - first :])
        return self._best(score, np.concatenate([self._choice, choice]), first + len(fine))

    def _searched(self, score: np.ndarray, fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gain, block = self._model.gain(fine), int(self._model.intervals[0])
        choices = [self._choice[:0]]
        for begin in range(0, len(gain), block):
            now, choice = self._model.advanced(score, gain[begin : begin + block])
            faded = np.float32(np.exp(-len(now) / (MEMORY * FINE_RATE)))
            score = np.concatenate([score[len(now) :], now]) * faded
            choices.append(choice)
        return score, np.concatenate(choices)

    def _best(self, score: np.ndarray, choice: np.ndarray, end: int) -> Bars:
        recent = score[-min(len(score), len(choice)) :]
        if len(recent) == 0 or not recent.max() > 0:
            return Bars(np.zeros(0), np.zeros(0, int), 4)
        frame, interval, place = (int(index) for index in np.unravel_index(recent.argmax(), recent.shape))
        frames, places = self._model.traced(choice, len(choice) - len(recent) + frame, interval, place)
        return Bars((frames + end - len(choice)) / FINENESS, self._model.places[places], bar_length(places))
