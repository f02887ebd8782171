"""The one type for a dance: joint rotations and a root path on a skeleton."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from duende.errors import DuendeError
from duende.motion.kinematics import (
    continuous_quaternions,
    forward_kinematics,
    global_rotations,
    resample_quaternions,
)
from duende.motion.skeleton import SMPL24, Skeleton


@dataclass(frozen=True, eq=False)
class Motion:
    """Joint rotations over time and the path of the root.

    Attributes:
        rotations: ``(T, J, 4)`` local unit quaternions, scalar last (x, y, z, w, as scipy has them),
            each joint relative to its parent's frame, identity in the rest pose.
        root: ``(T, 3)`` metres, world position of the root joint, Y up, floor at 0.
        fps: frames per second.
        skeleton: what the rotations turn.
    """

    rotations: np.ndarray
    root: np.ndarray
    fps: float = 60.0
    skeleton: Skeleton = SMPL24

    def __post_init__(self) -> None:
        rotations = np.asarray(self.rotations, dtype=np.float64)
        root = np.asarray(self.root, dtype=np.float64)
        frames, joints = rotations.shape[0], len(self.skeleton)
        if rotations.shape != (frames, joints, 4) or root.shape != (frames, 3) or frames == 0:
            raise DuendeError(
                f"a motion on {joints} joints needs rotations (T, {joints}, 4) and a root path (T, 3) with T >= 1, "
                f"got {rotations.shape} and {root.shape}"
            )
        if not self.fps > 0:
            raise DuendeError(f"a motion needs a positive frame rate, got {self.fps}")
        if not (np.isfinite(rotations).all() and np.isfinite(root).all()):
            raise DuendeError("a motion holds values that are not finite numbers (NaN or infinity)")
        object.__setattr__(self, "rotations", rotations)
        object.__setattr__(self, "root", root)

    def __len__(self) -> int:
        return len(self.root)

    @property
    def duration(self) -> float:
        """Seconds that the frames fill."""
        return len(self) / self.fps

    @cached_property
    def positions(self) -> np.ndarray:
        """``(T, J, 3)`` metres, world positions of all joints by forward kinematics."""
        return forward_kinematics(self.rotations, self.root, self.skeleton)

    @cached_property
    def global_rotations(self) -> np.ndarray:
        """``(T, J, 4)`` world orientations of all joints, scalar last."""
        return global_rotations(self.rotations, self.skeleton)

    def cropped(self, start: int, stop: int) -> Motion:
        """Return frames ``start`` to ``stop`` (exclusive)."""
        return self.taking(slice(start, stop))

    def lasting(self, frames: int) -> Motion:
        """Cut it to ``frames``, or let it stand in its last pose until then."""
        kept = np.minimum(np.arange(frames), len(self) - 1)
        return self.taking(kept)

    def taking(self, frames: np.ndarray | slice) -> Motion:
        """Return these frames, in this order, at the same rate."""
        return replace(self, rotations=self.rotations[frames], root=self.root[frames])

    def resampled(self, fps: float) -> Motion:
        """Return the same movement at another frame rate; at its own it is returned as it is."""
        if fps == self.fps:
            return self
        frames = max(1, round(self.duration * fps))
        at = np.minimum(np.arange(frames) * self.fps / fps, len(self) - 1)
        return replace(self.between_frames(at), fps=fps)

    def between_frames(self, at: np.ndarray) -> Motion:
        """Return the motion at fractional frames ``at`` ``(N,)``, on cubic curves through roots and quaternions.

        Between two frames a movement goes on in a curve. Drawn straight it would change its speed on every old frame:
        at twice the rate, all of the change in every second frame and none in the others.
        """
        if len(self) < 4:
            return self.warped(at / self.fps)
        # Imported where it is needed: a fifth of a second that a dance at its own rate does without.
        from scipy.interpolate import make_interp_spline

        quaternions = continuous_quaternions(self.rotations).reshape(len(self), -1)
        curve = make_interp_spline(np.arange(len(self)), np.concatenate([self.root, quaternions], axis=1), k=3)
        values = curve(at)
        rotations = values[:, 3:].reshape(len(at), -1, 4)
        # Neighbouring quaternions lie so near to each other that a straight curve between them, brought to length 1, is
        # one on the sphere.
        rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
        return replace(self, rotations=rotations, root=values[:, :3])

    def warped(self, times: np.ndarray) -> Motion:
        """Return one frame for each of ``times`` (seconds of this motion, clipped to its ends), at the same rate."""
        at = np.clip(np.asarray(times) * self.fps, 0, len(self) - 1)
        root = np.stack([np.interp(at, np.arange(len(self)), self.root[:, axis]) for axis in range(3)], axis=1)
        return replace(self, rotations=resample_quaternions(self.rotations, at), root=root)

    def mirrored(self) -> Motion:
        """Return the movement seen in a mirror: left and right exchanged across the plane x = 0."""
        order = list(self.skeleton.mirror_order)
        return replace(
            self,
            rotations=self.rotations[:, order] * np.array([1.0, -1.0, -1.0, 1.0]),
            root=self.root * np.array([-1.0, 1.0, 1.0]),
        )
