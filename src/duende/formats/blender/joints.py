"""Runs inside Blender: open a dance file and write down where its bones are at every frame.

``blender --background --python joints.py -- FILE REPORT FPS``: FILE is .glb, .vrm, .bvh (in centimetres) or .fbx;
REPORT is a JSON file; FPS is the rate that a scene is set to for files whose keys are in seconds (.glb and .vrm).
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

import bpy  # type: ignore[import-not-found]

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

from inside import all_curves, empty_scene, import_gltf  # type: ignore[import-not-found]

CENTIMETRE = 0.01


def main(file: str, report: str, fps: float) -> None:
    """Open ``file``, follow its first armature, and write ``report``."""
    warnings.simplefilter("default")
    # Blender's own BVH importer leaves its file open.
    warnings.simplefilter("ignore", ResourceWarning)
    scene = empty_scene(fps)
    open_file(file)
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    for thing in [thing for thing in bpy.data.objects if thing.type == "MESH"]:
        # Bones are where they are without their skin, and frames change faster.
        bpy.data.objects.remove(thing)
    times = key_times(armature.animation_data.action)
    first, frames = round(times[0]), len(times)
    heads = []
    for frame in range(first, first + frames):
        scene.frame_set(frame)
        heads.append([up_is_y(armature.matrix_world @ bone.head) for bone in armature.pose.bones])
    found = {
        "blender": bpy.app.version_string,
        "fps": scene.render.fps / scene.render.fps_base * (frames - 1) / max(times[-1] - times[0], 1e-9),
        "frames": frames,
        "off_frames": max(abs(time - first - index) for index, time in enumerate(times)),
        "names": [bone.name for bone in armature.pose.bones],
        "heads": heads,
    }
    with open(report, "w", encoding="utf-8") as written:  # noqa: PTH123
        json.dump(found, written)


def open_file(file: str) -> None:
    """Import by the suffix, each with the options that the file is made for."""
    suffix = os.path.splitext(file)[1].lower()  # noqa: PTH122
    if suffix in (".glb", ".vrm"):
        import_gltf(file)
    elif suffix == ".bvh":
        mend_bvh_import()
        bpy.ops.import_anim.bvh(filepath=file, global_scale=CENTIMETRE, update_scene_fps=True)
    else:
        bpy.ops.import_scene.fbx(filepath=file)


def mend_bvh_import() -> None:
    """Blender 3.4 opens BVH files in a mode that Python 3.11, with which Debian builds it, no longer has."""
    from io_anim_bvh import import_bvh  # type: ignore[import-not-found]

    import_bvh.open = lambda name, mode: open(name, mode.replace("U", ""))  # noqa: PTH123, SIM115


def key_times(action: Any) -> list[float]:
    """Frames of the keys of the curve that has most."""
    curves = [curve for curve in all_curves(action) if "pose.bones" in curve.data_path]
    longest = max(curves, key=lambda curve: len(curve.keyframe_points))
    return [point.co[0] for point in longest.keyframe_points]


def up_is_y(point: Any) -> list[float]:
    """Blender's Z is up and its front is -Y; ours are Y and +Z."""
    return [round(point.x, 6), round(point.z, 6), round(-point.y, 6)]


if __name__ == "__main__":
    main(sys.argv[-3], sys.argv[-2], float(sys.argv[-1]))
