"""A glTF scene posed by plain matrices: nothing of what writes it is used, but for the arrays in the file."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from duende.formats.gltf.document import Document


class Rig:
    """The nodes of a scene, by name."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes: list[dict[str, Any]] = document.json["nodes"]
        self.numbers = {node["name"]: number for number, node in enumerate(self.nodes)}
        self.parents = {child: number for number, node in enumerate(self.nodes) for child in node.get("children", [])}

    def at(self, key: int) -> Rig:
        """Return the scene as the first animation has it at its key ``key``."""
        posed = Rig(Document({**self.document.json, "nodes": copy.deepcopy(self.nodes)}, self.document.binary))
        animation = self.document.json["animations"][0]
        for channel in animation["channels"]:
            values = self.document.array(animation["samplers"][channel["sampler"]]["output"])
            target = channel["target"]
            posed.nodes[target["node"]][target["path"]] = values[key].tolist()
        return posed

    def world(self, name: str) -> np.ndarray:
        """World matrix ``(4, 4)`` of a node."""
        matrix = np.eye(4)
        number: int | None = self.numbers[name]
        while number is not None:
            node = self.nodes[number]
            own = np.eye(4)
            turn = Rotation.from_quat(node.get("rotation", [0.0, 0.0, 0.0, 1.0])).as_matrix()
            own[:3, :3] = turn * np.array(node.get("scale", [1.0, 1.0, 1.0]))
            own[:3, 3] = node.get("translation", [0.0, 0.0, 0.0])
            matrix, number = own @ matrix, self.parents.get(number)
        return matrix

    def place(self, name: str) -> np.ndarray:
        """World position ``(3,)`` of a node."""
        return self.world(name)[:3, 3]

    def places(self, names: tuple[str, ...]) -> np.ndarray:
        """World positions ``(N, 3)``."""
        return np.stack([self.place(name) for name in names])

    def moves(self) -> np.ndarray:
        """For each joint of the skin the matrix ``(4, 4)`` that moves what is bound to it."""
        skin = self.document.json["skins"][0]
        bound = self.document.array(skin["inverseBindMatrices"])
        return np.stack([self.world(self.nodes[number]["name"]) for number in skin["joints"]]) @ bound

    def skinned(self, attribute: str = "POSITION") -> list[np.ndarray]:
        """The vertices (or normals) of each part of the mesh in the world, ``(V, 3)``."""
        moves, parts = self.moves(), []
        for primitive in self.document.json["meshes"][0]["primitives"]:
            what, joints, weights = (
                self.document.array(primitive["attributes"][name]) for name in (attribute, "JOINTS_0", "WEIGHTS_0")
            )
            last = np.full((len(what), 1), 1.0 if attribute == "POSITION" else 0.0)
            blended = np.einsum("vk,vkab->vab", weights, moves[joints.astype(int)])
            parts.append(np.einsum("vab,vb->va", blended, np.concatenate([what, last], axis=1))[:, :3])
        return parts
