"""VMD, the motion format of MikuMikuDance (MMD) and of viewers that read its models.

A VMD file names bones, not a model: it is played on any model with MMD's standard bones. What it turns are a model's
bones away from its own rest pose, in which the arms hang and every bone's axes are the world's. Rest places are those
of the model that MMD comes with, whose bones define the standard, with the semi-standard ``上半身2`` (numeric facts
from a table of its bones that is spread with motion tools). MMD's axes are left-handed: Y up, the front at -Z, the
left at +X; lengths are in MMD's own unit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.files import replacing
from duende.motion import Motion, Skeleton
from duende.motion.inverse_kinematics import swing
from duende.motion.kinematics import continuous_quaternions, local_rotations
from duende.motion.legs import with_feet_moved

FPS = 30.0
SIGNATURE = b"Vocaloid Motion Data 0002"
ENCODING = "cp932"
KEY = np.dtype([("bone", "S15"), ("frame", "<u4"), ("place", "<f4", 3), ("turn", "<f4", 4), ("curves", "u1", 64)])
OTHER_KINDS = 4
"""Kinds of keys that follow those of bones and are left out: morphs, camera, light, shadow."""
IK_BONES = ("左足ＩＫ", "右足ＩＫ", "左つま先ＩＫ", "右つま先ＩＫ")
MIRROR = np.array([1.0, 1.0, -1.0])
"""From our axes to MMD's and back."""
MIRROR_TURN = np.array([-1.0, -1.0, 1.0, 1.0])
"""The same for quaternions."""


@dataclass(frozen=True)
class Bone:
    """One of MMD's bones.

    Attributes:
        joint: of ours that it follows.
        name: in MMD.
        parent: joint of the bone that carries it.
        place: MMD units and axes, where it is at rest.
    """

    joint: str
    name: str
    parent: str
    place: tuple[float, float, float]


CENTRE = Bone("centre", "センター", "", (0.0, 8.0, 0.0))
"""Carries upper and lower body along; follows no joint."""
MIDDLE = (
    Bone("pelvis", "下半身", "centre", (0.0, 13.24, -0.26)),
    Bone("spine1", "上半身", "centre", (0.0, 13.30, -0.26)),
    Bone("spine3", "上半身2", "spine1", (0.0, 14.39, -0.17)),
    Bone("neck", "首", "spine3", (0.0, 16.42, 0.0)),
    Bone("head", "頭", "neck", (0.0, 16.80, 0.0)),
)
LEFT = (
    Bone("left_collar", "左肩", "spine3", (0.14, 16.13, 0.26)),
    Bone("left_shoulder", "左腕", "left_collar", (0.89, 15.69, 0.32)),
    Bone("left_elbow", "左ひじ", "left_shoulder", (3.59, 14.15, 0.28)),
    Bone("left_wrist", "左手首", "left_elbow", (5.27, 12.73, 0.27)),
    Bone("left_hip", "左足", "pelvis", (0.80, 10.75, -0.07)),
    Bone("left_knee", "左ひざ", "left_hip", (0.67, 5.93, -0.05)),
    Bone("left_ankle", "左足首", "left_knee", (0.88, 1.34, 0.0)),
)
LEFT_HAND = (6.15, 11.96, 0.23)
"""Where the middle finger begins, to which the hand points."""
LEFT_TOES = (0.93, 0.0, -2.46)
"""Their tips, on the floor."""
LOWEST = 10
"""Per cent of the frames in which toes may be under the floor, so that one low step does not lift the whole dance."""
LIMBS = {"shoulder": "elbow", "elbow": "wrist", "wrist": "hand", "hip": "knee", "knee": "ankle"}
"""Bones that take the direction of ours, and the joint that each points to; all others take the orientation."""


def _right(place: tuple[float, float, float]) -> tuple[float, float, float]:
    return (-place[0], place[1], place[2])


def _mirrored(bone: Bone) -> Bone:
    joint, parent = (text.replace("left", "right") for text in (bone.joint, bone.parent))
    return Bone(joint, bone.name.replace("左", "右"), parent, _right(bone.place))


RIGHT = tuple(_mirrored(bone) for bone in LEFT)
BONES = (CENTRE, *MIDDLE, *LEFT, *RIGHT)
JOINTS = tuple(bone.joint for bone in BONES)
PLACES = {
    joint: np.array(place) * MIRROR
    for joint, place in (
        *((bone.joint, bone.place) for bone in BONES),
        ("left_hand", LEFT_HAND),
        ("right_hand", _right(LEFT_HAND)),
    )
}
"""MMD units, our axes."""


def write_vmd(motion: Motion, path: str | Path, name: str = "duende") -> None:
    """Write a dance for MMD's models: 30 frames a second, a key of each bone at each, legs without IK.

    Trunk and head take the dancer's orientations, arms their directions, and the hips their path, a length of the
    dancer's leg being a length of the model's. Legs are bent so that the standard model's ankles go where the dancer's
    go, all of it at the height at which its toes reach the floor. Leg IK is switched off for the whole motion, since it
    is turns of the legs that are written. Joints that no standard bone follows (``spine2``, toes, hands) are left out;
    what they carry is turned as it should be.

    Args:
        motion: on a skeleton with SMPL's joint names.
        path: of the file.
        name: of the model that it is made for; only shown. At most 20 bytes of Shift-JIS are kept.

    Raises:
        DuendeError: the skeleton lacks one of the joints, or the file cannot be written.
    """
    missing = [joint for joint in PLACES if joint != CENTRE.joint and joint not in motion.skeleton.names]
    if missing:
        raise DuendeError(f"VMD files need SMPL's joints, this motion has no {missing[0]!r}; retarget it to SMPL24")
    keys = _keys(motion.resampled(FPS))
    title = name.encode(ENCODING, "replace")[:20].decode(ENCODING, "ignore").encode(ENCODING)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<30s20sI", SIGNATURE, title, len(keys)))
        file.write(keys.tobytes())
        file.write(struct.pack(f"<{OTHER_KINDS}I", *[0] * OTHER_KINDS))
        # One key that shows the model and switches its leg IK off.
        file.write(struct.pack("<IIBI", 1, 0, 1, len(IK_BONES)))
        for bone in IK_BONES:
            file.write(struct.pack("<20sB", bone.encode(ENCODING), 0))


def _keys(motion: Motion) -> np.ndarray:
    """Return a :data:`KEY` for each bone in each frame."""
    unit = motion.skeleton.leg_length("left") / float(sum(np.linalg.norm(_limb(part)) for part in ("hip", "knee")))
    danced = _danced_by_model(motion, unit)
    keys = np.zeros((len(danced), len(BONES)), KEY)
    keys["bone"] = [bone.name.encode(ENCODING) for bone in BONES]
    keys["frame"] = np.arange(len(danced))[:, None]
    keys["place"][:, 0] = danced.root / unit * MIRROR - CENTRE.place
    keys["turn"] = continuous_quaternions(danced.rotations) * MIRROR_TURN
    keys["curves"] = _straight_curves()
    return keys.reshape(-1)


def _limb(part: str, side: str = "left") -> np.ndarray:
    """The model's limb from ``part`` to its end: MMD units, our axes."""
    return np.asarray(PLACES[f"{side}_{LIMBS[part]}"] - PLACES[f"{side}_{part}"])


def _danced_by_model(motion: Motion, unit: float) -> Motion:
    """Let the standard model dance on our floor, its unit of ``unit`` metres: a motion on :data:`BONES`."""
    parents = tuple(JOINTS.index(bone.parent) if bone.parent else -1 for bone in BONES)
    offsets = [PLACES[bone.joint] - PLACES.get(bone.parent, np.zeros(3)) for bone in BONES]
    model = Skeleton(JOINTS, parents, np.array(offsets) * unit)
    world = np.tile([0.0, 0.0, 0.0, 1.0], (len(motion), len(BONES), 1))
    for number, joint in enumerate(JOINTS):
        if joint != CENTRE.joint:
            turns = Rotation.from_quat(motion.global_rotations[:, motion.skeleton.index(joint)])
            world[:, number] = (turns * _from_rest_to_rest(joint, motion.skeleton)).as_quat()
    unplaced = Motion(local_rotations(world, model), np.zeros((len(motion), 3)), motion.fps, model)
    hips, ankles = (_of_both_sides(motion, part) for part in ("hip", "ankle"))
    placed = replace(unplaced, root=hips.mean(axis=1) - _of_both_sides(unplaced, "hip").mean(axis=1))
    return _on_floor(with_feet_moved(placed, ankles - _of_both_sides(placed, "ankle")), unit)


def _on_floor(danced: Motion, unit: float) -> Motion:
    """Raise or lower the whole dance so that the tips of the toes reach the floor where they are lowest.

    The model's ankles are higher than ours, its feet are longer, and dancers stand on the balls of theirs.
    """
    heights = []
    for side, toes in (("left", LEFT_TOES), ("right", _right(LEFT_TOES))):
        number = danced.skeleton.index(f"{side}_ankle")
        foot = (toes * MIRROR - PLACES[f"{side}_ankle"]) * unit
        turned = Rotation.from_quat(danced.global_rotations[:, number]).apply(foot)
        heights.append(danced.positions[:, number, 1] + turned[:, 1])
    floor = np.percentile(np.min(heights, axis=0), LOWEST)
    return replace(danced, root=danced.root - [0.0, floor, 0.0])


def _of_both_sides(motion: Motion, part: str) -> np.ndarray:
    """World positions ``(T, 2, 3)`` of a left and a right joint."""
    return motion.positions[:, [motion.skeleton.index(f"{side}_{part}") for side in ("left", "right")]]


def _from_rest_to_rest(joint: str, skeleton: Skeleton) -> Rotation:
    """How a bone of the model must turn from its rest pose to lie as the dancer's does in the T-pose."""
    side, _, part = joint.partition("_")
    if part not in LIMBS:
        return Rotation.identity()
    ours = skeleton.offsets[skeleton.index(f"{side}_{LIMBS[part]}")]
    return swing(_limb(part, side)[None], ours[None])[0]


def _straight_curves() -> np.ndarray:
    """64 bytes that let a bone go straight from key to key.

    Four Bezier curves (X, Y, Z and turn) with handles at 20 and 107 of 127, all first handles before all second ones.
    MMD repeats them three times, each time one byte on, and has two bytes of the first row for another use.
    """
    row = np.repeat(np.array([20, 107], np.uint8), 8)
    rows = [np.concatenate([row[start:], np.zeros(start, np.uint8)]) for start in range(4)]
    rows[0][2:4] = 0
    return np.concatenate(rows)
