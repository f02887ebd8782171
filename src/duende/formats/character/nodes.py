"""The nodes of a glTF scene: who hangs from whom, and where each one is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError


@dataclass(frozen=True, eq=False)
class NodeTree:
    """Nodes of a file.

    Attributes:
        names: as the file has them, empty where a node has none.
        parents: index of each node's parent, -1 for those that have none.
        locals: ``(N, 4, 4)`` each node in its parent's frame.
        order: all nodes, parents before their children.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    locals: np.ndarray
    order: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def world(self) -> np.ndarray:
        """``(N, 4, 4)`` each node in the scene's frame."""
        return self.placed(self.locals)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each node its children."""
        found: list[list[int]] = [[] for _ in self.names]
        for node in self.order:
            if self.parents[node] >= 0:
                found[self.parents[node]].append(node)
        return tuple(tuple(children) for children in found)

    def placed(self, local: np.ndarray) -> np.ndarray:
        """Chain matrices ``(N, 4, 4)`` from the roots down."""
        world = np.array(local)
        for node in self.order:
            if self.parents[node] >= 0:
                world[node] = world[self.parents[node]] @ local[node]
        return world

    def ancestors(self, node: int) -> list[int]:
        """The node itself, its parent, and so on to the root."""
        chain = []
        while node >= 0:
            chain.append(node)
            node = self.parents[node]
        return chain

    def below(self, node: int) -> list[int]:
        """The node itself and all that hang from it, those nearest first."""
        found = [node]
        for reached in found:
            found.extend(self.children[reached])
        return found

    def label(self, node: int) -> str:
        """Name of a node as messages show it."""
        return self.names[node] or f"node {node}"


def node_tree(entries: list[dict[str, Any]]) -> NodeTree:
    """Read the ``nodes`` of a file.

    Raises:
        DuendeError: a node hangs from two others or from itself, or is not what glTF prescribes.
    """
    try:
        parents = [-1] * len(entries)
        for number, entry in enumerate(entries):
            for child in entry.get("children", []):
                if not 0 <= child < len(entries):
                    raise DuendeError(f"node {number} has a child {child} that is not in the file; export it again")
                if parents[child] >= 0:
                    raise DuendeError(f"node {child} hangs from two others; export the file again")
                parents[child] = number
        names = tuple(str(entry.get("name", "")) for entry in entries)
        matrices = np.array([_matrix(entry) for entry in entries]).reshape(-1, 4, 4)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise DuendeError(f"its nodes are damaged ({error}); export the file again") from error
    return NodeTree(names, tuple(parents), matrices, _parents_first(parents))


def _matrix(entry: dict[str, Any]) -> np.ndarray:
    """Matrix ``(4, 4)`` of a node in its parent's frame; files store it column by column."""
    matrix = np.array(entry.get("matrix", np.eye(4)), dtype=float).reshape(4, 4).T
    if "matrix" not in entry:
        matrix[:3, :3] = Rotation.from_quat(entry.get("rotation", [0.0, 0.0, 0.0, 1.0])).as_matrix()
        matrix[:3, :3] *= np.array(entry.get("scale", [1.0, 1.0, 1.0]), dtype=float)
        matrix[:3, 3] = entry.get("translation", [0.0, 0.0, 0.0])
    if not np.isfinite(matrix).all() or not np.allclose(matrix[3], [0.0, 0.0, 0.0, 1.0]):
        raise ValueError("a matrix is no placement")
    return matrix


def _parents_first(parents: list[int]) -> tuple[int, ...]:
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents):
        children.setdefault(parent, []).append(node)
    order = list(children.get(-1, []))
    for node in order:
        order.extend(children.get(node, []))
    if len(order) < len(parents):
        stuck = min(set(range(len(parents))) - set(order))
        raise DuendeError(f"node {stuck} hangs from itself in a circle; export the file again")
    return tuple(order)


def split(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take matrices ``(..., 4, 4)`` apart: places ``(..., 3)``, quaternions ``(..., 4)`` and scales ``(..., 3)``."""
    scales = np.linalg.norm(matrices[..., :3, :3], axis=-2)
    turns = matrices[..., :3, :3] / np.maximum(scales, 1e-12)[..., None, :]
    quaternions = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_quat().reshape(*turns.shape[:-2], 4)
    return matrices[..., :3, 3], quaternions, scales
