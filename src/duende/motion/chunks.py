"""A stretch of a dance that is still going on."""

from __future__ import annotations

from dataclasses import dataclass

from duende.motion.motion import Motion


@dataclass(frozen=True, eq=False)
class MotionChunk:
    """Frames that follow those of the chunk before.

    Attributes:
        begin: number of the first frame; frame k belongs to the moment ``k / motion.fps`` seconds after the first sound.
        motion: the frames.
    """

    begin: int
    motion: Motion

    @property
    def end(self) -> int:
        """Number of the frame after the last."""
        return self.begin + len(self.motion)
