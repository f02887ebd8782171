"""Quaternion arithmetic on whole motions, scalar last: products, interpolation, turns of vectors.

:class:`scipy.spatial.transform.Rotation` says the same in fewer words and multiplies twenty times slower; where every
joint of every frame is turned, that was most of the time. Quaternions are of length 1 and follow scipy's order:
``product(a, b)`` turns by b first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCK = 4096
"""Quaternions worked on at a time, so that what is in between stays in the processor's cache."""


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Turn by ``second`` ``(..., 4)``, then by ``first`` ``(..., 4)``."""
    return _by_blocks(product_of_components, first, second)


def inverse(quaternions: np.ndarray) -> np.ndarray:
    """Turn ``(..., 4)`` back."""
    return quaternions * np.array([-1.0, -1.0, -1.0, 1.0])


def normalised(quaternions: np.ndarray) -> np.ndarray:
    """Bring ``(..., 4)`` to length 1."""
    return np.asarray(quaternions / np.sqrt(dots(quaternions, quaternions))[..., None])


def applied(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Turn vectors ``(..., 3)`` by quaternions ``(..., 4)``."""
    return _by_blocks(vectors_turned, quaternions, vectors)


def about(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn about unit ``axes`` ``(..., 3)`` by ``angles`` ``(...)`` in radians."""
    half = np.asarray(angles)[..., None] / 2
    return np.concatenate([axes * np.sin(half), np.cos(half)], axis=-1)


def between(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Go ``share`` ``(...)`` of the short way from ``first`` ``(..., 4)`` to ``second``, on the side of ``first``."""
    share = np.broadcast_to(np.asarray(share, dtype=np.float64)[..., None], (*first.shape[:-1], 1))
    return _by_blocks(_between, first, second, share)


def shortest_turn(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Shortest turns ``(T, 4)`` of each of ``source`` ``(T, 3)`` to the direction of ``target`` ``(T, 3)``."""
    source, target = unit(source), unit(target)
    quaternions = np.concatenate([cross(source, target), 1 + dots(source, target)[:, None]], axis=1)
    opposite = dots(quaternions, quaternions) < 1e-12
    quaternions[opposite] = [1.0, 0.0, 0.0, 0.0]
    return normalised(quaternions)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Bring vectors ``(T, 3)`` to length 1, those of no length left at 0."""
    return np.asarray(vectors / np.maximum(np.sqrt(dots(vectors, vectors)), 1e-9)[:, None])


def dots(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dot products of vectors or quaternions ``(..., C)``."""
    return np.asarray(np.einsum("...i,...i->...", first, second))


def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross products of vectors ``(..., 3)``."""
    (a, b, c), (x, y, z) = (np.moveaxis(vectors, -1, 0) for vectors in (first, second))
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)


def product_of_components(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply as :func:`product` does, components ``(4, ...)`` first."""
    (a, b, c, d), (x, y, z, w) = first, second
    return np.stack(
        [
            d * x + a * w + b * z - c * y,
            d * y - a * z + b * w + c * x,
            d * z + a * y - b * x + c * w,
            d * w - a * x - b * y - c * z,
        ]
    )


def vectors_turned(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Turn vectors, components ``(3, ...)``, by quaternions, components ``(4, ...)``."""
    (a, b, c, d), (x, y, z) = quaternions, vectors
    # v + 2 d (u x v) + 2 u x (u x v), u the vector part.
    p, q, r = 2 * (b * z - c * y), 2 * (c * x - a * z), 2 * (a * y - b * x)
    return np.stack([x + d * p + b * r - c * q, y + d * q + c * p - a * r, z + d * r + a * q - b * p])


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate on the sphere; components first, ``share`` ``(1, ...)``."""
    second = np.where((first * second).sum(axis=0) < 0, -second, second)
    # By the tangent of half the angle: exact for small angles too, where the cosine tells nothing.
    apart, together = ((way * way).sum(axis=0) for way in (second - first, second + first))
    angle = 2 * np.arctan2(np.sqrt(apart), np.sqrt(together))
    sine = np.where(angle > 0, np.sin(angle), 1.0)
    rest = np.where(angle > 0, np.sin((1 - share) * angle) / sine, 1 - share)
    return first * rest + second * np.where(angle > 0, np.sin(share * angle) / sine, share)


def _by_blocks(work: Callable[..., np.ndarray], *operands: np.ndarray) -> np.ndarray:
    """Do ``work`` on arrays ``(..., N)`` whose leading axes agree or are broadcast, with N first and contiguous."""
    shape = np.broadcast_shapes(*(operand.shape[:-1] for operand in operands))
    rows = [
        np.broadcast_to(operand, (*shape, operand.shape[-1])).reshape(-1, operand.shape[-1]) for operand in operands
    ]
    result = np.empty((len(rows[0]), rows[1].shape[-1]))
    for first in range(0, len(result), BLOCK):
        block = slice(first, first + BLOCK)
        result[block] = work(*(np.ascontiguousarray(row[block].T) for row in rows)).T
    return result.reshape(*shape, result.shape[1])
