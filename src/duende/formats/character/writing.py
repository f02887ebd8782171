"""The dance as an animation in the character's own file: everything else in it stays as it was."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.character.nodes import split
from duende.formats.character.rig import Character
from duende.formats.gltf.animation import add_animation
from duende.formats.gltf.document import Document, write_document
from duende.motion import Motion

MOVED = 1e-5
"""Share of its distance from its parent by which a joint may stray before its place is animated too."""


def write_character(character: Character, dance: Motion, path: str | Path, title: str = "dance") -> None:
    """Write the character with a dance as its only animation: binary glTF, a key at every frame.

    The figure dances in the axes and with the units of its own file, its soles on the file's floor at height 0. Meshes,
    materials, textures, face shapes and extensions (VRM's spring bones among them) are kept as they are.

    Args:
        character: as :func:`duende.formats.character.read_character` gives it.
        dance: as :meth:`Character.dance` gives it, on the character's skeleton.
        path: of the file, ``.glb`` or ``.vrm``.
        title: name of the animation.

    Raises:
        DuendeError: the dance is on another body, or the file cannot be written.
    """
    if dance.skeleton is not character.skeleton:
        raise DuendeError("the dance is on another body than the character's; carry it over with Character.dance first")
    document = Document(copy.deepcopy(character.document.json), bytearray(character.document.binary))
    document.json.pop("animations", None)
    local = local_matrices(character, dance)
    _put_at_rest(document, character, set(local))
    rotations, translations = {}, {}
    for node, matrices in local.items():
        places, rotations[node], _ = split(matrices)
        if node == character.nodes["pelvis"] or _strays(places, character.tree.locals[node, :3, 3]):
            translations[node] = places
    add_animation(document, title, dance.fps, rotations, translations)
    write_document(document, path)


def local_matrices(character: Character, dance: Motion) -> dict[int, np.ndarray]:
    """Matrices ``(T, 4, 4)`` of the animated nodes in their parents' frames, by node.

    A joint's node moves from rest as the joint does; nodes that are no joint go with the one above them.
    """
    moves = _moves(character, dance)
    tree, rest = character.tree, character.rest
    still = np.broadcast_to(np.eye(4), (len(dance), 4, 4))
    local = {}
    for node in moves:
        parent = tree.parents[node]
        leader = next((above for above in tree.ancestors(parent) if above in moves), -1)
        frame = rest[parent] if parent >= 0 else np.eye(4)
        local[node] = np.linalg.inv(moves.get(leader, still) @ frame) @ moves[node] @ rest[node]
    return local


def _moves(character: Character, dance: Motion) -> dict[int, np.ndarray]:
    """How each animated node moves from where it is at rest: rigid movements ``(T, 4, 4)`` of the file's frame."""
    back = character.axes.inv()
    moves = {}
    for joint, node in character.nodes.items():
        number = character.skeleton.index(joint)
        turn = back * Rotation.from_quat(dance.global_rotations[:, number]) * character.turns[number] * character.axes
        place = back.apply(dance.positions[:, number] + [0.0, character.soles.depth, 0.0])
        moves[node] = np.broadcast_to(np.eye(4), (len(dance), 4, 4)).copy()
        moves[node][:, :3, :3] = turn.as_matrix()
        moves[node][:, :3, 3] = place - turn.apply(character.rest[node, :3, 3])
    return moves | {node: moves[leader] for node, leader in character.loose.items()}


def _strays(places: np.ndarray, own: np.ndarray) -> bool:
    """Whether a joint leaves the place that its node has: its parent is not the one that it turns with."""
    return bool(np.linalg.norm(places - own, axis=1).max() > MOVED * max(float(np.linalg.norm(own)), 1e-3))


def _put_at_rest(document: Document, character: Character, animated: set[int]) -> None:
    """Undo the pose of nodes that stand elsewhere than at rest, and tell what is animated by parts, not by matrix."""
    tree = character.tree
    entries: list[dict[str, Any]] = document.json["nodes"]
    posed = set() if character.rest is tree.world else _posed(character)
    for node in posed | {node for node in animated if "matrix" in entries[node]}:
        place, turn, scale = split(_at_rest(character, node) if node in posed else tree.locals[node])
        entries[node].pop("matrix", None)
        entries[node].update(translation=place.tolist(), rotation=turn.tolist(), scale=scale.tolist())


def _posed(character: Character) -> set[int]:
    tree, rest = character.tree, character.rest
    whole = {node for node in tree.order if tree.parents[node] < 0 or np.linalg.det(rest[tree.parents[node]]) != 0}
    return {
        node for node in whole if not np.allclose(_at_rest(character, node), tree.locals[node], rtol=1e-4, atol=1e-6)
    }


def _at_rest(character: Character, node: int) -> np.ndarray:
    """Matrix ``(4, 4)`` of a node at rest in its parent's frame."""
    parent = character.tree.parents[node]
    return np.asarray(
        np.linalg.solve(character.rest[parent], character.rest[node]) if parent >= 0 else character.rest[node]
    )
