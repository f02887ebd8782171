"""The dancer's body: one skinned mannequin on the SMPL-24 skeleton, shared by the video and the web page.

The shape is our own (see :mod:`duende.formats.sculpt`), so no licensed body model is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion import SMPL24, Motion

ASSET = "assets/body.npz"
SRGB_GAMMA, SRGB_KNEE, SRGB_SLOPE, SRGB_SHIFT = 2.4, 0.04045, 12.92, 0.055
"""Of the sRGB curve (IEC 61966-2-1)."""
BLOCK = 128
"""Frames skinned at a time: keeps the working set small whatever the length of the dance."""


@dataclass(frozen=True, eq=False)
class Body:
    """A closed triangle mesh in the rest pose of SMPL24 (root joint at the origin) with its skin weights.

    Points on a colour seam are stored once for each colour, so that colours stay crisp where they are interpolated.

    Attributes:
        vertices: ``(V, 3)`` float32 metres.
        normals: ``(V, 3)`` float32, unit length, outwards.
        triangles: ``(F, 3)`` int32, counter-clockwise seen from outside.
        joints: ``(V, 4)`` uint8, the joints that carry each vertex.
        weights: ``(V, 4)`` float32, how much each of them carries; rows sum to 1.
        colours: ``(V, 3)`` uint8, sRGB.
    """

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    colours: np.ndarray

    @property
    def sole(self) -> float:
        """Metres from the lowest joint at rest down to the soles."""
        return float(SMPL24.rest_positions[:, 1].min() - self.vertices[:, 1].min())

    def skin(self, motion: Motion) -> np.ndarray:
        """Pose the body in every frame: vertices ``(T, V, 3)`` float32 metres in the world.

        Raises:
            DuendeError: the motion is not on SMPL24.
        """
        posed = np.empty((len(motion), len(self.vertices), 3), dtype=np.float32)
        start = 0
        for block in self.skin_blocks(motion):
            posed[start : start + len(block)] = block
            start += len(block)
        return posed

    def skin_blocks(self, motion: Motion, frames: int = BLOCK) -> Iterator[np.ndarray]:
        """Pose the body block by block: arrays ``(<=frames, V, 3)`` in order, for dances that would not fit at once.

        Raises:
            DuendeError: the motion is not on SMPL24.
        """
        for start in range(0, len(motion), frames):
            part = motion.cropped(start, start + frames)
            yield self._blend(_table(self, normals=False), joint_transforms(part))

    def skin_normals(self, motion: Motion) -> np.ndarray:
        """Turn the normals along with the body: ``(T, V, 3)`` float32, about unit length.

        Raises:
            DuendeError: the motion is not on SMPL24.
        """
        return self._blend(_table(self, normals=True), joint_transforms(motion))

    def skin_frame(self, motion: Motion, frame: int) -> np.ndarray:
        """Pose the body in one frame: vertices ``(V, 3)`` float32 metres in the world."""
        return self.skin(motion.cropped(frame, frame + 1))[0]

    def _blend(self, table: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        """Linear blend skinning with ``(T, J, 3, 4)`` transforms: one matrix product for all vertices."""
        frames, joints = transforms.shape[:2]
        columns = transforms.transpose(1, 3, 0, 2).reshape(joints * 4, frames * 3)
        posed = table @ columns
        return np.ascontiguousarray(posed.reshape(len(self.vertices), frames, 3).transpose(1, 0, 2))


@lru_cache(maxsize=4)
def _table(body: Body, normals: bool) -> np.ndarray:
    """Rows hold each vertex (or normal) times its weight, joint by joint: ``(V, 24 * 4)``."""
    count = len(body.vertices)
    what = body.normals if normals else body.vertices
    homogeneous = np.concatenate([what, np.full((count, 1), 0 if normals else 1, np.float32)], axis=1)
    table = np.zeros((count, len(SMPL24), 4), np.float32)
    for slot in range(body.joints.shape[1]):
        table[np.arange(count), body.joints[:, slot]] += body.weights[:, slot, None] * homogeneous
    return table.reshape(count, -1)


def joint_transforms(motion: Motion) -> np.ndarray:
    """Return ``(T, J, 3, 4)`` float32: how each joint moves a point of the rest pose (root at the origin).

    Raises:
        DuendeError: the motion is not on SMPL24.
    """
    if motion.skeleton.names != SMPL24.names:
        raise DuendeError(
            f"the body is made for the {len(SMPL24)} SMPL joints, and this motion has {len(motion.skeleton)} others; "
            "retarget it to SMPL24 first"
        )
    frames, joints = len(motion), len(SMPL24)
    turns = Rotation.from_quat(motion.global_rotations.reshape(-1, 4)).as_matrix().reshape(frames, joints, 3, 3)
    moved = motion.positions - np.einsum("tjab,jb->tja", turns, motion.skeleton.rest_positions)
    return np.concatenate([turns, moved[..., None]], axis=-1).astype(np.float32)


@lru_cache(maxsize=1)
def load_body() -> Body:
    """Load the mannequin that comes with the package."""
    with resources.files("duende.formats").joinpath(ASSET).open("rb") as file, np.load(file) as stored:
        return Body(
            vertices=stored["vertices"].astype(np.float32),
            normals=stored["normals"].astype(np.float32),
            triangles=stored["triangles"].astype(np.int32),
            joints=stored["joints"],
            weights=stored["weights"].astype(np.float32) / 255.0,
            colours=stored["colours"],
        )


def linear_colours(colours: ArrayLike) -> np.ndarray:
    """Turn sRGB ``(..., 3)`` from 0 to 255 into linear colours from 0 to 1, as scene formats have them."""
    shares = np.asarray(colours) / 255.0
    curved = ((shares + SRGB_SHIFT) / (1 + SRGB_SHIFT)) ** SRGB_GAMMA
    return np.where(shares <= SRGB_KNEE, shares / SRGB_SLOPE, curved)
