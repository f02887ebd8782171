"""Legs bent to where the feet should be, everything else left as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from duende.motion.inverse_kinematics import two_bones
from duende.motion.kinematics import continuous_quaternions
from duende.motion.motion import Motion
from duende.motion.quaternions import dots, inverse, product, shortest_turn

SUPPLE = 0.97
"""Share of the leg's length up to which it is stretched freely."""


def with_feet_moved(motion: Motion, shifts: np.ndarray) -> Motion:
    """Bend the legs so that the feet move by ``shifts``, and keep the way that feet, trunk and arms face.

    Knees bend in the plane in which they were bent. A foot that the leg could only reach by snapping straight stays
    nearer.

    Args:
        motion: on a skeleton with SMPL's names for the legs.
        shifts: ``(T, 2, 3)`` metres, for left and right foot.
    """
    skeleton, positions = motion.skeleton, motion.positions
    world, rotations = motion.global_rotations, motion.rotations.copy()
    for number, side in enumerate(("left", "right")):
        hip, knee, ankle = (skeleton.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        upper, lower = (float(np.linalg.norm(skeleton.offsets[joint])) for joint in (knee, ankle))
        start, bend, end = (positions[:, joint] for joint in (hip, knee, ankle))
        reached = _in_reach(start, end, end + shifts[:, number], upper + lower)
        bent = two_bones(start, bend + shifts[:, number] / 2, reached, upper, lower)
        thigh = product(shortest_turn(bend - start, bent - start), world[:, hip])
        shin = product(shortest_turn(end - bend, reached - bent), world[:, knee])
        parents = (world[:, skeleton.parents[hip]], thigh, shin)
        for joint, parent, turn in zip((hip, knee, ankle), parents, (thigh, shin, world[:, ankle]), strict=True):
            rotations[:, joint] = product(inverse(parent), turn)
    return replace(motion, rotations=continuous_quaternions(rotations))


def _in_reach(hip: np.ndarray, before: np.ndarray, wanted: np.ndarray, length: float) -> np.ndarray:
    """Bring ``wanted`` ankles ``(T, 3)`` nearer to the hip where the leg would snap straight to reach them.

    A leg that was longer ``before`` may stay as long.
    """
    line = wanted - hip
    distance = np.sqrt(dots(line, line))
    bound, rest = SUPPLE * length, (1 - SUPPLE) * length
    beyond = np.maximum(distance - bound, 0.0)
    soft = np.where(beyond > 0, bound + rest * (1 - np.exp(-beyond / rest)), distance)
    allowed = np.minimum(np.maximum(soft, np.linalg.norm(before - hip, axis=1)), distance)
    return np.asarray(hip + line * (allowed / np.maximum(distance, 1e-9))[:, None])
