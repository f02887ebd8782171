"""A character of the user's own: a rigged figure out of a binary glTF or VRM file, as a body that can dance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.character.bones import find_bones, read_names
from duende.formats.character.fitting import Fit, fitted, hand_middles, joint_nodes
from duende.formats.character.loose import loose_joints
from duende.formats.character.nodes import NodeTree, node_tree
from duende.formats.character.rest import check_scales, facing, rest_matrices
from duende.formats.character.soles import foot_vertices, outermost
from duende.formats.gltf.document import Document, read_document
from duende.motion import Motion, Skeleton
from duende.motion.own_proportions import on_own_proportions
from duende.motion.soles import Soles

TOES = {"left_foot", "right_foot"}


@dataclass(frozen=True, eq=False)
class Character:
    """A rigged figure and the body that it makes.

    Attributes:
        document: the file.
        tree: its nodes.
        nodes: SMPL joint to node, for the joints that the rig has.
        loose: joints that hang from none of ``nodes``, and the node of those that each goes with.
        rest: ``(N, 4, 4)`` world matrices of the nodes as it was modelled, in the file's frame.
        axes: rotation from the file's axes to ours (Y up, +Z ahead, the left side at +X).
        skeleton: SMPL24's joints with the figure's own offsets in metres, in SMPL24's T-pose.
        turns: for each joint of the skeleton the rotation, in our axes, from the figure's rest pose to the T-pose.
        soles: what of its feet may touch the floor.
    """

    document: Document
    tree: NodeTree
    nodes: dict[str, int]
    loose: dict[int, int]
    rest: np.ndarray
    axes: Rotation
    skeleton: Skeleton
    turns: list[Rotation]
    soles: Soles

    def dance(self, motion: Motion, *, cyclic: bool = False) -> Motion:
        """Carry a dance over to this body: ``(T, 24)`` joints at its own lengths, its feet standing.

        The floor is, as everywhere in dances, where the lowest joint stands at rest: the soles are on one that lies
        ``soles.depth`` lower.

        Args:
            motion: on SMPL24, or other offsets of the same joints.
            cyclic: after its last frame comes its first.

        Raises:
            DuendeError: the motion has other joints.
        """
        return on_own_proportions(motion, self.skeleton, self.soles, cyclic=cyclic)


def read_character(path: str | Path, names: str | Path | None = None) -> Character:
    """Read a rigged humanoid from a ``.glb`` or ``.vrm`` file.

    Bones are those that VRM 1.0 or 0.x names; else they are known by the names that common tools give them.

    Args:
        path: of the file: glTF 2.0 Binary, metres.
        names: YAML file with ``bones: {hips: MyHip, ...}``, VRM humanoid bones to names of nodes; for rigs that are not
            known. It goes before what the file tells.

    Raises:
        DuendeError: the file is missing, too large or damaged, has no skin or lacks bones, or the names do not fit it.
    """
    document = read_document(path)
    listed = {} if names is None else read_names(names)
    try:
        _check_structure(document.json)
        tree = node_tree(document.json["nodes"])
        return _character(document, tree, joint_nodes(find_bones(document.json, tree, listed)))
    except DuendeError as error:
        raise DuendeError(f"{path}: {error}") from error


def _character(document: Document, tree: NodeTree, nodes: dict[str, int]) -> Character:
    rest = _rest(document, tree, nodes)
    check_scales(tree, rest, nodes)
    axes = facing({joint: rest[node, :3, 3] for joint, node in nodes.items()})
    places = {joint: axes.apply(rest[node, :3, 3]) for joint, node in nodes.items()}
    tips = {wrist: axes.apply(place) for wrist, place in hand_middles(tree, rest, nodes).items()}
    feet = {joint: axes.apply(points) for joint, points in foot_vertices(document, tree, rest, nodes).items()}
    floor = min((float(points[:, 1].min()) for points in feet.values()), default=None)
    fit = fitted(places, tips, floor)
    soles = Soles(_touching(fit, places, feet), 0.0 if floor is None else fit.lowest - floor, set(nodes) >= TOES)
    loose = loose_joints(document.json.get("skins", []), tree, rest, nodes)
    return Character(document, tree, nodes, loose, rest, axes, fit.skeleton, fit.turns, soles)


def _touching(fit: Fit, places: Mapping[str, np.ndarray], feet: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Points ``(P, 3)`` of each foot joint that may touch the floor, from the joint in the T-pose."""
    points = []
    for joint in fit.skeleton.feet:
        name = fit.skeleton.names[joint]
        own = outermost(feet[name]) - places[name] if name in feet else np.zeros((0, 3))
        points.append(own @ fit.turns[joint].as_matrix().T)
    return tuple(points)


def _rest(document: Document, tree: NodeTree, nodes: dict[str, int]) -> np.ndarray:
    """World matrices at rest. VRM prescribes that its nodes are at rest; others are as they are bound to the skin."""
    skins = document.json.get("skins", [])
    if {"VRM", "VRMC_vrm"} & set(document.json.get("extensions", {})) or not skins:
        return tree.world
    skin = max(skins, key=lambda skin: len(set(skin["joints"]) & set(nodes.values())))
    return rest_matrices(document, tree, skin)


def _check_structure(json: dict[str, Any]) -> None:
    """Refuse files whose nodes and skins are not what glTF prescribes."""
    nodes, skins = json.get("nodes", []), json.get("skins", [])
    if not isinstance(nodes, list) or not nodes or not all(isinstance(node, dict) for node in nodes):
        raise DuendeError("it has no nodes and so no skeleton; export the character with its rig")
    for group in ("skins", "accessors", "bufferViews"):
        entries = json.get(group, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DuendeError(f"its {group} are damaged; export the file again")
    if not isinstance(json.get("extensions", {}), dict):
        raise DuendeError("its extensions are damaged; export the file again")
    for number, skin in enumerate(skins):
        joints = skin.get("joints")
        known = range(len(nodes))
        if not isinstance(joints, list) or not joints or any(type(j) is not int or j not in known for j in joints):
            raise DuendeError(f"its skin {number} has joints that are not in the file; export the file again")
