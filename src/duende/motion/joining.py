"""One dance going on where another stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from duende.motion.motion import Motion

BLEND = 0.4
"""Seconds over which what the two dances differ by, where they meet, is let go of."""


def facing(motion: Motion, frame: int) -> float:
    """Return where the root faces: radians about Y from +Z towards +X."""
    forward = Rotation.from_quat(motion.rotations[frame, 0]).apply([0.0, 0.0, 1.0])
    return float(np.arctan2(forward[0], forward[2]))


def moved(motion: Motion, turn: float, about: np.ndarray, to: np.ndarray) -> Motion:
    """Turn a motion about the vertical line through ``about`` (radians), then carry that line to ``to``.

    Args:
        motion: any.
        turn: from +Z towards +X.
        about: ``(3,)`` metres; its height does not matter.
        to: ``(3,)`` metres; its height does not matter.
    """
    rotation = Rotation.from_rotvec([0.0, turn, 0.0])
    flat = np.array([1.0, 0.0, 1.0])
    root = rotation.apply(motion.root - about * flat) + to * flat
    rotations = motion.rotations.copy()
    rotations[:, 0] = (rotation * Rotation.from_quat(motion.rotations[:, 0])).as_quat()
    return replace(motion, rotations=rotations, root=root)


def continued(first: Motion, then: Motion, frames: int) -> Motion:
    """Return ``frames`` frames of ``first`` and what ``then`` does after them.

    ``then`` is turned and carried so that it stands where ``first`` does in the last of those frames; what is left
    between the two poses fades within :data:`BLEND`.
    """
    last = frames - 1
    then = moved(then, facing(first, last) - facing(then, last), then.root[last], first.root[last])
    after = np.arange(frames, len(then))
    done = np.clip((after - last) / (BLEND * then.fps), 0.0, 1.0)
    left = 1 - done**2 * (3 - 2 * done)
    ours, theirs = (Rotation.from_quat(motion.rotations[last]) for motion in (first, then))
    gap = (ours * theirs.inv()).as_rotvec()
    joints = len(then.skeleton)
    turns = Rotation.from_rotvec((left[:, None, None] * gap).reshape(-1, 3))
    late = (turns * Rotation.from_quat(then.rotations[after].reshape(-1, 4))).as_quat().reshape(-1, joints, 4)
    root = then.root[after] + left[:, None] * (first.root[last] - then.root[last])
    return Motion(
        np.concatenate([first.rotations[:frames], late]),
        np.concatenate([first.root[:frames], root]),
        then.fps,
        then.skeleton,
    )
