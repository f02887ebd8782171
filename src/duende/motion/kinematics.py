"""Forward kinematics, and what is done to the quaternions of whole motions at once.

Quaternions are scalar last, as in :class:`scipy.spatial.transform.Rotation`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from duende.motion.quaternions import between, dots, normalised, product_of_components, vectors_turned
from duende.motion.skeleton import Skeleton

BLOCK = 1024
"""Frames worked on at a time: all joints of so many stay in the processor's cache."""
_BACK = np.array([[-1.0], [-1.0], [-1.0], [1.0]])
"""What components of a quaternion are multiplied by to turn back."""


def global_rotations(rotations: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Turn local rotations ``(T, J, 4)`` into world orientations ``(T, J, 4)``."""
    world = np.empty((len(rotations), len(skeleton), 4))
    for block in _blocks(len(rotations)):
        world[block] = _world(rotations[block], skeleton).transpose(2, 0, 1)
    return world


def local_rotations(world: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Turn world orientations ``(T, J, 4)`` into local rotations ``(T, J, 4)``."""
    local = np.empty(world.shape)
    for block in _blocks(len(world)):
        turns = np.ascontiguousarray(normalised(world[block]).transpose(1, 2, 0))
        for joint, parent in enumerate(skeleton.parents):
            turn = turns[joint]
            if parent >= 0:
                turn = product_of_components(_BACK * turns[parent], turn)
            local[block, joint] = turn.T
    return local


def forward_kinematics(rotations: np.ndarray, root: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Place all joints: local rotations ``(T, J, 4)`` and root ``(T, 3)`` metres to positions ``(T, J, 3)``."""
    positions = np.empty((len(root), len(skeleton), 3))
    for block in _blocks(len(root)):
        world, placed = _world(rotations[block], skeleton), np.empty((len(skeleton), 3, len(root[block])))
        for joint, parent in enumerate(skeleton.parents):
            placed[joint] = (
                root[block].T if parent < 0 else placed[parent] + vectors_turned(world[parent], skeleton.offsets[joint])
            )
        positions[block] = placed.transpose(2, 0, 1)
    return positions


def continuous_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Choose the sign of each quaternion ``(T, ..., 4)`` so that neighbours in time lie on the same side."""
    opposite = dots(rotations[1:], rotations[:-1]) < 0
    if not opposite.any():
        return rotations
    signs = np.cumprod(np.where(opposite, -1.0, 1.0), axis=0)[..., None]
    return np.concatenate([rotations[:1], rotations[1:] * signs])


def resample_quaternions(rotations: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate ``(T, J, 4)`` spherically at fractional frames ``at`` ``(N,)``, giving ``(N, J, 4)``."""
    before = np.minimum(np.floor(at).astype(int), len(rotations) - 1)
    after = np.minimum(before + 1, len(rotations) - 1)
    result = np.empty((len(at), *rotations.shape[1:]))
    for block in _blocks(len(at)):
        first, second = (normalised(rotations[frames[block]]) for frames in (before, after))
        result[block] = between(first, second, (at - before)[block, None])
    return result


def _world(rotations: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """World orientations of a block of frames, joints and components ``(J, 4, T)`` first."""
    local = np.ascontiguousarray(normalised(rotations).transpose(1, 2, 0))
    world = np.empty_like(local)
    for joint, parent in enumerate(skeleton.parents):
        world[joint] = local[joint] if parent < 0 else product_of_components(world[parent], local[joint])
    return world


def _blocks(frames: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK) for first in range(0, frames, BLOCK))
