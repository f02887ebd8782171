"""A stretch of a dance that is still going on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from duende.errors import DuendeError
from duende.motion.motion import Motion


@dataclass(frozen=True, eq=False)
class MotionChunk:
    """Frames that follow those of the chunk before.

    Attributes:
        begin: number of the first frame; frame k belongs to ``k / motion.fps`` seconds after the first sound.
        motion: the frames.
    """

    begin: int
    motion: Motion

    @property
    def end(self) -> int:
        """Number of the frame after the last."""
        return self.begin + len(self.motion)


def gathered(chunks: Iterable[MotionChunk]) -> Motion:
    """Join chunks that follow one another.

    Raises:
        DuendeError: there are none, or one does not begin where the one before ends.
    """
    parts = list(chunks)
    if not parts:
        raise DuendeError("no chunk of motion was given; give at least one")
    for part, following in pairwise(parts):
        if following.begin != part.end:
            raise DuendeError(f"a chunk ends before frame {part.end}, the next begins at {following.begin}; give all")
    rotations, root = (np.concatenate([getattr(part.motion, name) for part in parts]) for name in ("rotations", "root"))
    return replace(parts[0].motion, rotations=rotations, root=root)
