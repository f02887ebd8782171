"""Beats where they are known: metronomes, composed music, songs played at another pace; none where nothing pulses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from duende.audio import Song, track_beats
from duende.audio.bars import likeliest_bars
from duende.audio.beat_network import FRAMES_A_SECOND, activations_of
from duende.datasets.composer import compose, find_soundfont, render
from duende.errors import DuendeError

RATE = 22_050


@pytest.fixture(scope="module")
def synthesiser() -> Path:
    if shutil.which("fluidsynth") is None:
        pytest.skip("needs the program fluidsynth")
    try:
        return find_soundfont()
    except DuendeError:
        pytest.skip("needs a General MIDI sound font")


def metronome(times: np.ndarray, seconds: float) -> Song:
    rng = np.random.default_rng(0)
    at = np.arange(RATE // 20) / RATE
    burst = rng.normal(size=len(at)) * np.exp(-100 * at)
    sound = rng.normal(size=round(seconds * RATE)) * 1e-3
    for time in times:
        first = round(time * RATE)
        sound[first : first + len(burst)] += burst[: len(sound) - first]
    return Song((0.3 * sound).astype(np.float32), RATE, "metronome")


def hit_shares(known: np.ndarray, found: np.ndarray, within: float = 0.07) -> tuple[float, float]:
    """Shares of known beats that were found, and of found ones that are known."""
    distance = np.abs(known[:, None] - found)
    return float((distance.min(axis=1) < within).mean()), float((distance.min(axis=0) < within).mean())


def activation(period: float, bar: int, bars: int, off: float = 0.03) -> np.ndarray:
    """What a network that hears well would say of ``bars`` bars, in frames."""
    beats = 10 + np.arange(bar * bars) * period
    at = np.arange(int(beats[-1]) + 20)
    peaks = [np.maximum(0, 1 - np.abs(at[:, None] - times).min(axis=1) / 1.5) for times in (beats, beats[::bar])]
    return np.clip(np.stack(peaks, axis=1), off, 0.95)


@pytest.mark.parametrize("bar", [3, 4])
@pytest.mark.parametrize("period", [18.0, 23.7, 31.3, 45.5, 62.0])
def test_bars_are_read_from_what_is_heard(period: float, bar: int) -> None:
    heard = likeliest_bars(activation(period, bar, 12), FRAMES_A_SECOND)
    assert heard.length == bar
    assert np.abs(heard.frames - (10 + np.arange(12 * bar) * period)).max() < 1.5
    assert heard.places.tolist() == list(range(bar)) * 12


def test_a_bar_goes_on_where_beats_are_missing() -> None:
    heard = activation(30.0, 4, 12)
    heard[10 + 30 * 16 - 5 : 10 + 30 * 20 - 5] = 0.03
    found = likeliest_bars(heard, FRAMES_A_SECOND)
    assert np.allclose(found.frames, 10 + 30 * np.arange(48), atol=1)
    assert found.places.tolist() == [0, 1, 2, 3] * 12


def test_ten_minutes_keep_their_place() -> None:
    heard = activation(29.4, 4, 306)
    found = likeliest_bars(heard, FRAMES_A_SECOND)
    assert len(found.frames) == 4 * 306
    assert np.abs(found.frames - (10 + 29.4 * np.arange(4 * 306))).max() < 1.5


@pytest.mark.parametrize("tempo", [62, 75, 88, 100, 117, 126, 140, 158])
def test_metronomes_are_followed_at_their_own_octave(tempo: float) -> None:
    known = np.arange(0.3, 20, 60 / tempo)
    beats = track_beats(metronome(known, 20.5))
    assert beats.tempo == pytest.approx(tempo, rel=0.02)
    assert min(hit_shares(known, beats.times, 0.03)) > 0.9


def test_a_drifting_metronome_is_followed() -> None:
    gaps = 60 / np.linspace(96, 128, 70)
    known = 0.4 + np.cumsum(gaps)
    beats = track_beats(metronome(known, float(known[-1]) + 1))
    assert min(hit_shares(known, beats.times, 0.04)) > 0.9


@pytest.mark.parametrize(
    ("style", "tempo"),
    [("house", 126), ("house", 172), ("hip_hop", 76), ("pop", 100), ("disco", 150), ("krump", 66), ("lock", 110)],
)
def test_composed_music_keeps_its_octave_and_bars(synthesiser: Path, style: str, tempo: float) -> None:
    piece = compose(style, tempo, int(tempo / 3), 21)
    beats = track_beats(render(piece, synthesiser).cropped(0, piece.seconds))
    assert beats.tempo == pytest.approx(tempo, rel=0.02)
    assert min(hit_shares(piece.beats.times, beats.times)) > 0.9
    assert min(hit_shares(piece.beats.downbeats, beats.downbeats)) > 0.9
    assert set(beats.downbeats) <= set(beats.times)


@pytest.mark.shared_data
@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_song_played_at_another_pace_keeps_its_beats(shared_data: Path, ratio: float) -> None:
    song = Song.read(shared_data / "music" / "jason_shaw_sports_action.ogg").cropped(0, 45)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-f",
        "f32le",
        "-ar",
        str(song.rate),
        "-ac",
        "1",
        "-i",
        "-",
    ]
    command += ["-filter:a", f"atempo={ratio}", "-f", "f32le", "-"]
    done = subprocess.run(command, input=song.samples.tobytes(), capture_output=True, check=True)
    first, other = track_beats(song), track_beats(Song(np.frombuffer(done.stdout, "<f4"), song.rate))
    assert other.tempo / first.tempo == pytest.approx(ratio, rel=0.02)
    assert min(hit_shares(first.times, other.times * ratio)) > 0.9


@pytest.mark.parametrize("kind", ["silence", "noise", "chord", "swell"])
def test_nothing_pulses_so_there_are_no_beats(kind: str) -> None:
    at = np.arange(15 * RATE) / RATE
    noise = np.random.default_rng(5).normal(size=len(at)).astype(np.float32) * 0.1
    chord = sum(np.sin(2 * np.pi * f * at) for f in (220.0, 277.2, 329.6)) * 0.1
    sounds = {"silence": 0 * noise, "noise": noise, "chord": chord, "swell": noise * (1 + np.sin(0.7 * at)) / 2}
    beats = track_beats(Song(sounds[kind], RATE))
    assert (len(beats.times), len(beats.downbeats), beats.tempo) == (0, 0, 0.0)


def test_silence_around_music_has_no_beats() -> None:
    known = np.arange(8.0, 24.0, 0.5)
    beats = track_beats(metronome(known, 32.0))
    assert beats.times[0] > 7.4
    assert beats.times[-1] < 24.6


@pytest.mark.parametrize("seconds", [0.01, 1.0, 2.5])
def test_short_songs_are_no_error(seconds: float) -> None:
    song = metronome(np.arange(0.2, 3.0, 0.5), 3.0).cropped(0, seconds)
    assert len(track_beats(song).times) <= 6


def test_the_same_song_has_the_same_beats_however_loud() -> None:
    song = metronome(np.arange(0.3, 12, 0.47), 12.5)
    first, again = track_beats(song), track_beats(song)
    quiet = track_beats(Song(song.samples * np.float32(0.05), RATE))
    assert np.array_equal(first.times, again.times)
    np.testing.assert_allclose(quiet.times, first.times, atol=0.01)


def test_a_song_in_stretches_is_heard_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    level = np.random.default_rng(2).normal(0, 20, (3000, 128)).astype(np.float32)
    whole = activations_of(level)
    monkeypatch.setattr("duende.audio.beat_network.STRETCH", 700)
    np.testing.assert_allclose(activations_of(level), whole, atol=1e-5)
