"""glTF, what game engines, Blender and web pages open: mannequin, skeleton and dance in one ``.glb`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from duende import __version__
from duende.errors import DuendeError
from duende.formats.anatomy import PALETTE
from duende.formats.body import Body, linear_colours, load_body
from duende.formats.gltf.animation import add_animation, add_joints
from duende.formats.gltf.document import INDICES, VERTICES, Document, write_document
from duende.motion import SMPL24, Motion

ROUGHNESS = 0.62
"""As on the web page."""


def write_glb(motion: Motion, path: str | Path, title: str = "dance") -> None:
    """Write a dance as an animated, skinned figure: metres, Y up, the figure looking along +Z at rest.

    The scene holds a node ``duende``, under it the joints by their SMPL names, and the mesh ``body`` beside it, one
    material for each colour. At rest the figure stands in SMPL's T-pose with its soles at height 0. The animation
    has a key at every frame, ``k / fps`` seconds: turns of the joints, and the place of the pelvis.

    Joints are where they are in the motion. Its floor is the height on which standing *joints* of the feet rest, so
    the soles of a dance whose feet stand at 0 lie 2 cm lower (:func:`duende.formats.renderer.standing_floor`).

    Args:
        motion: on SMPL24, of its own proportions.
        path: of the file.
        title: name of the scene and of its animation.

    Raises:
        DuendeError: the motion is on other joints or other bones, or the file cannot be written.
    """
    _check(motion)
    name = " ".join(title.split()) or "dance"
    body = load_body()
    standing = np.array([0.0, SMPL24.rest_height + body.sole, 0.0])
    document = Document({"asset": {"version": "2.0", "generator": f"duende {__version__}"}, "scene": 0})
    figure = document.add("nodes", {"name": "duende"})
    joints = add_joints(document, SMPL24, standing)
    document.json["nodes"][figure]["children"] = [joints[0]]
    # Readers move a skinned mesh by its joints alone: it is a root of the scene, so that none moves it twice.
    mesh = document.add(
        "nodes", {"name": "body", "mesh": _mesh(document, body, standing), "skin": _skin(document, joints, standing)}
    )
    document.add("scenes", {"name": name, "nodes": [figure, mesh]})
    turns = {node: motion.rotations[:, joint] for joint, node in enumerate(joints)}
    add_animation(document, name, motion.fps, turns, {joints[0]: motion.root})
    write_document(document, path)


def _check(motion: Motion) -> None:
    if motion.skeleton.names != SMPL24.names:
        raise DuendeError(
            f"the figure in a glTF file has the {len(SMPL24)} SMPL joints, and this motion has "
            f"{len(motion.skeleton)} others; retarget it to SMPL24 first"
        )
    if not np.allclose(motion.skeleton.offsets[1:], SMPL24.offsets[1:], atol=1e-5):
        raise DuendeError(
            "the figure in a glTF file has SMPL's proportions, and this motion is on bones of other lengths; "
            "give the dance that was made for SMPL24, or write it on the character it was fitted to"
        )


def _skin(document: Document, joints: list[int], standing: np.ndarray) -> int:
    """Bind the mesh to the joints as they are at rest, without rotations, the root joint ``standing`` (3,) metres."""
    matrices = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    matrices[:, :3, 3] = -(SMPL24.rest_positions + standing)
    binding = document.add_array(matrices, "MAT4")
    return document.add("skins", {"joints": joints, "skeleton": joints[0], "inverseBindMatrices": binding})


def _mesh(document: Document, body: Body, standing: np.ndarray) -> int:
    """Append the body with its root joint ``standing`` (3,) metres, one part for each colour.

    Materials rather than colours of vertices: Unreal, FBX and Blender's solid view show only those.
    """
    primitives = [
        {**_part(document, body, standing, colour), "material": document.add("materials", _material(region, colour))}
        for region, colour in PALETTE.items()
    ]
    return document.add("meshes", {"name": "body", "primitives": primitives})


def _part(document: Document, body: Body, standing: np.ndarray, colour: tuple[int, int, int]) -> dict[str, Any]:
    """Append what has one colour; points on a seam are there once for each, so that it has all that it needs."""
    own = (body.colours == colour).all(axis=1)
    numbers = np.cumsum(own) - 1
    triangles = numbers[body.triangles[own[body.triangles[:, 0]]]]
    places = (body.vertices[own] + standing).astype(np.float32)
    joints = np.where(body.weights > 0, body.joints, 0)[own].astype(np.uint8)
    attributes = {
        "POSITION": document.add_array(places, "VEC3", VERTICES, bounds=True),
        "NORMAL": document.add_array(body.normals[own], "VEC3", VERTICES),
        "JOINTS_0": document.add_array(joints, "VEC4", VERTICES),
        "WEIGHTS_0": document.add_array(body.weights[own], "VEC4", VERTICES),
    }
    indices = document.add_array(triangles.reshape(-1).astype(np.uint16), "SCALAR", INDICES)
    return {"attributes": attributes, "indices": indices}


def _material(name: str, colour: tuple[int, int, int]) -> dict[str, Any]:
    surface = {
        "baseColorFactor": [*linear_colours(colour).tolist(), 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": ROUGHNESS,
    }
    return {"name": name, "pbrMetallicRoughness": surface}
