"""One dance going on where another stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from duende.motion.kinematics import continuous_quaternions
from duende.motion.motion import Motion

BLEND = 0.4
"""Seconds over which what the two dances differ by, where they meet, is let go of."""


def facing(motion: Motion, frame: int) -> float:
    """Return where the root faces: radians about Y from +Z towards +X."""
    forward = Rotation.from_quat(motion.rotations[frame, 0]).apply([0.0, 0.0, 1.0])
    return float(np.arctan2(forward[0], forward[2]))


def mean_facing(motion: Motion) -> np.ndarray:
    """Mean over frames of where the root faces: ``(2,)``, along X and Z; shorter than 1 as far as it turns about."""
    ahead = Rotation.from_quat(motion.rotations[:, 0]).apply([0.0, 0.0, 1.0]).mean(axis=0)
    return np.asarray(ahead[[0, 2]])


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
    left = _fading(np.clip((after - last) / (BLEND * then.fps), 0.0, 1.0))
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


def eased(motion: Motion, held: np.ndarray) -> Motion:
    """Let free joints leave and reach held ones without a jump, within :data:`BLEND` of where holding ends and begins.

    Where a joint is let go, its own way is carried to where the held one would be in that frame, and what it is carried
    by fades. Held joints stay as they are.

    Args:
        motion: with what is held in its place.
        held: ``(T, J)`` bool, whose rotations (the root's: its path too) are held.
    """
    rotations, root = motion.rotations.copy(), motion.root.copy()
    for joint in range(len(motion.skeleton)):
        changes = np.flatnonzero(np.diff(held[:, joint].astype(int)))
        for frame in changes.tolist():
            # ``edge`` is the held frame at the change, ``step`` leads from it into what is free.
            edge, step = (frame, 1) if held[frame, joint] else (frame + 1, -1)
            free = _free_run(held[:, joint], edge, step, round(BLEND * motion.fps))
            if len(free) < 2 or not 0 <= edge - step < len(held):
                continue
            left = _fading(np.arange(1, len(free) + 1) / (len(free) + 1))
            turns = Rotation.from_quat(rotations[:, joint])
            ahead = turns[edge] * (turns[edge - step].inv() * turns[edge])
            gap = (ahead * turns[free[0]].inv()).as_rotvec()
            rotations[free, joint] = (Rotation.from_rotvec(left[:, None] * gap) * turns[free]).as_quat()
            if joint == 0:
                reached = 2 * root[edge] - root[edge - step]
                root[free] += left[:, None] * (reached - root[free[0]])
    return replace(motion, rotations=continuous_quaternions(rotations), root=root)


def _free_run(held: np.ndarray, edge: int, step: int, most: int) -> np.ndarray:
    """Frames after ``edge``, in the direction of ``step``, up to the next held one and ``most`` of them."""
    frames = edge + step * np.arange(1, most + 1)
    frames = frames[(frames >= 0) & (frames < len(held))]
    stop = np.flatnonzero(held[frames])
    return frames[: stop[0]] if len(stop) else frames


def _fading(done: np.ndarray) -> np.ndarray:
    """Fall from 1 to 0 with ``done``, gently at both ends."""
    return np.asarray(1 - done**2 * (3 - 2 * done))
