"""Which node of a character is which bone: told by VRM, by names that are known, or by the user's own list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from duende.errors import DuendeError
from duende.formats.character.names import LIMBS, SIDES, is_trunk, known_bones, without_counters
from duende.formats.character.nodes import NodeTree

TRUNK = ("spine", "chest", "upperChest")
REQUIRED = ("hips", "head", *(side + bone for bone in LIMBS[1:3] + LIMBS[4:7] for side in SIDES))
"""Bones without which nothing dances; some bone of the trunk comes beside them."""
ALL = ("hips", *TRUNK, "neck", "head", *(side + bone for bone in LIMBS for side in SIDES))
SHOWN = 12
"""How many of a file's names a message shows."""
LISTED = 'a list such as "bones: {hips: MyHip, leftUpperLeg: Thigh_L}" in a YAML file'


def find_bones(json: Mapping[str, Any], tree: NodeTree, names: Mapping[str, str]) -> dict[str, int]:
    """Find the bones of a character: VRM humanoid bone to node.

    Args:
        json: of the file.
        tree: its nodes.
        names: which nodes some bones are, by name; it goes before what is found otherwise.

    Raises:
        DuendeError: the file has no skin, a bone is missing, or a name is not in the file.
    """
    told = _told_by_vrm(json, tree)
    if not json.get("skins") and not told:
        raise DuendeError("it has no skinned mesh, and only a rigged character can dance; export it with its skeleton")
    found = told or max((_known(tree, skin["joints"]) for skin in json["skins"]), key=len)
    listed = _listed(names, json, tree)
    found = {bone: node for bone, node in found.items() if node not in listed.values()} | listed
    _check(found, json, tree, bool(told))
    return found


def _told_by_vrm(json: Mapping[str, Any], tree: NodeTree) -> dict[str, int]:
    """Read the bones that VRM 1.0 (a mapping) or VRM 0.x (a list) names; empty for files that are no VRM."""
    extensions = json.get("extensions", {})
    try:
        if "VRMC_vrm" in extensions:
            named = extensions["VRMC_vrm"]["humanoid"]["humanBones"]
            pairs = {bone: entry["node"] for bone, entry in named.items()}
        elif "VRM" in extensions:
            pairs = {entry["bone"]: entry["node"] for entry in extensions["VRM"]["humanoid"]["humanBones"]}
        else:
            return {}
    except (KeyError, TypeError, AttributeError) as error:
        raise DuendeError(f"its VRM humanoid bones cannot be read ({error}); export it again") from error
    bones = {bone: node for bone, node in pairs.items() if bone in ALL and node != -1}
    for bone, node in bones.items():
        if not isinstance(node, int) or not 0 <= node < len(tree):
            raise DuendeError(f"its bone {bone} is node {node}, which is not in the file; export it again")
    return bones


def _known(tree: NodeTree, joints: list[int]) -> dict[str, int]:
    """Find bones by name among the joints of a skin, then among all nodes of the same figure."""
    own = [node for node in tree.order if node in set(joints)]
    others = [node for node in tree.below(_common_ancestor(tree, joints)) if node not in set(joints)]
    bones = known_bones(tree.names, own + others)
    return {**bones, **_trunk(tree, bones, own + others)}


def _common_ancestor(tree: NodeTree, joints: list[int]) -> int:
    shared = [set(tree.ancestors(node)) for node in joints]
    return next((node for node in tree.ancestors(joints[0]) if all(node in chain for chain in shared)), joints[0])


def _trunk(tree: NodeTree, bones: Mapping[str, int], order: list[int]) -> dict[str, int]:
    """Choose up to three bones between hips and neck: the first, the last, and the one in the middle."""
    plain = dict(zip(order, without_counters([tree.names[node] for node in order]), strict=True))
    candidates = [node for node in order if node not in bones.values() and is_trunk(plain[node])]
    above = set(tree.ancestors(bones.get("neck", bones.get("head", -1))))
    between = [node for node in candidates if node in above] or candidates
    between.sort(key=lambda node: len(tree.ancestors(node)))
    if not between:
        return {}
    chosen = np.unique(np.linspace(0, len(between) - 1, len(TRUNK)).round().astype(int))
    return {bone: between[number] for bone, number in zip(TRUNK, chosen, strict=False)}


def read_names(path: str | Path) -> dict[str, str]:
    """Read the user's own list of bones: VRM humanoid bone to name.

    Raises:
        DuendeError: the file cannot be read, is no such list, or names a bone that does not exist.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DuendeError(f"no file {path} with names of bones; check the name") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DuendeError(f"{path} cannot be read as YAML ({reason}); give {LISTED}") from error
    listed = values.get("bones") if isinstance(values, dict) else None
    if not isinstance(listed, dict):
        raise DuendeError(f"{path} holds no names of bones; give {LISTED}")
    for bone in listed:
        if bone not in ALL:
            raise DuendeError(f"{path}: {bone} is no bone that dances; the bones are {', '.join(ALL)}")
    return {bone: str(name) for bone, name in listed.items()}


def _listed(names: Mapping[str, str], json: Mapping[str, Any], tree: NodeTree) -> dict[str, int]:
    found = {}
    joints = {node for skin in json.get("skins", []) for node in skin["joints"]}
    for bone, name in names.items():
        named = [node for node in tree.order if tree.names[node] == name]
        if not named:
            raise DuendeError(f"{bone} should be {name}, and there is no such node; {_some_names(json, tree)}")
        found[bone] = next((node for node in named if node in joints), named[0])
    return found


def _check(found: Mapping[str, int], json: Mapping[str, Any], tree: NodeTree, is_vrm: bool) -> None:
    missing = [bone for bone in REQUIRED if bone not in found]
    if not any(bone in found for bone in TRUNK):
        missing.insert(1 if "hips" in missing else 0, "spine")
    if missing:
        kind = "the VRM lacks the bones" if is_vrm else "no bones are known as"
        raise DuendeError(f"{kind} {', '.join(missing)}; {_some_names(json, tree)}; say which is which by {LISTED}")
    alike = {node: bone for bone, node in found.items()}
    for bone, node in found.items():
        if alike[node] != bone:
            raise DuendeError(f"{tree.label(node)} cannot be both {bone} and {alike[node]}; name another one")


def _some_names(json: Mapping[str, Any], tree: NodeTree) -> str:
    joints = {node for skin in json.get("skins", []) for node in skin["joints"]} or set(range(len(tree)))
    names = [tree.names[node] for node in tree.order if node in joints and tree.names[node]]
    if not names:
        return "its joints have no names"
    return f"its joints are called {', '.join(names[:SHOWN])}{' and so on' if len(names) > SHOWN else ''}"
