"""Any humanoid to SMPL's 24 joints, by the directions of its bones.

Rest poses, bone axes and proportions differ from file to file; directions of bones in the world do not. Each SMPL bone
is laid along the source's, at SMPL's length, and rotations are fitted to the joints that result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.inverse_kinematics import LIMBS, fit_rotations, swing
from duende.motion.motion import Motion
from duende.motion.quaternions import unit
from duende.motion.skeleton import SMPL24, Skeleton

FLOOR_SECONDS = 2.0


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


def retarget(joints: Mapping[str, np.ndarray], fps: float, skeleton: Skeleton = SMPL24) -> Motion:
    """Lay SMPL's bones along those of another humanoid.

    Args:
        joints: for each source joint its positions ``(T, 3)``, Y up, any unit.
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
    placed = np.zeros((len(take["neck"]), len(skeleton), 3))
    hips = (take["left_hip"] + take["right_hip"]) / 2
    scale = skeleton.leg_length("left") / _source_leg(take)
    _place_trunk(placed, take, hips, scale, skeleton)
    for limb in LIMBS:
        _place_limb(placed, take, limb.names, skeleton)
    motion = fit_rotations(placed, fps, skeleton)
    return on_floor(motion)


def on_floor(motion: Motion) -> Motion:
    """Bring the floor under a captured dance to 0, also where it slopes or drifts over the take.

    The floor at a time is the lowest that any joint comes within about two seconds, smoothed over one: in so long, some
    foot (or hand, or knee) stands on it.
    """
    lowest = motion.positions[..., 1].min(axis=1)
    around = max(1, round(FLOOR_SECONDS * motion.fps))
    floor = gaussian_filter1d(minimum_filter1d(lowest, around, mode="nearest"), around / 2, mode="nearest")
    lift = np.stack([np.zeros_like(floor), floor, np.zeros_like(floor)], axis=1)
    return Motion(motion.rotations, motion.root - lift, motion.fps, motion.skeleton)


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
        if "toe" in target:
            direction = _level_foot(direction, take, target.split("_")[0], skeleton)
        placed[:, joint] = placed[:, parent] + unit(direction) * np.linalg.norm(skeleton.offsets[joint])


def _level_foot(direction: np.ndarray, take: Mapping[str, np.ndarray], side: str, skeleton: Skeleton) -> np.ndarray:
    """Pitch the foot so that it lies flat where the source's does.

    How steeply a skeleton's foot bone falls when the foot is flat is its own affair (its rest pose may be no pose at
    all): it is read off the frames in which the ankle is lowest.
    """
    low = take[f"{side}_ankle"][:, 1]
    flat = low <= np.percentile(low, 20)
    source = float(np.median(_pitch(direction[flat])))
    own = float(_pitch(skeleton.offsets[skeleton.index(f"{side}_foot")]))
    shin = take[f"{side}_ankle"] - take[f"{side}_knee"]
    # A pointed foot lies along the shin and leaves no normal of its own: the line of the hips decides there.
    across = unit(np.cross(unit(direction), unit(shin)) + 0.5 * unit(take["left_hip"] - take["right_hip"]))
    # Turning about foot x shin by a positive angle lowers the toes.
    return Rotation.from_rotvec(across * (source - own)).apply(direction)


def _pitch(direction: np.ndarray) -> np.ndarray:
    return np.arctan2(direction[..., 1], np.hypot(direction[..., 0], direction[..., 2]))


def _frame(left: np.ndarray, up: np.ndarray) -> Rotation:
    """Rotation whose X is ``left`` and whose Y is as near to ``up`` as may be; both ``(T, 3)``."""
    x = left / np.linalg.norm(left, axis=1, keepdims=True)
    y = up - (up * x).sum(axis=1, keepdims=True) * x
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-9)
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=2))
