"""Where a dance has its accents, and how well they keep a beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from duende.motion.motion import Motion
from duende.motion.quaternions import dots
from duende.motion.skeleton import SMPL24, Skeleton

SMOOTHING = 5 / 60
"""Seconds: the field smooths speed with 5 frames at 60 a second before it looks for dance beats."""
STRIKE_SMOOTHING = 2 / 60
TOGETHER = 0.1
"""Seconds within which a foot strike and a speed minimum are one accent."""
AROUND = 0.3
"""Seconds on both sides in which a minimum's depth is measured."""
SHALLOWEST = 0.01
LEAST, STRIKE = 0.3, 0.2
"""Weight of the shallowest minimum, and what a foot strike adds to one; the depth adds 0 to 1."""


@dataclass(frozen=True, eq=False)
class Accents:
    """Times (seconds, rising) of a dance's accents and their weights, 1 on average."""

    times: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class PhaseLocking:
    """How events fall in the beat.

    Attributes:
        resultant: length of the mean arrow of their phases: 0 for no relation, 1 for one fixed phase.
        p_value: of the Rayleigh test, the chance of such a length for events without relation.
        lag: seconds from the beat to the events' mean phase, between minus and plus half a beat.
    """

    resultant: float
    p_value: float
    lag: float


def mean_speed(positions: np.ndarray, fps: float) -> np.ndarray:
    """Mean speed of all joints ``(T - 1,)`` in m/s."""
    steps = np.diff(positions, axis=0)
    return np.asarray(np.sqrt(dots(steps, steps)).mean(axis=1) * fps)


def smooth_speed(positions: np.ndarray, fps: float) -> np.ndarray:
    """Mean joint speed ``(T - 1,)`` in m/s, smoothed over :data:`SMOOTHING`."""
    return np.asarray(gaussian_filter1d(mean_speed(positions, fps), SMOOTHING * fps))


def nearness(events: np.ndarray, places: np.ndarray, tolerance: float) -> float:
    """Mean, 0 to 1, over ``events`` of exp(-d² / 2 tolerance²), d to the nearest of ``places``; 0 without either."""
    if len(events) == 0 or len(places) == 0:
        return 0.0
    nearest = np.abs(events[:, None] - places[None, :]).min(axis=1)
    return float(np.exp(-(nearest**2) / (2 * tolerance**2)).mean())


def speed_minima(positions: np.ndarray, fps: float) -> np.ndarray:
    """Times (seconds) at which the smoothed mean joint speed is least: the field's dance beats."""
    return local_minima(smooth_speed(positions, fps)) / fps


def local_minima(values: np.ndarray) -> np.ndarray:
    """Places in ``(T,)`` whose value is less than both neighbours'."""
    return np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1


def foot_strikes(positions: np.ndarray, fps: float, skeleton: Skeleton = SMPL24) -> np.ndarray:
    """Times (seconds) at which a foot stops after a step: its speed falls under a third of what it was."""
    strikes = []
    for ankle, toes in zip(skeleton.feet[::2], skeleton.feet[1::2], strict=True):
        foot = positions[:, [ankle, toes]].mean(axis=1)
        step = np.diff(foot, axis=0)
        speed = gaussian_filter1d(np.sqrt(dots(step, step)) * fps, STRIKE_SMOOTHING * fps)
        moving = speed > max(0.25, 0.5 * float(np.percentile(speed, 70)))
        stops = np.flatnonzero(moving[:-1] & ~moving[1:]) + 1
        strikes.append(stops / fps)
    return np.sort(np.concatenate(strikes))


def accents(motion: Motion) -> Accents:
    """Minima of the mean joint speed, each weighed by its depth, and more where a foot lands with it.

    Feet alone make no accent: they land at every lag from the body's stops, and a grid that serves both serves neither.
    """
    positions = motion.positions
    if len(positions) < 3:
        return Accents(np.zeros(0), np.zeros(0))
    smooth = smooth_speed(positions, motion.fps)
    minima = local_minima(smooth)
    around = max(1, round(AROUND * motion.fps))
    times = minima / motion.fps
    peaks = maximum_filter1d(smooth, 2 * around + 1, mode="nearest")[minima]
    depths = 1 - smooth[minima] / np.maximum(peaks, 1e-6)
    # Where speed is constant, rounding alone makes minima.
    deep = depths > SHALLOWEST
    times, weights = times[deep], LEAST + depths[deep]
    strikes = foot_strikes(positions, motion.fps, motion.skeleton)
    if len(times) and len(strikes):
        together = np.abs(times[:, None] - strikes[None]).min(axis=1) < TOGETHER
        weights = weights + STRIKE * together
    return Accents(times, weights / weights.mean() if len(weights) else weights)


def resultant(events: np.ndarray, tempo: float) -> float:
    """Length, 0 to 1, of the mean phase arrow of ``events`` (seconds) at ``tempo``; 0 without events."""
    return float(abs(np.exp(2j * np.pi * events * tempo / 60).mean())) if len(events) else 0.0


def phase_locking(events: np.ndarray, beats: np.ndarray) -> PhaseLocking:
    """Measure ``events`` (seconds) against ``beats`` (seconds, two or more, not necessarily even)."""
    inside = events[(events >= beats[0]) & (events < beats[-1])]
    if len(inside) == 0:
        return PhaseLocking(0.0, 1.0, 0.0)
    phase = np.interp(inside, beats, np.arange(len(beats))) % 1.0
    arrow = np.exp(2j * np.pi * phase).mean()
    length, count = float(abs(arrow)), len(inside)
    z = count * length**2
    # Rayleigh's p-value to second order (Mardia & Jupp, Directional Statistics, 2000, 6.3).
    p = np.exp(-z) * (
        1 + (2 * z - z**2) / (4 * count) - (24 * z - 132 * z**2 + 76 * z**3 - 9 * z**4) / (288 * count**2)
    )
    lag = float(np.angle(arrow) / (2 * np.pi) * np.median(np.diff(beats)))
    return PhaseLocking(length, float(np.clip(p, 0.0, 1.0)), lag)
