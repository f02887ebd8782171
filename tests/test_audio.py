"""Songs, features against librosa, beats against known ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duende.audio import Beats, Song, extract_features, feature_set, spectral, track_beats
from duende.audio.chroma import chromagram
from duende.errors import DuendeError

RATE = 30_720


def clicks(tempo: float, seconds: float = 20.0, rate: int = 22_050) -> Song:
    rng = np.random.default_rng(0)
    sound = rng.normal(size=round(seconds * rate)) * 1e-3
    burst = rng.normal(size=rate // 20) * np.exp(-np.arange(rate // 20) / (rate / 100))
    for beat in np.arange(0, seconds - 0.1, 60 / tempo):
        first = round(beat * rate)
        sound[first : first + len(burst)] += burst[: len(sound) - first]
    return Song(sound.astype(np.float32) * 0.3, rate, "clicks")


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Six seconds of chords, hits and noise."""
    at = np.arange(6 * RATE) / RATE
    rng = np.random.default_rng(1)
    chord = sum(np.sin(2 * np.pi * f * at) for f in (196.0, 246.9, 293.7)) * (0.2 + 0.1 * np.sin(at))
    hits = np.exp(-30 * (at % 0.43)) * rng.normal(size=len(at)) * 0.4
    return (chord + hits).astype(np.float32) / 2


def test_features_equal_librosa(sound: np.ndarray) -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.stft(sound)
    ours = spectral.spectrum(sound)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-3)
    mel = spectral.mel_filters(RATE) @ np.abs(ours) ** 2
    np.testing.assert_allclose(mel, librosa.feature.melspectrogram(y=sound, sr=RATE), rtol=1e-3, atol=1e-4)
    level = spectral.decibels(mel, float(mel.max()))
    np.testing.assert_allclose(spectral.mfcc(level), librosa.feature.mfcc(S=level), atol=1e-2)
    np.testing.assert_allclose(
        spectral.delta(spectral.mfcc(level)), librosa.feature.delta(librosa.feature.mfcc(S=level), width=3), atol=1e-2
    )
    harmonic, percussive = spectral.harmonic_percussive(ours)
    their_harmonic, their_percussive = librosa.decompose.hpss(theirs)
    np.testing.assert_allclose(harmonic, their_harmonic, atol=1e-3)
    np.testing.assert_allclose(percussive, their_percussive, atol=1e-3)
    back = spectral.inverse(harmonic, len(sound))
    np.testing.assert_allclose(back, librosa.istft(their_harmonic, length=len(sound)), atol=1e-5)
    hit = librosa.istft(their_percussive, length=len(sound))
    onset = spectral.onset_strength(spectral.decibels(spectral.mel_filters(RATE) @ np.abs(spectral.spectrum(hit)) ** 2))
    their_onset = librosa.onset.onset_strength(y=hit, sr=RATE, aggregate=np.median)
    np.testing.assert_allclose(onset, their_onset, atol=1e-2)
    np.testing.assert_allclose(
        spectral.tempogram(their_onset), librosa.feature.tempogram(onset_envelope=their_onset, sr=RATE), atol=1e-4
    )
    chroma = librosa.feature.chroma_cqt(y=back, sr=RATE, n_octaves=7)
    difference = np.abs(chromagram(back, RATE) - chroma)
    assert np.median(difference) < 0.01
    assert np.corrcoef(chromagram(back, RATE).ravel(), chroma.ravel())[0, 1] > 0.99


def test_a_song_in_stretches_sounds_as_the_whole(sound: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    harmonic, percussive = spectral.harmonic_percussive(spectral.spectrum(sound))
    mel = spectral.mel_filters(RATE) @ np.abs(spectral.spectrum(sound)) ** 2
    monkeypatch.setattr(spectral, "STRETCH", 77)
    pieces = spectral.separated(sound)
    np.testing.assert_allclose(pieces[0], spectral.inverse(harmonic, len(sound)), atol=1e-5)
    np.testing.assert_allclose(pieces[1], spectral.inverse(percussive, len(sound)), atol=1e-5)
    np.testing.assert_allclose(spectral.mel_power(sound, RATE), mel, rtol=1e-4, atol=1e-5)
    power = spectral.separated_power(sound, RATE)
    np.testing.assert_array_equal(power[0], pieces[0])
    np.testing.assert_allclose(power[1], spectral.mel_power(pieces[1], RATE), rtol=1e-5, atol=1e-7)


def test_how_many_stretches_are_worked_on_at_once_changes_nothing(
    sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectral, "STRETCH", 50)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert spectral.threads() == int(threads)
        found.append((*spectral.separated_power(sound, RATE), chromagram(sound, RATE)))
    for alone, together in zip(*found, strict=True):
        np.testing.assert_array_equal(alone, together)
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert 1 <= spectral.threads() <= spectral.MOST_THREADS


def test_the_tempogram_of_some_frames_is_a_part_of_that_of_all() -> None:
    onset = np.random.default_rng(0).random(900).astype(np.float32)
    whole = spectral.tempogram(onset)
    np.testing.assert_array_equal(spectral.tempogram(onset, part=slice(300, 640)), whole[:, 300:640])


def test_layouts_are_the_stated_ones() -> None:
    published, ours = feature_set("bailando"), feature_set("full_band")
    assert published.dimension == 438
    assert (published.slice("onset"), published.slice("beat")) == (slice(52, 53), slice(53, 54))
    assert published.slice("tempogram") == slice(54, 438)
    assert ours.rate == published.rate == 7.5
    with pytest.raises(DuendeError, match="bailando, full_band"):
        feature_set("mfcc")


@pytest.mark.parametrize("name", ["bailando", "full_band"])
@pytest.mark.parametrize("seconds", [0.05, 1.0, 4.0])
def test_any_length_gives_whole_rows(name: str, seconds: float) -> None:
    song = clicks(120, 4.0).cropped(0, seconds)
    features = extract_features(song, feature_set(name))
    assert len(features) == max(1, np.ceil(seconds * 7.5))
    assert np.isfinite(features.values).all()


def test_silence_has_features_and_no_beats() -> None:
    features = extract_features(Song(np.zeros(44_100 * 3), 44_100), feature_set("full_band"))
    assert np.isfinite(features.values).all()
    assert features.beats.tempo == 0
    assert len(features.beats.times) == 0


def test_a_beat_lands_in_its_row_and_frame() -> None:
    beats = Beats(np.array([0.0, 0.5, 1.0, 1.5]), np.array([0.0]), 120.0)
    features = extract_features(clicks(120, 2.0), feature_set("full_band"), beats)
    columns = features.values[:, feature_set("full_band").slice("beat")]
    # 0.5 s is frame 30 of 60 a second: the seventh of the eight frames of row 3.
    assert np.argwhere(columns).tolist() == [[0, 0], [3, 6], [7, 4], [11, 2]]
    phase = features.values[:, feature_set("full_band").slice("phase")]
    assert phase[0].tolist() == pytest.approx([0, 1, 0, 1], abs=1e-6)
    assert np.arctan2(phase[3, 0], phase[3, 1]) / 6.2832 == pytest.approx(0.8 - 1, abs=1e-3)


@pytest.mark.parametrize("tempo", [72, 90, 100, 120, 133, 150, 172])
def test_clicks_are_found(tempo: float) -> None:
    beats = track_beats(clicks(tempo))
    ratio = beats.tempo / tempo
    octave = 2.0 ** np.round(np.log2(ratio))
    assert ratio / octave == pytest.approx(1.0, abs=0.02)
    assert octave == 1.0 or tempo > 160
    distance = np.abs(beats.times[:, None] - np.arange(0, 20, 60 / tempo)[None]).min(axis=1)
    assert distance.mean() < 0.02


def test_beat_phase_goes_on_past_both_ends() -> None:
    beats = Beats(np.array([1.0, 1.5, 2.0]), np.array([1.0]), 120.0)
    assert beats.phase(np.array([0.75, 1.25, 2.25])).tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert Beats(np.zeros(0), np.zeros(0), 0.0).phase(np.array([1.0])).tolist() == [0.0]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats_are_read(suffix: str, tmp_path: Path) -> None:
    song = clicks(120, 2.0)
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, np.stack([song.samples, song.samples], axis=1), song.rate)
    read = Song.read(path)
    assert read.name == "song"
    assert read.duration == pytest.approx(2.0, abs=0.1)
    if suffix in ("wav", "flac"):
        np.testing.assert_allclose(read.samples, song.samples, atol=1e-4)


def test_m4a_is_read_by_the_bundled_ffmpeg(tmp_path: Path) -> None:
    import subprocess

    import imageio_ffmpeg

    clicks(120, 2.0).write(tmp_path / "song.wav")
    for name in ("song.m4a", "song.aac", "a video.mp4"):
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            "-i",
            str(tmp_path / "song.wav"),
            str(tmp_path / name),
        ]
        subprocess.run(command, check=True)
        assert Song.read(tmp_path / name).duration == pytest.approx(2.0, abs=0.15)


def test_what_is_no_song_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("words " * 100)
    (tmp_path / "empty.ogg").touch()
    cut = tmp_path / "cut.flac"
    clicks(120, 2.0).write(cut)
    cut.write_bytes(cut.read_bytes()[:40])
    nan = tmp_path / "nan.wav"
    soundfile.write(nan, np.full(100, np.nan, np.float32), 8000, subtype="FLOAT")
    for path in (tmp_path / "text.mp3", tmp_path / "empty.ogg", cut, nan, tmp_path / "none.wav", tmp_path):
        with pytest.raises(DuendeError, match=path.name):
            Song.read(path)


def test_features_of_another_version_are_refused() -> None:
    later = replace(feature_set("full_band"), version=99)
    with pytest.raises(DuendeError, match="@99"):
        extract_features(clicks(120, 1.0), later)
