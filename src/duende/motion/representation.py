"""How poses become the channels that networks see, and back.

Two ways: Bailando's (``"global"``: world axes, root velocity) and ours (``"heading"``: turned to face forward, with
the root as planar velocity, height and turn, so that one code is one pose whichever way the dancer faces, and a dance
can neither sink nor float).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from duende.errors import DuendeError
from duende.motion.skeleton import SMPL24, Skeleton

HEADING_SMOOTHING = 0.1
"""Seconds: the heading follows turns, not the sway of a step."""


@dataclass(frozen=True, eq=False)
class EncodedPoses:
    """Network channels of a dance.

    Attributes:
        upper: ``(T, 45)`` metres, the 15 upper joints relative to the pelvis.
        lower: ``(T, 27)`` metres, the 9 lower joints relative to the pelvis, which is zero.
        root: ``(T, R)``, see :class:`PoseRepresentation`.
    """

    upper: np.ndarray
    lower: np.ndarray
    root: np.ndarray


@dataclass(frozen=True)
class PoseRepresentation:
    """A way to turn joint positions at ``fps`` into channels and back.

    ``"global"``: world axes; root channels are the pelvis's forward differences in metres per frame, the last one
    repeated (lisiyao21/Bailando, by description). ``"heading"``: poses turned about Y by minus the heading; root
    channels are sideways and forward velocity in m/s in the dancer's own axes, pelvis height in metres, and turning
    rate in rad/s.
    """

    name: Literal["global", "heading"] = "heading"
    skeleton: Skeleton = SMPL24
    fps: float = 60.0

    def __post_init__(self) -> None:
        if self.name not in ("global", "heading"):
            raise DuendeError(f"a pose representation is 'global' or 'heading', got {self.name!r}")

    @property
    def upper_channels(self) -> int:
        """Width of the upper half."""
        return 3 * len(self.skeleton.upper)

    @property
    def lower_channels(self) -> int:
        """Width of the lower half."""
        return 3 * len(self.skeleton.lower)

    @property
    def root_channels(self) -> int:
        """Width of the root path."""
        return 3 if self.name == "global" else 4

    def encode(self, positions: np.ndarray) -> EncodedPoses:
        """Turn joints ``(T, J, 3)`` metres, floor at 0, into channels.

        Raises:
            DuendeError: the array has another shape.
        """
        positions = np.asarray(positions, dtype=np.float64)
        if positions.ndim != 3 or positions.shape[1:] != (len(self.skeleton), 3):
            raise DuendeError(f"joints of shape (T, {len(self.skeleton)}, 3) are expected, got {positions.shape}")
        root = positions[:, 0]
        relative = positions - root[:, None]
        step = np.diff(root, axis=0, append=2 * root[-1:] - root[-2:-1] if len(root) > 1 else root[-1:])
        if self.name == "global":
            return self._halves(relative, step)
        heading = body_heading(positions, self.skeleton, self.fps)
        turn = np.diff(heading, append=2 * heading[-1] - heading[-2] if len(heading) > 1 else heading[-1])
        local = turned(step, -heading) * self.fps
        path = np.stack([local[:, 0], local[:, 2], root[:, 1], turn * self.fps], axis=1)
        return self._halves(turned(relative, -heading[:, None]), path)

    def decode(self, upper: np.ndarray, lower: np.ndarray, root: np.ndarray) -> np.ndarray:
        """Turn channels back into joints ``(T, J, 3)``, beginning over the origin.

        A ``"heading"`` dance begins facing +Z. A ``"global"`` dance knows no height: it is lifted as a whole so that
        its lowest joints (fifth percentile over time) touch the floor.
        """
        frames = len(upper)
        relative = np.empty((frames, len(self.skeleton), 3))
        relative[:, list(self.skeleton.upper)] = np.reshape(upper, (frames, -1, 3))
        relative[:, list(self.skeleton.lower)] = np.reshape(lower, (frames, -1, 3))
        root = np.asarray(root, dtype=np.float64)
        if self.name == "global":
            path = _summed(root)
            path[:, 1] -= np.percentile((relative[..., 1] + path[:, None, 1]).min(axis=1), 5)
            return relative + path[:, None]
        heading = _summed(root[:, 3:])[:, 0] / self.fps
        planar = np.stack([root[:, 0], np.zeros(frames), root[:, 1]], axis=1)
        path = _summed(turned(planar, heading)) / self.fps
        path[:, 1] = root[:, 2]
        return turned(relative, heading[:, None]) + path[:, None]

    def _halves(self, relative: np.ndarray, root: np.ndarray) -> EncodedPoses:
        frames = len(relative)
        return EncodedPoses(
            upper=relative[:, list(self.skeleton.upper)].reshape(frames, -1).astype(np.float32),
            lower=relative[:, list(self.skeleton.lower)].reshape(frames, -1).astype(np.float32),
            root=root.astype(np.float32),
        )


def turned(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn vectors ``(..., 3)`` about Y by ``angle`` (radians, from +Z towards +X)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, z = vectors[..., 0], vectors[..., 2]
    return np.stack([cosine * x + sine * z, vectors[..., 1], cosine * z - sine * x], axis=-1)


def body_heading(positions: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """Where the body faces ``(T,)``: radians about Y from +Z towards +X, unwrapped and smoothed.

    Taken from the lines through hips and shoulders; where both stand upright (the body lies on its side), the last
    direction is kept.
    """
    across = sum(
        positions[:, skeleton.index(f"left_{part}")] - positions[:, skeleton.index(f"right_{part}")]
        for part in ("hip", "shoulder")
    )
    # Facing is at a right angle to the line from right to left: left at +X means facing +Z.
    facing = np.stack([-across[:, 2], across[:, 0]], axis=1)
    clear = np.linalg.norm(facing, axis=1) > 0.02
    angle = np.arctan2(facing[:, 0], facing[:, 1])
    if not clear.all():
        known = np.flatnonzero(clear)
        if len(known) == 0:
            return np.zeros(len(positions))
        nearest = known[np.clip(np.searchsorted(known, np.arange(len(angle)), side="right") - 1, 0, None)]
        angle = angle[nearest]
    return gaussian_filter1d(np.unwrap(angle), HEADING_SMOOTHING * fps, mode="nearest")


def _summed(steps: np.ndarray) -> np.ndarray:
    """Running sum that begins at zero: ``r_0 = 0``, ``r_t = r_{t-1} + v_{t-1}``."""
    return np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps[:-1], axis=0)])
