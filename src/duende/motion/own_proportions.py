"""The same dance on a body of other proportions: the same joints, turned alike, the feet standing where they stood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.carrying import carried
from duende.motion.feet import plant_feet
from duende.motion.legs import with_feet_moved
from duende.motion.looping import unrolled_frames
from duende.motion.motion import Motion
from duende.motion.skeleton import Skeleton
from duende.motion.soles import Soles, on_soles
from duende.motion.stances import foot_heights, standing_joints

SIDES = ("left", "right")
EVENLY = 0.3
"""Seconds over which the speed of what slides is averaged."""
CREEPING = 0.1
"""m/s about which even sliding begins to count: slower it is a slip."""


def on_own_proportions(
    motion: Motion, skeleton: Skeleton, soles: Soles | None = None, *, cyclic: bool = False
) -> Motion:
    """Carry a dance over to a body whose bones have other lengths.

    Bones turn as before. The middle of the hips takes the same way in legs' lengths, counted from where it is at rest,
    and feet are as high over the floor. What stood keeps standing: knees are bent so that standing feet rest at the
    body's own leg length. What slid evenly, as feet of a dance that is kept in its place do, slides on.

    Args:
        motion: on a skeleton with SMPL's joints, floor at 0.
        skeleton: the same joints with other offsets, in the same rest pose, of any size.
        soles: of the body, to keep out of the floor; by default its joints alone count.
        cyclic: after the last frame comes the first.

    Returns:
        A motion of the same length on ``skeleton``. Where the body stands at rest, its lowest joint is at 0.

    Raises:
        DuendeError: the skeletons have other joints.
    """
    if cyclic:
        frames = unrolled_frames(motion)
        begin = (len(frames) - len(motion)) // 2
        return on_own_proportions(motion.taking(frames), skeleton, soles).cropped(begin, begin + len(motion))
    size = leg_length(skeleton) / leg_length(motion.skeleton)
    # Feet are judged by metres and metres a second: on a body of the dance's own size they mean what they say.
    alike = replace(skeleton, offsets=skeleton.offsets / size)
    standing = standing_joints(motion)
    slide = _slide(motion, standing)
    still = replace(motion, root=motion.root - slide)
    placed = _at_heights(with_offsets(still, alike), foot_heights(motion))
    planted = plant_feet(placed, standing, gentle=True)
    # Feet of another length pivot and roll to other places: step by step the body would go astray, and loops stay open.
    path = np.stack([placed.root[:, 0], planted.root[:, 1], placed.root[:, 2]], axis=1)
    on_path = carried(planted, path)
    own = replace(on_path, root=(on_path.root + slide) * size, skeleton=skeleton)
    return own if soles is None else on_soles(own, soles)


def _slide(motion: Motion, standing: np.ndarray) -> np.ndarray:
    """Way ``(T, 3)`` over the floor by which the standing feet slide, slips that are over soon left out."""
    feet = motion.positions[:, list(motion.skeleton.feet)]
    bearing = np.flatnonzero(standing.any(axis=1))
    if len(motion) < 2 or not len(bearing):
        return np.zeros((len(motion), 3))
    steps = np.gradient(feet, axis=0)[bearing] * standing[bearing, :, None]
    speed = steps.sum(axis=1) / standing[bearing].sum(axis=1)[:, None] * [1.0, 0.0, 1.0]
    frames = np.arange(len(motion))
    even = np.stack([np.interp(frames, bearing, speed[:, axis]) for axis in range(3)], axis=1)
    even = gaussian_filter1d(even, EVENLY * motion.fps, axis=0, mode="nearest")
    pace = (even**2).sum(axis=1, keepdims=True)
    return np.asarray(np.cumsum(even * pace / (pace + (CREEPING / motion.fps) ** 2), axis=0))


def _at_heights(motion: Motion, heights: np.ndarray) -> Motion:
    """Bend the legs so that the lower joint of each foot is as far over its height at rest as in ``heights`` (T, 4)."""
    shifts = np.zeros((len(motion), 2, 3))
    shifts[..., 1] = heights.reshape(-1, 2, 2).min(axis=2) - foot_heights(motion).reshape(-1, 2, 2).min(axis=2)
    return with_feet_moved(motion, shifts)


def with_offsets(motion: Motion, skeleton: Skeleton) -> Motion:
    """Turn the joints of another body as those of ``motion``, its hips on the same way in legs' lengths.

    Args:
        motion: on a skeleton with SMPL's joints.
        skeleton: the same joints with other offsets, in the same rest pose.

    Raises:
        DuendeError: the skeletons have other joints.
    """
    if (skeleton.names, skeleton.parents) != (motion.skeleton.names, motion.skeleton.parents):
        raise DuendeError(
            f"a body of {len(skeleton)} joints cannot dance what {len(motion.skeleton)} joints of other names or order "
            "do; retarget the dance first"
        )
    size = leg_length(skeleton) / leg_length(motion.skeleton)
    turns = Rotation.from_quat(motion.global_rotations[:, 0])
    before, after = middle_of_hips(motion.skeleton), middle_of_hips(skeleton)
    height = np.array([0.0, motion.skeleton.rest_height + before[1], 0.0])
    own_height = np.array([0.0, skeleton.rest_height + after[1], 0.0])
    hips = (motion.root + turns.apply(before) - height) * size + own_height
    return replace(motion, root=hips - turns.apply(after), skeleton=skeleton)


def leg_length(skeleton: Skeleton) -> float:
    """Metres from hip to ankle along the bones, the mean of both sides."""
    return sum(skeleton.leg_length(side) for side in SIDES) / len(SIDES)


def middle_of_hips(skeleton: Skeleton) -> np.ndarray:
    """``(3,)`` metres, at rest from the root joint to the middle between both hip joints."""
    return np.asarray(skeleton.offsets[[skeleton.index(f"{side}_hip") for side in SIDES]].mean(axis=0))
