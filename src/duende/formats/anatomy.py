"""The dancer's shape and clothes, as a distance field and as regions of colour, in the rest pose of SMPL24.

Rounded cones and ellipsoids along the bones melt into one field, negative inside. Nothing is taken from a licensed
body model.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d

from duende.motion import SMPL24

SOLE = -0.978
"""Metres: height of the soles at rest."""
HEM = -0.045
"""Metres: where the top ends."""
PALETTE = {
    "skin": (226, 174, 142),
    "hair": (48, 36, 38),
    "glasses": (26, 28, 36),
    "top": (216, 78, 58),
    "trousers": (52, 60, 92),
    "shoes": (40, 40, 48),
    "soles": (238, 234, 226),
}
REGIONS = tuple(PALETTE)
REST = SMPL24.rest_positions
GLASSES = (0.705, 0.016)
"""Metres: height of their middle, and half of their height."""
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
    columns = [gaussian_filter1d(np.interp(heights, sections[:, 0], column), 3.0) for column in sections.T[1:]]
    shapes: list[Field] = [loft(np.stack([heights, *columns], axis=1))]
    for side in (1, -1):
        shapes += [
            ellipsoid(at(side * 0.066, 0.365, 0.038), (0.084, 0.062, 0.040)),
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
        # Glasses tell from afar where the dancer looks.
        _glasses,
        ellipsoid(at(0.076, 0.680, 0.010), (0.010, 0.028, 0.017)),
        ellipsoid(at(-0.076, 0.680, 0.010), (0.010, 0.028, 0.017)),
    ]


def _glasses(points: np.ndarray) -> np.ndarray:
    shell = ellipsoid(at(0, 0.700, 0.017), (0.078, 0.112, 0.101))(points)
    band = np.abs(points[..., 1] - GLASSES[0]) - GLASSES[1]
    return np.maximum(np.maximum(shell, band), 0.03 - points[..., 2])


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
    above = points[..., 1] - 0.752
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
        ellipsoid(wrist + 0.055 * along, (0.060, 0.020, 0.042), axes),
        ellipsoid(wrist + 0.090 * along, (0.040, 0.018, 0.043), axes),
        cone(wrist + 0.09 * along + at(0, 0, 0.022), wrist + 0.145 * along + at(0, 0, 0.018), 0.014, 0.011),
        cone(wrist + 0.09 * along, wrist + 0.158 * along, 0.015, 0.012),
        cone(wrist + 0.09 * along - at(0, 0, 0.022), wrist + 0.142 * along - at(0, 0, 0.020), 0.014, 0.011),
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
    # The top hangs a little over the trousers.
    flare = np.clip((0.16 - points[..., 1]) / (0.16 - HEM), 0, 1)
    body = melt(body, np.maximum(_torso()[0](points) - 0.013 * flare, HEM - points[..., 1]), 0.008)
    head = np.minimum(melted(points, _head(), 0.028), _hair(points))
    body = melt(body, head, 0.02)
    legs = []
    for side in ("left", "right"):
        body = melt(body, melted(points, _arm(side), 0.022), 0.040)
        shoe = melted(points, _shoe(side), 0.022)
        legs.append(melt(melted(points, _leg(side), 0.020), np.maximum(shoe, SOLE - points[..., 1]), 0.010))
    return melt(body, np.minimum(*legs), 0.035)


def region_fields() -> list[tuple[str, Field]]:
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
        (
            "glasses",
            lambda points: np.minimum(GLASSES[1] - np.abs(points[..., 1] - GLASSES[0]), points[..., 2] - 0.034),
        ),
        ("hair", lambda points: np.minimum(_hairline(points), points[..., 1] - 0.60)),
        ("skin", sleeve_end),
        ("skin", lambda points: np.minimum(neckline(points), 0.13 - np.abs(points[..., 0]))),
        ("top", lambda points: points[..., 1] - HEM + 0.008),
        ("soles", below(SOLE + 0.020)),
        ("shoes", below(-0.893)),
        ("skin", below(ankle - 0.036)),
    ]


def regions_at(points: np.ndarray) -> np.ndarray:
    """Return the region number of each point."""
    result = np.full(points.shape[:-1], REGIONS.index("trousers"))
    for name, field in reversed(region_fields()):
        result = np.where(field(points) > 0, REGIONS.index(name), result)
    return result
