"""Where live sound comes from: chunks of samples, each when its last sample would have been heard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from duende.audio.song import Song
from duende.live.clock import Clock, MonotonicClock

CHUNK_SECONDS = 0.02
"""Length of a chunk of sound."""


class SoundSource(Protocol):
    """Sound at its own pace, and how far it has come."""

    @property
    def title(self) -> str:
        """What it is called, for people."""

    @property
    def rate(self) -> int:
        """Samples a second."""

    @property
    def moment(self) -> float | None:
        """Seconds since the first sound, running on without steps; None before it."""

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield mono samples ``(n,)`` float32 as they are heard, without a gap."""

    def close(self) -> None:
        """Let go of the device, if there is one."""


class FileSource:
    """A song at the pace at which it is heard.

    A consumer that is slow gets the chunks that it missed at once: no sound is left out.

    Args:
        song: what plays.
        seconds: how long it plays; None for its own length.
        repeat: begin again where it ends, so long as ``seconds`` say, without them for ever.
        clock: sets the pace.
    """

    def __init__(
        self, song: Song, seconds: float | None = None, repeat: bool = False, clock: Clock | None = None
    ) -> None:
        self.song = song
        own = math.inf if repeat else song.duration
        self.seconds = own if seconds is None else min(own, seconds)
        self._clock = clock or MonotonicClock()
        self._begun: float | None = None

    @property
    def title(self) -> str:
        """The song's name."""
        return self.song.name

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.song.rate

    @property
    def moment(self) -> float | None:
        """Seconds since the first sound; None before it."""
        return None if self._begun is None else self._clock.now() - self._begun

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the song in chunks ``(n,)`` float32, each when its last sample would have been heard."""
        self._begun = self._clock.now()
        size, begin = max(1, round(CHUNK_SECONDS * self.rate)), 0
        while len(chunk := self.samples(begin, size)):
            begin += len(chunk)
            self._clock.wait(self._begun + begin / self.rate - self._clock.now())
            yield chunk

    def samples(self, begin: int, count: int) -> np.ndarray:
        """Return up to ``count`` samples from sample ``begin`` of all that plays, fewer where it ends."""
        end = min(begin + count, self.seconds * self.rate)
        if end <= begin:
            return np.zeros(0, np.float32)
        return self.song.samples[np.arange(begin, round(end)) % len(self.song.samples)]

    def close(self) -> None:
        """Nothing is held open."""
