"""What the tools that make characters call the bones of a body.

Names are compared without case, separators, the prefixes of tools and the marks of a side: ``mixamorig:LeftArm`` is the
left ``arm`` and ``DEF-upper_arm.L`` the left ``upperarm``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIDES = ("left", "right")
CENTRE = ("hips", "neck", "head")
LIMBS = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")
"""Bones of a side as VRM's humanoid has them, without the side."""
PREFIX = re.compile(
    r"^(mixamorig\d*|valvebiped|bip\d*|cc_base|j_bip|(def|org|b|bn|jnt|skel)(?=[^a-z0-9]))[^a-z0-9]*", re.IGNORECASE
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
MARKS = {"c", "jnt", "joint", "bone", "bind", "skin"}
"""Words that say what a node is or that it is in the middle, not which bone it is."""
LETTERS = {"l": "left", "left": "left", "r": "right", "right": "right"}
TRUNK = re.compile(r"^(upper)?(spine|chest|abdomen|torso|waist|belly|ribcage)(lower|upper)?\d*$")
DEFORMING = "DEF-"
"""What Rigify calls bones that move the mesh, so that animators leave them alone: others of the same names do not."""
COUNTER = re.compile(r"[_.]\d+$")


@dataclass(frozen=True)
class BoneName:
    """A name without its decoration: ``side`` is ``"left"``, ``"right"`` or empty."""

    side: str
    base: str


Style = Mapping[str, tuple[str, ...]]

BONES: Style = {
    "hips": ("hips", "hip", "pelvis", "lowertorso"),
    "neck": ("neck", "neck01", "neck1", "necklower", "necktwist01"),
    "head": ("head", "head1", "head01"),
    "Shoulder": ("shoulder", "clavicle", "collar", "collarbone"),
    "UpperArm": ("upperarm", "arm", "uparm", "shldr", "shldrbend"),
    "LowerArm": ("lowerarm", "forearm", "forearmbend", "loarm"),
    "Hand": ("hand", "wrist"),
    "UpperLeg": ("upperleg", "upleg", "thigh", "thighbend"),
    "LowerLeg": ("lowerleg", "calf", "shin", "leg"),
    "Foot": ("foot", "ankle"),
    "Toes": ("toes", "toebase", "toe", "toe0", "ball"),
}
"""Called after bones: VRM, VRoid, Mixamo, Ready Player Me, Unreal, Unity, Biped, Character Creator, Daz, Roblox."""
RIGIFY: Style = {**BONES, "hips": ("spine",), "neck": ("spine004", "spine005"), "head": ("spine006",)}
"""Blender's Rigify and its human metarig: the trunk is numbered from the hips to the head."""
AFTER_ARMS: Style = {
    **BONES,
    "hips": ("hips", "hip", "pelvis", "lowerbody", "center"),
    "UpperArm": ("arm",),
    "LowerArm": ("elbow",),
    "Hand": ("wrist", "hand"),
    "UpperLeg": ("leg",),
    "LowerLeg": ("knee",),
    "Foot": ("ankle", "foot"),
}
"""Joints below the shoulder called after where they are: MMD in English, avatars for VRChat."""
JOINTS: Style = {
    **AFTER_ARMS,
    "Shoulder": ("collar", "clavicle"),
    "UpperArm": ("shoulder",),
    "UpperLeg": ("hip",),
    "Foot": ("ankle",),
    "Toes": ("toes", "toe", "toebase", "foot"),
}
"""All joints called after where they are: SMPL, MotionBuilder."""
STYLES = (BONES, RIGIFY, AFTER_ARMS, JOINTS)


def known_bones(names: Sequence[str], order: Sequence[int]) -> dict[str, int]:
    """Find bones by the names of nodes, all but those between hips and neck.

    Args:
        names: of all nodes.
        order: nodes to look at; of two that are called alike, the earlier counts.

    Returns:
        VRM humanoid bone to node, by the style of names that finds most of them.
    """
    found: dict[BoneName, int] = {}
    deforming = [node for node in order if names[node].startswith(DEFORMING)]
    order = deforming or order
    plain = without_counters([names[node] for node in order])
    for node, name in zip(order, plain, strict=True):
        found.setdefault(bone_name(name), node)
    return max((_matched(found, style) for style in STYLES), key=len)


def _matched(found: Mapping[BoneName, int], style: Style) -> dict[str, int]:
    bones = {}
    for bone, candidates in style.items():
        sides = ("",) if bone in CENTRE else SIDES
        for side in sides:
            node = next((found[key] for base in candidates if (key := BoneName(side, base)) in found), None)
            if node is not None:
                bones[side + bone] = node
    return bones


def is_trunk(name: str) -> bool:
    """Whether a bone by its name lies between hips and neck."""
    bone = bone_name(name)
    return not bone.side and TRUNK.match(bone.base) is not None


def bone_name(name: str) -> BoneName:
    """Take prefixes, separators and the mark of the side off a name."""
    name = re.split(r"[:|]", name)[-1]
    while (short := PREFIX.sub("", name, count=1)) != name:
        name = short
    words = [word for word in (found.lower() for found in WORD.findall(name)) if word not in MARKS]
    for number, word in enumerate(words):
        if word in LETTERS:
            return BoneName(LETTERS[word], "".join(words[:number] + words[number + 1 :]))
    base = "".join(words)
    for side in SIDES:
        if base.startswith(side) or base.endswith(side):
            return BoneName(side, base.removeprefix(side).removesuffix(side))
    return BoneName("", base)


def without_counters(names: Sequence[str]) -> list[str]:
    """Take off the running number that some sites, Sketchfab among them, put behind the name of every node."""
    numbered = sum(COUNTER.search(name) is not None for name in names)
    return [COUNTER.sub("", name) for name in names] if numbered > 0.9 * len(names) else list(names)
