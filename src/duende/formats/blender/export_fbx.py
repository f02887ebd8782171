"""Runs inside Blender: turn an animated .glb into .fbx.

``blender --background --python export_fbx.py -- GLB FBX FPS FRAMES``

The file is in centimetres with Y up in the data itself, so that objects have no scale and no rotation. Unity,
Unreal, Maya and MotionBuilder then show the figure upright and in its size without a setting. Blender's own way,
metres and Z up with a scale of 100 and a quarter turn on each object, leaves both on the root in Unity and Unreal.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from typing import Any

import bpy  # type: ignore[import-not-found]
from mathutils import Matrix  # type: ignore[import-not-found]

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

from inside import all_curves, empty_scene, import_gltf  # type: ignore[import-not-found]

CENTIMETRES = 100.0
Y_UP = Matrix.Rotation(-math.pi / 2, 4, "X")


def main(source: str, target: str, fps: float, frames: int) -> None:
    """Import, bring keys to whole frames, lengths to centimetres and Y up, export."""
    scene = empty_scene(fps)
    scene.name = "Dance"
    import_gltf(source)
    armatures = [thing for thing in scene.objects if thing.type == "ARMATURE"]
    if not any(armature.animation_data and armature.animation_data.action for armature in armatures):
        raise RuntimeError("the file holds no skeleton that moves")
    for armature in armatures:
        armature.name = "Armature"
    for action in bpy.data.actions:
        keys_to_frames(action, fps / scene.render.fps)
    name_textures()
    chosen = put_units_into_data(armatures)
    scene.unit_settings.system = "METRIC"
    scene.unit_settings.scale_length = 1 / CENTIMETRES
    scene.frame_start, scene.frame_end = 0, frames - 1
    select(chosen)
    bpy.ops.export_scene.fbx(
        filepath=target,
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        # The axes that the file names are those of the data already.
        axis_forward="-Z",
        axis_up="Y",
        use_space_transform=False,
        mesh_smooth_type="FACE",
        # Applied modifiers would take away the shapes of a face; the skeleton is none of those that are applied.
        use_mesh_modifiers=False,
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
    )


def keys_to_frames(action: Any, scale: float) -> None:
    """Move each key, stored in seconds times a whole rate, onto the frame that it is meant for."""
    for curve in all_curves(action):
        values = [0.0] * (2 * len(curve.keyframe_points))
        curve.keyframe_points.foreach_get("co", values)
        values[::2] = [round(value * scale) for value in values[::2]]
        curve.keyframe_points.foreach_set("co", values)
        curve.update()


def name_textures() -> None:
    """Give each image of the .glb a file name of its own: the exporter keeps one image for each name."""
    for number, image in enumerate(image for image in bpy.data.images if image.packed_file):
        stem = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in image.name)
        image.filepath_raw = f"//{stem}_{number}.{'jpg' if image.file_format == 'JPEG' else image.file_format.lower()}"


def put_units_into_data(armatures: list[Any]) -> list[Any]:
    """Put transforms, unit and axes into the data itself; return armatures and the meshes that follow them."""
    for armature in armatures:
        armature.data.pose_position = "REST"
    bpy.context.view_layer.update()
    meshes = [mesh for mesh in bpy.context.scene.objects if mesh.type == "MESH" and armature_of(mesh) in armatures]
    owners = {mesh: armature_of(mesh) for mesh in meshes}
    worlds = {thing: Y_UP @ Matrix.Scale(CENTIMETRES, 4) @ thing.matrix_world for thing in [*armatures, *meshes]}
    for mesh in meshes:
        if mesh.parent_type == "BONE":
            follow_bone(mesh, mesh.parent_bone)
        mesh.parent = None
    for thing, world in worlds.items():
        thing.parent = None
        thing.matrix_world = world
        # Transforms go into data that nothing else shares.
        thing.data = thing.data.copy() if thing.data.users > 1 else thing.data
    select(worlds)
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    for mesh, armature in owners.items():
        mesh.parent = armature
        for modifier in mesh.modifiers:
            # Bending the skin at each frame takes most of the time and changes nothing that is written.
            modifier.show_viewport = False
    for armature in armatures:
        armature.data.pose_position = "POSE"
        lengthen_paths(armature, worlds[armature].to_scale().x)
    return list(worlds)


def armature_of(mesh: Any) -> Any:
    """The armature that a mesh is bent by or hangs on; None for none."""
    bent_by = [modifier.object for modifier in mesh.modifiers if modifier.type == "ARMATURE"]
    hangs_on = [mesh.parent] if mesh.parent and mesh.parent.type == "ARMATURE" else []
    return next(iter(bent_by + hangs_on), None)


def follow_bone(mesh: Any, bone: str) -> None:
    """Bind a mesh that hangs on a bone to that bone as skin: game engines keep one skeleton and its skin."""
    group = mesh.vertex_groups.new(name=bone)
    group.add(range(len(mesh.data.vertices)), 1.0, "REPLACE")
    mesh.modifiers.new("Armature", "ARMATURE").object = mesh.parent


def lengthen_paths(armature: Any, scale: float) -> None:
    """Bones have grown in the data; what moves them must too."""
    action = armature.animation_data.action if armature.animation_data else None
    for curve in all_curves(action) if action else []:
        if curve.data_path.endswith(".location"):
            values = [0.0] * (2 * len(curve.keyframe_points))
            curve.keyframe_points.foreach_get("co", values)
            values[1::2] = [value * scale for value in values[1::2]]
            curve.keyframe_points.foreach_set("co", values)
            curve.update()


def select(things: Iterable[Any]) -> None:
    """Select these objects and no others."""
    bpy.ops.object.select_all(action="DESELECT")
    for thing in things:
        thing.select_set(True)
        bpy.context.view_layer.objects.active = thing


if __name__ == "__main__":
    main(sys.argv[-4], sys.argv[-3], float(sys.argv[-2]), int(sys.argv[-1]))
