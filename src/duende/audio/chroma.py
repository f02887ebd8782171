"""Constant-Q chromagram: the strength of the twelve pitch classes.

A constant-Q transform with 36 bins an octave from C1 (Brown, 1991; Schörkhuber & Klapuri, 2010), one octave at a time
from the top, the sound halved in rate after each.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.signal
import soxr

BINS = 36
LOWEST = 32.703195662574764
"""Hertz: C1."""
HOP = 512
NOTES = 12
BLOCK = 2048


def chromagram(samples: np.ndarray, rate: int, octaves: int = 7, hop: int = HOP) -> np.ndarray:
    """Pitch classes ``(12, T)`` from C, each frame divided by its largest; frames as in :func:`spectral.spectrum`."""
    magnitude = constant_q(samples, rate, octaves, hop)
    # Three bins a note: those of a note lie on it and beside it.
    folded = np.roll(magnitude, 1, axis=0).reshape(octaves, NOTES, BINS // NOTES, -1).sum(axis=(0, 2))
    largest = folded.max(axis=0, keepdims=True)
    return np.asarray(folded / np.where(largest < 1e-12, 1.0, largest), dtype=np.float32)


def constant_q(samples: np.ndarray, rate: int, octaves: int, hop: int = HOP) -> np.ndarray:
    """Magnitudes ``(36 * octaves, T)``, lowest first."""
    frames = 1 + len(samples) // hop
    sound, step, current = samples.astype(np.float32), hop, float(rate)
    rows = []
    for octave in range(octaves - 1, -1, -1):
        low = LOWEST * 2.0**octave
        # Whatever lies far over this octave is filtered out before the work is done.
        while current / 2 > 4.2 * low * 2 and step % 2 == 0:
            sound, step, current = _halved(sound), step // 2, current / 2
        rows.append(_octave(sound, current, low, step, frames))
    return np.concatenate(rows[::-1])


def _halved(sound: np.ndarray) -> np.ndarray:
    return np.asarray(soxr.resample(sound, 2, 1, quality="HQ") * np.sqrt(2.0))


def _octave(sound: np.ndarray, rate: float, low: float, hop: int, frames: int) -> np.ndarray:
    kernel = _kernel(rate, low)
    size = 2 * (kernel.shape[1] - 1)
    padded = np.pad(sound, (size // 2, size // 2 + hop))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:frames]
    result = np.zeros((BINS, frames), np.float32)
    for first in range(0, len(windows), BLOCK):
        transformed = scipy.fft.rfft(windows[first : first + BLOCK], axis=1)
        result[:, first : first + len(transformed)] = np.abs(kernel @ transformed.T)
    return result


@lru_cache(maxsize=32)
def _kernel(rate: float, low: float) -> np.ndarray:
    """Spectra of the octave's 36 wavelets ``(36, size / 2 + 1)``, those of the positive frequencies."""
    frequencies = low * 2.0 ** (np.arange(BINS) / BINS)
    ratio = 2.0 ** (2.0 / BINS)
    quality = (ratio + 1) / (ratio - 1)
    lengths = quality * rate / frequencies
    size = int(2 ** np.ceil(np.log2(lengths.max())))
    wavelets = np.zeros((BINS, size), np.complex128)
    for row, (frequency, length) in enumerate(zip(frequencies, lengths, strict=True)):
        at = np.arange(-length // 2, length // 2)
        wave = np.exp(2j * np.pi * frequency * at / rate) * scipy.signal.get_window("hann", len(at), fftbins=True)
        wave /= np.abs(wave).sum()
        start = (size - len(at)) // 2
        wavelets[row, start : start + len(at)] = wave * length / np.sqrt(length)
    spectra = scipy.fft.fft(wavelets, axis=1)[:, : size // 2 + 1] / size
    return np.asarray(np.conj(spectra), dtype=np.complex64)
