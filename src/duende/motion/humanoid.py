"""What SMPL's joints are called on a VRM humanoid, and dances told from the T-pose that such avatars have at rest.

Avatars copy how far each bone turns from rest, so both rests must be the same pose. SMPL's is not quite a T-pose: its
thighs are 6 degrees and its shins 5 from straight down, its upper arms 6 to 8 from level, its feet point 15 to 19
outwards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.inverse_kinematics import swing
from duende.motion.kinematics import local_rotations
from duende.motion.motion import Motion
from duende.motion.skeleton import SMPL24, Skeleton

HUMANOID: dict[str, str] = {
    "pelvis": "hips",
    "spine1": "spine",
    "spine2": "chest",
    "spine3": "upperChest",
    "neck": "neck",
    "head": "head",
    "left_collar": "leftShoulder",
    "left_shoulder": "leftUpperArm",
    "left_elbow": "leftLowerArm",
    "left_wrist": "leftHand",
    "right_collar": "rightShoulder",
    "right_shoulder": "rightUpperArm",
    "right_elbow": "rightLowerArm",
    "right_wrist": "rightHand",
    "left_hip": "leftUpperLeg",
    "left_knee": "leftLowerLeg",
    "left_ankle": "leftFoot",
    "left_foot": "leftToes",
    "right_hip": "rightUpperLeg",
    "right_knee": "rightLowerLeg",
    "right_ankle": "rightFoot",
    "right_foot": "rightToes",
}
"""SMPL joint to VRM 1.0 humanoid bone (names of the VRMC_vrm specification); SMPL's hand joints have no counterpart."""

DOWN, AHEAD = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
LEGS, ARMS = ("hip", "knee", "ankle", "foot"), ("shoulder", "elbow", "wrist", "hand")


def straightened(motion: Motion) -> Motion:
    """Tell the same movement from a T-pose: arms along X, legs straight down, feet straight ahead at rest.

    The joints go exactly where they went; bone lengths are the same. Rotations are those that an avatar with such a
    rest pose must make for its limbs to point where the dance's do. Trunk, neck, head and collars keep their rest
    directions: their curves at rest are the body's own on both sides.

    Args:
        motion: on a skeleton with SMPL24's joints, of any proportions.

    Raises:
        DuendeError: the skeleton has other joints.
    """
    skeleton = motion.skeleton
    if skeleton.names != SMPL24.names or skeleton.parents != SMPL24.parents:
        raise DuendeError(
            f"a humanoid avatar is posed from the {len(SMPL24)} SMPL joints, and this motion has {len(skeleton)} "
            "others; retarget it to SMPL24 first"
        )
    turns = _turns_from_t_pose(skeleton)
    offsets = skeleton.offsets.copy()
    for joint, parent in enumerate(skeleton.parents[1:], 1):
        offsets[joint] = turns[parent].inv().apply(skeleton.offsets[joint])
    world = np.stack(
        [(Rotation.from_quat(motion.global_rotations[:, j]) * turn).as_quat() for j, turn in enumerate(turns)], axis=1
    )
    rest = replace(skeleton, offsets=offsets)
    return replace(motion, rotations=local_rotations(world, rest), skeleton=rest)


def with_stiff_upper_chest(motion: Motion) -> Motion:
    """Let the chest turn as the upper chest does, and the upper chest not at all against it.

    Many avatars have no upper chest, and players drop its turn there: arms and head would go astray by as much, in
    captured dances by 45 degrees. All bones from the upper chest on keep their turns in the world. The spine is swung
    so that they keep their places too, but for the millimetres by which the chest's bend shortens the back.

    Args:
        motion: on a skeleton with SMPL24's joints, of any proportions.
    """
    skeleton, at = motion.skeleton, motion.skeleton.index
    lower, middle, upper = at("spine1"), at("spine2"), at("spine3")
    world = motion.global_rotations.copy()
    chest, spine = Rotation.from_quat(world[:, upper]), Rotation.from_quat(world[:, lower])
    wanted = motion.positions[:, upper] - chest.apply(skeleton.offsets[upper]) - motion.positions[:, lower]
    world[:, middle] = world[:, upper]
    world[:, lower] = (swing(spine.apply(skeleton.offsets[middle]), wanted) * spine).as_quat()
    return replace(motion, rotations=local_rotations(world, skeleton))


def _turns_from_t_pose(skeleton: Skeleton) -> list[Rotation]:
    """For each joint the turn, in the world, from its bone in the T-pose to its bone at rest in ``skeleton``."""
    turns = [Rotation.identity()] * len(skeleton)
    for side, outwards in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle, foot = (skeleton.index(f"{side}_{part}") for part in LEGS)
        shoulder, elbow, wrist, hand = (skeleton.index(f"{side}_{part}") for part in ARMS)
        across = np.array([outwards, 0.0, 0.0])
        for joint, end, direction in (
            (hip, knee, DOWN),
            (knee, ankle, DOWN),
            (shoulder, elbow, across),
            (elbow, wrist, across),
            (wrist, hand, across),
        ):
            turns[joint] = swing(direction[None], skeleton.offsets[end][None])[0]
        turns[hand] = turns[wrist]
        # Soles lie on the floor in both rest poses: a foot only turns about the vertical.
        turns[ankle] = turns[foot] = swing(AHEAD[None], skeleton.offsets[foot][None] * [1.0, 0.0, 1.0])[0]
    return turns
