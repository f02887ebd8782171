"""From a distance field to a light triangle mesh: surface nets, then edge collapses by quadric error.

Used only to sculpt the body (:mod:`duende.formats.sculpt`). Naive surface nets follow S. Gibson (1998), the collapses
M. Garland and P. Heckbert (1997).
"""

from __future__ import annotations

import heapq

import numpy as np

BORDER_WEIGHT = 20.0
"""How firmly collapses keep to the borders between regions, compared with the surface itself."""
EDGE_WEIGHT = 2e-6
"""Square metres per square metre: a little cost for length, so that flat places keep well-shaped triangles."""


def surface_nets(field: np.ndarray, origin: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Mesh the zero level of ``field`` ``(X, Y, Z)`` (negative inside), sampled every ``step`` from ``origin``.

    Returns:
        Vertices ``(V, 3)`` in the units of ``origin`` and triangles ``(F, 3)``, counter-clockwise from outside.
    """
    inside = field < 0
    cells = np.array(field.shape) - 1
    total = np.zeros((*cells, 3))
    count = np.zeros(cells)
    quads = []
    for axis in range(3):
        low, high = _slices(axis, 0, -1), _slices(axis, 1, None)
        crossing = np.argwhere(inside[low] != inside[high])
        first = field[low][tuple(crossing.T)]
        second = field[high][tuple(crossing.T)]
        point = crossing.astype(float)
        point[:, axis] += first / (first - second)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        around = []
        for shift_one, shift_two in ((1, 1), (0, 1), (0, 0), (1, 0)):
            cell = crossing.copy()
            cell[:, one] -= shift_one
            cell[:, two] -= shift_two
            np.add.at(total, tuple(cell.T), point)
            np.add.at(count, tuple(cell.T), 1)
            around.append(np.ravel_multi_index(tuple(cell.T), tuple(cells)))
        quad = np.stack(around, axis=1)
        quads.append(np.where((first < 0)[:, None], quad, quad[:, ::-1]))
    used = np.flatnonzero(count.ravel())
    vertices = total.reshape(-1, 3)[used] / count.ravel()[used, None] * step + origin
    number = np.full(count.size, -1)
    number[used] = np.arange(len(used))
    corners = number[np.concatenate(quads)]
    return vertices, np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def _slices(axis: int, start: int, stop: int | None) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if a == axis else slice(None) for a in range(3))


def cut(vertices: np.ndarray, triangles: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split the triangles that ``values`` ``(V,)`` change sign on along the line where they are zero.

    Returns:
        All vertices, new ones last, and the triangles.
    """
    sign = np.sign(values)
    pairs = neighbour_pairs(triangles)
    pairs = pairs[sign[pairs[:, 0]] * sign[pairs[:, 1]] < 0]
    first, second = values[pairs[:, 0]], values[pairs[:, 1]]
    share = (first / (first - second))[:, None]
    added = vertices[pairs[:, 0]] * (1 - share) + vertices[pairs[:, 1]] * share
    number = {(int(a), int(b)): len(vertices) + k for k, (a, b) in enumerate(pairs)}
    pieces: list[tuple[int, ...]] = []
    for corners in triangles.tolist():
        outline = []
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            outline.append(a)
            new = number.get((min(a, b), max(a, b)))
            if new is not None:
                outline.append(new)
        # Begin at a point of the cut, so that a fan from it keeps to its own side.
        while len(outline) > 3 and not (outline[0] >= len(vertices) and _on_line(outline[2:-1], len(vertices), sign)):
            outline = outline[1:] + outline[:1]
        pieces += [(outline[0], outline[k], outline[k + 1]) for k in range(1, len(outline) - 1)]
    return np.concatenate([vertices, added]), np.array(pieces)


def _on_line(corners: list[int], old: int, sign: np.ndarray) -> bool:
    return any(corner >= old or sign[corner] == 0 for corner in corners)


def face_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return normals ``(F, 3)``, twice the triangle's area long."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def neighbour_pairs(triangles: np.ndarray) -> np.ndarray:
    """Return every edge ``(E, 2)`` once, the smaller index first."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.unique(np.sort(edges, axis=1), axis=0)


def _quadrics(vertices: np.ndarray, triangles: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Sum over each vertex's planes ``(V, 4, 4)``; borders between regions add planes across the surface."""
    normals = face_normals(vertices, triangles)
    area = np.linalg.norm(normals, axis=1, keepdims=True)
    unit = normals / np.maximum(area, 1e-12)
    result = np.zeros((len(vertices), 4, 4))

    def add(plane_normals: np.ndarray, points: np.ndarray, scale: np.ndarray, corners: np.ndarray) -> None:
        planes = np.concatenate([plane_normals, -np.sum(plane_normals * points, axis=1, keepdims=True)], axis=1)
        outer = planes[:, :, None] * planes[:, None, :] * scale[:, None, None]
        for column in corners.T:
            np.add.at(result, column, outer)

    add(unit, vertices[triangles[:, 0]], area[:, 0], triangles)
    for k in range(3):
        edge = triangles[:, [k, (k + 1) % 3]]
        border = _across(triangles, regions)[:, k]
        along = vertices[edge[border, 1]] - vertices[edge[border, 0]]
        side = np.cross(along, unit[border])
        length = np.linalg.norm(side, axis=1, keepdims=True)
        add(
            side / np.maximum(length, 1e-12),
            vertices[edge[border, 0]],
            BORDER_WEIGHT * length[:, 0] ** 2,
            edge[border],
        )
    return result


def _across(triangles: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Whether the edge after each corner ``(F, 3)`` lies between two regions."""
    region_of = {
        (int(t[k]), int(t[(k + 1) % 3])): int(region)
        for t, region in zip(triangles, regions, strict=True)
        for k in range(3)
    }
    return np.array(
        [
            [region_of.get((int(t[(k + 1) % 3]), int(t[k])), int(region)) != region for k in range(3)]
            for t, region in zip(triangles, regions, strict=True)
        ]
    )


def decimate(
    vertices: np.ndarray, triangles: np.ndarray, regions: np.ndarray, importance: np.ndarray, target: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Collapse edges, cheapest first, until at most ``target`` triangles are left.

    Args:
        vertices: ``(V, 3)``.
        triangles: ``(F, 3)``, a closed mesh.
        regions: ``(F,)`` int; borders between regions are kept.
        importance: ``(V,)``, above 1 where detail matters more.
        target: number of triangles.

    Returns:
        New vertices, triangles and the regions of the triangles. Deterministic.
    """
    points = vertices.copy()
    quadrics = _quadrics(vertices, triangles, regions) * importance[:, None, None]
    faces = {number: [int(v) for v in face] for number, face in enumerate(triangles)}
    around: list[set[int]] = [set() for _ in points]
    for number, face in faces.items():
        for v in face:
            around[v].add(number)
    version = [0] * len(points)
    heap: list[tuple[float, int, int, int, int]] = []

    def offer(a: int, b: int) -> None:
        middle = _best_point(quadrics[a] + quadrics[b], points[a], points[b])
        spread = EDGE_WEIGHT * importance[a] * float(np.sum((points[a] - points[b]) ** 2))
        heapq.heappush(heap, (middle[1] + spread, a, b, version[a], version[b]))

    for a, b in neighbour_pairs(triangles):
        offer(int(a), int(b))
    while len(faces) > target and heap:
        _, a, b, seen_a, seen_b = heapq.heappop(heap)
        if version[a] != seen_a or version[b] != seen_b or not around[a] or not around[b]:
            continue
        place, _ = _best_point(quadrics[a] + quadrics[b], points[a], points[b])
        shared = around[a] & around[b]
        ring_a = {v for f in around[a] for v in faces[f]}
        ring_b = {v for f in around[b] for v in faces[f]}
        moved = (around[a] | around[b]) - shared
        if len(shared) != 2 or len(ring_a & ring_b) != 4 or _flips(points, faces, moved, a, b, place):
            continue
        points[a] = place
        quadrics[a] += quadrics[b]
        for number in shared:
            for v in faces.pop(number):
                around[v].discard(number)
        for number in around[b]:
            faces[number] = [a if v == b else v for v in faces[number]]
        around[a] |= around[b]
        around[b] = set()
        version[a] += 1
        version[b] += 1
        for v in sorted((ring_a | ring_b) - {a, b}):
            offer(min(a, v), max(a, v))
    kept = sorted(faces)
    corners = np.array([faces[number] for number in kept])
    used, compact = np.unique(corners, return_inverse=True)
    return points[used], compact.reshape(-1, 3), regions[kept]


def _best_point(quadric: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the point of least error for an edge, near its middle where the error does not decide, and the error."""
    middle = (a + b) / 2
    size = np.trace(quadric[:3, :3]) * 1e-3
    matrix = quadric[:3, :3] + size * np.eye(3)
    point = np.linalg.solve(matrix, size * middle - quadric[:3, 3])
    whole = np.append(point, 1.0)
    return point, float(max(whole @ quadric @ whole, 0.0))


def _flips(
    points: np.ndarray, faces: dict[int, list[int]], numbers: set[int], a: int, b: int, place: np.ndarray
) -> bool:
    """Whether moving ``a`` and ``b`` to ``place`` turns a triangle over or makes it a sliver."""
    if not numbers:
        return False
    corners = np.array([faces[number] for number in sorted(numbers)])
    before = points[corners]
    after = np.where(((corners == a) | (corners == b))[..., None], place, before)
    old, new = (np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]) for t in (before, after))
    lengths = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    longest = np.max(np.sum((after - np.roll(after, 1, axis=1)) ** 2, axis=2), axis=1)
    longest_before = np.max(np.sum((before - np.roll(before, 1, axis=1)) ** 2, axis=2), axis=1)
    was = np.linalg.norm(old, axis=1) / np.maximum(longest_before, 1e-12)
    sliver = np.linalg.norm(new, axis=1) < np.minimum(0.15, was) * longest
    return bool((np.sum(old * new, axis=1) < 0.3 * lengths).any() or sliver.any())
