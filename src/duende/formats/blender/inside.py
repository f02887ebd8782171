"""What the scripts that run inside Blender share; knows Blender 3.4 to 5."""

from __future__ import annotations

import os
import sys
from typing import Any

import bpy  # type: ignore[import-not-found]


def empty_scene(fps: float) -> Any:
    """Begin with nothing, at a frame rate that need not be whole; return the scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(fps), round(fps) / fps
    return scene


def import_gltf(file: str) -> None:
    """Import a .glb or .vrm; keys come at whole frames of the scene's rate, as near as single precision puts them."""
    # Debian's Blender comes without numpy: that of the program that started it comes last.
    sys.path.append(os.environ.get("DUENDE_NUMPY", ""))
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        raise RuntimeError("its glTF importer needs numpy; install it for Blender (Debian: python3-numpy)") from error
    bpy.ops.import_scene.gltf(filepath=file)


def all_curves(action: Any) -> list[Any]:
    """Blender 5 keeps curves in the action's layers only."""
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]
