"""A character's own bones told as SMPL24's: the same joints in the same T-pose, at the character's lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.character.bones import TRUNK
from duende.formats.character.names import SIDES
from duende.formats.character.nodes import NodeTree
from duende.motion.humanoid import HUMANOID
from duende.motion.inverse_kinematics import swing
from duende.motion.skeleton import SMPL24, Skeleton

TRUNK_JOINTS = {1: ("spine3",), 2: ("spine1", "spine3"), 3: ("spine1", "spine2", "spine3")}
"""Which joints the bones of a trunk turn with, by how many there are: the chest always follows SMPL's."""
ALONG = 0.5
"""Cosine to the forearm under which what hangs from a hand tells nothing of the hand's direction."""
FAR = 100.0
"""Times the length of the trunk beyond which a joint is no part of a body."""
ARM, LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")


@dataclass(frozen=True, eq=False)
class Fit:
    """How a character's rest pose lies to SMPL24's.

    Attributes:
        skeleton: SMPL24's joints at the character's offsets, in the T-pose.
        turns: for each joint the rotation that takes its bone from the character's rest pose to the T-pose.
        lowest: metres, the lowest joint of the feet at rest, upwards in our axes.
    """

    skeleton: Skeleton
    turns: list[Rotation]
    lowest: float


def joint_nodes(bones: Mapping[str, int]) -> dict[str, int]:
    """Translate VRM humanoid bones to SMPL joints: joint to node."""
    trunk = [bones[bone] for bone in TRUNK if bone in bones]
    named = {joint: bones[bone] for joint, bone in HUMANOID.items() if bone in bones and bone not in TRUNK}
    return named | dict(zip(TRUNK_JOINTS[len(trunk)], trunk, strict=True))


def fitted(places: Mapping[str, np.ndarray], tips: Mapping[str, np.ndarray], sole: float | None) -> Fit:
    """Lay the bones of a character along SMPL24's.

    Limbs are brought to the directions of SMPL24's rest pose by the least rotations; feet turn about the vertical
    only, since soles lie on the floor in both. Trunk, neck, head and collars differ by build, not by pose, and stay.
    Joints that the rig lacks are put where they change nothing: on the next joint of the trunk or shoulder, ahead of
    the ankle, past the wrist.

    Args:
        places: ``(3,)`` metres in our axes, where the rig's joints are at rest, by SMPL name.
        tips: ``(3,)``, where the middles of the hands are, for the wrists of which that is known.
        sole: height of the soles at rest, if it is known.

    Raises:
        DuendeError: a bone has no length.
    """
    _check_lengths(places)
    known = dict(places)
    for side in SIDES:
        _complete_arm(known, tips, side)
        _complete_foot(known, sole, side)
    for missing, following in (("neck", "head"), ("spine2", "spine3"), ("spine1", "spine2"),
                               *((f"{side}_collar", f"{side}_shoulder") for side in SIDES)):  # fmt: skip
        known.setdefault(missing, known[following])
    turns = _turns(known, {f"{side}_hand" for side in SIDES if f"{side}_wrist" in tips})
    offsets = np.zeros((len(SMPL24), 3))
    for joint, parent in enumerate(SMPL24.parents[1:], 1):
        bone = known[SMPL24.names[joint]] - known[SMPL24.names[parent]]
        offsets[joint] = turns[parent].apply(bone)
    lowest = min(known[SMPL24.names[joint]][1] for joint in SMPL24.feet)
    return Fit(replace(SMPL24, offsets=offsets), turns, float(lowest))


def hand_middles(tree: NodeTree, rest: np.ndarray, nodes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Where the fingers of a hand begin, thumb apart: ``(3,)`` in the file's axes by wrist, for hands that have any."""
    middles = {}
    for wrist, elbow in ((f"{side}_wrist", f"{side}_elbow") for side in SIDES):
        if wrist not in nodes:
            continue
        fingers = [node for node in tree.children[nodes[wrist]] if "thumb" not in tree.names[node].lower()]
        fingers = [node for node in fingers if "mid" in tree.names[node].lower()] or fingers
        if not fingers:
            continue
        middle = rest[fingers, :3, 3].mean(axis=0)
        hand, arm = middle - rest[nodes[wrist], :3, 3], rest[nodes[wrist], :3, 3] - rest[nodes[elbow], :3, 3]
        if hand @ arm > ALONG * np.linalg.norm(hand) * np.linalg.norm(arm):
            middles[wrist] = middle
    return middles


def _check_lengths(places: Mapping[str, np.ndarray]) -> None:
    size = np.linalg.norm(places["head"] - places["pelvis"])
    for joint, place in places.items():
        if not np.linalg.norm(place - places["pelvis"]) < FAR * size:
            raise DuendeError(
                f"its {joint.replace('_', ' ')} is far away from its hips; name other bones in a YAML file"
            )
    for side in SIDES:
        for parts in (ARM, LEG):
            for start, end in pairwise(parts):
                first, second = f"{side}_{start}", f"{side}_{end}"
                if second in places and not np.linalg.norm(places[second] - places[first]) > 0.01 * size:
                    raise DuendeError(
                        f"its {HUMANOID[first]} and {HUMANOID[second]} are at the same place; "
                        "name other bones in a YAML file"
                    )


def _complete_arm(known: dict[str, np.ndarray], tips: Mapping[str, np.ndarray], side: str) -> None:
    shoulder, elbow, wrist, hand = (f"{side}_{part}" for part in (*ARM, "hand"))
    if wrist not in known:
        known[wrist] = known[elbow] + (known[elbow] - known[shoulder]) * _ratio(wrist, elbow)
    known[hand] = tips.get(wrist, known[wrist] + (known[wrist] - known[elbow]) * _ratio(hand, wrist))


def _complete_foot(known: dict[str, np.ndarray], sole: float | None, side: str) -> None:
    """Put toes ahead of an ankle that has none, as low as SMPL's or on the floor, whichever is higher."""
    hip, knee, ankle, toes = (f"{side}_{part}" for part in (*LEG, "foot"))
    if toes in known:
        return
    leg = np.linalg.norm(known[knee] - known[hip]) + np.linalg.norm(known[ankle] - known[knee])
    own = np.linalg.norm(SMPL24.offsets[[SMPL24.index(knee), SMPL24.index(ankle)]], axis=1).sum()
    bone = SMPL24.offsets[SMPL24.index(toes)] * leg / own
    known[toes] = known[ankle] + [0.0, bone[1], np.hypot(bone[0], bone[2])]
    if sole is not None:
        known[toes][1] = min(max(known[toes][1], sole), known[ankle][1])


def _ratio(bone: str, other: str) -> float:
    """How long SMPL's bone that ends in one joint is beside that which ends in another."""
    lengths = np.linalg.norm(SMPL24.offsets, axis=1)
    return float(lengths[SMPL24.index(bone)] / lengths[SMPL24.index(other)])


def _turns(known: Mapping[str, np.ndarray], seen: set[str]) -> list[Rotation]:
    """The turn of each joint's bone; hands that are not ``seen`` turn with their forearms."""
    turns = {name: Rotation.identity() for name in SMPL24.names}
    for side in SIDES:
        for parts in ((*ARM, "hand"), LEG):
            for start, end in pairwise(parts):
                turns[f"{side}_{start}"] = _least_turn(known, f"{side}_{start}", f"{side}_{end}")
        if f"{side}_hand" not in seen:
            turns[f"{side}_wrist"] = turns[f"{side}_elbow"]
        turns[f"{side}_hand"] = turns[f"{side}_wrist"]
        ahead = _least_turn(known, f"{side}_ankle", f"{side}_foot", np.array([1.0, 0.0, 1.0]))
        turns[f"{side}_ankle"] = turns[f"{side}_foot"] = ahead
    return [turns[name] for name in SMPL24.names]


def _least_turn(known: Mapping[str, np.ndarray], start: str, end: str, within: np.ndarray | None = None) -> Rotation:
    """Least rotation that lays a bone along SMPL24's, both seen ``within`` the axes that are not 0."""
    mask = np.ones(3) if within is None else within
    bone, own = (known[end] - known[start]) * mask, SMPL24.offsets[SMPL24.index(end)] * mask
    return swing(bone[None], own[None])[0]
