"""Forward kinematics and the few quaternion operations that work on whole motions at once.

Quaternions are scalar last, as in :class:`scipy.spatial.transform.Rotation`.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from duende.motion.skeleton import Skeleton


def global_rotations(rotations: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Turn local rotations ``(T, J, 4)`` into world orientations ``(T, J, 4)``."""
    world: list[Rotation] = []
    for joint, parent in enumerate(skeleton.parents):
        local = Rotation.from_quat(rotations[:, joint])
        world.append(local if parent < 0 else world[parent] * local)
    return np.stack([rotation.as_quat() for rotation in world], axis=1)


def local_rotations(world: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Turn world orientations ``(T, J, 4)`` into local rotations ``(T, J, 4)``."""
    turns = [Rotation.from_quat(world[:, joint]) for joint in range(len(skeleton))]
    return np.stack(
        [
            (turns[joint] if parent < 0 else turns[parent].inv() * turns[joint]).as_quat()
            for joint, parent in enumerate(skeleton.parents)
        ],
        axis=1,
    )


def forward_kinematics(rotations: np.ndarray, root: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Place all joints: local rotations ``(T, J, 4)`` and root ``(T, 3)`` metres to positions ``(T, J, 3)``."""
    world = global_rotations(rotations, skeleton)
    positions = np.empty((len(root), len(skeleton), 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            positions[:, joint] = root
        else:
            turned = Rotation.from_quat(world[:, parent]).apply(skeleton.offsets[joint])
            positions[:, joint] = positions[:, parent] + turned
    return positions


def continuous_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Choose the sign of each quaternion ``(T, ..., 4)`` so that neighbours in time lie on the same side."""
    dots = np.sum(rotations[1:] * rotations[:-1], axis=-1, keepdims=True)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    return np.concatenate([rotations[:1], rotations[1:] * signs])


def resample_quaternions(rotations: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate ``(T, J, 4)`` spherically at fractional frames ``at`` ``(N,)``, giving ``(N, J, 4)``."""
    before = np.minimum(np.floor(at).astype(int), len(rotations) - 1)
    after = np.minimum(before + 1, len(rotations) - 1)
    share = np.repeat(at - before, rotations.shape[1])[:, None]
    first = Rotation.from_quat(rotations[before].reshape(-1, 4))
    second = Rotation.from_quat(rotations[after].reshape(-1, 4))
    turn = (first.inv() * second).as_rotvec() * share
    return (first * Rotation.from_rotvec(turn)).as_quat().reshape(len(at), -1, 4)
