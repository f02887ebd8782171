"""A dance in chunks without a network, and a clock that only runs when somebody waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.spatial.transform import Rotation

from duende.audio.song import Song
from duende.motion import Motion
from duende.motion.chunks import MotionChunk

FPS = 60.0


class FakeClock:
    """Time passes by waiting alone."""

    def __init__(self, time: float = 100.0) -> None:
        self.time = time
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += max(0.0, seconds)


def swaying(seconds: float) -> Motion:
    """Smooth movement of every joint."""
    rng = np.random.default_rng(3)
    at = np.arange(round(seconds * FPS)) / FPS
    phase, rate = rng.uniform(0, 6.28, (24, 3)), rng.uniform(0.3, 1.2, (24, 3))
    turns = 0.25 * np.sin(phase + 6.28 * rate * at[:, None, None])
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(-1, 24, 4)
    root = np.stack([0.3 * np.sin(at), 0.95 + 0.03 * np.sin(6 * at), 0.2 * np.cos(at)], axis=1)
    return Motion(rotations, root, FPS)


def clicks(seconds: float, rate: int = 8000) -> Song:
    """A click every half second."""
    at = np.arange(round(seconds * rate)) / rate
    return Song((0.5 * np.sin(2 * np.pi * 880 * at) * (at % 0.5 < 0.02)).astype(np.float32), rate, "clicks")


def chunks_of(motion: Motion, size: int = 8) -> list[MotionChunk]:
    return [MotionChunk(begin, motion.cropped(begin, begin + size)) for begin in range(0, len(motion), size)]


def danced_to(sound: Iterable[np.ndarray], rate: int, motion: Motion, ahead: float = 0.5) -> Iterator[MotionChunk]:
    """Give out a finished dance as one that is made while sound is heard, so many seconds ahead of it."""
    waiting, heard = chunks_of(motion), 0
    for piece in sound:
        heard += len(piece)
        while waiting and waiting[0].begin / FPS < heard / rate + ahead:
            yield waiting.pop(0)
