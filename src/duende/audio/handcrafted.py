"""Handcrafted music features at 7.5 rows a second, one row for each pose code.

``bailando``, the published one: audio at 3,840 Hz, 438 columns, by description of lisiyao21/Bailando; it hears nothing
above 1.9 kHz. ``full_band``, ours: audio at 30,720 Hz and 60 frames a second, eight of which make a row; what tells
where in the row something happens (onsets, beats) keeps all eight.
"""

from __future__ import annotations

import numpy as np

from duende.audio import spectral
from duende.audio.chroma import chromagram
from duende.audio.feature_sets import FRAMES_IN_ROW, PUBLISHED, ROWS_A_SECOND
from duende.audio.music import Beats, FeatureSet
from duende.audio.song import Song

RATES = {"bailando": 3_840, "full_band": 30_720}
OCTAVES = {"bailando": 5, "full_band": 7}
ROWS_AT_ONCE = 256
"""Rows whose tempogram is held at a time."""
SCALES = {"mfcc": 0.01, "mfcc_delta": 0.05, "onset": 0.2}
"""Fixed factors of our own set that bring its columns near the unit range; the published one is left raw."""


def handcrafted_rows(part: FeatureSet, song: Song, beats: Beats, rows: int) -> np.ndarray:
    """Compute ``bailando`` or ``full_band`` ``(rows, D)`` float32."""
    rate, inside = RATES[part.name], 1 if part.name == PUBLISHED.name else FRAMES_IN_ROW
    frames = _frames(song, rate, OCTAVES[part.name])
    heard = {name: _fitted(values, rows * inside) for name, values in frames.items()}
    if inside > 1:
        heard = _averaged(heard, rows)
    heard["tempogram"] = _tempogram(frames["onset"][:, 0], rows, inside)
    known = families_of_beats(part, beats, rows)
    table = np.concatenate([known.get(name, heard.get(name)) for name, _ in part.columns], axis=1)
    return np.nan_to_num(table.astype(np.float32), copy=False)


def families_of_beats(part: FeatureSet, beats: Beats, rows: int) -> dict[str, np.ndarray]:
    """Compute those families of a set that follow from the beats alone, ``(rows, width)`` each."""
    if part.name == PUBLISHED.name:
        return {"beat": _hits(beats.times, ROWS_A_SECOND, rows)[:, None]}
    fine = ROWS_A_SECOND * FRAMES_IN_ROW
    return {
        "beat": _hits(beats.times, fine, rows * FRAMES_IN_ROW).reshape(rows, FRAMES_IN_ROW),
        "downbeat": _hits(beats.downbeats, fine, rows * FRAMES_IN_ROW).reshape(rows, FRAMES_IN_ROW),
        "phase": _phases(beats, np.arange(rows) / ROWS_A_SECOND),
    }


def _frames(song: Song, rate: int, octaves: int) -> dict[str, np.ndarray]:
    """All families but the tempogram ``(T, width)`` at the audio's own frames (hop 512)."""
    samples = song.resampled(rate).samples
    power = spectral.mel_power(samples, rate)
    level = spectral.decibels(power, reference=float(power.max()))
    coefficients = spectral.mfcc(level)
    harmonic, hits = spectral.separated_power(samples, rate)
    del samples  # Of half an hour, as large as all that follows.
    onset = spectral.onset_strength(spectral.decibels(hits))
    families = {
        "mfcc": coefficients,
        "mfcc_delta": spectral.delta(coefficients),
        "chroma": chromagram(harmonic, rate, octaves),
        "onset": onset[None],
    }
    return {name: values.T for name, values in families.items()}


def _tempogram(onset: np.ndarray, rows: int, inside: int) -> np.ndarray:
    """Mean tempogram ``(rows, 384)`` of the ``inside`` frames of each row, some rows at a time."""
    parts = []
    for first in range(0, rows, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, rows - first)
        begin = min(first * inside, len(onset) - 1)
        frames = spectral.tempogram(onset, part=slice(begin, (first + count) * inside)).T
        parts.append(_fitted(frames, count * inside).reshape(count, inside, -1).mean(axis=1))
    return np.concatenate(parts)


def _fitted(values: np.ndarray, count: int) -> np.ndarray:
    """Cut to ``count`` frames, or repeat the last."""
    return np.pad(values[:count], ((0, max(0, count - len(values))), (0, 0)), mode="edge")


def _averaged(frames: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    """Average the frames of a row; the onsets keep them all, side by side."""
    scaled = {name: values * SCALES.get(name, 1.0) for name, values in frames.items()}
    return {
        name: values.reshape(rows, FRAMES_IN_ROW)
        if name == "onset"
        else values.reshape(rows, FRAMES_IN_ROW, -1).mean(axis=1)
        for name, values in scaled.items()
    }


def _hits(times: np.ndarray, rate: float, count: int) -> np.ndarray:
    hit = np.zeros(count, np.float32)
    places = np.round(np.asarray(times) * rate).astype(int)
    hit[places[(places >= 0) & (places < count)]] = 1.0
    return hit


def _phases(beats: Beats, at: np.ndarray) -> np.ndarray:
    """Sine and cosine of the phase in the beat and in two beats ``(T, 4)``; 0 where there are no beats."""
    if len(beats.times) < 2:
        return np.zeros((len(at), 4))
    pairs = beats.times[_parity(beats) :: 2]
    double = Beats(pairs, pairs[:0], beats.tempo / 2).phase(at) if len(pairs) > 1 else beats.phase(at)
    angles = 2 * np.pi * np.stack([beats.phase(at), double])
    return np.stack([np.sin(angles[0]), np.cos(angles[0]), np.sin(angles[1]), np.cos(angles[1])], axis=1)


def _parity(beats: Beats) -> int:
    """Whether pairs of beats begin with the even or the odd ones: with the downbeats where they are known."""
    if len(beats.downbeats) == 0:
        return 0
    return int(np.abs(beats.times - beats.downbeats[0]).argmin()) % 2
