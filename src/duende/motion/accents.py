"""Where a dance has its accents, and how well they keep a beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelextrema

from duende.motion.motion import Motion
from duende.motion.skeleton import SMPL24, Skeleton

SMOOTHING = 5 / 60
"""Seconds: the field smooths speed with 5 frames at 60 a second before it looks for dance beats."""
STRIKE_SMOOTHING = 2 / 60
TOGETHER = 0.08
"""Seconds within which a foot strike and a speed minimum are one accent."""


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
    return np.asarray(np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(axis=1) * fps)


def speed_minima(positions: np.ndarray, fps: float) -> np.ndarray:
    """Times (seconds) at which the smoothed mean joint speed is least: the field's dance beats."""
    smooth = gaussian_filter1d(mean_speed(positions, fps), SMOOTHING * fps)
    return np.asarray(argrelextrema(smooth, np.less)[0] / fps)


def foot_strikes(positions: np.ndarray, fps: float, skeleton: Skeleton = SMPL24) -> np.ndarray:
    """Times (seconds) at which a foot stops after a step: its speed falls under a third of what it was."""
    strikes = []
    for ankle, toes in zip(skeleton.feet[::2], skeleton.feet[1::2], strict=True):
        foot = positions[:, [ankle, toes]].mean(axis=1)
        speed = np.linalg.norm(np.diff(foot, axis=0), axis=-1) * fps
        speed = gaussian_filter1d(speed, STRIKE_SMOOTHING * fps)
        moving = speed > max(0.25, 0.5 * float(np.percentile(speed, 70)))
        stops = np.flatnonzero(moving[:-1] & ~moving[1:]) + 1
        strikes.append(stops / fps)
    return np.sort(np.concatenate(strikes))


def accents(motion: Motion) -> Accents:
    """Foot strikes and speed minima together; a minimum weighs by its depth, a strike as a deep minimum."""
    positions = motion.positions
    smooth = gaussian_filter1d(mean_speed(positions, motion.fps), SMOOTHING * motion.fps)
    minima = argrelextrema(smooth, np.less)[0]
    around = max(1, round(0.3 * motion.fps))
    depth = np.array(
        [1 - smooth[i] / max(float(smooth[max(0, i - around) : i + around + 1].max()), 1e-6) for i in minima]
    )
    events = [(float(i) / motion.fps, float(d)) for i, d in zip(minima, depth, strict=True)]
    events += [(float(time), 0.6) for time in foot_strikes(positions, motion.fps, motion.skeleton)]
    merged: list[tuple[float, float]] = []
    for time, weight in sorted(events):
        if merged and time - merged[-1][0] < TOGETHER:
            last, sum_ = merged[-1]
            merged[-1] = ((last * sum_ + time * weight) / (sum_ + weight + 1e-9), sum_ + weight)
        else:
            merged.append((time, weight))
    times = np.array([time for time, _ in merged])
    weights = np.array([weight for _, weight in merged])
    return Accents(times, weights / max(float(weights.mean()), 1e-9) if len(weights) else weights)


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
