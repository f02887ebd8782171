"""Rotations as six numbers and the joints they place, in tensors that gradients flow through.

Six numbers are the first two *rows* of a rotation matrix, one after the other, which is EDGE's and pytorch3d's reading
of Zhou et al., "On the Continuity of Rotation Representations in Neural Networks" (CVPR 2019); the paper itself takes
the first two columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def matrices_from_six(six: Tensor) -> Tensor:
    """Turn any ``(..., 6)`` into rotation matrices ``(..., 3, 3)`` by Gram and Schmidt's orthogonalisation."""
    first, second = six.unflatten(-1, (2, 3)).unbind(-2)
    first = F.normalize(first, dim=-1)
    second = F.normalize(second - (first * second).sum(dim=-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-2)


def joint_positions(rotations: Tensor, root: Tensor, offsets: Tensor, parents: Sequence[int]) -> Tensor:
    """Place all joints.

    Args:
        rotations: ``(B, T, J, 3, 3)``, each joint's relative to its parent.
        root: ``(B, T, 3)`` position of the first joint.
        offsets: ``(J, 3)``, each joint relative to its parent at rest; the root's has no part.
        parents: index of each joint's parent; the root comes first with -1, and parents before their children.

    Returns:
        ``(B, T, J, 3)`` in the units of root and offsets.
    """
    # Taken apart once: a gradient through an index would fill a whole tensor for every joint.
    turns, bones = rotations.unbind(dim=2), offsets.unbind()
    world, places = [turns[0]], [root]
    for joint, parent in enumerate(parents[1:], start=1):
        world.append(world[parent] @ turns[joint])
        places.append(places[parent] + world[parent] @ bones[joint])
    return torch.stack(places, dim=2)
