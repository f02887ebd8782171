"""Named music features at 7.5 rows a second, one row for each pose code.

``bailando``, the published one: audio at 3,840 Hz, 438 columns, by description of lisiyao21/Bailando; it hears nothing
above 1.9 kHz. ``full_band``, ours: audio at 30,720 Hz and 60 frames a second, eight of which make a row; what tells
where in the row something happens (onsets, beats) keeps all eight.
"""

from __future__ import annotations

import numpy as np

from duende.audio import spectral
from duende.audio.beats import track_beats
from duende.audio.chroma import chromagram
from duende.audio.feature_sets import FRAMES_IN_ROW, PUBLISHED, ROWS_A_SECOND, feature_set
from duende.audio.music import Beats, FeatureSet, MusicFeatures
from duende.audio.song import Song
from duende.errors import DuendeError

RATES = {"bailando": 3_840, "full_band": 30_720}
OCTAVES = {"bailando": 5, "full_band": 7}
SCALES = {"mfcc": 0.01, "mfcc_delta": 0.05, "onset": 0.2}
"""Fixed factors of our own set that bring its columns near the unit range; the published one is left raw."""


def extract_features(song: Song, features: FeatureSet, beats: Beats | None = None) -> MusicFeatures:
    """Compute music features.

    Args:
        song: of any length and rate.
        features: which set.
        beats: exact beats where they are known; by default they are tracked.

    Returns:
        ``ceil(7.5 * seconds)`` rows, at least one.
    """
    if features.identity != feature_set(features.name).identity:
        raise DuendeError(f"this version computes {feature_set(features.name).identity}, not {features.identity}")
    beats = track_beats(song) if beats is None else beats
    rate = RATES[features.name]
    frames = _frames(song.resampled(rate).samples, rate, OCTAVES[features.name])
    rows = max(1, int(np.ceil(song.duration * ROWS_A_SECOND - 1e-6)))
    if features is PUBLISHED or features.name == PUBLISHED.name:
        table = _fitted(frames, rows)
        hit = _hits(beats.times, ROWS_A_SECOND, rows)[:, None]
        columns = [table["mfcc"], table["mfcc_delta"], table["chroma"], table["onset"], hit, table["tempogram"]]
    else:
        columns = _rows(_fitted(frames, rows * FRAMES_IN_ROW), beats, rows)
    values = np.nan_to_num(np.concatenate(columns, axis=1).astype(np.float32))
    return MusicFeatures(values, features, beats)


def _frames(samples: np.ndarray, rate: int, octaves: int) -> dict[str, np.ndarray]:
    """All families ``(T, width)`` at the audio's own frames (hop 512)."""
    power = spectral.mel_power(samples, rate)
    level = spectral.decibels(power, reference=float(power.max()))
    coefficients = spectral.mfcc(level)
    harmonic, percussive = spectral.separated(samples)
    onset = spectral.onset_strength(spectral.decibels(spectral.mel_power(percussive, rate)))
    chroma = chromagram(harmonic, rate, octaves)
    families = {
        "mfcc": coefficients,
        "mfcc_delta": spectral.delta(coefficients),
        "chroma": chroma,
        "onset": onset[None],
        "tempogram": spectral.tempogram(onset),
    }
    return {name: values.T for name, values in families.items()}


def _fitted(frames: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Cut to ``count`` frames, or repeat the last."""
    return {
        name: np.pad(values[:count], ((0, max(0, count - len(values))), (0, 0)), mode="edge")
        for name, values in frames.items()
    }


def _rows(frames: dict[str, np.ndarray], beats: Beats, rows: int) -> list[np.ndarray]:
    fine = ROWS_A_SECOND * FRAMES_IN_ROW
    at = np.arange(rows) / ROWS_A_SECOND
    scaled = {name: values * SCALES.get(name, 1.0) for name, values in frames.items()}

    def mean(name: str) -> np.ndarray:
        return np.asarray(scaled[name].reshape(rows, FRAMES_IN_ROW, -1).mean(axis=1))

    def each(values: np.ndarray) -> np.ndarray:
        return values.reshape(rows, FRAMES_IN_ROW)

    return [
        mean("mfcc"),
        mean("mfcc_delta"),
        mean("chroma"),
        each(scaled["onset"]),
        each(_hits(beats.times, fine, rows * FRAMES_IN_ROW)),
        each(_hits(beats.downbeats, fine, rows * FRAMES_IN_ROW)),
        _phases(beats, at),
        mean("tempogram"),
    ]


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
