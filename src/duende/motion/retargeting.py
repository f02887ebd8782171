"""Any humanoid to SMPL's 24 joints, by the directions of its bones.

Rest poses, bone axes and proportions differ from file to file; directions of bones in the world do not. Each SMPL bone
is laid along the source's, at SMPL's length, and rotations are fitted to the joints that result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.inverse_kinematics import LIMBS, fit_rotations, swing
from duende.motion.motion import Motion
from duende.motion.skeleton import SMPL24, Skeleton

FLOOR_PERCENTILE = 2.0
"""Of the lowest joint's height over time: what counts as the floor, so that a few low outliers do not lift a dance."""


@dataclass(frozen=True)
class JointNames:
    """What a source skeleton calls the joints that SMPL needs; ``tip`` lies past the wrist."""

    hip: str
    knee: str
    ankle: str
    toe: str
    shoulder: str
    elbow: str
    wrist: str
    tip: str
    neck: str
    head: str
    left: str
    right: str

    def of(self, part: str, side: str) -> str:
        """Name of a joint on one side (``"left"`` or ``"right"``)."""
        return str(getattr(self, part)).format(side=getattr(self, side), initial=side[0].upper())


KNOWN: dict[str, JointNames] = {
    "daz": JointNames(
        "{side}Thigh", "{side}Shin", "{side}Foot", "{side}Foot end", "{side}Shldr", "{side}ForeArm", "{side}Hand",
        "{side}Mid1", "neck", "head", "l", "r",
    ),
    "character creator": JointNames(
        "CC_Base_{side}_Thigh", "CC_Base_{side}_Calf", "CC_Base_{side}_Foot", "CC_Base_{side}_ToeBase",
        "CC_Base_{side}_Upperarm", "CC_Base_{side}_Forearm", "CC_Base_{side}_Hand", "CC_Base_{side}_Mid1",
        "CC_Base_NeckTwist01", "CC_Base_Head", "L", "R",
    ),
    "motionbuilder": JointNames(
        "{side}Hip", "{side}Knee", "{side}Ankle", "{side}Toe", "{side}Shoulder", "{side}Elbow", "{side}Wrist",
        "{initial}Fingers", "Neck", "Head", "Left", "Right",
    ),
    "unitree g1": JointNames(
        "{side}_hip_roll_link", "{side}_knee_link", "{side}_ankle_roll_link", "{side}_toe_link",
        "{side}_shoulder_roll_link", "{side}_elbow_link", "{side}_wrist_yaw_link", "{side}_rubber_hand",
        "neck", "head_mocap", "left", "right",
    ),
}  # fmt: skip
"""Skeletons by the tool that made them. More are a few names away."""


def joint_names(available: Mapping[str, object]) -> JointNames:
    """Find the known skeleton whose joints are all in ``available``.

    Raises:
        DuendeError: none fits; the message names what the nearest one lacks.
    """
    lacking = {}
    for name, names in KNOWN.items():
        wanted = [names.of(part, side) for side in ("left", "right") for part in _PARTS]
        lacking[name] = [joint for joint in wanted if joint not in available]
        if not lacking[name]:
            return names
    nearest = min(lacking, key=lambda name: len(lacking[name]))
    raise DuendeError(
        f"this skeleton is not known: the nearest, {nearest!r}, also has {', '.join(lacking[nearest][:4])}; "
        f"known are {', '.join(KNOWN)}"
    )


_PARTS = tuple(part for part in JointNames.__dataclass_fields__ if part not in ("left", "right"))


def retarget(
    joints: Mapping[str, np.ndarray],
    rest: Mapping[str, np.ndarray] | None,
    fps: float,
    skeleton: Skeleton = SMPL24,
) -> Motion:
    """Lay SMPL's bones along those of another humanoid.

    Args:
        joints: for each source joint its positions ``(T, 3)``, Y up, any unit.
        rest: for each source joint its position ``(3,)`` in a T-pose with flat feet, facing +Z; it tells how
            feet and neck are built. Without it they are taken as they are.
        fps: frames a second.
        skeleton: SMPL's 24 joints.

    Returns:
        A motion in metres whose feet stand on the floor.

    Raises:
        DuendeError: the source's joints are not known.
    """
    names = joint_names(joints)
    take = {
        f"{side}_{part}": joints[names.of(part, side)]
        for side in ("left", "right")
        for part in ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "wrist", "tip")
    }
    take["neck"], take["head"] = joints[names.neck], joints[names.head]
    at_rest = _at_rest(rest, names)
    placed = np.zeros((len(take["neck"]), len(skeleton), 3))
    hips = (take["left_hip"] + take["right_hip"]) / 2
    scale = _leg_length(skeleton) / _source_leg(take)
    _place_trunk(placed, take, hips, scale, skeleton)
    for limb in LIMBS:
        _place_limb(placed, take, at_rest, limb.names, skeleton)
    motion = fit_rotations(placed, fps, skeleton)
    return on_floor(motion)


def on_floor(motion: Motion) -> Motion:
    """Lift or lower a whole motion so that its lowest joint is where it is when standing at rest."""
    lowest = np.percentile(motion.positions[..., 1].min(axis=1), FLOOR_PERCENTILE)
    return Motion(motion.rotations, motion.root - [0.0, lowest, 0.0], motion.fps, motion.skeleton)


def _at_rest(rest: Mapping[str, np.ndarray] | None, names: JointNames) -> dict[str, np.ndarray] | None:
    if rest is None:
        return None
    return {
        f"{side}_{part}": rest[names.of(part, side)] for side in ("left", "right") for part in ("ankle", "toe", "knee")
    }


def _leg_length(skeleton: Skeleton) -> float:
    return float(
        np.linalg.norm(skeleton.offsets[skeleton.index("left_knee")])
        + np.linalg.norm(skeleton.offsets[skeleton.index("left_ankle")])
    )


def _source_leg(take: Mapping[str, np.ndarray]) -> float:
    def length(a: str, b: str) -> float:
        return float(np.median(np.linalg.norm(take[a] - take[b], axis=1)))

    return np.mean(
        [length(f"{s}_hip", f"{s}_knee") + length(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")]
    ).item()


def _place_trunk(
    placed: np.ndarray, take: Mapping[str, np.ndarray], hips: np.ndarray, scale: float, skeleton: Skeleton
) -> None:
    at = skeleton.index
    rest = skeleton.rest_positions
    up = (take["left_shoulder"] + take["right_shoulder"]) / 2 - hips
    pelvis = _frame(take["left_hip"] - take["right_hip"], up)
    chest = _frame(take["left_shoulder"] - take["right_shoulder"], up)
    # SMPL's own hips and shoulders are slightly askew; its frames are built the same way, so that rest gives identity.
    own_up = (rest[at("left_shoulder")] + rest[at("right_shoulder")]) / 2 - (
        rest[at("left_hip")] + rest[at("right_hip")]
    ) / 2
    pelvis = pelvis * _frame((rest[at("left_hip")] - rest[at("right_hip")])[None], own_up[None])[0].inv()
    chest = chest * _frame((rest[at("left_shoulder")] - rest[at("right_shoulder")])[None], own_up[None])[0].inv()
    middle = (rest[at("left_hip")] + rest[at("right_hip")]) / 2
    placed[:, 0] = hips * scale - pelvis.apply(middle)
    turn = (pelvis.inv() * chest).as_rotvec()
    shares = {"spine1": 0.0, "spine2": 1 / 3, "spine3": 2 / 3, "left_hip": 0.0, "right_hip": 0.0}
    for joint in range(1, len(skeleton)):
        name, parent = skeleton.names[joint], skeleton.parents[joint]
        if name in ("neck", "left_collar", "right_collar", "left_shoulder", "right_shoulder"):
            share = 1.0
        elif name in shares:
            share = shares[name]
        else:
            continue
        carried = pelvis * Rotation.from_rotvec(turn * share)
        placed[:, joint] = placed[:, parent] + carried.apply(skeleton.offsets[joint])
    for side in ("left", "right"):
        collar, shoulder = at(f"{side}_collar"), at(f"{side}_shoulder")
        placed[:, shoulder] = placed[:, collar] + _shrugged(take, side, chest, skeleton.offsets[shoulder])
    direction = take["head"] - take["neck"]
    head = at("head")
    # A source's neck leans by its own build; what counts is how it leans from its mean in the chest's frame.
    lean = chest.inv().apply(direction / np.linalg.norm(direction, axis=1, keepdims=True))
    usual = np.median(lean, axis=0)
    bent = swing(np.tile(usual, (len(lean), 1)), lean)
    placed[:, head] = placed[:, at("neck")] + (chest * bent).apply(skeleton.offsets[head])


def _shrugged(take: Mapping[str, np.ndarray], side: str, chest: Rotation, offset: np.ndarray) -> np.ndarray:
    """Shoulder from collar: turned as the source's shoulder moves against its own usual place in the chest."""
    from_neck = chest.inv().apply(take[f"{side}_shoulder"] - take["neck"])
    usual = np.tile(np.median(from_neck, axis=0), (len(from_neck), 1))
    return (chest * swing(usual, from_neck)).apply(offset)


def _place_limb(
    placed: np.ndarray,
    take: Mapping[str, np.ndarray],
    rest: Mapping[str, np.ndarray] | None,
    names: tuple[str, ...],
    skeleton: Skeleton,
) -> None:
    first, middle, end, tip = (skeleton.index(name) for name in names[1:])
    parts = [name.replace("foot", "toe").replace("hand", "tip") for name in names[1:]]
    for joint, parent, source, target in (
        (middle, first, parts[0], parts[1]),
        (end, middle, parts[1], parts[2]),
        (tip, end, parts[2], parts[3]),
    ):
        direction = take[target] - take[source]
        if joint == tip and rest is not None and "toe" in target:
            direction = _level_foot(direction, take, target.split("_")[0], rest, skeleton)
        direction = direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        placed[:, joint] = placed[:, parent] + direction * np.linalg.norm(skeleton.offsets[joint])


def _level_foot(
    direction: np.ndarray,
    take: Mapping[str, np.ndarray],
    side: str,
    rest: Mapping[str, np.ndarray],
    skeleton: Skeleton,
) -> np.ndarray:
    """Pitch the foot by the difference of the two skeletons' feet at rest, so that flat stays flat."""
    source = rest[f"{side}_toe"] - rest[f"{side}_ankle"]
    own = skeleton.offsets[skeleton.index(f"{side}_foot")]
    pitch = np.arctan2(own[1], np.hypot(own[0], own[2])) - np.arctan2(source[1], np.hypot(source[0], source[2]))
    shin = take[f"{side}_ankle"] - take[f"{side}_knee"]
    across = np.cross(direction, shin)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    return Rotation.from_rotvec(-across * pitch).apply(direction)


def _frame(left: np.ndarray, up: np.ndarray) -> Rotation:
    """Rotation whose X is ``left`` and whose Y is as near to ``up`` as may be; both ``(T, 3)``."""
    x = left / np.linalg.norm(left, axis=1, keepdims=True)
    y = up - (up * x).sum(axis=1, keepdims=True) * x
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-9)
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=2))
