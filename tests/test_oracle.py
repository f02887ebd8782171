"""Music features against librosa on real songs, family by family and as the whole sets that networks hear."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from duende.audio import Beats, Song, extract_features, feature_set, spectral
from duende.audio.chroma import chromagram, constant_q, estimated_tuning

SETTINGS = {"bailando": (3_840, 5), "full_band": (30_720, 7)}
"""For each set the rate of its audio and the octaves of its chroma."""
TOLERANCES = {
    "mel": 1e-5,
    "mfcc": 2e-3,
    "mfcc_delta": 2e-3,
    "harmonic": 2e-6,
    "percussive": 2e-6,
    "onset": 2e-3,
    "tempogram": 2e-4,
    "chroma": 1e-4,
}
"""Largest difference allowed anywhere in a song. Values reach 1 (sound, tempogram, chroma), about 25 (onset, decibels
a frame), about 150 (delta) and about 750 (mfcc); mel power is compared in shares of the song's largest."""
FAINT = 1e-3
"""Share of the strongest frame's notes under which a frame's chroma is not compared: each frame is divided by its largest
note, and in silence that leaves nothing but the rounding of either library."""
SECONDS = 20.0
BEATS = Beats(np.arange(0.1, 600.0, 0.47), np.arange(0.1, 600.0, 1.88), 60 / 0.47)

Families = dict[str, np.ndarray]


def songs(shared_data: Path) -> list[Path]:
    paths = sorted((shared_data / "music").glob("*.ogg"))
    assert len(paths) >= 9
    return paths


@lru_cache(maxsize=2)
def opened(path: Path, seconds: float | None) -> Song:
    """A song, or so many seconds from its middle."""
    song = Song.read(path)
    return song if seconds is None else song.cropped(song.duration / 2 - seconds / 2, seconds)


@lru_cache(maxsize=4)
def sound_of(path: Path, name: str, seconds: float | None) -> np.ndarray:
    """A song at the rate of the set, as librosa resamples it; librosa may count one sample less."""
    librosa = pytest.importorskip("librosa")
    song, rate = opened(path, seconds), SETTINGS[name][0]
    sound = song.resampled(rate).samples
    resampled = librosa.resample(song.samples, orig_sr=song.rate, target_sr=rate)
    shared = min(len(sound), len(resampled))
    assert abs(len(sound) - len(resampled)) <= 1 and np.abs(sound[:shared] - resampled[:shared]).max() < 1e-6
    return sound


@lru_cache(maxsize=4)
def theirs(path: Path, name: str, seconds: float | None) -> Families:
    """What librosa makes of a song."""
    librosa = pytest.importorskip("librosa")
    (rate, octaves), sound = SETTINGS[name], sound_of(path, name, seconds)
    mel = librosa.feature.melspectrogram(y=sound, sr=rate)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, ref=np.max))
    harmonic, percussive = librosa.effects.hpss(sound)
    onset = librosa.onset.onset_strength(y=percussive, sr=rate, aggregate=np.median)
    return {
        "mel": mel / mel.max(),
        "mfcc": mfcc,
        "mfcc_delta": librosa.feature.delta(mfcc, width=3),
        "harmonic": harmonic,
        "percussive": percussive,
        "onset": onset[None],
        "tempogram": librosa.feature.tempogram(onset_envelope=onset, sr=rate),
        "chroma": librosa.feature.chroma_cqt(y=harmonic, sr=rate, n_octaves=octaves),
    }


def ours(path: Path, name: str, seconds: float | None) -> Families:
    """The same without librosa, each family from our own values of those before it."""
    (rate, octaves), sound = SETTINGS[name], sound_of(path, name, seconds)
    mel = spectral.mel_power(sound, rate)
    mfcc = spectral.mfcc(spectral.decibels(mel, float(mel.max())))
    harmonic, percussive = spectral.separated(sound)
    onset = spectral.onset_strength(spectral.decibels(spectral.mel_power(percussive, rate)))
    return {
        "mel": mel / mel.max(),
        "mfcc": mfcc,
        "mfcc_delta": spectral.delta(mfcc),
        "harmonic": harmonic,
        "percussive": percussive,
        "onset": onset[None],
        "tempogram": spectral.tempogram(onset),
        "chroma": chromagram(harmonic, rate, octaves),
    }


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max())


def audible(path: Path, name: str, seconds: float | None) -> np.ndarray:
    """Frames ``(T,)`` whose chroma is compared."""
    rate, octaves = SETTINGS[name]
    strength = constant_q(theirs(path, name, seconds)["harmonic"], rate, octaves).sum(axis=0)
    heard = np.asarray(strength > FAINT * strength.max())
    assert heard.mean() > 0.9, path.stem
    return heard


def compare_families(path: Path, name: str, seconds: float | None) -> None:
    expected, found = theirs(path, name, seconds), ours(path, name, seconds)
    heard = audible(path, name, seconds)
    for family, tolerance in TOLERANCES.items():
        frames = heard if family == "chroma" else slice(None)
        worst = difference(found[family][..., frames], expected[family][..., frames])
        assert worst <= tolerance, (path.stem, name, family, worst)


def published_columns(families: Families, rows: int) -> Families:
    """One frame a row."""
    return {family: values.T[:rows] for family, values in families.items()}


def full_band_columns(families: Families, rows: int) -> Families:
    """Eight frames a row, all eight of the onsets and the mean of the others, each scaled."""
    scales = {"mfcc": 0.01, "mfcc_delta": 0.05, "onset": 0.2}
    columns = {}
    for family in ("mfcc", "mfcc_delta", "chroma", "onset", "tempogram"):
        frames = families[family].T[: 8 * rows]
        frames = np.concatenate([frames, np.repeat(frames[-1:], 8 * rows - len(frames), axis=0)])
        eights = frames.reshape(rows, 8, -1) * scales.get(family, 1.0)
        columns[family] = eights[..., 0] if family == "onset" else eights.mean(axis=1)
    return columns


COLUMNS: dict[str, Callable[[Families, int], Families]] = {
    "bailando": published_columns,
    "full_band": full_band_columns,
}


def compare_sets(path: Path, name: str, seconds: float | None) -> None:
    features = extract_features(opened(path, seconds), feature_set(name), BEATS)
    expected = COLUMNS[name](theirs(path, name, seconds), len(features))
    heard = COLUMNS[name](
        {**theirs(path, name, seconds), "chroma": audible(path, name, seconds)[None] * 1.0}, len(features)
    )
    rows = heard["chroma"][:, 0] == 1.0
    for family in ("mfcc", "mfcc_delta", "chroma", "onset", "tempogram"):
        found = features.values[:, features.feature_set.slice(family)]
        compared = rows if family == "chroma" else slice(None)
        worst = difference(found[compared], expected[family][compared])
        assert worst <= TOLERANCES[family], (path.stem, name, family, worst)
    rate = 7.5 if name == "bailando" else 60.0
    beats = features.values[:, features.feature_set.slice("beat")].reshape(-1)
    assert set(np.flatnonzero(beats)) == {n for n in np.round(BEATS.times * rate).astype(int) if n < len(beats)}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", SETTINGS)
def test_the_middle_of_every_song_equals_librosa(name: str, shared_data: Path) -> None:
    for path in songs(shared_data):
        compare_families(path, name, SECONDS)
        compare_sets(path, name, SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.shared_data
@pytest.mark.parametrize("name", SETTINGS)
def test_every_whole_song_equals_librosa(name: str, shared_data: Path) -> None:
    for path in songs(shared_data):
        compare_families(path, name, None)
        compare_sets(path, name, None)


@pytest.mark.parametrize("cents", [-15.0, 0.0, 12.0])
def test_the_tuning_of_chords_out_of_tune_is_found(cents: float) -> None:
    librosa = pytest.importorskip("librosa")
    rate = 30_720
    at = np.arange(4 * rate) / rate
    notes = 440.0 * 2.0 ** (np.array([-12, -9, -5, 0, 4, 7]) / 12 + cents / 1200)
    sound = sum(np.sin(2 * np.pi * note * at) for note in notes).astype(np.float32) / 8
    tuning = estimated_tuning(sound, rate)
    # 36 bins an octave: a bin is 33 cents. Parabolas through a peak are off by a few cents.
    assert tuning == pytest.approx(cents * 36 / 1200, abs=0.1)
    assert tuning == pytest.approx(librosa.estimate_tuning(y=sound, sr=rate, bins_per_octave=36), abs=1e-9)


def test_silence_and_a_click_have_a_tuning_and_a_chromagram() -> None:
    click = np.zeros(8_000, np.float32)
    assert estimated_tuning(click, 3_840) == 0.0
    click[4_000] = 1.0
    for sound in (click, np.zeros(100, np.float32), np.ones(1, np.float32)):
        assert np.isfinite(chromagram(sound, 3_840, 5)).all()
