"""The control that a person has of a dance: when, how long, how fast, where, how many; and mistakes in one sentence."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duende.audio import Beats, Song, track_beats
from duende.audio.cache import FeatureCache
from duende.audio.feature_sets import feature_set
from duende.audio.repeating import beats_within, cut, repeated, whole_bars
from duende.cli.controls import Controls, chosen_controls
from duende.cli.main import main
from duende.errors import DuendeError
from duende.formats.npz import read_npz

RATE = 22_050
BEAT = 0.5


def clicks(times: np.ndarray, seconds: float) -> Song:
    """Short noises, every fourth of them lower and louder."""
    rng = np.random.default_rng(0)
    at = np.arange(RATE // 20) / RATE
    sound = rng.normal(size=round(seconds * RATE)) * 1e-3
    for number, time in enumerate(times):
        burst = rng.normal(size=len(at)) * np.exp(-100 * at)
        if number % 4 == 0:
            burst = burst + 3 * np.sin(2 * np.pi * 80 * at) * np.exp(-30 * at)
        first = round(time * RATE)
        sound[first : first + len(burst)] += burst[: len(sound) - first]
    return Song((0.2 * sound).astype(np.float32), RATE, "clicks")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen seconds, 120 beats a minute from 0.4 s on."""
    path = tmp_path_factory.mktemp("song") / "clicks.wav"
    made = clicks(np.arange(0.4, 16, BEAT), 16.0)
    soundfile.write(path, made.samples, made.rate)
    return path


def options(**said: object) -> Namespace:
    usual = {"start": "0", "seconds": None, "loop": None, "tempo": None, "mirror": False, "fps": None}
    return Namespace(**{**usual, "in_place": False, "stage": None, "given": None, **said})


def run(*arguments: object) -> int:
    return main([str(argument) for argument in ("dance", *arguments, "--model", "debug")])


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("duende: ")
    return said


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("12.5", 12.5), ("1:30", 90), ("0:05.25", 5.25), ("1:02:03", 3723), ("95", 95)]
)
def test_times_are_written_as_people_write_them(text: str, seconds: float) -> None:
    assert chosen_controls(options(start=text)).start == seconds


@pytest.mark.parametrize("text", ["-3", "abc", "1:75", "1:", "", "nan", "inf", "1:2:3:4"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(DuendeError, match="--start"):
        chosen_controls(options(start=text))


def test_what_is_said_is_understood() -> None:
    assert chosen_controls(options()) == Controls()
    said = chosen_controls(options(loop="4", tempo="97.5", stage="3x2.5", fps=24, mirror=True))
    assert said == Controls(loop=True, bars=4, tempo=97.5, stage=(3.0, 2.5), fps=24, mirror=True)
    assert chosen_controls(options(tempo="half")).tempo == "half"


def test_mistakes_end_in_one_sentence(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(10 * RATE), RATE)
    common = ("-o", tmp_path, "--formats", "npz")
    assert "1 dance or more" in fails(capsys, song, *common, "--variants", 0)
    assert "after the end" in fails(capsys, song, *common, "--start", 400)
    assert "after the end" in fails(capsys, song, *common, "--start", 400, "--loop")
    assert "1 or more" in fails(capsys, song, *common, "--loop", 0)
    assert "1 or more" in fails(capsys, *common, "--loop", song)
    assert "whole bars" in fails(capsys, song, *common, "--loop", 50)
    assert "0 whole bars" in fails(capsys, song, *common, "--loop", "--seconds", 1)
    assert "no beat" in fails(capsys, silence, *common, "--loop")
    assert "24" in fails(capsys, song, *common, "--fps", 50)
    assert "3x2" in fails(capsys, song, *common, "--stage", 3)
    assert "3x2" in fails(capsys, song, *common, "--stage", "0x2")
    assert "half or double" in fails(capsys, song, *common, "--tempo", 10)
    assert "half or double" in fails(capsys, song, *common, "--tempo", "fast")
    assert "contradict" in fails(capsys, song, *common, "--in-place", "--stage", "3x2")
    assert "--given" in fails(capsys, song, *common, "--loop", "--given", "some.bvh")
    assert "--seconds" in fails(capsys, song, *common, "--seconds", 0)
    assert [file.name for file in tmp_path.iterdir()] == ["silence.wav"]


def test_a_dance_begins_and_ends_where_it_is_told(song: Path, tmp_path: Path) -> None:
    common = ("-o", tmp_path, "--formats", "npz")
    assert run(song, *common, "--start", "0:04", "--seconds", 3) == 0
    assert len(read_npz(tmp_path / "clicks.npz")) == 180
    assert run(song, *common, "--start", 14) == 0
    assert len(read_npz(tmp_path / "clicks.npz")) == 120


def test_variants_are_the_dances_of_their_seeds(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = (song, "--seconds", 2)
    assert run(*common, "-o", tmp_path, "--seed", 3, "--variants", 2) == 0
    printed = capsys.readouterr().out
    names = {file.name for file in tmp_path.iterdir()}
    assert {"clicks.html", "clicks.png", "clicks-seed3.npz", "clicks-seed4.npz", "clicks-seed4.bvh"} <= names
    assert not any("mp4" in name or name in ("clicks.npz", "clicks-seed3.png") for name in names)
    assert all(name in printed for name in names) and "--seed 3 to 4" in printed
    assert run(*common, "-o", tmp_path / "alone", "--seed", 4, "--formats", "npz") == 0
    assert (tmp_path / "alone" / "clicks.npz").read_bytes() == (tmp_path / "clicks-seed4.npz").read_bytes()


def test_the_same_options_give_the_same_files(song: Path, tmp_path: Path) -> None:
    shape = ("--loop", 2, "--mirror", "--stage", "1x1", "--fps", 24, "--variants", 2, "--formats", "npz,bvh,png")
    for folder in "ab":
        assert run(song, "-o", tmp_path / folder, *shape) == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 5
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_loop_has_the_frames_of_its_bars(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for fps in (60, 24, 25):
        assert run(song, "-o", tmp_path, "--formats", "npz", "--loop", 2, "--fps", fps) == 0
        loop = read_npz(tmp_path / "clicks.npz")
        assert abs(len(loop) - 8 * BEAT * fps) <= 1 and loop.fps == fps
        assert f"a loop of 2 bars, 0:00.4 to 0:04.4: {len(loop)} frames" in capsys.readouterr().err
    assert run(song, "-o", tmp_path, "--formats", "npz", "--loop", "--start", 3) == 0
    assert "a loop of 5 bars, 0:04.4 to 0:14.4" in capsys.readouterr().err


def test_mirrored_frames_are_the_mirror_image(song: Path, tmp_path: Path) -> None:
    common = (song, "--formats", "npz", "--seconds", 2)
    assert run(*common, "-o", tmp_path / "plain") == 0
    assert run(*common, "-o", tmp_path / "mirror", "--mirror") == 0
    plain, mirror = (read_npz(tmp_path / name / "clicks.npz") for name in ("plain", "mirror"))
    np.testing.assert_allclose(mirror.positions, plain.mirrored().positions, atol=1e-5)


BARS = Beats(np.arange(0.4, 20, BEAT), np.arange(0.4, 20, 4 * BEAT), 120.0)


def test_bars_begin_at_the_first_downbeat_after_the_start() -> None:
    song = Song(np.zeros(20 * RATE), RATE)
    assert whole_bars(BARS, song) == (span := whole_bars(BARS, song, bars=8))
    assert (span.begin, span.bars) == (0.4, 8) and span.end == pytest.approx(16.4)
    assert whole_bars(BARS, song, start=2.44, bars=1).begin == pytest.approx(2.4)
    assert whole_bars(BARS, song, start=2.6, bars=1).begin == pytest.approx(4.4)
    assert whole_bars(BARS, song, seconds=7.0).bars == 3
    with pytest.raises(DuendeError, match="3 whole bars from second 0"):
        whole_bars(BARS, song, seconds=7.0, bars=4)


def test_a_last_bar_that_ends_with_the_song_counts() -> None:
    beats = Beats(np.arange(0, 8, BEAT), np.arange(0, 8, 4 * BEAT), 120.0)
    assert whole_bars(beats, Song(np.zeros(round(7.97 * RATE)), RATE)).bars == 4
    assert whole_bars(beats, Song(np.zeros(round(7.5 * RATE)), RATE)).bars == 3


def test_no_click_is_heard_where_a_loop_is_repeated() -> None:
    at = np.arange(10 * RATE) / RATE
    song = Song((0.5 * np.sin(2 * np.pi * 441.7 * at)).astype(np.float32), RATE)
    loop = cut(song, 1.2345, 2.001)
    assert len(loop.samples) == round(2.001 * RATE)
    twice = np.concatenate([loop.samples, loop.samples])
    assert np.abs(np.diff(twice)).max() < 1.1 * np.abs(np.diff(song.samples)).max()
    np.testing.assert_array_equal(loop.samples[:-200], song.cropped(1.2345, 2.001).samples[:-200])
    assert len(cut(song, 8.5, 1.55).samples) == round(1.55 * RATE)
    assert len(cut(song, 0.0, 1.0).samples) == RATE


def test_music_on_repeat_has_its_beats_again() -> None:
    song = Song(np.arange(20 * RATE, dtype=np.float32), RATE)
    span = whole_bars(BARS, song, bars=2)
    part = cut(song, span.begin, 4.0)
    beats = beats_within(BARS, span, part.duration)
    np.testing.assert_allclose(beats.times, np.arange(8) * BEAT, atol=1e-9)
    np.testing.assert_allclose(beats.downbeats, [0, 2], atol=1e-9)
    endless, often = repeated(part, beats)
    assert endless.duration == pytest.approx(12.0)
    np.testing.assert_allclose(often.times, np.arange(24) * BEAT, atol=1e-9)
    np.testing.assert_array_equal(endless.samples[4 * RATE : 8 * RATE], part.samples)


def test_a_known_tempo_is_kept_to() -> None:
    times = np.arange(0.3, 24, 60 / 100)
    song = clicks(times, 24.0)
    assert track_beats(song).tempo == pytest.approx(100, rel=0.02)
    near = track_beats(song, 98.0)
    assert np.abs(near.times[:, None] - times).min(axis=1).max() < 0.05
    for tempo in (50.0, 66.0, 150.0, 200.0):
        laid = track_beats(song, tempo)
        assert laid.tempo == pytest.approx(tempo, rel=0.04)
        assert len(laid.times) == pytest.approx(24 * tempo / 60, abs=3)
    slow = track_beats(song, 50.0)
    assert np.mean(np.abs(slow.times[:, None] - times).min(axis=1) < 0.05) > 0.9


def test_beats_that_are_hard_to_hear_are_laid_at_a_known_tempo() -> None:
    noise = Song((0.1 * np.random.default_rng(5).normal(size=15 * RATE)).astype(np.float32), RATE)
    assert track_beats(noise).tempo == 0
    assert track_beats(noise, 120.0).tempo == pytest.approx(120, rel=0.04)
    assert track_beats(Song(np.zeros(15 * RATE), RATE), 120.0).tempo == 0


def test_half_and_double_are_relative_to_what_is_found() -> None:
    song = clicks(np.arange(0.4, 20, BEAT), 20.0)
    found, half, double = (track_beats(song, tempo) for tempo in (None, "half", "double"))
    assert (half.tempo, double.tempo) == (found.tempo / 2, found.tempo * 2)
    assert set(half.times) < set(found.times) < set(double.times)
    assert found.downbeats[0] in half.times and found.downbeats[0] in double.downbeats
    np.testing.assert_allclose(np.diff(half.downbeats), 8 * BEAT, atol=0.03)
    np.testing.assert_allclose(np.diff(double.downbeats), 2 * BEAT, atol=0.03)
    assert track_beats(Song(np.zeros(15 * RATE), RATE), "half").tempo == 0


def test_what_was_heard_at_one_tempo_is_not_taken_for_another(song: Path, tmp_path: Path) -> None:
    cache, features = FeatureCache(tmp_path / "cache"), feature_set("rhythm")
    found = cache.features(song, features)
    half = cache.features(song, features, tempo="half")
    known = cache.features(song, features, tempo=90.0)
    again = cache.features(song, features)
    tempi = [heard.beats.tempo for heard in (found, half, known, again)]
    assert tempi == pytest.approx([120, 60, 90, 120], rel=0.04)
    assert not np.array_equal(found.features.values, half.features.values)
    np.testing.assert_array_equal(found.features.values, again.features.values)
    np.testing.assert_array_equal(cache.beats(song, tempo="half").times, half.beats.times)
    assert len(sorted((tmp_path / "cache").glob("??/*"))) == 6
