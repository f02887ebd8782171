"""The pose that a character was modelled in, and which way it looks there.

A skin's inverse bind matrices are that pose up to one movement of the whole figure. Where the nodes of the file stand
otherwise, someone has posed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.character.nodes import NodeTree
from duende.formats.gltf.document import Document

ALIKE = 1e-3
"""Shares of the figure's size, and of a turn in radians, by which two poses differ at most to be the same."""
UNEVEN = 0.02
"""Share by which the scales of a joint along its axes may differ."""
NEARLY = np.radians(15.0)
"""A figure that looks so nearly along an axis of the file looks along it."""


def rest_matrices(document: Document, tree: NodeTree, skin: Mapping[str, Any]) -> np.ndarray:
    """World matrices ``(N, 4, 4)`` of all nodes in the pose in which a skin is bound.

    Args:
        document: the file.
        tree: its nodes.
        skin: whose joints are brought to their bind pose; nodes that it does not have keep their place on their parent.

    Raises:
        DuendeError: the skin's matrices cannot be read or undone.
    """
    joints = list(skin["joints"])
    if "inverseBindMatrices" not in skin:
        return tree.world
    inverse = document.array(skin["inverseBindMatrices"]).astype(float)
    if inverse.shape != (len(joints), 4, 4) or not _invertible(inverse).all():
        raise DuendeError("the skin's bind matrices are damaged; export the file again")
    moves = tree.world[joints] @ inverse
    size = np.ptp(tree.world[joints, :3, 3], axis=0).max()
    if _same(moves, moves[:1], size).all():
        return tree.world
    top = min(range(len(joints)), key=lambda number: len(tree.ancestors(joints[number])))
    whole = _whole_move(moves[top], document, tree, skin)
    bound = dict(zip(joints, whole @ np.linalg.inv(inverse), strict=True))
    world = np.array(tree.world)
    for node in tree.order:
        parent = tree.parents[node]
        if node in bound:
            world[node] = bound[node]
        elif parent >= 0:
            world[node] = world[parent] @ tree.locals[node]
    return world


def _whole_move(of_top: np.ndarray, document: Document, tree: NodeTree, skin: Mapping[str, Any]) -> np.ndarray:
    """Movement ``(4, 4)`` of the whole bind pose into the scene.

    The topmost joint tells it, unless it is posed itself. Exporters bind either in the scene's frame or in the mesh's:
    the one of these that has the same scale and is not far off is meant.
    """
    number = next(number for number, other in enumerate(document.json["skins"]) if other is skin)
    meshes = [node for node, entry in enumerate(document.json["nodes"]) if entry.get("skin") == number]
    near = [
        candidate
        for candidate in (np.eye(4), *tree.world[meshes])
        if abs(_scale(candidate) / _scale(of_top) - 1) < UNEVEN and _angle(candidate, of_top) < np.pi / 3
    ]
    return min(near, key=lambda candidate: _angle(candidate, of_top), default=of_top)


def _same(moves: np.ndarray, others: np.ndarray, size: float) -> np.ndarray:
    linear = np.abs(moves[:, :3, :3] - others[:, :3, :3]).max(axis=(1, 2)) / _scale(others[0])
    return np.asarray((linear < ALIKE) & (np.abs(moves[:, :3, 3] - others[:, :3, 3]).max(axis=1) < ALIKE * size))


def _invertible(matrices: np.ndarray) -> np.ndarray:
    return np.asarray(np.isfinite(matrices).all(axis=(1, 2)) & (np.abs(np.linalg.det(matrices)) > 1e-30))


def _scale(matrix: np.ndarray) -> float:
    return float(np.cbrt(abs(np.linalg.det(matrix[:3, :3]))))


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    return (orientation(first).inv() * orientation(second)).magnitude()


def orientation(matrix: np.ndarray) -> Rotation:
    """Which way a node's axes point, whatever its scale."""
    return Rotation.from_matrix(matrix[:3, :3] / _scale(matrix))


def check_scales(tree: NodeTree, rest: np.ndarray, nodes: Mapping[str, int]) -> None:
    """Refuse joints that are mirrored or stretched along an axis, or hang from such: turning them would shear the mesh.

    Raises:
        DuendeError: there is one.
    """
    for node in dict.fromkeys(above for joint in nodes.values() for above in tree.ancestors(joint)):
        linear = rest[node, :3, :3]
        scale = _scale(linear)
        if np.linalg.det(linear) < 1e-20 or np.abs(linear.T @ linear / scale**2 - np.eye(3)).max() > 2 * UNEVEN:
            raise DuendeError(
                f"{tree.label(node)} is mirrored or not scaled alike along its axes; apply the scale of the rig "
                "(in Blender Ctrl+A, Scale) and export it again"
            )


def facing(places: Mapping[str, np.ndarray]) -> Rotation:
    """Find the rotation from the file's axes to ours: Y up, looking along +Z, the left side at +X.

    Files stand upright along one of their axes; VRM 0.x looks along -Z, some files have Z up.

    Args:
        places: ``(3,)`` where joints are at rest, by SMPL name: hips, shoulders and the head.

    Raises:
        DuendeError: they do not tell where left and up are.
    """
    hips = (places["left_hip"] + places["right_hip"]) / 2
    if not np.linalg.norm(places["head"] - hips) > 0:
        raise DuendeError("its head and hips are at the same place; name other bones")
    axis = int(np.abs(places["head"] - hips).argmax())
    up = np.eye(3)[axis] * np.sign(places["head"] - hips)[axis]
    across = places["left_hip"] - places["right_hip"] + places["left_shoulder"] - places["right_shoulder"]
    left = across - (across @ up) * up
    if np.linalg.norm(left) < 1e-3 * np.linalg.norm(places["head"] - hips):
        raise DuendeError("its left and right shoulders and hips lie in one line; name other bones")
    straight = np.eye(3)[int(np.abs(left).argmax())] * np.sign(left)[int(np.abs(left).argmax())]
    left /= np.linalg.norm(left)
    if np.arccos(np.clip(left @ straight, -1.0, 1.0)) < NEARLY:
        left = straight
    return Rotation.from_matrix(np.stack([left, up, np.cross(left, up)]))
