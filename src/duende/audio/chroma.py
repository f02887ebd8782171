"""Constant-Q chromagram: the strength of the twelve pitch classes, equal to librosa 0.11's within a stated tolerance.

A constant-Q transform with 36 bins an octave (Brown, 1991; Schörkhuber & Klapuri, 2010), one octave at a time from the
top, the sound halved in rate after each. The bins begin at C1, moved to where the song's own pitches lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, reduce

import numpy as np
import scipy.fft
import soxr

from duende.audio import spectral

BINS = 36
LOWEST = 32.703195662574764
"""Hertz: C1."""
TUNED = 440.0
HOP = 512
NOTES = 12
NEGLIGIBLE = 0.01
"""Share of a wavelet's spectrum, the weakest part of it, that is left out as librosa leaves it out."""
PITCHES = (150.0, 4000.0)
"""Hertz: where pitches are looked for."""
PROMINENT = 0.1
"""Share of a frame's largest magnitude over which a peak is a pitch."""
STEPS = 100
"""Steps of a bin in which the tuning is told."""


def chromagram(
    samples: np.ndarray, rate: int, octaves: int = 7, hop: int = HOP, tuning: float | None = None
) -> np.ndarray:
    """Measure the pitch classes ``(12, T)`` from C, each frame divided by its largest.

    Args:
        samples: mono sound ``(N,)``.
        rate: samples a second; the highest octave must lie under half of it.
        octaves: from C1 up.
        hop: samples from frame to frame, a power of two; frames are those of :func:`spectral.spectrum`.
        tuning: of the song, see :func:`estimated_tuning`, which is asked by default.
    """
    found = estimated_tuning(samples, rate) if tuning is None else tuning
    # Three bins a note: those of a note lie on it and beside it.
    notes = (
        np.roll(magnitude, 1, axis=0).reshape(NOTES, BINS // NOTES, -1).sum(axis=1)
        for magnitude in _octaves(samples, rate, octaves, hop, found)
    )
    folded = reduce(np.add, notes)
    largest = folded.max(axis=0, keepdims=True)
    return np.asarray(folded / np.where(largest < 1e-12, 1.0, largest), dtype=np.float32)


def estimated_tuning(samples: np.ndarray, rate: int) -> float:
    """Tell how far the song's pitches lie from A440's, -0.5 to 0.5 of a bin; 0 where there are none.

    The commonest distance among the louder half of the spectrum's peaks, interpolated by parabolas.
    """

    def heard(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        return peaks(np.abs(spectral.spectrum(samples, part=(first, last))).T, rate)

    parts = spectral.by_stretches(heard, spectral.frame_count(samples))
    pitches, magnitudes = (np.concatenate(values) for values in zip(*parts, strict=True))
    if len(pitches) == 0:
        return 0.0
    loud = pitches[magnitudes >= np.median(magnitudes)]
    distance = np.mod(BINS * np.log2(loud / np.float32(TUNED / 16)), np.float32(1.0))
    distance[distance >= 0.5] -= 1.0
    counts, edges = np.histogram(distance, np.linspace(-0.5, 0.5, STEPS + 1))
    return float(edges[int(np.argmax(counts))])


def peaks(magnitude: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Hertz and magnitudes, float32, of the prominent peaks of a magnitude spectrum ``(T, window / 2 + 1)``."""
    hertz = np.arange(magnitude.shape[1]) * rate / spectral.WINDOW
    first, last = np.searchsorted(hertz, (PITCHES[0], min(PITCHES[1], rate / 2)))
    left, centre, right = (magnitude[:, first + side : last + side] for side in (-1, 0, 1))
    least = PROMINENT * magnitude.max(axis=1, keepdims=True)
    frames, places = np.nonzero((centre > least) & (centre > left) & (centre >= right))
    left, centre, right = (values[frames, places].astype(np.float64) for values in (left, centre, right))
    slope, curve = (right - left) / 2, left + right - 2 * centre
    inside = np.abs(slope) < np.abs(curve)
    shift = np.where(inside, -slope / np.where(inside, curve, 1.0), 0.0)
    pitches = (first + places + shift) * rate / spectral.WINDOW
    return pitches.astype(np.float32), (centre + slope * shift / 2).astype(np.float32)


def constant_q(samples: np.ndarray, rate: int, octaves: int, hop: int = HOP, tuning: float = 0.0) -> np.ndarray:
    """Magnitudes ``(36 * octaves, T)``, lowest first; ``tuning`` in bins."""
    return np.concatenate(list(_octaves(samples, rate, octaves, hop, tuning))[::-1])


def _octaves(samples: np.ndarray, rate: int, octaves: int, hop: int, tuning: float) -> Iterator[np.ndarray]:
    """Magnitudes ``(36, T)`` of one octave after the other, the highest first."""
    frames = 1 + len(samples) // hop
    # Rate and octave are halved together, so one kernel serves all octaves.
    kernel = _kernel(rate / (LOWEST * 2.0 ** (octaves - 1 + tuning / BINS)))
    sound = samples.astype(np.float32, copy=False)
    for octave in range(octaves):
        if octave:
            sound = _halved(sound)
        yield _octave(sound, kernel, hop >> octave, frames)


def _halved(sound: np.ndarray) -> np.ndarray:
    return np.asarray(soxr.resample(sound, 2, 1, quality="HQ") * np.sqrt(np.float32(2.0)))


def _octave(sound: np.ndarray, kernel: np.ndarray, hop: int, frames: int) -> np.ndarray:
    size = 2 * (kernel.shape[1] - 1)
    # An octave's wavelets lie in a small part of the spectrum.
    heard = np.flatnonzero(kernel.any(axis=0))
    bins = slice(heard[0], heard[-1] + 1)
    result = np.empty((BINS, frames), np.float32)

    def transform(first: int, last: int) -> None:
        for begin in range(first, last, spectral.BLOCK):
            end = min(begin + spectral.BLOCK, last)
            spectra = scipy.fft.rfft(spectral.centred_frames(sound, size, hop, begin, end), axis=1)
            result[:, begin:end] = np.abs(kernel[:, bins] @ spectra[:, bins].T)

    spectral.by_stretches(transform, frames)
    return result


@lru_cache(maxsize=8)
def _kernel(rate: float) -> np.ndarray:
    """Spectra of an octave's 36 wavelets ``(36, size / 2 + 1)``, those of the positive frequencies.

    ``rate`` is in samples for a period of the octave's lowest bin.
    """
    frequencies = 2.0 ** (np.arange(BINS) / BINS)
    ratio = 2.0 ** (2.0 / BINS)
    quality = (ratio + 1) / (ratio - 1)
    lengths = quality * rate / frequencies
    size = int(2 ** np.ceil(np.log2(lengths.max())))
    wavelets = np.zeros((BINS, size), np.complex128)
    for row, (frequency, length) in enumerate(zip(frequencies, lengths, strict=True)):
        at = np.arange(-length // 2, length // 2)
        wave = np.exp(2j * np.pi * frequency * at / rate) * spectral.hann(len(at))
        start = (size - len(at)) // 2
        wavelets[row, start : start + len(at)] = wave * np.sqrt(length) / np.abs(wave).sum()
    spectra = scipy.fft.fft(wavelets, axis=1)[:, : size // 2 + 1] / size
    return _without_negligible(spectra).astype(np.complex64)


def _without_negligible(spectra: np.ndarray) -> np.ndarray:
    """Set the weakest parts of each row to 0, :data:`NEGLIGIBLE` of the sum of its magnitudes in all."""
    magnitude = np.abs(spectra)
    rising = np.sort(magnitude, axis=1)
    share = np.cumsum(rising, axis=1) / rising.sum(axis=1, keepdims=True)
    least = np.take_along_axis(rising, np.argmax(share >= NEGLIGIBLE, axis=1)[:, None], axis=1)
    return np.where(magnitude >= least, spectra, 0.0)
