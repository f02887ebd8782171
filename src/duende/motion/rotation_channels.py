"""EDGE's channels: foot contacts, root path and rotations, 151 numbers a frame (Tseng et al., CVPR 2023, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.kinematics import continuous_quaternions
from duende.motion.motion import Motion
from duende.motion.skeleton import SMPL24, Skeleton

CONTACTS = 4
UPRIGHT = Rotation.from_euler("x", -90, degrees=True)
"""From a world whose Z points up to ours."""
STANDING = 0.3
"""Metres a second under which a foot joint stands: EDGE's centimetre a frame at its 30 frames a second."""


@dataclass(frozen=True)
class RotationChannels:
    """A way to turn motions at ``fps`` into channels ``(T, 4 + 3 + 6 J)`` and back.

    In order: whether left ankle, right ankle, left toes and right toes stand; the root in metres; of each joint the
    first two rows of its local rotation matrix (Zhou et al., CVPR 2019). With ``up`` ``"z"``, as in the published
    weights, root and root rotation are told in a world whose Z points up.
    """

    skeleton: Skeleton = SMPL24
    fps: float = 30.0
    up: Literal["y", "z"] = "y"

    @property
    def feet(self) -> tuple[int, ...]:
        """Joints that the contacts belong to."""
        return tuple(sorted(self.skeleton.feet))

    @property
    def width(self) -> int:
        """Number of channels."""
        return CONTACTS + 3 + 6 * len(self.skeleton)

    def encode(self, motion: Motion) -> np.ndarray:
        """Return the channels ``(T, width)`` float32 of a motion at any rate, on this skeleton."""
        if motion.skeleton is not self.skeleton:
            raise DuendeError("a motion on another skeleton has other channels; retarget it first")
        motion = motion.resampled(self.fps)
        feet = motion.positions[:, list(self.feet)]
        step = np.diff(feet, axis=0, append=feet[-1:]) if len(feet) > 1 else np.zeros_like(feet)
        step[-1] = step[-2] if len(step) > 1 else 0.0
        contacts = np.linalg.norm(step, axis=-1) * self.fps < STANDING
        motion = _turned(motion, UPRIGHT.inv()) if self.up == "z" else motion
        rows = Rotation.from_quat(motion.rotations.reshape(-1, 4)).as_matrix()[:, :2].reshape(len(motion), -1)
        return np.concatenate([contacts, motion.root, rows], axis=1).astype(np.float32)

    def decode(self, channels: np.ndarray) -> Motion:
        """Return the motion that channels ``(T, width)`` describe; rows are made orthogonal by Gram and Schmidt."""
        frames = len(channels)
        rows = np.asarray(channels[:, CONTACTS + 3 :], np.float64).reshape(frames * len(self.skeleton), 2, 3)
        first = rows[:, 0] / np.maximum(np.linalg.norm(rows[:, 0], axis=-1, keepdims=True), 1e-8)
        second = rows[:, 1] - (first * rows[:, 1]).sum(axis=-1, keepdims=True) * first
        second /= np.maximum(np.linalg.norm(second, axis=-1, keepdims=True), 1e-8)
        matrices = np.stack([first, second, np.cross(first, second)], axis=1)
        turns = Rotation.from_matrix(matrices).as_quat().reshape(frames, len(self.skeleton), 4)
        root = np.asarray(channels[:, CONTACTS : CONTACTS + 3], np.float64)
        motion = Motion(continuous_quaternions(turns), root, self.fps, self.skeleton)
        return _turned(motion, UPRIGHT) if self.up == "z" else motion

    def held(self, joints: np.ndarray) -> np.ndarray:
        """Say which channels ``(T, width)`` hold the rotations of ``joints`` ``(T, J)``, the root's with its path."""
        root = np.repeat(joints[:, :1], 3, axis=1)
        contacts = np.zeros((len(joints), CONTACTS), dtype=bool)
        return np.concatenate([contacts, root, np.repeat(joints, 6, axis=1)], axis=1)


def _turned(motion: Motion, turn: Rotation) -> Motion:
    rotations = motion.rotations.copy()
    rotations[:, 0] = (turn * Rotation.from_quat(rotations[:, 0])).as_quat()
    return replace(motion, rotations=rotations, root=turn.apply(motion.root))
