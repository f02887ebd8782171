"""What of a character's feet may touch the floor, read off its mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from duende.errors import DuendeError
from duende.formats.character.nodes import NodeTree
from duende.formats.gltf.document import Document

MOSTLY = 0.5
"""Share of its weights by which a vertex belongs to a foot."""
DIRECTIONS = 200
"""A foot is told by its outermost vertices in so many directions."""


def foot_vertices(
    document: Document, tree: NodeTree, rest: np.ndarray, nodes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Find the vertices that ankles and toes carry, by joint: ``(V, 3)`` in the file's frame at rest.

    Args:
        document: the file.
        tree: its nodes.
        rest: ``(N, 4, 4)`` their world matrices.
        nodes: of the joints.

    Returns:
        Joints with vertices alone; nothing where no mesh can be read: compressed ones cannot.
    """
    carriers = {}
    for joint in ("left_ankle", "right_ankle", "left_foot", "right_foot"):
        # Toes come after ankles, and take what hangs from them.
        carriers.update(dict.fromkeys(tree.below(nodes[joint]) if joint in nodes else (), joint))
    found: dict[str, list[np.ndarray]] = {}
    try:
        for skin, primitive in _skinned_primitives(document):
            for joint, vertices in _carried(document, skin, primitive, rest, carriers).items():
                found.setdefault(joint, []).append(vertices)
    except (DuendeError, KeyError, IndexError, TypeError, ValueError):
        return {}
    return {joint: np.concatenate(parts) for joint, parts in found.items() if sum(map(len, parts))}


def outermost(points: np.ndarray) -> np.ndarray:
    """Choose those of points ``(V, 3)`` that lie outermost in directions all around."""
    number = np.arange(DIRECTIONS) + 0.5
    height, turn = 1 - 2 * number / DIRECTIONS, number * np.pi * (1 + 5**0.5)
    width = np.sqrt(1 - height**2)
    directions = np.stack([width * np.cos(turn), height, width * np.sin(turn)], axis=1)
    return np.asarray(points[np.unique((points @ directions.T).argmax(axis=0))])


def _skinned_primitives(document: Document) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for node in document.json["nodes"]:
        if "mesh" in node and "skin" in node:
            for primitive in document.json["meshes"][node["mesh"]]["primitives"]:
                if "JOINTS_0" in primitive["attributes"]:
                    yield document.json["skins"][node["skin"]], primitive


def _carried(
    document: Document,
    skin: Mapping[str, Any],
    primitive: Mapping[str, Any],
    rest: np.ndarray,
    carriers: Mapping[int, str],
) -> dict[str, np.ndarray]:
    """Vertices ``(V, 3)`` of one part of a mesh by the foot joint that carries most of them."""
    attributes = primitive["attributes"]
    joints, weights = document.array(attributes["JOINTS_0"]), document.array(attributes["WEIGHTS_0"])
    names = sorted(set(carriers.values()))
    owner = np.array([names.index(carriers[node]) if node in carriers else -1 for node in skin["joints"]])[joints]
    shares = np.stack([(weights * (owner == number)).sum(axis=1) for number in range(len(names))], axis=1)
    chosen = np.flatnonzero(shares.sum(axis=1) > MOSTLY * weights.sum(axis=1))
    if not len(chosen):
        return {}
    strongest = np.where(owner >= 0, weights, -1.0)[chosen].argmax(axis=1)
    moves = rest[list(skin["joints"])]
    if "inverseBindMatrices" in skin:
        moves = moves @ document.array(skin["inverseBindMatrices"]).astype(float)
    moved = moves[joints[chosen, strongest]]
    points = document.array(attributes["POSITION"])[chosen].astype(float)
    placed = np.einsum("vij,vj->vi", moved[:, :3, :3], points) + moved[:, :3, 3]
    most = shares[chosen].argmax(axis=1)
    return {name: placed[most == number] for number, name in enumerate(names)}
