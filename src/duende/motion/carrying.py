"""A dance carried along another path, its standing feet standing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import label as label_spans
from scipy.spatial.transform import Rotation

from duende.motion.kinematics import continuous_quaternions
from duende.motion.legs import with_feet_moved
from duende.motion.motion import Motion
from duende.motion.representation import turned
from duende.motion.stances import standing_joints


def carried(motion: Motion, path: np.ndarray, turns: np.ndarray | None = None) -> Motion:
    """Move the body to another path, and set each foot down where the body then is.

    A foot goes with the body as the body is in the middle of that foot's stand, so that it rests while it stands; on
    its way to the next stand it changes over smoothly. Legs are bent to reach it; nothing else of the pose changes.

    Args:
        motion: a dance whose feet stand.
        path: ``(T, 3)`` metres, of the root.
        turns: ``(T,)`` radians about Y from +Z towards +X by which the body faces elsewhere; by default nowhere else.
    """
    frames = np.arange(len(motion))
    turns = np.zeros(len(motion)) if turns is None else turns
    whole = Rotation.from_rotvec(turns[:, None] * [0.0, 1.0, 0.0]) * Rotation.from_quat(motion.rotations[:, 0])
    rotations = motion.rotations.copy()
    rotations[:, 0] = whole.as_quat()
    body = replace(motion, rotations=continuous_quaternions(rotations), root=path)
    standing = np.asarray(standing_joints(motion).reshape(-1, 2, 2).any(axis=2))
    shifts = np.zeros((len(motion), 2, 3))
    for foot, ankle in enumerate(motion.skeleton.feet[::2]):
        at = _stand_times(standing[:, foot])
        root, goal = (
            np.stack([np.interp(at, frames, way[:, axis]) for axis in range(3)], axis=1) for way in (motion.root, path)
        )
        stood = goal + turned(motion.positions[:, ankle] - root, np.interp(at, frames, turns))
        shifts[:, foot] = (stood - body.positions[:, ankle]) * [1.0, 0.0, 1.0]
    return with_feet_moved(body, shifts)


def _stand_times(standing: np.ndarray) -> np.ndarray:
    """For each frame ``(T,)`` the frame whose body a foot goes with: in a stand its middle, between stands rising."""
    frames = np.arange(len(standing))
    spans, count = label_spans(standing)
    if count == 0:
        return frames.astype(float)
    bounds = [np.flatnonzero(spans == number)[[0, -1]] for number in range(1, count + 1)]
    places = np.concatenate([[first, last] if last > first else [first] for first, last in bounds])
    middles = np.concatenate([np.full(min(2, last - first + 1), (first + last) / 2) for first, last in bounds])
    if len(places) == 1:
        return np.full(len(standing), middles[0])
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(places, middles)(np.clip(frames, places[0], places[-1])))
