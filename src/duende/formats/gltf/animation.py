"""Joints as nodes, and movement as channels and samplers: a key for each frame, all keys at the same times."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from duende.formats.gltf.document import Document
from duende.motion import Skeleton
from duende.motion.kinematics import continuous_quaternions

AT_REST = 1e-7
"""Quaternions that differ from a node's own by less are not stored: float32 cannot tell them apart."""


def add_joints(document: Document, skeleton: Skeleton, standing: np.ndarray) -> list[int]:
    """Append a node for each joint at rest, without rotations, and return their indices in the skeleton's order.

    Args:
        document: the scene.
        skeleton: whose names, tree and offsets the nodes have.
        standing: ``(3,)`` metres, where the root joint stands at rest.
    """
    places = np.concatenate([np.asarray(standing)[None], skeleton.offsets[1:]]).tolist()
    nodes = [
        document.add("nodes", {"name": name, "translation": place})
        for name, place in zip(skeleton.names, places, strict=True)
    ]
    for node, children in zip(nodes, skeleton.children, strict=True):
        if children:
            document.json["nodes"][node]["children"] = [nodes[child] for child in children]
    return nodes


def add_animation(
    document: Document,
    name: str,
    fps: float,
    rotations: Mapping[int, np.ndarray],
    translations: Mapping[int, np.ndarray],
) -> None:
    """Append an animation whose frame ``k`` is a key at ``k / fps`` seconds, linear between keys.

    A node that keeps the rotation it has in the scene gets no channel: its own value says the same.

    Args:
        document: the scene, whose nodes are there.
        name: of the animation.
        fps: frames a second.
        rotations: local quaternions ``(T, 4)``, scalar last, by node.
        translations: local places ``(T, 3)`` in metres, by node; at least one.
    """
    frames = len(next(iter(translations.values())))
    times = document.add_array((np.arange(frames) / fps).astype(np.float32), "SCALAR", bounds=True)
    samplers: list[dict[str, object]] = []
    channels: list[dict[str, object]] = []

    def add(node: int, path: str, values: np.ndarray, kind: str) -> None:
        output = document.add_array(values.astype(np.float32), kind)
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})

    for node, places in translations.items():
        add(node, "translation", np.asarray(places), "VEC3")
    for node, turns in rotations.items():
        quaternions = continuous_quaternions(turns / np.linalg.norm(turns, axis=-1, keepdims=True))
        if not _keeps(quaternions, document.json["nodes"][node].get("rotation", [0.0, 0.0, 0.0, 1.0])):
            add(node, "rotation", quaternions, "VEC4")
    document.add("animations", {"name": name, "channels": channels, "samplers": samplers})


def _keeps(quaternions: np.ndarray, own: list[float]) -> bool:
    """Whether all of ``(T, 4)``, whatever their signs, are the rotation that a node has anyway."""
    signs = np.where(quaternions @ own < 0, -1.0, 1.0)[:, None]
    return bool(np.abs(quaternions * signs - own).max() < AT_REST)
