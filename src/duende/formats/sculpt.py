"""Make the dancer's body from a few dozen soft shapes: ``python -m duende.formats.sculpt``.

Rounded cones and ellipsoids along the bones of SMPL24 melt into one distance field; its zero level becomes the mesh.
Nothing is taken from a licensed body model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.files import replacing
from duende.formats.body import ASSET
from duende.formats.meshing import decimate, face_normals, neighbour_pairs, surface_nets
from duende.motion import SMPL24

STEP = 0.0105
"""Metres between the samples of the field."""
TRIANGLES = 4600
SOLE = -0.978
"""Metres: height of the soles at rest."""
PALETTE = {
    "skin": (226, 174, 142),
    "hair": (48, 36, 38),
    "top": (216, 78, 58),
    "trousers": (52, 60, 92),
    "shoes": (40, 40, 48),
    "soles": (238, 234, 226),
}
REGIONS = tuple(PALETTE)
REST = SMPL24.rest_positions
Field = Callable[[np.ndarray], np.ndarray]


def joint(name: str) -> np.ndarray:
    """Return where a joint is at rest."""
    return REST[SMPL24.index(name)]


def cone(a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float) -> Field:
    """Rounded cone from ``a`` to ``b``."""

    def distance(points: np.ndarray) -> np.ndarray:
        along = b - a
        share = np.clip((points - a) @ along / (along @ along), 0, 1)
        nearest = a + share[..., None] * along
        return np.linalg.norm(points - nearest, axis=-1) - (radius_a + share * (radius_b - radius_a))

    return distance


def ellipsoid(centre: np.ndarray, radii: tuple[float, float, float], axes: np.ndarray | None = None) -> Field:
    """Ellipsoid; the rows of ``axes`` are its own axes in the world."""

    def distance(points: np.ndarray) -> np.ndarray:
        local = points - centre
        if axes is not None:
            local = local @ axes.T
        scaled = np.linalg.norm(local / np.array(radii), axis=-1)
        slope = np.linalg.norm(local / np.square(radii), axis=-1)
        return scaled * (scaled - 1) / np.maximum(slope, 1e-9)

    return distance


def loft(sections: np.ndarray) -> Field:
    """Upright elliptic tube: rows of height, half width, half depth, forward shift."""

    def distance(points: np.ndarray) -> np.ndarray:
        height = np.clip(points[..., 1], sections[0, 0], sections[-1, 0])
        width, depth, shift = (np.interp(height, sections[:, 0], sections[:, k]) for k in (1, 2, 3))
        x, z = points[..., 0], points[..., 2] - shift
        scaled = np.sqrt((x / width) ** 2 + (z / depth) ** 2)
        slope = np.sqrt((x / width**2) ** 2 + (z / depth**2) ** 2)
        flat = scaled * (scaled - 1) / np.maximum(slope, 1e-6)
        return np.hypot(np.maximum(flat, 0), points[..., 1] - height) + np.minimum(flat, 0)

    return distance


def melt(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Smooth union of two distances, rounded over ``width`` metres."""
    blend = np.maximum(width - np.abs(first - second), 0) / width
    return np.minimum(first, second) - blend * blend * width / 4


def melted(points: np.ndarray, shapes: list[Field], width: float) -> np.ndarray:
    """Smooth union of several shapes."""
    result = shapes[0](points)
    for shape in shapes[1:]:
        result = melt(result, shape(points), width)
    return result


def at(*values: float) -> np.ndarray:
    """Return a point."""
    return np.array(values)


def _frame(forward: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Rows: along ``forward``, near ``up``, and across both."""
    forward = forward / np.linalg.norm(forward)
    across = np.cross(forward, up)
    across /= np.linalg.norm(across)
    return np.stack([forward, np.cross(across, forward), across])


def _torso() -> list[Field]:
    sections = np.array(
        [
            # height, half width, half depth, forward shift
            [-0.13, 0.120, 0.085, -0.020],
            [-0.07, 0.158, 0.108, -0.026],
            [0.00, 0.153, 0.106, -0.020],
            [0.07, 0.137, 0.098, -0.012],
            [0.13, 0.130, 0.094, -0.010],
            [0.20, 0.140, 0.100, -0.010],
            [0.28, 0.156, 0.110, -0.010],
            [0.35, 0.164, 0.112, -0.014],
            [0.42, 0.150, 0.098, -0.028],
            [0.46, 0.110, 0.075, -0.036],
        ]
    )
    # Interpolating smoothly between few sections is finer than many sections.
    heights = np.linspace(sections[0, 0], sections[-1, 0], 60)
    smooth = np.stack(
        [heights] + [np.convolve(np.pad(np.interp(heights, sections[:, 0], sections[:, k]), 4, mode="edge"), np.ones(9) / 9, "valid") for k in (1, 2, 3)],
        axis=1,
    )
    shapes: list[Field] = [loft(smooth)]
    for side in (1, -1):
        shapes += [
            ellipsoid(at(side * 0.078, 0.345, 0.050), (0.075, 0.062, 0.046)),
            ellipsoid(at(side * 0.070, -0.085, -0.075), (0.080, 0.085, 0.066)),
            cone(at(side * 0.020, 0.530, -0.050), at(side * 0.155, 0.480, -0.045), 0.040, 0.050),
        ]
    return shapes


def _head() -> list[Field]:
    return [
        ellipsoid(at(0, 0.700, 0.014), (0.076, 0.104, 0.094)),
        ellipsoid(at(0, 0.640, 0.044), (0.054, 0.062, 0.058)),
        cone(at(0, 0.693, 0.104), at(0, 0.664, 0.116), 0.008, 0.012),
        cone(at(-0.004, 0.47, -0.046), at(0, 0.635, -0.006), 0.060, 0.052),
        ellipsoid(at(0.076, 0.680, 0.010), (0.010, 0.028, 0.017)),
        ellipsoid(at(-0.076, 0.680, 0.010), (0.010, 0.028, 0.017)),
    ]


def _hair(points: np.ndarray) -> np.ndarray:
    shell = melt(
        ellipsoid(at(0, 0.714, 0.002), (0.087, 0.106, 0.104))(points),
        ellipsoid(at(0, 0.792, 0.030), (0.058, 0.030, 0.066))(points),
        0.03,
    )
    return np.maximum(shell, -_hairline(points))


def _hairline(points: np.ndarray) -> np.ndarray:
    """Positive where hair grows: behind the ears and above the forehead."""
    behind = 0.028 - points[..., 2]
    above = points[..., 1] - 0.742
    sides = np.maximum(points[..., 1] - 0.640, -1.0)
    grows = -melt(-np.minimum(behind, sides), -(above + 0.25 * (0.1 - points[..., 2])), 0.02)
    return np.asarray(grows)


def _arm(side: str) -> list[Field]:
    shoulder, elbow = joint(f"{side}_shoulder"), joint(f"{side}_elbow")
    wrist, knuckles = joint(f"{side}_wrist"), joint(f"{side}_hand")
    collar = joint(f"{side}_collar")
    forearm = elbow + 0.30 * (wrist - elbow)
    along = (knuckles - wrist) / np.linalg.norm(knuckles - wrist)
    axes = _frame(along, at(0, 1, 0))
    thumb = at(0, -0.15, 1.0)
    return [
        cone(collar + at(0, -0.03, -0.01), shoulder, 0.060, 0.058),
        ellipsoid(shoulder + at(np.sign(shoulder[0]) * 0.020, 0.004, 0), (0.074, 0.062, 0.062)),
        cone(shoulder, elbow, 0.052, 0.039),
        # The sleeve stands off the arm a little.
        cone(shoulder + 0.1 * (elbow - shoulder), shoulder + 0.50 * (elbow - shoulder), 0.060, 0.058),
        cone(elbow, forearm, 0.039, 0.042),
        cone(forearm, wrist, 0.042, 0.026),
        ellipsoid(wrist + 0.055 * along, (0.062, 0.019, 0.041), axes),
        ellipsoid(wrist + 0.118 * along, (0.064, 0.015, 0.037), axes),
        cone(wrist + 0.025 * along + 0.020 * thumb, wrist + 0.085 * along + 0.058 * thumb, 0.015, 0.011),
    ]


def _leg(side: str) -> list[Field]:
    hip, knee, ankle = (joint(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
    out = at(np.sign(hip[0]), 0, 0)
    calf = knee + 0.28 * (ankle - knee)
    hem = knee + 0.86 * (ankle - knee)
    return [
        cone(hip + 0.026 * out + at(0, 0.02, 0), hip + 0.4 * (knee - hip) + 0.012 * out, 0.088, 0.082),
        cone(hip + 0.4 * (knee - hip) + 0.012 * out, knee, 0.082, 0.061),
        cone(knee, calf + at(0, 0, -0.012), 0.060, 0.062),
        cone(calf + at(0, 0, -0.012), hem, 0.062, 0.049),
        cone(hem, ankle + at(0, -0.01, 0.0), 0.036, 0.037),
    ]


def _shoe(side: str) -> list[Field]:
    ankle, ball = joint(f"{side}_ankle"), joint(f"{side}_foot")
    along = (ball - ankle) * np.array([1, 0, 1])
    along /= np.linalg.norm(along)
    floor = np.array([1, 0, 1])
    heel = ankle * floor - 0.038 * along
    toes = ball * floor + 0.052 * along
    middle = ball * floor
    axes = _frame(along, at(0, 1, 0))
    return [
        cone(heel + at(0, -0.940, 0), middle + at(0, -0.946, 0), 0.039, 0.041),
        ellipsoid(middle + at(0, -0.956, 0) - 0.01 * along, (0.095, 0.036, 0.049), axes),
        ellipsoid(toes + at(0, -0.958, 0) - 0.01 * along, (0.058, 0.030, 0.043), axes),
        cone(ankle + at(0, -0.005, 0), ankle * floor + 0.045 * along + at(0, -0.935, 0), 0.042, 0.036),
        # A low platform, so that the sole has an edge.
        ellipsoid(0.5 * (heel + toes) + at(0, -0.972, 0), (0.132, 0.018, 0.050), axes),
    ]


def body_field(points: np.ndarray) -> np.ndarray:
    """Signed distance in metres (roughly, negative inside) of the whole body at ``points`` ``(..., 3)``."""
    body = melted(points, _torso(), 0.045)
    # A belt line: the top hangs a little over the trousers.
    hem = np.maximum(melted(points, _torso()[:1], 0.045) - 0.011, np.abs(points[..., 1] - 0.03) - 0.055)
    body = melt(body, hem, 0.012)
    head = np.minimum(melted(points, _head(), 0.028), _hair(points))
    body = melt(body, head, 0.02)
    legs = []
    for side in ("left", "right"):
        body = melt(body, melted(points, _arm(side), 0.022), 0.040)
        shoe = melted(points, _shoe(side), 0.022)
        legs.append(melt(melted(points, _leg(side), 0.020), np.maximum(shoe, SOLE - points[..., 1]), 0.010))
    return melt(body, np.minimum(*legs), 0.035)


def _region_fields() -> list[tuple[str, Field]]:
    """Regions in order of precedence: a point belongs to the first whose field is positive, else to the trousers."""

    def sleeve_end(points: np.ndarray) -> np.ndarray:
        shares = []
        for side in ("left", "right"):
            start, end = joint(f"{side}_shoulder"), joint(f"{side}_elbow")
            shares.append(((points - start) @ (end - start)) / np.linalg.norm(end - start) - 0.150)
        return np.maximum(*shares)

    def neckline(points: np.ndarray) -> np.ndarray:
        return points[..., 1] - 0.528 + 0.55 * (points[..., 2] + 0.02) + 0.0 * points[..., 0]

    def below(height: float) -> Field:
        return lambda points: height - points[..., 1]

    ankle = 0.14 * joint("left_knee")[1] + 0.86 * joint("left_ankle")[1]
    return [
        ("hair", lambda points: np.minimum(_hairline(points), points[..., 1] - 0.60)),
        ("skin", sleeve_end),
        ("skin", lambda points: np.minimum(neckline(points), 0.13 - np.abs(points[..., 0]))),
        ("top", lambda points: points[..., 1] + 0.025),
        ("soles", below(SOLE + 0.020)),
        ("shoes", below(-0.893)),
        ("skin", below(ankle - 0.036)),
    ]


def _regions(points: np.ndarray) -> np.ndarray:
    """Return the region number of each point."""
    result = np.full(points.shape[:-1], REGIONS.index("trousers"))
    for name, field in reversed(_region_fields()):
        result = np.where(field(points) > 0, REGIONS.index(name), result)
    return result


def _gradient(field: Field, points: np.ndarray, step: float = 0.002) -> np.ndarray:
    shifts = np.eye(3) * step
    return np.stack([field(points + s) - field(points - s) for s in shifts], axis=-1) / (2 * step)


def _onto_surface(points: np.ndarray) -> np.ndarray:
    for _ in range(3):
        slope = _gradient(body_field, points)
        move = body_field(points)[:, None] * slope / np.maximum(np.sum(slope**2, axis=1, keepdims=True), 0.25)
        points = points - np.clip(move, -0.4 * STEP, 0.4 * STEP)
    return points


def _onto_borders(points: np.ndarray) -> np.ndarray:
    """Slide points that are near a colour border onto it, so that borders run along edges."""
    for name, field in _region_fields():
        value = field(points)
        slope = _gradient(field, points)
        move = value[:, None] * slope / np.maximum(np.sum(slope**2, axis=1, keepdims=True), 1e-6)
        before, after = points + slope * 0.004, points - slope * 0.004
        visible = (_regions(before) == REGIONS.index(name)) != (_regions(after) == REGIONS.index(name))
        near = (np.linalg.norm(move, axis=1) < 0.45 * STEP) & visible
        points = np.where(near[:, None], points - move, points)
    return points


@dataclass(frozen=True)
class _Bone:
    joint: int
    start: np.ndarray
    end: np.ndarray
    radius: float


def _bones() -> list[_Bone]:
    radii = {"pelvis": 0.12, "hip": 0.08, "knee": 0.06, "ankle": 0.04, "foot": 0.04, "spine": 0.12, "neck": 0.055}
    radii |= {"head": 0.09, "collar": 0.06, "shoulder": 0.05, "elbow": 0.04, "wrist": 0.03, "hand": 0.02}
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
            ends = [REST[12]]
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
    trunk = np.isin(owner, [SMPL24.index(n) for n in ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar", "left_hip", "right_hip", "left_shoulder", "right_shoulder")])
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
    vertices = _onto_borders(_onto_surface(vertices))
    regions = _regions(vertices[triangles].mean(axis=1))
    fine_weights = skin_weights(vertices, triangles)
    detailed = np.abs(vertices[:, 0]) > 0.68
    importance = np.where(detailed | (vertices[:, 1] > 0.60), 8.0, np.where(vertices[:, 1] < -0.88, 4.0, 1.0))
    light, corners, regions = decimate(vertices, triangles, regions, importance, TRIANGLES)
    nearest = np.array([np.argmin(np.sum((vertices - point) ** 2, axis=1)) for point in light])
    joints, levels = _strongest(fine_weights[nearest])
    # Points on a seam are stored once for each colour that meets there.
    keys, index = np.unique(corners.ravel() * len(REGIONS) + np.repeat(regions, 3), return_inverse=True)
    source = keys // len(REGIONS)
    normals = np.zeros_like(light)
    for k in range(3):
        np.add.at(normals, corners[:, k], face_normals(light, corners))
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
