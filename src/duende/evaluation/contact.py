"""Physical foot contact: what accelerates while both feet slide is not carried by the floor (EDGE, CVPR 2023)."""

from __future__ import annotations

import numpy as np

from duende.evaluation.kinetic import centred_dance
from duende.evaluation.movement import smooth_derivative
from duende.motion import SMPL24


def physical_foot_contact(positions: np.ndarray) -> float:
    """Score a dance as EDGE's script does: lower is better, 0 for feet that stand.

    Accelerations are divided by the largest of the clip and steps are lengths for each frame, so the value depends on
    the clip's length and frame rate; EDGE's are of 30 frames a second.

    Args:
        positions: ``(T, 24, 3)`` metres, Y up.
    """
    centred = centred_dance(positions)
    acceleration = np.diff(centred[:, 0], n=2, axis=0)
    acceleration[:, 1] = np.maximum(acceleration[:, 1], 0.0)
    size = np.linalg.norm(acceleration, axis=1)
    steps = np.linalg.norm(np.diff(centred[1:][:, SMPL24.feet][..., [0, 2]], axis=0), axis=-1)
    return float((_slower(steps) * size / max(float(size.max()), 1e-12)).mean() * 10_000)


def physical_foot_contact_si(positions: np.ndarray, fps: float) -> float:
    """Mean of root acceleration (m/s²) times the speeds (m/s) of both feet, in m³/s⁴: the same at any frame rate.

    Args:
        positions: ``(T, 24, 3)`` metres, Y up.
        fps: frames a second.
    """
    centred = centred_dance(positions)
    velocity = smooth_derivative(centred, fps, 1)
    acceleration = smooth_derivative(centred[:, 0], fps, 2)
    acceleration[:, 1] = np.maximum(acceleration[:, 1], 0.0)
    speed = np.linalg.norm(velocity[:, SMPL24.feet][..., [0, 2]], axis=-1)
    return float((_slower(speed) * np.linalg.norm(acceleration, axis=1)).mean())


def _slower(feet: np.ndarray) -> np.ndarray:
    """Product over both feet of the slower of ankle and toes ``(T, 4)``, which order the caller keeps."""
    return np.asarray(feet[:, :2].min(axis=1) * feet[:, 2:].min(axis=1))
