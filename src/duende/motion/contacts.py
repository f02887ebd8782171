"""When a foot stands on the floor, and how well it stands there. Metres and seconds, whatever the frame rate."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter1d

from duende.motion.motion import Motion
from duende.motion.quaternions import dots
from duende.motion.skeleton import SMPL24, Skeleton

NEAR_FLOOR = 0.05
"""Metres above its height at rest within which a foot joint may stand."""
STANDING_SPEED = 0.35
"""Metres a second under which a low foot joint stands."""
SHORTEST = 0.08
"""Seconds: shorter stands and shorter gaps in them are noise."""
SKATING_SPEED = 0.15
"""Metres a second over which a foot on the floor skates."""
ON_FLOOR = 0.05
"""Share of frames in which some joint is taken to lie lower than the floor: landings overshoot."""


def foot_contacts(
    positions: np.ndarray,
    fps: float,
    skeleton: Skeleton = SMPL24,
    height: float = NEAR_FLOOR,
    speed: float = STANDING_SPEED,
) -> np.ndarray:
    """Which foot joints stand on the floor: ``(T, 4)`` bool in the order of ``skeleton.feet``.

    Args:
        positions: ``(T, J, 3)`` metres, floor at 0.
        fps: frames a second.
        skeleton: whose feet.
        height: metres above its rest height that a standing joint may be.
        speed: m/s that a standing joint may have.
    """
    feet = positions[:, list(skeleton.feet)]
    rest = skeleton.rest_positions[list(skeleton.feet), 1] + skeleton.rest_height
    low = feet[..., 1] < rest + height
    moving = joint_speed(feet, fps)
    standing = low & (moving < speed)
    length = max(1, round(SHORTEST * fps))
    window = np.ones((length, 1), dtype=bool)
    padded = np.pad(standing, ((length, length), (0, 0)), mode="edge")
    return np.asarray(binary_opening(binary_closing(padded, window), window)[length:-length])


def skate_ratio(positions: np.ndarray, fps: float, skeleton: Skeleton = SMPL24) -> float:
    """Share of frames in which a foot whose toes or ankle are within 2.5 cm of their rest height moves over 0.15 m/s.

    Speed is horizontal. Per foot the slower of its two low joints counts, so that rolling over the toes is no skating.
    """
    feet = positions[:, list(skeleton.feet)]
    rest = skeleton.rest_positions[list(skeleton.feet), 1] + skeleton.rest_height
    low = feet[..., 1] < rest + 0.025
    planar = joint_speed(feet * [1.0, 0.0, 1.0], fps)
    slowest = np.where(low, planar, np.inf).reshape(len(feet), 2, 2).min(axis=2)
    skating = np.isfinite(slowest) & (slowest > SKATING_SPEED)
    return float(skating.any(axis=1).mean())


def standing_floor(positions: np.ndarray) -> float:
    """Height in metres of a dance's floor: one for all of it, so that a dance that sinks or hovers is seen to do so.

    It is the height under which the lowest joint lies in :data:`ON_FLOOR` of the frames. Files do not tell where their
    floor is: Bailando's dances begin with the pelvis at the origin.

    Args:
        positions: ``(T, J, 3)`` metres, Y up.
    """
    return float(np.quantile(positions[..., 1].min(axis=1), ON_FLOOR))


def foot_height(positions: np.ndarray, skeleton: Skeleton = SMPL24) -> float:
    """Mean over frames of how far the lowest foot joint lies over the floor at 0, in metres: jumps and hovering."""
    return float(np.maximum(positions[:, list(skeleton.feet), 1].min(axis=1), 0.0).mean())


def penetration_depth(positions: np.ndarray) -> float:
    """Mean over frames of how far the lowest joint of ``(T, J, 3)`` lies under the floor at 0, in metres."""
    return float(np.maximum(-positions[..., 1].min(axis=1), 0.0).mean())


def floor_penetration(motion: Motion) -> float:
    """Mean over frames of how far the lowest joint lies under the floor, in metres."""
    return penetration_depth(motion.positions)


def floor_gap(motion: Motion) -> float:
    """Mean over frames of the lowest joint's height over the floor, in metres: jumps and floating alike."""
    return float(np.maximum(motion.positions[..., 1].min(axis=1), 0.0).mean())


def joint_speed(points: np.ndarray, fps: float) -> np.ndarray:
    """Speed ``(T, N)`` of points ``(T, N, 3)`` in m/s, lightly smoothed."""
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    velocity = np.gradient(points, axis=0) * fps
    smooth = gaussian_filter1d(velocity, 0.015 * fps, axis=0)
    return np.asarray(np.sqrt(dots(smooth, smooth)))
