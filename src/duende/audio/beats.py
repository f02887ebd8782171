"""Beats, bars and tempo of a song: what a small network hears on each frame, read as the likeliest bars."""

from __future__ import annotations

from typing import Literal

import numpy as np

from duende.audio import beat_network
from duende.audio.bars import likeliest_bars
from duende.audio.beat_network import FRAMES_A_SECOND, RATE
from duende.audio.music import Beats
from duende.audio.song import Song

SHORTEST = 2.0
"""Seconds in which beats can be told."""
FEWEST = 4
LEAST_CERTAIN = 0.2
"""Least mean activation on beats; noise and held chords stay under 0.19, composed music over 0.3."""
NEAR = 2
"""Frames on either side of a beat that tell where between frames it is."""
KNOWN = 0.04
"""How far beats may stray from a tempo that is known."""

Tempo = float | Literal["half", "double"]
"""Beats a minute, or how many there are for each one that would be found."""


def track_beats(song: Song, tempo: Tempo | None = None) -> Beats:
    """Find the beats of a song and the first beats of its bars; none in silence or where nothing pulses.

    Args:
        song: of any length and rate.
        tempo: where somebody knows it better than the tracker; beats are then laid even where they are hard to hear.
    """
    samples = song.resampled(RATE).samples
    if len(samples) < SHORTEST * RATE or not samples.any():
        return _none()
    activation = beat_network.activations(samples)
    del samples  # Of half an hour, as large as all that follows.
    return beats_from(activation, tempo)


def beats_from(activation: np.ndarray, tempo: Tempo | None = None) -> Beats:
    """Find beats in the likelihoods ``(T, 2)`` of beats and downbeats at 60 frames a second."""
    if isinstance(tempo, str):
        return _halved(beats_from(activation)) if tempo == "half" else _doubled(beats_from(activation))
    tempi = None if tempo is None else (tempo * (1 - KNOWN), tempo * (1 + KNOWN))
    bars = likeliest_bars(activation, FRAMES_A_SECOND, tempi)
    if len(bars.frames) < FEWEST or (tempo is None and certainty(activation, bars.frames) < LEAST_CERTAIN):
        return _none()
    times = refined(activation[:, 0], bars.frames) / FRAMES_A_SECOND
    return Beats(times, times[bars.places == 0], 60.0 / float(np.median(np.diff(times))))


def certainty(activation: np.ndarray, frames: np.ndarray) -> float:
    """Mean activation at beats, 0 to 1."""
    near = np.clip(np.round(frames).astype(int)[:, None] + np.arange(-1, 2), 0, len(activation) - 1)
    return float(activation[near, 0].max(axis=1).mean())


def _none() -> Beats:
    return Beats(np.zeros(0), np.zeros(0), 0.0)


def _halved(beats: Beats) -> Beats:
    """Leave out every second beat, never the first downbeat; bars have as many beats as before."""
    if len(beats.times) < 2:
        return beats
    first, length = _bars(beats)
    times = beats.times[first % 2 :: 2]
    return Beats(times, times[first // 2 % length :: length], beats.tempo / 2)


def _doubled(beats: Beats) -> Beats:
    """Put a beat in the middle between any two; bars have as many beats as before."""
    if len(beats.times) < 2:
        return beats
    first, length = _bars(beats)
    count = 2 * len(beats.times) - 1
    times = np.interp(np.arange(count) / 2, np.arange(len(beats.times)), beats.times)
    return Beats(times, times[2 * first % length :: length], beats.tempo * 2)


def _bars(beats: Beats) -> tuple[int, int]:
    """Which beat is the first downbeat, and how many beats there are in a bar."""
    downs = np.searchsorted(beats.times, beats.downbeats)
    return int(downs[0]), int(np.median(np.diff(downs))) if len(downs) > 1 else len(beats.times)


def refined(activation: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Move beats to the centre of the activation's peak near them, to a fraction of a frame."""
    near = np.round(frames).astype(int)[:, None] + np.arange(-NEAR, NEAR + 1)
    inside = (near >= 0) & (near < len(activation))
    weight = np.where(inside, activation[np.clip(near, 0, len(activation) - 1)], 0.0) ** 2
    total = weight.sum(axis=1)
    centre = (near * weight).sum(axis=1) / np.maximum(total, 1e-12)
    # Where nothing sounds the steady frame is a better guess than the middle of nothing.
    return np.maximum.accumulate(np.where(total > 0.01, centre, frames))
