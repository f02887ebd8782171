"""The beat as continuous columns: where in the beat and in the bar a moment lies, and how far the next ones are.

They follow from the beats alone, so that they are known for any beat, with or without sound.
"""

from __future__ import annotations

import numpy as np

from duende.audio.feature_sets import RHYTHM, ROWS_A_SECOND
from duende.audio.music import Beats

USUAL = 120.0
"""Beats a minute at which the column of the pace is 0."""


def rhythm_rows(beats: Beats, rows: int) -> np.ndarray:
    """Describe the beat at the start of each row, ``(rows, 7)`` float32; 0 where there are no beats.

    Columns: sine and cosine of the phase in the beat, the same in the bar, seconds to the next beat and to
    the next downbeat, octaves of the pace above :data:`USUAL` beats a minute.
    """
    table = np.zeros((rows, RHYTHM.dimension), np.float32)
    at = np.arange(rows) / ROWS_A_SECOND
    if len(beats.times) > 1:
        phase, period = beats.phase(at), _period(beats.times, at)
        table[:, RHYTHM.slice("beat_phase")] = _circle(phase)
        table[:, RHYTHM.slice("next_beat")] = ((1 - phase) * period)[:, None]
        table[:, RHYTHM.slice("pace")] = np.log2(60 / USUAL / period)[:, None]
    if len(beats.downbeats) > 1:
        bars = Beats(beats.downbeats, beats.downbeats[:0], 0.0)
        phase = bars.phase(at)
        table[:, RHYTHM.slice("bar_phase")] = _circle(phase)
        table[:, RHYTHM.slice("next_downbeat")] = ((1 - phase) * _period(beats.downbeats, at))[:, None]
    return table


def _circle(phase: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * phase
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _period(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the seconds between the two ``times`` around each moment; past both ends between the outermost two."""
    place = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    return np.asarray(np.maximum(np.diff(times)[place], 1e-3))
