"""A small network that hears beats: how likely each frame of a song is one, and the first of its bar.

Temporal convolutions that reach 17 seconds both ways (after Davies and Böck, "Temporal convolutional networks for
musical audio beat tracking", 2019), run in NumPy so that hearing a song needs no other library. The weights were
trained by ``python -m benchmarks.train_beats`` on music that the project composes itself.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
from safetensors.numpy import load

from duende.audio import spectral

RATE = 30_720
FRAMES_A_SECOND = RATE / spectral.HOP
BANDS, WIDTH, KERNEL = spectral.MEL_BANDS, 20, 5
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WEIGHTS = "beats.safetensors"
LOUDNESS = 20.0
"""Decibels that make one unit of the network's input."""
STRETCH, REACH = 16_384, 2 * sum(DILATIONS)
"""Frames worked on at a time, and frames on either side that the activation of one depends on."""


def activations(samples: np.ndarray) -> np.ndarray:
    """Likelihood of a beat and of a downbeat ``(T, 2)``, 0 to 1, at 60 frames a second, of sound at :data:`RATE`."""
    return activations_of(levels(samples))


def levels(samples: np.ndarray) -> np.ndarray:
    """Mel levels ``(T, 128)`` in decibels, at most 80 below the loudest."""
    return np.asarray(spectral.decibels(spectral.mel_power(samples, RATE)).T, dtype=np.float32)


def activations_of(level: np.ndarray) -> np.ndarray:
    """The same from mel levels; how loud and how bright a recording is does not matter."""
    weights, mean = _weights(), level.mean(axis=0)
    parts = []
    for first in range(0, len(level), STRETCH):
        begin = max(0, first - REACH)
        part = level[begin : first + STRETCH + REACH]
        logits = _forward((part - mean) / LOUDNESS, weights)
        parts.append(logits[first - begin : first - begin + STRETCH])
    return np.asarray(1.0 / (1.0 + np.exp(-np.concatenate(parts))))


def _forward(inputs: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    hidden = _elu(inputs @ weights["in.weight"].T + weights["in.bias"])
    for number, dilation in enumerate(DILATIONS):
        heard = _elu(_convolved(hidden, weights[f"{number}.conv.weight"], dilation) + weights[f"{number}.conv.bias"])
        hidden = hidden + heard @ weights[f"{number}.mix.weight"].T + weights[f"{number}.mix.bias"]
    return np.asarray(_elu(hidden) @ weights["out.weight"].T + weights["out.bias"])


def _convolved(values: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """Convolve ``(T, C)`` with a kernel ``(C, C, K)``, zeros beyond the ends."""
    reach = dilation * (KERNEL // 2)
    padded = np.pad(values, ((reach, reach), (0, 0)))
    taps = (padded[tap * dilation : tap * dilation + len(values)] @ kernel[:, :, tap].T for tap in range(KERNEL))
    return np.asarray(sum(taps))


def _elu(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))


@lru_cache(maxsize=1)
def _weights() -> dict[str, np.ndarray]:
    stored = load((resources.files("duende.audio") / "assets" / WEIGHTS).read_bytes())
    return {name: np.asarray(values, dtype=np.float32) for name, values in stored.items()}
