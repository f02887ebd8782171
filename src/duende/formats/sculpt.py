"""Make the dancer's body from its distance field: ``python -m duende.formats.sculpt``.

The zero level of the field (:mod:`duende.formats.anatomy`) becomes a mesh, whose triangles are cut along the borders
of colour, made fewer and given skin weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.files import replacing
from duende.formats.anatomy import PALETTE, REGIONS, REST, Field, at, body_field, cone, region_fields, regions_at
from duende.formats.body import ASSET
from duende.formats.meshing import cut, decimate, neighbour_pairs, surface_nets
from duende.motion import SMPL24

STEP = 0.0105
"""Metres between the samples of the field."""
TRIANGLES = 4800


def _gradient(field: Field, points: np.ndarray, step: float = 0.002) -> np.ndarray:
    shifts = np.eye(3) * step
    return np.stack([field(points + s) - field(points - s) for s in shifts], axis=-1) / (2 * step)


def _onto_surface(points: np.ndarray) -> np.ndarray:
    for _ in range(3):
        slope = _gradient(body_field, points)
        move = body_field(points)[:, None] * slope / np.maximum(np.sum(slope**2, axis=1, keepdims=True), 0.25)
        points = points - np.clip(move, -0.4 * STEP, 0.4 * STEP)
    return points


def _cut_along_borders(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let colour borders run along edges: points near one slide onto it, and triangles across it are split."""
    for _, field in region_fields():
        value = field(points)
        slope = _gradient(field, points)
        move = value[:, None] * slope / np.maximum(np.sum(slope**2, axis=1, keepdims=True), 1e-6)
        near = np.linalg.norm(move, axis=1) < 0.3 * STEP
        points = np.where(near[:, None], points - move, points)
        points, triangles = cut(points, triangles, np.where(near, 0.0, value))
    return points, triangles


def _relaxed(points: np.ndarray, triangles: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Even out the triangles along the surface; points on colour borders stay."""
    colours = np.zeros((len(points), len(REGIONS)), bool)
    colours[triangles.ravel(), np.repeat(regions, 3)] = True
    free = colours.sum(axis=1) == 1
    pairs = neighbour_pairs(triangles)
    degree = np.bincount(pairs.ravel(), minlength=len(points))[:, None]
    for _ in range(4):
        centre = np.zeros_like(points)
        np.add.at(centre, pairs[:, 0], points[pairs[:, 1]])
        np.add.at(centre, pairs[:, 1], points[pairs[:, 0]])
        normal = _gradient(body_field, points)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        move = 0.4 * (centre / degree - points)
        move -= normal * np.sum(move * normal, axis=1, keepdims=True)
        points = np.where(free[:, None], _onto_surface(points + move), points)
    return points


@dataclass(frozen=True)
class _Bone:
    joint: int
    start: np.ndarray
    end: np.ndarray
    radius: float


def _bones() -> list[_Bone]:
    radii = {
        "pelvis": 0.12,
        "hip": 0.08,
        "knee": 0.06,
        "ankle": 0.04,
        "foot": 0.04,
        "spine": 0.12,
        "neck": 0.055,
    }
    radii |= {"head": 0.06, "collar": 0.06, "shoulder": 0.05, "elbow": 0.04, "wrist": 0.03, "hand": 0.02}
    bones = []
    for index, name in enumerate(SMPL24.names):
        radius = next(value for key, value in radii.items() if key in name)
        start = REST[index]
        ends = [REST[child] for child in SMPL24.children[index]]
        if name == "head":
            ends = [at(0, 0.78, 0.02)]
        elif name.endswith("_foot"):
            ends = [start + 0.07 * at(0.2 * np.sign(start[0]), -0.02, 1.0)]
        elif name.endswith("_hand"):
            ends = [start + 0.09 * at(np.sign(start[0]), 0, -0.1)]
        elif name == "pelvis":
            ends = [REST[3], start + at(0.05, -0.03, 0), start + at(-0.05, -0.03, 0)]
        elif name == "spine3":
            # Its roundness reaches the neck without its end.
            ends = [start + 0.5 * (REST[SMPL24.index("neck")] - start)]
        bones += [_Bone(index, start, end, radius) for end in ends]
        if name.endswith("_ankle"):
            bones.append(_Bone(index, start, start + at(0, -0.06, -0.04), radius))
    return bones


def skin_weights(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Give each vertex to its nearest bone, then let the weights spread along the surface: ``(V, 24)``.

    Spreading along the surface, not through the air, keeps the legs apart and the arms off the chest.
    """
    bones = _bones()
    distances = np.stack([cone(bone.start, bone.end, bone.radius, bone.radius)(vertices) for bone in bones])
    weights = np.zeros((len(vertices), len(SMPL24)))
    owner = np.array([bone.joint for bone in bones])[np.argmin(distances, axis=0)]
    weights[np.arange(len(vertices)), owner] = 1
    pairs = neighbour_pairs(triangles)
    degree = np.bincount(pairs.ravel(), minlength=len(vertices))[:, None]
    wide = ("pelvis", "hip", "spine", "collar", "shoulder")
    trunk = np.array([any(part in name for part in wide) for name in SMPL24.names])[owner]
    for step in range(60):
        spread = np.zeros_like(weights)
        np.add.at(spread, pairs[:, 0], weights[pairs[:, 1]])
        np.add.at(spread, pairs[:, 1], weights[pairs[:, 0]])
        mixed = 0.5 * weights + 0.5 * spread / degree
        weights = mixed if step < 20 else np.where(trunk[:, None], mixed, weights)
    return weights


def _strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep four joints for each vertex; weights in 255ths that sum to 255."""
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, joints, axis=1)
    levels = np.floor(255 * kept / kept.sum(axis=1, keepdims=True)).astype(int)
    levels[:, 0] += 255 - levels.sum(axis=1)
    return joints.astype(np.uint8), levels.astype(np.uint8)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    low, high = at(-0.93, -1.02, -0.26), at(0.93, 0.88, 0.26)
    axes = [np.arange(a, b, STEP) for a, b in zip(low, high, strict=True)]
    slabs = []
    for x in axes[0]:
        plane = np.stack(np.meshgrid([x], axes[1], axes[2], indexing="ij"), axis=-1)
        slabs.append(body_field(plane).astype(np.float32))
    return np.concatenate(slabs), low


def sculpt() -> dict[str, np.ndarray]:
    """Make the body's arrays as they are stored (see :class:`duende.formats.body.Body`); deterministic, a minute."""
    field, origin = _grid()
    vertices, triangles = surface_nets(field, origin, STEP)
    vertices, triangles = _cut_along_borders(_onto_surface(vertices), triangles)
    regions = regions_at(vertices[triangles].mean(axis=1))
    fine_weights = skin_weights(vertices, triangles)
    out, height = np.abs(vertices[:, 0]), vertices[:, 1]
    importance = np.select([height > 0.60, out > 0.68, out > 0.30, height < -0.88], [8.0, 8.0, 5.0, 4.0], 1.0)
    light, corners, regions = decimate(vertices, triangles, regions, importance, TRIANGLES)
    light = _relaxed(light, corners, regions)
    nearest = np.array([np.argmin(np.sum((vertices - point) ** 2, axis=1)) for point in light])
    joints, levels = _strongest(fine_weights[nearest])
    # Points on a seam are stored once for each colour that meets there.
    keys, index = np.unique(corners.ravel() * len(REGIONS) + np.repeat(regions, 3), return_inverse=True)
    source = keys // len(REGIONS)
    normals = _gradient(body_field, light, 0.006)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    colours = np.array([PALETTE[name] for name in REGIONS], dtype=np.uint8)[keys % len(REGIONS)]
    return {
        "vertices": light[source].astype(np.float32),
        "normals": normals[source].astype(np.float32),
        "triangles": index.reshape(-1, 3).astype(np.uint16),
        "joints": joints[source],
        "weights": levels[source],
        "colours": colours,
    }


def main() -> None:
    """Sculpt the body and store it in the package."""
    with replacing(Path(__file__).with_name(ASSET.split("/")[0]) / ASSET.split("/")[1]) as path:
        np.savez_compressed(path, **sculpt())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
