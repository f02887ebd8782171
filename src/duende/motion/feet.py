"""Feet that stand where they stand.

A decoder says how the body moves and, apart, how it travels; where the two disagree, feet slide. So the path is
mended first, at the cause: it is integrated again so that the standing foot rests. The legs take up what is left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.ndimage import label as label_spans
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve

from duende.motion.contacts import foot_contacts
from duende.motion.inverse_kinematics import fit_rotations, two_bones, unit
from duende.motion.motion import Motion

BLEND = 0.1
"""Seconds over which a foot is taken into its stand and let out of it."""
HELD, FREE = 100.0, 1e-3
"""Weights of a standing foot's place, and of leaving a free foot where it was."""
SUPPLE = 0.97
"""Share of the leg's length up to which it is stretched freely."""


def plant_feet(motion: Motion, contacts: np.ndarray | None = None) -> Motion:
    """Hold standing feet in place, and the body over the floor.

    Args:
        motion: of any length.
        contacts: ``(T, 4)`` bool, which foot joints stand; by default :func:`foot_contacts` decides.

    Returns:
        A motion of the same length whose path is changed to follow the standing feet and whose legs are bent to reach
        them; the upper body is that of ``motion`` on the changed path.
    """
    if len(motion) < 3:
        return motion
    if contacts is None:
        contacts = foot_contacts(motion.positions, motion.fps, motion.skeleton)
    path = _following_path(motion, contacts)
    moved = replace(motion, root=path)
    return _locked(_over_floor(moved), contacts)


def _following_path(motion: Motion, contacts: np.ndarray) -> np.ndarray:
    """Integrate the planar path so that standing joints rest, weighted by how surely they stand."""
    feet = motion.positions[:, list(motion.skeleton.feet)]
    weight = gaussian_filter1d(contacts.astype(float), 0.03 * motion.fps, axis=0) * contacts
    slide = np.gradient(feet, axis=0)[..., [0, 2]]
    total = weight.sum(axis=1)
    mean = (slide * weight[..., None]).sum(axis=1) / np.maximum(total, 1e-6)[:, None]
    sure = np.clip(total, 0.0, 1.0)[:, None]
    correction = gaussian_filter1d(mean * sure, 0.03 * motion.fps, axis=0)
    path = motion.root.copy()
    path[:, [0, 2]] -= np.cumsum(correction, axis=0) - correction[:1]
    return path


def _over_floor(motion: Motion) -> Motion:
    """Lift the body wherever a joint would be under the floor, smoothly, and never push it down."""
    lowest = motion.positions[..., 1].min(axis=1)
    under = np.maximum(-lowest, 0.0)
    smooth = gaussian_filter1d(under, 0.05 * motion.fps, mode="nearest")
    root = motion.root.copy()
    root[:, 1] += np.maximum(smooth, under)
    return replace(motion, root=root)


def _locked(motion: Motion, contacts: np.ndarray) -> Motion:
    """Bend the legs so that what stands of each foot holds still through its stand."""
    skeleton, positions = motion.skeleton, motion.positions.copy()
    for side, (heel, toes) in zip(("left", "right"), ((0, 1), (2, 3)), strict=True):
        hip, knee, ankle, foot = (skeleton.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "foot"))
        standing = contacts[:, heel] | contacts[:, toes]
        wanted = np.zeros((len(motion), 3))
        spans, count = label_spans(standing)
        for number in range(1, count + 1):
            frames = np.flatnonzero(spans == number)
            rests_on = foot if contacts[frames, toes].mean() >= contacts[frames, heel].mean() else ankle
            place = np.median(positions[frames, rests_on], axis=0)
            wanted[frames] = (place - positions[frames, rests_on]) * [1.0, 0.0, 1.0]
        shift = _carried(wanted, standing, motion.fps)
        upper, lower = (float(np.linalg.norm(skeleton.offsets[joint])) for joint in (knee, ankle))
        target = _in_reach(positions[:, hip], positions[:, ankle], positions[:, ankle] + shift, upper + lower)
        bent = two_bones(positions[:, hip], positions[:, knee] + shift / 2, target, upper, lower)
        end = bent + unit(target - bent) * lower
        positions[:, foot] += end - positions[:, ankle]
        positions[:, knee], positions[:, ankle] = bent, end
    return fit_rotations(positions, motion.fps, skeleton)


def _carried(wanted: np.ndarray, standing: np.ndarray, fps: float) -> np.ndarray:
    """Shifts ``(T, 3)`` that are ``wanted`` while standing, and bend as little as may be from one stand to the next.

    The least of ``sum(weight |shift - wanted|^2) + stiffness sum(|second difference|^2)``.
    """
    count = len(wanted)
    weight = np.where(standing, HELD, FREE)
    difference = diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(count - 2, count))
    bending = (BLEND * fps / 3) ** 4 * (difference.T @ difference)
    return np.asarray(spsolve((diags_array(weight) + bending).tocsc(), weight[:, None] * wanted)).reshape(count, 3)


def _in_reach(hip: np.ndarray, before: np.ndarray, wanted: np.ndarray, length: float) -> np.ndarray:
    """Bring ``wanted`` ankles ``(T, 3)`` nearer to the hip where the leg would snap straight to reach them.

    A leg that was longer ``before`` may stay as long.
    """
    line = wanted - hip
    distance = np.linalg.norm(line, axis=1)
    bound, rest = SUPPLE * length, (1 - SUPPLE) * length
    beyond = np.maximum(distance - bound, 0.0)
    soft = np.where(beyond > 0, bound + rest * (1 - np.exp(-beyond / rest)), distance)
    allowed = np.minimum(np.maximum(soft, np.linalg.norm(before - hip, axis=1)), distance)
    return np.asarray(hip + line * (allowed / np.maximum(distance, 1e-9))[:, None])
