"""Sound that comes in pieces, at another rate, in blocks of one size."""

from __future__ import annotations

import numpy as np
import soxr

from duende.errors import DuendeError

PIECES = 200
"""Pieces of a second in which sound is resampled, so that it comes out the same however it came in."""


THINNED = 8
"""Times a low rate that sound is brought to first: a resampler straight to a low one is late by a third of a second."""
LOW = 8_000
"""Samples a second under which rates are low."""
REACH, CUTOFF, STEEPNESS = 32, 0.95, 8.0
"""Of the filter before sound is thinned: samples of the low rate on either side, share of the band that is kept, and
the shape of the Kaiser window."""


class _Thinned:
    """Every eighth sample of sound that is filtered to the band that is left."""

    def __init__(self) -> None:
        at = np.arange(-THINNED * REACH, THINNED * REACH + 1)
        taps = np.sinc(at * CUTOFF / THINNED) * CUTOFF / THINNED * np.kaiser(len(at), STEEPNESS)
        self._taps = taps.astype(np.float32)
        self._sound = np.zeros(THINNED * REACH, np.float32)

    def hear(self, samples: np.ndarray, last: bool) -> np.ndarray:
        rest = np.zeros(THINNED * REACH if last else 0, np.float32)
        sound = np.concatenate([self._sound, samples, rest])
        count = max(0, -(-(len(sound) - len(self._taps) + 1) // THINNED))
        self._sound = sound[count * THINNED :]
        if not count:
            return sound[:0]
        return np.lib.stride_tricks.sliding_window_view(sound, len(self._taps))[::THINNED] @ self._taps


class LiveSound:
    """Mono sound at one rate in, blocks of another rate out.

    The resampler's filter needs some sound after a moment: blocks are complete later than their last sample was heard,
    by 25 milliseconds at 44,100 Hz, 35 at 48,000, up to 60 at other rates from 16,000 on, 120 at 8,000, and not at all
    where nothing is resampled; 8 more at low rates. Their samples are in the right place in time.

    Args:
        rate: samples a second of the sound.
        wanted: samples a second of the blocks.
        size: samples of a block.
    """

    def __init__(self, rate: int, wanted: int, size: int) -> None:
        self._rate, self._wanted, self._size = rate, wanted, size
        self._thinned = _Thinned() if wanted < LOW else None
        inner = wanted * THINNED if self._thinned else wanted
        self._resampler = None if rate == inner else soxr.ResampleStream(rate, inner, 1, dtype="float32")
        self._piece = 1 if rate == wanted else max(1, rate // PIECES)
        self._waiting: list[np.ndarray] = []
        self._count = 0
        self._ready = np.zeros(0, np.float32)
        self._heard = 0
        self._given = 0

    def hear(self, samples: np.ndarray) -> list[np.ndarray]:
        """Take samples ``(n,)`` and return the blocks ``(size,)`` that became complete."""
        self._heard += len(samples)
        self._waiting.append(samples)
        self._count += len(samples)
        whole = self._count // self._piece * self._piece
        if whole == 0:
            return []
        sound = np.concatenate(self._waiting)
        self._waiting, self._count = [sound[whole:]], len(sound) - whole
        if self._piece == 1:
            return self._blocks([sound[:whole]])
        return self._blocks([self._resampled(sound[at : at + self._piece]) for at in range(0, whole, self._piece)])

    def finish(self) -> list[np.ndarray]:
        """Return what is left, the last block filled up with silence."""
        rest = np.concatenate([*self._waiting, np.zeros(0, np.float32)])
        blocks = self._blocks([self._resampled(rest, last=True)])
        total = round(self._heard * self._wanted / self._rate)
        left = min(len(self._ready), max(0, total - self._given))
        if left:
            blocks.append(np.pad(self._ready[:left], (0, self._size - left)))
        return blocks

    def _resampled(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        return samples if self._thinned is None else self._thinned.hear(samples, last)

    def _blocks(self, pieces: list[np.ndarray]) -> list[np.ndarray]:
        ready = np.concatenate([self._ready, *pieces])
        count = len(ready) // self._size
        self._ready = ready[count * self._size :]
        self._given += count * self._size
        return list(ready[: count * self._size].reshape(count, self._size))


def checked(samples: np.ndarray) -> np.ndarray:
    """Return mono samples ``(n,)`` as float32.

    Raises:
        DuendeError: they have another shape, or are not all finite numbers.
    """
    sound = np.asarray(samples, dtype=np.float32)
    if sound.ndim != 1:
        raise DuendeError(f"live sound is mono samples (n,), got an array of shape {sound.shape}; average the channels")
    if not np.isfinite(sound).all():
        raise DuendeError("the live sound holds samples that are not finite numbers; check the program that sends it")
    return sound
