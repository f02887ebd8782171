"""Soles on the floor: toes that bend where the heel is lifted, feet that do not sink in where they tilt.

Dances know of joints. A body has flesh around them: where a foot tilts, heel or toes would go through the floor on
which its joints stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from duende.motion.kinematics import continuous_quaternions, local_rotations
from duende.motion.legs import with_feet_moved
from duende.motion.motion import Motion

MOST_BENT = np.radians(60.0)
"""Toes bend upwards by so much at most."""
LIFTING = 0.025
"""Seconds over which a foot is lifted."""
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, eq=False)
class Soles:
    """The outsides of a body's feet.

    Attributes:
        points: for each of ``skeleton.feet`` ``(P, 3)`` metres, from the joint at rest to what may touch the floor.
        depth: metres from the lowest joint at rest down to the soles.
        toes_bend: whether the body's toes can bend against its feet.
    """

    points: tuple[np.ndarray, ...]
    depth: float
    toes_bend: bool = True


def on_soles(motion: Motion, soles: Soles) -> Motion:
    """Bend toes that would go through the floor, and lift feet that still would.

    Args:
        motion: whose lowest joint is at 0 where the body stands at rest, so that its soles are ``depth`` under 0.
        soles: of the motion's body.

    Returns:
        A motion whose legs and toes alone have changed. Nothing is pushed down.
    """
    world = motion.global_rotations.copy()
    lifts = np.zeros((len(motion), 2, 3))
    for side in range(2):
        ankle, toes = motion.skeleton.feet[2 * side : 2 * side + 2]
        heel, tip = soles.points[2 * side : 2 * side + 2]
        under = np.maximum(-_heights(motion, ankle, heel, soles.depth).min(axis=1, initial=0.0), 0.0)
        if soles.toes_bend:
            turn = _bend(motion, toes, tip, soles.depth - _eased(under, motion.fps))
            world[:, toes] = (Rotation.from_quat(world[:, toes]) * turn).as_quat()
        bent = replace(motion, rotations=local_rotations(world, motion.skeleton))
        low = _heights(bent, toes, tip, soles.depth).min(axis=1, initial=0.0)
        lifts[:, side, 1] = _eased(np.maximum(under, -low), motion.fps)
    rotations = continuous_quaternions(local_rotations(world, motion.skeleton))
    return with_feet_moved(replace(motion, rotations=rotations), lifts)


def _heights(motion: Motion, joint: int, points: np.ndarray, depth: float) -> np.ndarray:
    """Heights ``(T, P)`` of points that a joint carries over the floor of the soles."""
    rows = Rotation.from_quat(motion.global_rotations[:, joint]).as_matrix()[:, 1]
    return np.asarray(motion.positions[:, joint, 1, None] + rows @ points.T + depth)


def _bend(motion: Motion, joint: int, points: np.ndarray, depth: np.ndarray) -> Rotation:
    """Least turn of toes ``(T,)`` about their own axis that brings all ``points`` over the floor.

    Args:
        motion: as it is without it.
        joint: of the toes.
        points: ``(P, 3)`` of the toes.
        depth: ``(T,)`` metres of the floor under 0.
    """
    ahead = motion.skeleton.offsets[joint] * [1.0, 0.0, 1.0]
    axis = np.cross(ahead / max(float(np.linalg.norm(ahead)), 1e-9), UP)
    points = points[points @ ahead > 0]
    across = (points @ axis)[:, None] * axis
    rows = Rotation.from_quat(motion.global_rotations[:, joint]).as_matrix()[:, 1]
    # A point's height turns as level + cosine * cos(angle) + sine * sin(angle).
    level = (motion.positions[:, joint, 1] + depth)[:, None] + rows @ across.T
    cosine, sine = rows @ (points - across).T, rows @ np.cross(axis, points).T
    reach = np.maximum(np.hypot(cosine, sine), 1e-9)
    rising = np.arctan2(sine, cosine) - np.arccos(np.clip(-level / reach, -1.0, 1.0))
    angles = np.where(level + cosine < 0, rising, 0.0).max(axis=1, initial=0.0)
    return Rotation.from_rotvec(np.clip(angles, 0.0, MOST_BENT)[:, None] * axis)


def _eased(lift: np.ndarray, fps: float) -> np.ndarray:
    """Raise ``(T,)`` smoothly, never less than asked for."""
    return np.maximum(gaussian_filter1d(lift, LIFTING * fps, mode="nearest"), lift)
