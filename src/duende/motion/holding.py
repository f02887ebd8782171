"""What of a dance is held while the rest is danced anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from duende.errors import DuendeError
from duende.motion.motion import Motion
from duende.motion.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class HeldMotion:
    """A dance of which some joints are held at some times.

    Attributes:
        motion: as long as the dance that is to be made; where nothing is held its values do not matter.
        joints: ``(T, J)`` bool, whose rotations are held; that of the root holds its path too.
    """

    motion: Motion
    joints: np.ndarray

    def __post_init__(self) -> None:
        wanted = (len(self.motion), len(self.motion.skeleton))
        if self.joints.shape != wanted:
            raise DuendeError(f"what is held is told for {wanted} frames and joints, got {self.joints.shape}")
        if self.joints.all():
            raise DuendeError(
                "everything is held for the whole song and nothing is left to dance; "
                "hold a shorter time or a part of the body"
            )

    @cached_property
    def beginning(self) -> int | None:
        """How many frames of the beginning are held, where all joints are held then and none later; else None."""
        whole = np.asarray(self.joints.all(axis=1))
        count = int(np.argmin(whole))
        return count if count and not self.joints[count:].any() else None

    @cached_property
    def half(self) -> str | None:
        """``"upper"`` or ``"lower"`` where that half of the body is held all the time and nothing else; else None.

        The path and the way that the root faces may be held with either.
        """
        skeleton = self.motion.skeleton
        for name, joints in (("upper", skeleton.upper), ("lower", skeleton.lower)):
            mask = np.zeros(len(skeleton), dtype=bool)
            mask[list(carried_by(skeleton, joints))] = True
            if (self.joints == mask).all():
                return name
        return None

    def at_rate(self, fps: float) -> HeldMotion:
        """Return the same at another frame rate."""
        if fps == self.motion.fps:
            return self
        motion = self.motion.resampled(fps)
        nearest = np.minimum((np.arange(len(motion)) / fps * self.motion.fps + 0.5).astype(int), len(self.motion) - 1)
        return HeldMotion(motion, self.joints[nearest])

    def fitted(self, frames: int) -> HeldMotion:
        """Cut it, or repeat its last frame without holding it, to ``frames``."""
        joints = np.zeros((frames, self.joints.shape[1]), dtype=bool)
        joints[: len(self.joints)] = self.joints[:frames]
        return HeldMotion(self.motion.lasting(frames), joints)

    def put_into(self, dance: Motion) -> Motion:
        """Return ``dance``, of the same length and rate, with what is held in its place."""
        rotations = np.where(self.joints[..., None], self.motion.rotations, dance.rotations)
        root = np.where(self.joints[:, :1], self.motion.root, dance.root)
        return Motion(rotations, root, dance.fps, dance.skeleton)


def carried_by(skeleton: Skeleton, joints: Iterable[int]) -> tuple[int, ...]:
    """Return ``joints`` and all that carry them, up to the root: held together, they stay where they are."""
    found: set[int] = set()
    for joint in joints:
        while joint >= 0 and joint not in found:
            found.add(joint)
            joint = skeleton.parents[joint]
    return tuple(sorted(found))
