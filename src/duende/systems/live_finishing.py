"""What is done to a dance that goes on: the same clean-up, over the last seconds and what has come since."""

from __future__ import annotations

import numpy as np

from duende.motion import Motion
from duende.motion.calming import calmed
from duende.motion.chunks import MotionChunk
from duende.motion.feet import plant_feet
from duende.motion.joining import continued
from duende.systems.coding import StreamingSystem
from duende.systems.decoding import Channels

CONTEXT = 1.0
"""Seconds before the new frames that are cleaned up with them."""


class LiveFinishing:
    """Channels in, frames of a motion out, as soon as they no longer change.

    Each piece is fitted and cleaned up with the second before it, then turned, carried and eased so that it goes on
    where the frames that have left already stand.

    Args:
        system: that turns channels into a motion.
        settle: frames at the end of a piece that wait for the next one, since what comes after would change them.
        clean_up: take trembling out and plant the feet.
    """

    def __init__(self, system: StreamingSystem, settle: int, clean_up: bool = True) -> None:
        self.system, self.settle, self.clean_up = system, settle, clean_up
        self._context = round(CONTEXT * system.config.frame_rate)
        self._channels: Channels = {}
        self._first = 0
        """Frame where the kept channels begin."""
        self._done: Motion | None = None
        """The last frame that has left."""
        self.left = 0
        """Frames that have left."""

    def add(self, channels: Channels) -> MotionChunk | None:
        """Take channels that follow the ones before; return the frames that are ready, if any."""
        kept = self._channels or {name: values[:0] for name, values in channels.items()}
        self._channels = {name: np.concatenate([kept[name], values]) for name, values in channels.items()}
        end = self._first + len(self._channels["root"]) - self.settle
        if end <= self.left:
            return None
        motion = self.system.embodied(self._channels)
        if self.clean_up:
            motion = plant_feet(calmed(motion))
        ready = self._going_on(motion).cropped(0, end - self.left)
        chunk = MotionChunk(self.left, ready)
        self._forget(ready, end)
        return chunk

    def _going_on(self, motion: Motion) -> Motion:
        """Carry the motion of all channels to the last frame that has left, and return what comes after it."""
        if self._done is None:
            return motion
        joined = continued(self._done, motion.cropped(self.left - self._first - 1, len(motion)), 1)
        return joined.cropped(1, len(joined))

    def _forget(self, ready: Motion, end: int) -> None:
        """Keep of what has left only the context of what comes."""
        self._done = ready.cropped(len(ready) - 1, len(ready))
        self.left = end
        first = max(self._first, end - self._context)
        self._channels = {name: values[first - self._first :] for name, values in self._channels.items()}
        self._first = first
