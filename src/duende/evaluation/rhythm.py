"""Measures of movement against the beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelextrema

from duende.evaluation.movement import speeds
from duende.motion.accents import phase_locking

BEAT_WIDTH = 3 / 60
"""Seconds: three frames at 60 a second, the tolerance of the classic score."""


def dance_beats(positions: np.ndarray, fps: float) -> np.ndarray:
    """Times (seconds) of strict minima of the mean joint speed, smoothed with 5 frames at 60 a second."""
    smooth = gaussian_filter1d(speeds(positions, fps).mean(axis=1), 5 * fps / 60)
    return np.asarray(argrelextrema(smooth, np.less)[0] / fps)


def beat_align_score(dance: np.ndarray, music: np.ndarray) -> float:
    """Mean over music beats of exp(-d² / 2σ²), d the distance to the nearest dance beat, σ = 50 ms (Bailando).

    Chance lies near 0.25 at two dance beats a second, whatever the music: read it beside a wrong song's value.
    """
    if len(dance) == 0 or len(music) == 0:
        return 0.0
    nearest = np.abs(music[:, None] - dance[None, :]).min(axis=1)
    return float(np.exp(-(nearest**2) / (2 * BEAT_WIDTH**2)).mean())


@dataclass(frozen=True)
class Rhythm:
    """How a dance keeps time.

    Attributes:
        beat_align: the classic score.
        locking: resultant length, 0 to 1, of the dance beats' phases in the beat.
        half_locking: the same in the half-beat.
        rate: dance beats a second.
    """

    beat_align: float
    locking: float
    half_locking: float
    rate: float


def rhythm(positions: np.ndarray, fps: float, beats: np.ndarray) -> Rhythm:
    """Measure a dance against beat times in seconds, as far as the dance goes."""
    duration = len(positions) / fps
    heard = beats[(beats >= 0) & (beats < duration)]
    events = dance_beats(positions, fps)
    halves = np.sort(np.concatenate([beats, (beats[1:] + beats[:-1]) / 2])) if len(beats) > 1 else beats
    enough = len(events) > 1 and len(beats) > 1
    return Rhythm(
        beat_align=beat_align_score(events, heard),
        locking=phase_locking(events, beats).resultant if enough else 0.0,
        half_locking=phase_locking(events, halves).resultant if enough else 0.0,
        rate=len(events) / duration,
    )
