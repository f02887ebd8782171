"""Measures of movement alone: error, speed deviations, spectrum, stillness, jerk.

Positions are ``(T, J, 3)`` metres, Y up.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from duende.motion import SMPL24

WRIST, CHEST = SMPL24.index("left_wrist"), SMPL24.index("spine3")
BANDS = ((0.0, 1.0), (1.0, 3.0), (3.0, 6.0), (6.0, 12.0), (12.0, 30.0))
"""Hertz; people dance below 6, tremble above 12."""
SMOOTHING = 0.025
"""Seconds (a deviation) over which movement is smoothed where it is differentiated."""


def joint_error(real: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of corresponding joints in millimetres, pelvis on pelvis (root-relative MPJPE)."""
    difference = (real - real[:, :1]) - (other - other[:, :1])
    return float(np.linalg.norm(difference, axis=-1).mean() * 1000)


def speeds(positions: np.ndarray, fps: float) -> np.ndarray:
    """Speed of each joint ``(T - 1, J)`` in metres a second."""
    return np.linalg.norm(np.diff(positions, axis=0), axis=-1) * fps


def speed_deviation(positions: np.ndarray, fps: float, window: float = 2.0) -> dict[str, float]:
    """Standard deviation of speed in windows of ``window`` seconds, averaged (the paper's Table 2).

    Returns:
        ``left_wrist``, ``chest`` (joint 9) and ``all_joints``, in metres per frame at 60 frames a second, the unit
        that fits the size of the paper's figures; world coordinates.
    """
    per_frame = speeds(positions, fps) / 60.0
    length = max(2, round(window * fps))
    count = max(1, len(per_frame) // length)
    deviations = np.mean([piece.std(axis=0) for piece in np.array_split(per_frame[: count * length], count)], axis=0)
    return {
        "left_wrist": float(deviations[WRIST]),
        "chest": float(deviations[CHEST]),
        "all_joints": float(deviations.mean()),
    }


def speed_spectrum(positions: np.ndarray, fps: float) -> np.ndarray:
    """Shares of the power of joint velocities in :data:`BANDS`, summing to 1 for rates of 60 and more."""
    relative = positions - positions[:, :1]
    velocity = np.diff(relative, axis=0).reshape(len(positions) - 1, -1) * fps
    power = (np.abs(np.fft.rfft(velocity - velocity.mean(axis=0), axis=0)) ** 2).sum(axis=1)
    frequency = np.fft.rfftfreq(len(velocity), 1 / fps)
    total = max(float(power.sum()), 1e-12)
    return np.array([power[(frequency >= low) & (frequency < high)].sum() / total for low, high in BANDS])


def frozen_share(positions: np.ndarray, fps: float, limit: float = 0.1, window: float = 0.5) -> float:
    """Share of frames whose mean joint speed, averaged over ``window`` seconds, stays under ``limit`` m/s."""
    mean = speeds(positions, fps).mean(axis=1)
    length = max(1, round(window * fps))
    smooth = np.convolve(mean, np.ones(length) / length, mode="same")
    return float((smooth < limit).mean())


def mean_speed(positions: np.ndarray, fps: float) -> float:
    """Mean speed of all joints in metres a second."""
    return float(speeds(positions, fps).mean())


def mean_jerk(positions: np.ndarray, fps: float) -> float:
    """Mean size of the third derivative of joint positions in m/s³, smoothed so that the frame rate does not matter."""
    return float(np.linalg.norm(smooth_derivative(positions, fps, 3), axis=-1).mean())


def smooth_derivative(positions: np.ndarray, fps: float, order: int) -> np.ndarray:
    """Return a derivative of ``(T, ...)`` by time, through a Gaussian whose width does not depend on the frame rate.

    Differences of neighbouring frames would hold faster movement, and more noise, the higher the frame rate is.
    """
    return np.asarray(
        gaussian_filter1d(positions, SMOOTHING * fps, axis=0, order=order, mode="nearest", truncate=6.0) * fps**order
    )
