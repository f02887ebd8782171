"""Joints that hang from no bone of the dance, as in rigs whose bones lie side by side: they go with the nearest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from duende.formats.character.names import WORD
from duende.formats.character.nodes import NodeTree
from duende.motion.skeleton import SMPL24

FACE = {
    "jaw", "chin", "tongue", "teeth", "lip", "nose", "cheek", "brow", "eye", "lid", "ear", "forehead", "temple", "hair",
}  # fmt: skip
"""Words in the names of what goes with the head, though the neck may be nearer."""


def loose_joints(
    skins: Sequence[Mapping[str, Any]], tree: NodeTree, rest: np.ndarray, nodes: Mapping[str, int]
) -> dict[int, int]:
    """Find the joints that would stay behind while the character dances, and the node that each goes with.

    Args:
        skins: of the file.
        tree: its nodes.
        rest: ``(N, 4, 4)`` their world matrices.
        nodes: of the joints that dance.

    Returns:
        The topmost of such joints alone: what hangs from them follows.
    """
    dancing = set(nodes.values())
    kept = {above for node in dancing for above in tree.ancestors(node)}
    own = {node for skin in skins if dancing & set(skin["joints"]) for node in skin["joints"]}
    loose = {node for node in own - kept if not dancing & set(tree.ancestors(node)) and _solid(rest, tree, node)}
    starts, ends, leaders = _bones(rest[:, :3, 3], nodes)
    return {
        node: nodes["head"]
        if FACE.intersection(word.lower() for word in WORD.findall(tree.names[node]))
        else leaders[int(_distances(rest[node, :3, 3], starts, ends).argmin())]
        for node in tree.order
        if node in loose and not loose & set(tree.ancestors(node)[1:])
    }


def _solid(rest: np.ndarray, tree: NodeTree, node: int) -> bool:
    """Whether neither a node nor its parent is scaled down to nothing."""
    return all(np.linalg.det(rest[above]) != 0 for above in tree.ancestors(node)[:2])


def _bones(places: np.ndarray, nodes: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Begins and ends ``(B, 3)`` of bones, and the node that turns each. A last bone goes on as the one before it."""
    starts, ends, leaders = [], [], []
    for number, joint in enumerate(SMPL24.names):
        if joint not in nodes:
            continue
        here = places[nodes[joint]]
        following = [SMPL24.names[child] for child in SMPL24.children[number] if SMPL24.names[child] in nodes]
        before = SMPL24.names[SMPL24.parents[number]]
        reached = [places[nodes[child]] for child in following]
        if not reached:
            reached = [2 * here - places[nodes[before]] if before in nodes else here]
        for end in reached:
            starts.append(here)
            ends.append(end)
            leaders.append(nodes[joint])
    return np.array(starts), np.array(ends), leaders


def _distances(point: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Metres ``(B,)`` from a point to bones."""
    along = ends - starts
    share = ((point - starts) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-12)
    return np.asarray(np.linalg.norm(starts + np.clip(share, 0.0, 1.0)[:, None] * along - point, axis=1))
