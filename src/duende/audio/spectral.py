"""Spectral features, equal to librosa 0.11's within stated tolerances, without its compile times.

Frames are centred and the ends padded with zeros, as librosa's are. Sources of the formulas: librosa's documentation
(McFee et al., 2015); Slaney's mel scale (Auditory Toolbox, 1998); Fitzgerald, harmonic/percussive separation (2010).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from scipy.ndimage import rank_filter

WINDOW, HOP = 2048, 512
MEL_BANDS = 128
COEFFICIENTS = 20
MEDIAN = 31
"""Bins and frames of the median filters that tell harmonic from percussive."""
BLOCK = 2048
"""Frames transformed at a time."""
STRETCH = 8192
"""Frames whose spectra are held at a time."""
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
    padded = np.pad(samples.astype(np.float32), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    frames = frames[slice(*part)] if part else frames
    weight = hann(window).astype(np.float32)
    blocks = [
        scipy.fft.rfft(frames[first : first + BLOCK] * weight, axis=1).astype(np.complex64)
        for first in range(0, len(frames), BLOCK)
    ]
    return np.concatenate(blocks).T


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


def mel_power(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mel power spectrogram ``(128, T)``, a stretch at a time, so that a long song's spectrum is never held whole."""
    filters, total = mel_filters(rate), frame_count(samples)
    return np.concatenate(
        [
            filters @ np.abs(spectrum(samples, part=(first, min(first + STRETCH, total)))) ** 2
            for first in range(0, total, STRETCH)
        ],
        axis=1,
    )


def separated(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Harmonic and percussive sound ``(N,)`` each, a stretch at a time.

    Each stretch is worked on with as many frames around it as the filters reach, so the result is that of the whole.
    """
    total = frame_count(samples)
    sounds: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for first in range(0, total, STRETCH):
        last = min(first + STRETCH, total)
        before, after = max(0, first - REACH), min(total, last + REACH)
        wanted = (len(samples) if last == total else last * HOP) - first * HOP
        for sound, part in zip(sounds, harmonic_percussive(spectrum(samples, part=(before, after))), strict=True):
            skipped = (first - before) * HOP
            sound.append(inverse(part, skipped + wanted)[skipped:])
    return np.concatenate(sounds[0]), np.concatenate(sounds[1])


def decibels(power: np.ndarray, reference: float = 1.0, range_: float = 80.0) -> np.ndarray:
    """Power to decibels, no lower than ``range_`` under the loudest."""
    level = 10.0 * np.log10(np.maximum(power, 1e-10)) - 10.0 * np.log10(max(reference, 1e-10))
    return np.maximum(level, level.max() - range_)


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
    harmonic = _median(magnitude)
    percussive = _median(magnitude.T).T
    mask = _soft_mask(harmonic, percussive)
    rest = _soft_mask(percussive, harmonic)
    return complex_spectrum * mask, complex_spectrum * rest


def _median(values: np.ndarray) -> np.ndarray:
    """Running median of :data:`MEDIAN` along the last axis, mirrored at the ends (edge value repeated once)."""
    # Row by row: scipy's one-dimensional rank filter keeps its window sorted, the others sort it anew each time.
    rows = [rank_filter(row, MEDIAN // 2, size=MEDIAN, mode="reflect") for row in np.ascontiguousarray(values)]
    return np.stack(rows)


def _soft_mask(wanted: np.ndarray, other: np.ndarray) -> np.ndarray:
    largest = np.maximum(wanted, other)
    silent = largest < np.finfo(np.float32).tiny
    largest = np.where(silent, 1.0, largest)
    first, second = (wanted / largest) ** 2, (other / largest) ** 2
    return np.where(silent, 0.5, first / np.maximum(first + second, 1e-30)).astype(np.float32)


def inverse(complex_spectrum: np.ndarray, length: int, window: int = WINDOW, hop: int = HOP) -> np.ndarray:
    """Samples ``(length,)`` of a spectrum made by :func:`spectrum`."""
    shape = hann(window).astype(np.float32)
    frames = complex_spectrum.shape[1]
    total = np.zeros(window + hop * (frames - 1), np.float32)
    weight = np.zeros_like(total)
    for first in range(0, frames, BLOCK):
        block = scipy.fft.irfft(complex_spectrum[:, first : first + BLOCK].T, n=window, axis=1) * shape
        for offset, frame in enumerate(block):
            at = (first + offset) * hop
            total[at : at + window] += frame
            weight[at : at + window] += shape**2
    total /= np.where(weight > 1e-8, weight, 1.0)
    samples = total[window // 2 : window // 2 + length]
    return np.pad(samples, (0, length - len(samples))).astype(np.float32)


def onset_strength(mel_decibels: np.ndarray) -> np.ndarray:
    """Median over bands of the rise in level since the frame before ``(T,)``; 0 in silence."""
    rise = np.maximum(0.0, mel_decibels[:, 1:] - mel_decibels[:, :-1])
    # Centred frames: a rise is seen half a window early, which librosa compensates by a shift.
    pad = 1 + WINDOW // (2 * HOP)
    envelope = np.pad(np.median(rise, axis=0), (pad, 0))
    return np.asarray(envelope[: mel_decibels.shape[1]], dtype=np.float32)


def tempogram(onset: np.ndarray, window: int = 384) -> np.ndarray:
    """Local autocorrelation ``(window, T)`` of an onset envelope, each frame divided by its largest value."""
    padded = np.pad(onset, window // 2, mode="linear_ramp", end_values=0)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(onset)]
    weight = hann(window)
    size = scipy.fft.next_fast_len(2 * window - 1, real=True)
    result = np.empty((len(onset), window), np.float32)
    for first in range(0, len(frames), BLOCK):
        transformed = scipy.fft.rfft(frames[first : first + BLOCK] * weight, n=size, axis=1)
        correlation = scipy.fft.irfft(np.abs(transformed) ** 2, n=size, axis=1)[:, :window]
        largest = np.abs(correlation).max(axis=1, keepdims=True)
        result[first : first + BLOCK] = correlation / np.where(largest < 1e-30, 1.0, largest)
    return result.T
