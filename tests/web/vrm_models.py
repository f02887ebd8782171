"""VRM avatars made of a rigged character that is no VRM: brought to a T-pose, its bones named for VRM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from web.rig import Rig

from duende.formats.gltf.document import Document, read_document, write_document

SIDES = {"l": "left", "r": "right"}
TRUNK = ("pelvis", "hips"), ("spine_01", "spine"), ("spine_02", "chest"), ("spine_03", "upperChest")
HEAD = ("neck_01", "neck"), ("head", "head")
ARM = ("clavicle", "Shoulder"), ("upperarm", "UpperArm"), ("lowerarm", "LowerArm"), ("hand", "Hand")
LEG = ("thigh", "UpperLeg"), ("calf", "LowerLeg"), ("foot", "Foot"), ("ball", "Toes")
LIMBS = {f"{part}_{letter}": side + bone for letter, side in SIDES.items() for part, bone in (*ARM, *LEG)}
BONES = {**dict(TRUNK), **dict(HEAD), **LIMBS}
"""Node to humanoid bone."""


def write_vrm(character: Path, path: Path, without: tuple[str, ...] = ()) -> None:
    """Write ``character`` as a VRM 1.0 avatar, leaving out the humanoid bones ``without``."""
    rig = _in_t_pose(read_document(character))
    bones = {bone: {"node": rig.numbers[name]} for name, bone in BONES.items() if bone not in without}
    meta = {"name": "Mannequin", "authors": ["CC0"], "licenseUrl": "https://vrm.dev/licenses/1.0/", "version": "1"}
    rig.document.json["extensionsUsed"] = ["VRMC_vrm"]
    extension = {"specVersion": "1.0", "meta": meta, "humanoid": {"humanBones": bones}}
    rig.document.json["extensions"] = {"VRMC_vrm": extension}
    write_document(rig.document, path)


def write_vrm0(character: Path, path: Path) -> None:
    """Write ``character`` as a VRM 0.x avatar, as that wants it: looking along -Z, no node turned or scaled at rest."""
    rig = _in_t_pose(read_document(character))
    document, turn = rig.document, np.array([-1.0, 1.0, -1.0])
    parts, normals = rig.skinned(), rig.skinned("NORMAL")
    for primitive, places, directions in zip(document.json["meshes"][0]["primitives"], parts, normals, strict=True):
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        at = document.add_array((places * turn).astype(np.float32), "VEC3", bounds=True)
        primitive["attributes"]["POSITION"] = at
        primitive["attributes"]["NORMAL"] = document.add_array((directions * turn).astype(np.float32), "VEC3")
    places = {name: rig.place(name) * turn for name in rig.numbers}
    for number, node in enumerate(rig.nodes):
        parent = rig.parents.get(number)
        above = np.zeros(3) if parent is None else places[rig.nodes[parent]["name"]]
        node.update(
            {"translation": (places[node["name"]] - above).tolist(), "rotation": [0, 0, 0, 1], "scale": [1] * 3}
        )
    skin = document.json["skins"][0]
    bound = np.tile(np.eye(4, dtype=np.float32), (len(skin["joints"]), 1, 1))
    bound[:, :3, 3] = [-places[rig.nodes[number]["name"]] for number in skin["joints"]]
    skin["inverseBindMatrices"] = document.add_array(bound, "MAT4")
    document.json["extensionsUsed"] = ["VRM"]
    document.json["extensions"] = {
        "VRM": {
            "specVersion": "0.0",
            "meta": {"title": "Mannequin", "author": "CC0", "licenseName": "CC0"},
            "humanoid": {"humanBones": [{"bone": bone, "node": rig.numbers[name]} for name, bone in BONES.items()]},
            "blendShapeMaster": {"blendShapeGroups": []},
            "secondaryAnimation": {"boneGroups": [], "colliderGroups": []},
            "materialProperties": [],
        }
    }
    write_document(document, path)


def _in_t_pose(document: Document) -> Rig:
    """Pose the nodes as VRM wants them at rest: arms along X, legs straight down, feet ahead, soles at height 0."""
    rig = Rig(document)
    for letter, outwards in (("l", 1.0), ("r", -1.0)):
        across, down = (outwards, 0.0, 0.0), (0.0, -1.0, 0.0)
        _lay(rig, f"upperarm_{letter}", f"lowerarm_{letter}", across)
        _lay(rig, f"lowerarm_{letter}", f"hand_{letter}", across)
        _lay(rig, f"hand_{letter}", f"middle_01_{letter}", across)
        _lay(rig, f"thigh_{letter}", f"calf_{letter}", down)
        _lay(rig, f"calf_{letter}", f"foot_{letter}", down)
        _lay(rig, f"foot_{letter}", f"ball_{letter}", (0.0, 0.0, 1.0), level=True)
    lowest = float(np.concatenate(rig.skinned())[:, 1].min())
    rig.nodes[rig.numbers["Armature"]]["translation"] = [0.0, -lowest, 0.0]
    return rig


def _lay(rig: Rig, name: str, end: str, direction: tuple[float, float, float], level: bool = False) -> None:
    """Turn a node so that ``end`` lies in a direction; ``level``: about the vertical only."""
    along = (rig.place(end) - rig.place(name)) * ([1.0, 0.0, 1.0] if level else [1.0, 1.0, 1.0])
    swing, _ = Rotation.align_vectors([direction], [along])
    above = rig.world(rig.nodes[rig.parents[rig.numbers[name]]]["name"])[:3, :3]
    parent = Rotation.from_matrix(above / np.linalg.norm(above, axis=0))
    node = rig.nodes[rig.numbers[name]]
    node["rotation"] = (parent.inv() * swing * parent * Rotation.from_quat(node["rotation"])).as_quat().tolist()
