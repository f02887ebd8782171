"""Spectral features, equal to librosa 0.11's within stated tolerances, without its compile times.

Frames are centred and the ends padded with zeros, as librosa's are. Sources of the formulas: librosa's documentation
(McFee et al., 2015); Slaney's mel scale (Auditory Toolbox, 1998); Fitzgerald, harmonic/percussive separation (2010).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np
import scipy.fft

from duende.audio.running_median import SIZE as MEDIAN
from duende.audio.running_median import running_median

WINDOW, HOP = 2048, 512
MEL_BANDS = 128
COEFFICIENTS = 20
BLOCK = 256
"""Frames transformed at a time."""
STRETCH = 1024
"""Frames whose spectra are held at a time, by each thread."""
MOST_THREADS = 4
REACH = MEDIAN // 2 + WINDOW // HOP
"""Frames on either side that the separated sound of a frame depends on."""


def hann(size: int) -> np.ndarray:
    """Return a Hann window ``(size,)`` float64 whose period is its size."""
    # Windows and the delta are written out here: importing scipy.signal takes longer than a short song's features.
    return np.asarray(0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, size + 1)[:-1]))


def spectrum(
    samples: np.ndarray, window: int = WINDOW, hop: int = HOP, part: tuple[int, int] | None = None
) -> np.ndarray:
    """Complex short-time spectrum ``(window / 2 + 1, T)`` with a Hann window, complex64; ``part`` of its frames."""
    first, last = part or (0, frame_count(samples, hop))
    frames = centred_frames(samples, window, hop, first, last)
    weight = hann(window).astype(np.float32)
    result = np.empty((len(frames), window // 2 + 1), np.complex64)
    for at in range(0, len(frames), BLOCK):
        result[at : at + BLOCK] = scipy.fft.rfft(frames[at : at + BLOCK] * weight, axis=1, overwrite_x=True)
    return result.T


def centred_frames(samples: np.ndarray, window: int, hop: int, first: int, last: int) -> np.ndarray:
    """Return samples ``(last - first, window)`` float32 about every ``hop``-th, zeros beyond the ends."""
    begin, end = first * hop - window // 2, (last - 1) * hop + window // 2
    heard = samples[max(0, begin) : end].astype(np.float32)
    padded = np.pad(heard, (max(0, -begin), end - max(0, begin) - len(heard)))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]


@lru_cache(maxsize=4)
def mel_filters(rate: int, bands: int = MEL_BANDS, window: int = WINDOW) -> np.ndarray:
    """Slaney-style triangular filters of unit area ``(bands, window / 2 + 1)``."""
    edges = _mel_to_hertz(np.linspace(_hertz_to_mel(np.array(0.0)), _hertz_to_mel(np.array(rate / 2)), bands + 2))
    bins = np.fft.rfftfreq(window, 1.0 / rate)
    ramps = edges[:, None] - bins[None, :]
    widths = np.diff(edges)
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return np.asarray(filters, dtype=np.float32)


def _hertz_to_mel(hertz: np.ndarray) -> np.ndarray:
    linear = hertz * 3 / 200
    logarithmic = 15 + np.log(np.maximum(hertz, 1e-9) / 1000.0) / (np.log(6.4) / 27.0)
    return np.where(hertz < 1000.0, linear, logarithmic)


def _mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * np.exp((mel - 15) * np.log(6.4) / 27.0))


def frame_count(samples: np.ndarray, hop: int = HOP) -> int:
    """Frames of the spectrum of ``samples``."""
    return 1 + len(samples) // hop


Part = TypeVar("Part")


def by_stretches(work: Callable[[int, int], Part], frames: int) -> list[Part]:
    """Do ``work`` on every stretch of ``frames``, named by its first frame and that after its last, some at once.

    Stretches are worked on apart from each other, so the results do not depend on how many there are at once.
    """
    starts = range(0, frames, STRETCH)
    ends = [min(first + STRETCH, frames) for first in starts]
    if len(starts) == 1:
        return [work(0, frames)]
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(work, starts, ends))


def threads() -> int:
    """How many things to do at once: what ``OMP_NUM_THREADS`` says, else a few, as many as there are processors."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) else min(MOST_THREADS, os.cpu_count() or 1)


def mel_power(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mel power spectrogram ``(128, T)``, a stretch at a time, so that a long song's spectrum is never held whole."""
    filters = mel_filters(rate)

    def heard(first: int, last: int) -> np.ndarray:
        return np.asarray(filters @ np.abs(spectrum(samples, part=(first, last))) ** 2)

    return np.concatenate(by_stretches(heard, frame_count(samples)), axis=1)


def separated(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Harmonic and percussive sound ``(N,)`` each, a stretch at a time.

    Each stretch is worked on with as many frames around it as the filters reach, so the result is that of the whole.
    """
    harmonic, percussive = np.empty(len(samples), np.float32), np.empty(len(samples), np.float32)

    def separate(first: int, last: int) -> None:
        begin, parts = first * HOP, _separated_part(samples, first, last)
        for sound, part in zip((harmonic, percussive), parts, strict=True):
            sound[begin : begin + len(part)] = part

    by_stretches(separate, frame_count(samples))
    return harmonic, percussive


def separated_power(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Harmonic sound ``(N,)``, and the mel power ``(128, T)`` of the percussive, which is never held whole."""
    total, filters, around = frame_count(samples), mel_filters(rate), WINDOW // (2 * HOP)
    harmonic = np.empty(len(samples), np.float32)

    def separate(first: int, last: int) -> np.ndarray:
        before, after = max(0, first - around), min(total, last + around)
        sound, hits = _separated_part(samples, before, after)
        begin, end = first * HOP, min(last * HOP, len(samples))
        harmonic[begin:end] = sound[begin - before * HOP : end - before * HOP]
        return np.asarray(filters @ np.abs(spectrum(hits, part=(first - before, last - before))) ** 2)

    powers = by_stretches(separate, total)
    return harmonic, np.concatenate(powers, axis=1)


def _separated_part(samples: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Harmonic and percussive sound from frame ``first`` to ``last``, that of the last frame to the end of the song."""
    total = frame_count(samples)
    before, after = max(0, first - REACH), min(total, last + REACH)
    begin, end = (frame * HOP - before * HOP for frame in (first, last))
    end = len(samples) - before * HOP if last == total else end
    harmonic, percussive = harmonic_percussive(spectrum(samples, part=(before, after)))
    return inverse(harmonic, end)[begin:], inverse(percussive, end)[begin:]


def decibels(power: np.ndarray, reference: float = 1.0, range_: float = 80.0) -> np.ndarray:
    """Power to decibels, no lower than ``range_`` under the loudest."""
    level = np.maximum(power, 1e-10)
    np.log10(level, out=level)
    level *= 10.0
    level = level - 10.0 * np.log10(max(reference, 1e-10))
    return np.asarray(np.maximum(level, level.max() - range_, out=level))


def mfcc(mel_decibels: np.ndarray, count: int = COEFFICIENTS) -> np.ndarray:
    """Mel-frequency cepstral coefficients ``(count, T)`` of a mel spectrogram in decibels."""
    return np.asarray(scipy.fft.dct(mel_decibels, axis=0, type=2, norm="ortho")[:count])


def delta(features: np.ndarray) -> np.ndarray:
    """First derivative over time, ``(D, T)`` to the same: slope of the straight line through three frames.

    The first and the last frame lie on their neighbours' lines (Savitzky–Golay of width 3); 0 under three frames.
    """
    if features.shape[1] < 3:
        return np.zeros_like(features)
    return np.pad((features[:, 2:] - features[:, :-2]) / 2, ((0, 0), (1, 1)), mode="edge")


def harmonic_percussive(complex_spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a spectrum by median filters over time and over frequency, with soft masks of power 2."""
    magnitude = np.abs(complex_spectrum)
    masks = _soft_masks(running_median(magnitude.T).T, running_median(magnitude))
    return complex_spectrum * masks[0], complex_spectrum * masks[1]


def _soft_masks(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the squares of both, float32; half each in silence."""
    largest = np.maximum(first, second)
    silent = largest < np.finfo(np.float32).tiny
    largest[silent] = 1.0
    powers = [(values / largest) ** 2 for values in (first, second)]
    total = np.maximum(powers[0] + powers[1], 1e-30)
    for power in powers:
        power /= total
        power[silent] = 0.5
    return powers[0], powers[1]


def inverse(complex_spectrum: np.ndarray, length: int, window: int = WINDOW, hop: int = HOP) -> np.ndarray:
    """Samples ``(length,)`` of a spectrum made by :func:`spectrum`; ``window`` is a multiple of ``hop``."""
    shape = hann(window).astype(np.float32)
    frames, overlap = complex_spectrum.shape[1], window // hop
    total = np.zeros((frames + overlap - 1, hop), np.float32)
    weight = np.zeros_like(total)
    for first in range(0, frames, BLOCK):
        block = scipy.fft.irfft(complex_spectrum[:, first : first + BLOCK].T, n=window, axis=1, overwrite_x=True)
        block *= shape
        # Later parts first: each sample is added up in the order of its frames.
        for part in range(overlap - 1, -1, -1):
            inside, place = slice(part * hop, (part + 1) * hop), slice(first + part, first + part + len(block))
            total[place] += block[:, inside]
            weight[place] += shape[inside] ** 2
    total /= np.where(weight > 1e-8, weight, 1.0)
    samples = total.reshape(-1)[window // 2 : window // 2 + length]
    return np.pad(samples, (0, length - len(samples)))


def onset_strength(mel_decibels: np.ndarray) -> np.ndarray:
    """Median over bands of the rise in level since the frame before ``(T,)``; 0 in silence."""
    rise = np.maximum(0.0, mel_decibels[:, 1:] - mel_decibels[:, :-1])
    # Centred frames: a rise is seen half a window early, which librosa compensates by a shift.
    pad = 1 + WINDOW // (2 * HOP)
    envelope = np.pad(np.median(rise, axis=0), (pad, 0))
    return np.asarray(envelope[: mel_decibels.shape[1]], dtype=np.float32)


def tempogram(onset: np.ndarray, window: int = 384, part: slice = slice(None)) -> np.ndarray:
    """Local autocorrelation ``(window, T)`` of an onset envelope, each frame divided by its largest value.

    ``part`` chooses frames: those of half an hour take more memory than its sound.
    """
    padded = np.pad(onset, window // 2, mode="linear_ramp", end_values=0)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(onset)][part]
    weight = hann(window)
    size = scipy.fft.next_fast_len(2 * window - 1, real=True)
    result = np.empty((len(frames), window), np.float32)
    for first in range(0, len(frames), BLOCK):
        transformed = scipy.fft.rfft(frames[first : first + BLOCK] * weight, n=size, axis=1)
        correlation = scipy.fft.irfft(np.abs(transformed) ** 2, n=size, axis=1)[:, :window]
        largest = np.abs(correlation).max(axis=1, keepdims=True)
        result[first : first + BLOCK] = correlation / np.where(largest < 1e-30, 1.0, largest)
    return result.T
