"""The camera: a fixed direction, a smooth path after the dancer, always far enough to show all of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from duende.motion import Motion

FILL = 0.70
"""Share of the picture's height that a standing dancer takes, when nothing asks for more room."""
STANDING = 1.78
"""Metres from soles to hair."""
AIM = 1.02
"""Metres above the floor that the camera looks at."""
BODY_RADIUS = 0.16
"""Metres of body around a joint that must stay in the picture (the head reaches furthest beyond its joint)."""
FOLLOW_SECONDS = 1.2
DISTANCE_SECONDS = 1.0


@dataclass(frozen=True)
class CameraStyle:
    """How a dance is filmed.

    Attributes:
        angle: degrees about the vertical; 0 is before the dancer's rest pose, 90 from its left side.
        pitch: degrees that the camera looks down.
        lens: vertical field of view in degrees.
        follow: move along with the dancer; otherwise stand still, far enough for the whole dance.
    """

    angle: float = 0.0
    pitch: float = 7.0
    lens: float = 28.0
    follow: bool = True


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera path of constant direction.

    Attributes:
        positions: ``(T, 3)`` metres.
        axes: ``(3, 3)``, rows right, down, forward in the world.
        focal: focal length in pixels.
        size: width and height in pixels.
    """

    positions: np.ndarray
    axes: np.ndarray
    focal: float
    size: tuple[int, int]

    def project(self, points: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Project ``(N, 3)`` metres: pixels ``(N, 2)`` and depths ``(N,)`` metres."""
        seen = (points - self.positions[frame].astype(points.dtype)) @ self.axes.T.astype(points.dtype)
        depth = np.maximum(seen[:, 2], 0.05)
        centre = np.array(self.size, dtype=points.dtype) / 2
        return seen[:, :2] * (self.focal / depth)[:, None].astype(points.dtype) + centre, depth

    def floor_homography(self, frame: int, floor: float) -> np.ndarray:
        """Return the ``(3, 3)`` map from floor coordinates (x, z, 1) in metres to pixels."""
        centre = np.diag([self.focal, self.focal, 1.0])
        centre[:2, 2] = np.array(self.size) / 2
        offset = np.array([0.0, floor, 0.0]) - self.positions[frame]
        plane = np.stack([self.axes[:, 0], self.axes[:, 2], self.axes @ offset], axis=1)
        return np.asarray(centre @ plane)


def film(motion: Motion, size: tuple[int, int], style: CameraStyle | None = None, floor: float = 0.0) -> Camera:
    """Place the camera for every frame of ``motion``.

    The aim is the root's path, heavily smoothed without delay. The distance is the largest that any moment nearby
    needs, smoothed no wider than that, so it never cuts a raised hand and never pumps.
    """
    style = style or CameraStyle()
    height = size[1]
    turn, down = np.radians(style.angle), np.radians(style.pitch)
    forward = np.array([-np.sin(turn) * np.cos(down), -np.sin(down), -np.cos(turn) * np.cos(down)])
    right = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    axes = np.stack([right, np.cross(forward, right), forward])
    focal = height / 2 / np.tan(np.radians(style.lens) / 2)
    aim = motion.root.copy()
    if style.follow:
        aim = gaussian_filter1d(aim, FOLLOW_SECONDS * motion.fps, axis=0, mode="nearest")
    else:
        aim[:] = (aim.min(axis=0) + aim.max(axis=0)) / 2
    aim[:, 1] = floor + AIM
    needed = _distance_needed(motion.positions - aim[:, None], axes, focal, size)
    needed = np.maximum(needed, focal * STANDING / (FILL * height))
    if style.follow:
        reach = max(1, round(3 * DISTANCE_SECONDS * motion.fps))
        highest = maximum_filter1d(needed, 2 * reach + 1, mode="nearest")
        distance = gaussian_filter1d(highest, DISTANCE_SECONDS * motion.fps, mode="nearest", radius=reach)
    else:
        distance = np.full(len(motion), needed.max())
    return Camera(aim - distance[:, None] * forward, axes, focal, size)


def _distance_needed(offsets: np.ndarray, axes: np.ndarray, focal: float, size: tuple[int, int]) -> np.ndarray:
    """Least distance ``(T,)`` from the aim at which all joints, given from the aim, lie within the picture."""
    seen = offsets @ axes.T
    room = 0.46 * np.array(size) / focal
    across = (np.abs(seen[..., :2]) + BODY_RADIUS) / room
    return np.asarray((across.max(axis=-1) - seen[..., 2] + BODY_RADIUS).max(axis=1))
