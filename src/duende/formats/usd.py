"""USD, the scene format of film tools, Omniverse, Houdini and Apple's viewers: the dance as a UsdSkel scene.

The scene is ``/Dancer`` (SkelRoot) with ``Skeleton``, ``Skeleton/Animation`` and, on SMPL's own bones, the mannequin
``Body``. Schemas and their rules are those of OpenUSD's UsdSkel and UsdGeom; the package usd-core writes the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from duende import __version__
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.body import Body, linear_colours, load_body
from duende.motion import SMPL24, Motion, Skeleton
from duende.motion.kinematics import continuous_quaternions

SUFFIXES = (".usda", ".usdc", ".usd")
DECIMALS = 6
"""Of metres and quaternions: a micrometre, and a fingertip that is off by as little."""


def write_usd(motion: Motion, path: str | Path, title: str = "dance") -> None:
    """Write a skeletal animation: metres, Y up, one time code for each frame at the dance's own frame rate.

    The rest and bind pose is the skeleton's T-pose, standing on the floor. Joints are ``pelvis``, ``pelvis/left_hip``
    and so on, each with a turn and a place at every frame. A dance on SMPL's own bones has the mannequin as a skinned
    mesh, its colours linear; one on other bones is a skeleton alone. Joints are where they are in the motion, on whose
    floor joints of the feet rest: soles lie 2 cm lower (:func:`duende.formats.renderer.standing_floor`).

    Args:
        motion: on any skeleton.
        path: of the file; ``.usda`` is text, ``.usdc`` and ``.usd`` are binary.
        title: display name of the dancer.

    Raises:
        DuendeError: usd-core is not installed, the suffix is none of USD's, two joints have one name, or the file
            cannot be written.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise DuendeError(f"{path}: the name of a USD file ends in {', '.join(SUFFIXES)}; rename it")
    pxr = require_usd()
    skeleton = motion.skeleton
    on_own_bones = skeleton.names == SMPL24.names and np.allclose(skeleton.offsets, SMPL24.offsets)
    body = load_body() if on_own_bones else None
    standing = np.array([0.0, skeleton.rest_height + (body.sole if body else 0.0), 0.0])
    stage = _stage(pxr, motion, title)
    root = pxr.UsdSkel.Root.Define(stage, "/Dancer")
    root.GetPrim().SetDisplayName(title)
    stage.SetDefaultPrim(root.GetPrim())
    rig = _skeleton(pxr, stage, skeleton, standing)
    _animate(pxr, stage, rig, motion)
    if body:
        _mesh(pxr, stage, rig, body, standing)
    # Of boxes that are said viewers need not pose the dancer to find them.
    extent = root.CreateExtentAttr()
    for frame, box in enumerate(_rounded(_boxes(motion, body))):
        extent.Set(pxr.Vt.Vec3fArray.FromNumpy(box), frame)
    with replacing(path) as temporary:
        stage.GetRootLayer().Export(str(temporary))


def require_usd() -> Any:
    """Load USD's Python package with the modules that are used here.

    Raises:
        DuendeError: it is not installed.
    """
    try:
        import pxr  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from pxr import Gf, Tf, Usd, UsdGeom, UsdSkel, Vt  # noqa: F401
    except ImportError:
        raise DuendeError("USD files need usd-core; install it with: pip install 'duende[usd]'") from None
    return pxr


def _stage(pxr: Any, motion: Motion, title: str) -> Any:
    stage = pxr.Usd.Stage.CreateInMemory()
    layer = stage.GetRootLayer()
    layer.documentation = title
    layer.customLayerData = {"creator": f"duende {__version__}"}
    pxr.UsdGeom.SetStageUpAxis(stage, pxr.UsdGeom.Tokens.y)
    pxr.UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(motion.fps)
    stage.SetFramesPerSecond(motion.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(motion) - 1)
    return stage


def _skeleton(pxr: Any, stage: Any, skeleton: Skeleton, standing: np.ndarray) -> Any:
    """Define the skeleton with its root ``standing`` (3,) metres above the floor in the bind and the rest pose."""
    rig = pxr.UsdSkel.Skeleton.Define(stage, "/Dancer/Skeleton")
    rig.CreateJointsAttr(_joint_paths(pxr, skeleton))
    rig.CreateJointNamesAttr(list(skeleton.names))
    rig.CreateBindTransformsAttr(_translations(pxr, skeleton.rest_positions + standing))
    offsets = skeleton.offsets.copy()
    offsets[0] = standing
    rig.CreateRestTransformsAttr(_translations(pxr, offsets))
    return rig


def _joint_paths(pxr: Any, skeleton: Skeleton) -> list[str]:
    """For each joint the path down to it; what USD's names do not allow becomes an underscore."""
    paths: list[str] = []
    for name, parent in zip(skeleton.names, skeleton.parents, strict=True):
        own = pxr.Tf.MakeValidIdentifier(name)
        paths.append(own if parent < 0 else f"{paths[parent]}/{own}")
        if paths[-1] in paths[:-1]:
            raise DuendeError(f"a USD file needs a name of its own for each joint, {name!r} is not; rename that joint")
    return paths


def _translations(pxr: Any, places: np.ndarray) -> Any:
    """Turn ``(J, 3)`` into USD's matrices, which have the translation in their last row."""
    matrices = np.tile(np.eye(4), (len(places), 1, 1))
    matrices[:, 3, :3] = places
    return pxr.Vt.Matrix4dArray.FromNumpy(matrices)


def _animate(pxr: Any, stage: Any, rig: Any, motion: Motion) -> None:
    animation = pxr.UsdSkel.Animation.Define(stage, rig.GetPath().AppendChild("Animation"))
    animation.CreateJointsAttr(rig.GetJointsAttr().Get())
    animation.CreateScalesAttr([pxr.Gf.Vec3h(1, 1, 1)] * len(motion.skeleton))
    rotations, translations = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
    quaternions = _rounded(continuous_quaternions(motion.rotations))
    places = np.tile(motion.skeleton.offsets, (len(motion), 1, 1))
    places[:, 0] = motion.root
    places = _rounded(places)
    for frame in range(len(motion)):
        rotations.Set(pxr.Vt.QuatfArray.FromNumpy(quaternions[frame]), frame)
        translations.Set(pxr.Vt.Vec3fArray.FromNumpy(places[frame]), frame)
    binding = pxr.UsdSkel.BindingAPI.Apply(rig.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([animation.GetPath()])


def _mesh(pxr: Any, stage: Any, rig: Any, body: Body, standing: np.ndarray) -> None:
    """Define the mannequin in its bind pose, its root joint at ``standing`` (3,) metres."""
    mesh = pxr.UsdGeom.Mesh.Define(stage, "/Dancer/Body")
    points = pxr.Vt.Vec3fArray.FromNumpy(_rounded(body.vertices + standing))
    mesh.CreatePointsAttr(points)
    mesh.CreateExtentAttr(pxr.UsdGeom.PointBased.ComputeExtent(points))
    mesh.CreateFaceVertexCountsAttr(pxr.Vt.IntArray(len(body.triangles), 3))
    mesh.CreateFaceVertexIndicesAttr(pxr.Vt.IntArray.FromNumpy(body.triangles.reshape(-1)))
    mesh.CreateSubdivisionSchemeAttr(pxr.UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr(pxr.Vt.Vec3fArray.FromNumpy(_rounded(body.normals)))
    mesh.SetNormalsInterpolation(pxr.UsdGeom.Tokens.vertex)
    colour = mesh.CreateDisplayColorPrimvar(pxr.UsdGeom.Tokens.vertex)
    colour.Set(pxr.Vt.Vec3fArray.FromNumpy(_rounded(linear_colours(body.colours))))
    binding = pxr.UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([rig.GetPath()])
    binding.CreateGeomBindTransformAttr(pxr.Gf.Matrix4d(1))
    carriers = body.joints.shape[1]
    joints = np.ascontiguousarray(body.joints.reshape(-1), dtype=np.int32)
    binding.CreateJointIndicesPrimvar(False, carriers).Set(pxr.Vt.IntArray.FromNumpy(joints))
    weights = np.ascontiguousarray(body.weights.reshape(-1))
    binding.CreateJointWeightsPrimvar(False, carriers).Set(pxr.Vt.FloatArray.FromNumpy(weights))


def _boxes(motion: Motion, body: Body | None) -> np.ndarray:
    """Return ``(T, 2, 3)`` metres: the least and the largest corner of the box that the dancer fills in each frame."""
    blocks = body.skin_blocks(motion) if body else [motion.positions]
    return np.concatenate([np.stack([block.min(axis=1), block.max(axis=1)], axis=1) for block in blocks])


def _rounded(values: np.ndarray) -> np.ndarray:
    """As float32, whose shortest text is then short."""
    return np.ascontiguousarray(np.round(values, DECIMALS), dtype=np.float32)
