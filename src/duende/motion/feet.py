"""Feet that stand where they stand, and clear the floor where they move.

A decoder says how the body moves and, apart, how it travels; where the two disagree, feet slide and hover. So the path
is mended first, at the cause: it is integrated again so that the standing foot rests, and brought to the height at
which it touches the floor. The legs take up what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d
from scipy.ndimage import label as label_spans

from duende.motion.contacts import joint_speed
from duende.motion.legs import with_feet_moved
from duende.motion.motion import Motion
from duende.motion.stances import foot_heights, standing_joints

PASSES = 2
"""A foot that glided with the path rests once the path is mended, and is only then seen to stand."""
SURE, LEVELLING = 0.03, 0.1
"""Seconds over which the path, and its height, change from one stand to the next."""
BLEND = 0.1
"""Seconds over which a foot is taken into its stand and let out of it."""
HELD, FREE = 100.0, 1e-3
"""Weights of a standing foot's place, and of leaving a free foot where it was."""
DRAWN = 0.03
"""Metres by which a standing foot is drawn down to the floor at most: beyond it is taking off."""
CLEARANCE, STRIDE, LIFTING = 0.045, (0.1, 0.25), 0.025
"""Metres over the floor at which a moving foot passes, m/s between which it comes to count as moving, seconds in which
it is lifted."""


def plant_feet(motion: Motion, standing: np.ndarray | None = None, *, gentle: bool = False) -> Motion:
    """Hold standing feet in place on the floor, and lift those that move over it.

    Args:
        motion: of any length, on a skeleton with SMPL's names for the legs.
        standing: ``(T, 4)`` bool, which foot joints stand; by default :func:`standing_joints` decides.
        gentle: only hold what stands; neither level the body nor lift moving feet. Captured dances need no more.

    Returns:
        A motion of the same length whose path is changed to follow the standing feet and whose legs are bent to reach
        them; the rotations of the upper body are those of ``motion``.
    """
    if len(motion) < 3:
        return motion
    if standing is None:
        for _ in range(PASSES):
            motion = _following(motion, standing_joints(motion))
        standing = standing_joints(motion)
    else:
        motion = _following(motion, standing)
    motion = _over_floor(motion if gentle else _levelled(motion, standing))
    shifts = np.stack([_shift(motion, standing, foot, gentle) for foot in range(2)], axis=1)
    return with_feet_moved(motion, shifts)


def _following(motion: Motion, standing: np.ndarray) -> Motion:
    """Integrate the planar path so that standing joints rest, weighted by how surely they stand."""
    feet = motion.positions[:, list(motion.skeleton.feet)]
    weight = _sureness(standing, SURE * motion.fps)
    slide = np.gradient(feet, axis=0)[..., [0, 2]]
    total = weight.sum(axis=1)
    mean = (slide * weight[..., None]).sum(axis=1) / np.maximum(total, 1e-6)[:, None]
    sure = np.clip(total, 0.0, 1.0)[:, None]
    correction = gaussian_filter1d(mean * sure, SURE * motion.fps, axis=0)
    path = motion.root.copy()
    path[:, [0, 2]] -= np.cumsum(correction, axis=0) - correction[:1]
    return replace(motion, root=path)


def _levelled(motion: Motion, standing: np.ndarray) -> Motion:
    """Raise and lower the body so that each stand is on the floor, evenly from one to the next: jumps stay jumps."""
    low = _lowest(motion, standing)
    heights = np.zeros(low.shape)
    for foot in range(2):
        for frames in _stands(standing[:, 2 * foot : 2 * foot + 2]):
            heights[frames, foot] = np.median(low[frames, foot])
    weight = _sureness(np.isfinite(low), LEVELLING * motion.fps / 2)
    total = weight.sum(axis=1)
    known = np.flatnonzero(total > 1e-3)
    if not len(known):
        return motion
    over = np.interp(np.arange(len(motion)), known, (weight * heights).sum(axis=1)[known] / total[known])
    root = motion.root.copy()
    root[:, 1] -= gaussian_filter1d(over, LEVELLING * motion.fps, mode="nearest")
    return replace(motion, root=root)


def _over_floor(motion: Motion) -> Motion:
    """Lift the body wherever a joint would be under the floor, smoothly, and never push it down."""
    under = np.maximum(-motion.positions[..., 1].min(axis=1), 0.0)
    smooth = gaussian_filter1d(under, 0.05 * motion.fps, mode="nearest")
    root = motion.root.copy()
    root[:, 1] += np.maximum(smooth, under)
    return replace(motion, root=root)


def _shift(motion: Motion, standing: np.ndarray, foot: int, gentle: bool) -> np.ndarray:
    """How a foot must move ``(T, 3)`` to stand still where it stands, and to clear the floor where it does not."""
    pair = slice(2 * foot, 2 * foot + 2)
    positions = motion.positions[:, list(motion.skeleton.feet[pair])]
    height = foot_heights(motion)[:, pair].min(axis=1)
    wanted = np.zeros((len(motion), 3))
    for frames in _stands(standing[:, pair]):
        stood = standing[frames, pair].mean(axis=0)
        rests_on = positions[frames, int(stood[1] >= stood[0])]
        wanted[frames] = np.median(rests_on, axis=0) - rests_on
        wanted[frames, 1] = 0.0 if gentle else -np.minimum(height[frames], DRAWN)
    stands = np.asarray(standing[:, pair].any(axis=1))
    shift = _carried(wanted, stands, motion.fps)
    if not gentle:
        speed = joint_speed(positions * [1.0, 0.0, 1.0], motion.fps).min(axis=1)
        lift = np.where(stands, 0.0, np.maximum(_clearance(speed) - height - shift[:, 1], 0.0))
        shift[:, 1] += gaussian_filter1d(lift, LIFTING * motion.fps)
    return shift


def _clearance(speed: np.ndarray) -> np.ndarray:
    """Metres over the floor at which a foot passes at a speed in m/s."""
    moving = np.clip((speed - STRIDE[0]) / (STRIDE[1] - STRIDE[0]), 0.0, 1.0)
    return np.asarray(CLEARANCE * moving**2 * (3 - 2 * moving))


def _sureness(standing: np.ndarray, width: float) -> np.ndarray:
    """Weights of what stands ``(T, N)``: less within ``width`` frames of where a stand begins and ends."""
    return np.asarray(gaussian_filter1d(standing.astype(float), width, axis=0) * standing)


def _lowest(motion: Motion, standing: np.ndarray) -> np.ndarray:
    """Height ``(T, 2)`` of each foot's lower standing joint over its height at rest; infinite where none stands."""
    return np.asarray(np.where(standing, foot_heights(motion), np.inf).reshape(-1, 2, 2).min(axis=2))


def _stands(standing: np.ndarray) -> Iterator[np.ndarray]:
    """Frames of each stand of a foot, of whose joints ``standing`` ``(T, 2)`` tells."""
    spans, count = label_spans(standing.any(axis=1))
    for number in range(1, count + 1):
        yield np.flatnonzero(spans == number)


def _carried(wanted: np.ndarray, standing: np.ndarray, fps: float) -> np.ndarray:
    """Shifts ``(T, 3)`` that are ``wanted`` while standing, and bend as little as may be from one stand to the next.

    The least of ``sum(weight |shift - wanted|^2) + stiffness sum(|second difference|^2)``.
    """
    weight = np.where(standing, HELD, FREE)
    # The upper bands of the second differences' squares: from each row 1, -2, 1.
    bands = np.zeros((3, len(wanted)))
    bands[0, 2:] = 1.0
    for first, last, square, beside in ((0, -2, 1.0, 0.0), (1, -1, 4.0, -2.0), (2, None, 1.0, -2.0)):
        bands[2, first:last] += square
        bands[1, first:last] += beside
    bands *= (BLEND * fps / 3) ** 4
    bands[2] += weight
    return np.asarray(solveh_banded(bands, weight[:, None] * wanted))
