"""VRM Animation: the dance for any VRM avatar, without a figure of its own (extension VRMC_vrm_animation 1.0)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duende import __version__
from duende.formats.body import load_body
from duende.formats.gltf.animation import add_animation, add_joints
from duende.formats.gltf.document import Document, write_document
from duende.formats.renderer import standing_floor
from duende.motion import Motion, Skeleton
from duende.motion.humanoid import HUMANOID, straightened, with_stiff_upper_chest

EXTENSION, VERSION = "VRMC_vrm_animation", "1.0"


def write_vrma(motion: Motion, path: str | Path) -> None:
    """Write a dance as a ``.vrma`` file: metres, Y up, looking along +Z at rest, a key at every frame.

    Nodes have the names of VRM's humanoid bones and stand in the T-pose that VRM prescribes, soles at height 0 (see
    :func:`duende.motion.humanoid.straightened`). The animation turns them, the chest for the upper chest
    (:func:`duende.motion.humanoid.with_stiff_upper_chest`), and moves the hips; players scale the path by the height
    of the avatar's hips over that of the hips here. The dance's floor
    (:func:`duende.formats.renderer.standing_floor`) becomes height 0, where VRM has the ground.

    Args:
        motion: on a skeleton with SMPL24's joints, of any proportions.
        path: of the file.

    Raises:
        DuendeError: the motion is on other joints, or the file cannot be written.
    """
    posed, body = with_stiff_upper_chest(straightened(motion)), load_body()
    skeleton = _humanoid(posed.skeleton)
    standing = np.array([0.0, skeleton.rest_height + body.sole, 0.0])
    document = Document({"asset": {"version": "2.0", "generator": f"duende {__version__}"}, "scene": 0})
    root = document.add("nodes", {"name": "root"})
    nodes = add_joints(document, skeleton, standing)
    document.json["nodes"][root]["children"] = [nodes[0]]
    document.add("scenes", {"nodes": [root]})
    bones = {name: {"node": node} for name, node in zip(skeleton.names, nodes, strict=True)}
    document.json["extensionsUsed"] = [EXTENSION]
    document.json["extensions"] = {EXTENSION: {"specVersion": VERSION, "humanoid": {"humanBones": bones}}}
    turns = {node: posed.rotations[:, joint] for joint, node in enumerate(nodes)}
    hips = posed.root - [0.0, standing_floor(motion, body), 0.0]
    add_animation(document, "dance", motion.fps, turns, {nodes[0]: hips})
    write_document(document, path)


def _humanoid(skeleton: Skeleton) -> Skeleton:
    """Return SMPL's joints by VRM's names, without the hands, which come last and have no bone there."""
    names = tuple(HUMANOID[name] for name in skeleton.names if name in HUMANOID)
    return Skeleton(names, skeleton.parents[: len(names)], skeleton.offsets[: len(names)])
