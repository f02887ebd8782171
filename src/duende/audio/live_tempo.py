"""The tempogram of music that is still going on: its windows reach seconds ahead, where onsets are guessed."""

from __future__ import annotations

import numpy as np
import scipy.fft

from duende.audio import spectral

WINDOW = 384
HALF = WINDOW // 2
EARLIER = HALF // 2
"""Frames by which one of the guesses is late; its window is filled with silence beyond the present."""
KEPT = 960
"""Frames of onsets that are kept."""
SHORTEST = 20
"""Frames of the shortest stretch that may be thought to repeat."""


class LiveTempogram:
    """Onset strengths in, rows of the tempogram out.

    The coming half of a window is guessed in some ways, and the tempograms of all are averaged: the last bar goes on,
    or the last two bars do, or the stretch that is most like what came before it; and as it was some time ago.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.strengths = np.zeros(0, np.float32)

    def hear(self, onset: np.ndarray, bar: float) -> np.ndarray:
        """Hear the strengths ``(frames,)`` of a row and return its mean tempogram ``(384,)``.

        Args:
            onset: strengths of the row's frames.
            bar: frames of a bar, 0 where none is known.
        """
        self.strengths = np.concatenate([self.strengths, onset])[-KEPT:]
        heard = self.strengths.astype(np.float64)
        lengths = [round(bar), round(2 * bar)] if bar >= SHORTEST else []
        lengths = [length for length in [*lengths, _repeating(heard)] if SHORTEST <= length <= len(heard)]
        coming = [np.resize(heard[-length:], HALF) for length in lengths]
        past = np.pad(heard, (WINDOW + self.frames, 0))
        ways = [np.concatenate([past[-HALF - self.frames :], way]) for way in coming]
        ways.append(np.pad(past[-HALF - self.frames - EARLIER :], (0, HALF - EARLIER)))
        windows = np.concatenate([np.lib.stride_tricks.sliding_window_view(way, WINDOW)[: self.frames] for way in ways])
        return np.asarray(_autocorrelation(windows).mean(axis=0), np.float32)


def _autocorrelation(windows: np.ndarray) -> np.ndarray:
    """Of each window ``(N, 384)``, divided by its largest value, as :func:`spectral.tempogram` has it."""
    size = scipy.fft.next_fast_len(2 * WINDOW - 1, real=True)
    transformed = scipy.fft.rfft(windows * spectral.hann(WINDOW), n=size, axis=1)
    correlation = scipy.fft.irfft(np.abs(transformed) ** 2, n=size, axis=1)[:, :WINDOW]
    largest = np.abs(correlation).max(axis=1, keepdims=True)
    return np.asarray(correlation / np.where(largest < 1e-30, 1.0, largest))


def _repeating(heard: np.ndarray) -> int:
    """Frames after which the onsets are most like themselves; 0 where there are few."""
    recent = heard[-2 * WINDOW :]
    count = len(recent)
    if count < 6 * SHORTEST or not recent.any():
        return 0
    transformed = scipy.fft.rfft(recent - recent.mean(), n=scipy.fft.next_fast_len(2 * count, real=True))
    lags = np.arange(SHORTEST, min(count // 2, WINDOW + 1))
    correlation = scipy.fft.irfft(np.abs(transformed) ** 2)[lags] / (count - lags)
    return int(lags[np.argmax(correlation)])
