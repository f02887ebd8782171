"""Sound at its own pace: a song by a clock, a microphone by its device; and what a live dance costs."""

from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from live_dance import FPS, FakeClock, chunks_of, clicks, swaying

from duende.audio.song import Song
from duende.errors import DuendeError
from duende.live import measurements
from duende.live.measurements import Measurements
from duende.live.microphone import MicrophoneSource, SoundPace
from duende.live.sources import CHUNK_SECONDS, FileSource


def test_a_song_comes_in_chunks_each_when_its_last_sample_is_heard() -> None:
    clock, song = FakeClock(), clicks(1.03)
    source = FileSource(song, clock=clock)
    assert source.moment is None
    pieces, moments = [], []
    for piece in source.chunks():
        pieces.append(piece)
        moments.append(source.moment)
    assert np.array_equal(np.concatenate(pieces), song.samples)
    assert {len(piece) for piece in pieces[:-1]} == {round(CHUNK_SECONDS * song.rate)}
    assert np.allclose(moments, np.cumsum([len(piece) for piece in pieces]) / song.rate)


def test_a_slow_listener_gets_what_it_missed_at_once_and_the_pace_does_not_drift() -> None:
    clock = FakeClock()
    source = FileSource(clicks(2.0), clock=clock)
    for number, _ in enumerate(source.chunks()):
        if number == 3:
            clock.time += 0.5
        if 3 < number < 15:
            assert source.moment == pytest.approx(4 * CHUNK_SECONDS + 0.5), "no waiting while behind"
    assert source.moment == pytest.approx(2.0)


def test_a_song_can_be_cut_and_repeated() -> None:
    song = clicks(1.0)
    short = np.concatenate(list(FileSource(song, seconds=0.3, clock=FakeClock()).chunks()))
    assert np.array_equal(short, song.samples[:2400])
    assert FileSource(song, seconds=5.0).seconds == 1.0, "without repeating it ends with the song"
    long = np.concatenate(list(FileSource(song, seconds=2.5, repeat=True, clock=FakeClock()).chunks()))
    assert np.array_equal(long, np.tile(song.samples, 3)[:20_000])
    endless = FileSource(song, repeat=True, clock=FakeClock())
    assert len(list(itertools.islice(endless.chunks(), 100))) == 100
    assert np.array_equal(endless.samples(8000 * 1000 + 5, 10), song.samples[5:15])


class FakeStream:
    def __init__(self, **options: Any) -> None:
        self.options, self.closed = options, False

    def start(self) -> None:
        FakeStream.last = self  # type: ignore[attr-defined]

    def close(self) -> None:
        self.closed = True


def sound_library(monkeypatch: pytest.MonkeyPatch, devices: list[dict[str, Any]]) -> SimpleNamespace:
    """Put a package sounddevice in place that has these devices."""

    class PortAudioError(Exception):
        pass

    def query_devices(device: object = None, kind: object = None) -> Any:
        if kind is None:
            return devices
        for entry in devices:
            if entry["max_input_channels"] and (device is None or device in entry["name"]):
                return entry
        raise ValueError("no such device")

    library = SimpleNamespace(PortAudioError=PortAudioError, query_devices=query_devices, InputStream=FakeStream)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    return library


INPUT = {"name": "USB mic", "max_input_channels": 1, "default_samplerate": 48_000.0}


def test_the_microphone_gives_what_its_device_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    sound_library(monkeypatch, [{"name": "loudspeaker", "max_input_channels": 0}, INPUT])
    clock = FakeClock()
    source = MicrophoneSource("USB", seconds=0.1, clock=clock)
    heard = source.chunks()
    assert (source.rate, source.moment) == (48_000, None)
    said = np.random.default_rng(0).normal(size=(3, 1920, 1)).astype(np.float32)
    source._open()
    for piece in said:
        clock.time += 0.04
        FakeStream.last.options["callback"](piece, 1920, None, None)  # type: ignore[attr-defined]
    assert source.moment == pytest.approx(0.12)
    assert np.array_equal(np.concatenate(list(heard)), said.reshape(-1)[:4800])
    source.close()
    assert FakeStream.last.closed  # type: ignore[attr-defined]


def test_a_dance_that_falls_far_behind_the_microphone_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    sound_library(monkeypatch, [INPUT])
    source = MicrophoneSource(clock=FakeClock())
    source._open()
    for _ in range(1000):
        source._arrived(np.zeros((1920, 1), np.float32), 1920, None, None)
    with pytest.raises(DuendeError, match="more than 10 s behind the microphone"):
        next(source.chunks())


def test_microphones_that_are_not_there_are_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    sound_library(monkeypatch, [])
    with pytest.raises(DuendeError, match="no microphone was found"):
        MicrophoneSource()
    sound_library(monkeypatch, [INPUT])
    with pytest.raises(DuendeError, match="no microphone 'nonesuch'; there are: USB mic"):
        MicrophoneSource("nonesuch")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DuendeError, match=r"pip install 'duende\[live\]'"):
        MicrophoneSource()


def test_the_pace_of_a_device_follows_its_clock_and_not_its_hiccups() -> None:
    rng, pace = np.random.default_rng(1), SoundPace()
    late = rng.exponential(0.004, 20_000)
    late[::500] += 0.08
    for number in range(20_000):
        heard = (number + 1) * 0.04
        pace.arrived(50.0 + heard * 1.0001 + late[number], heard, 0.04)
    assert pace.begun is not None
    # After 800 s the device is 80 ms behind the computer's clock.
    assert pace.begun == pytest.approx(50.08, abs=0.003)


def test_measurements_tell_late_frames_from_a_late_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "memory", lambda: 100.0)
    chunks, measured = chunks_of(swaying(2.0)), Measurements()
    measured.sent(chunks[0], 0.1)  # frames 0 to 5 of its 8 should have been seen
    measured.sent(chunks[1], 0.1)
    measured.sent(chunks[2], 0.2)
    measured.sent(chunks[3], 24 / FPS + 0.05)  # frames 24, 25 and 26
    for chunk in chunks[4:]:
        measured.sent(chunk, chunk.begin / FPS - 0.3)
    measured.end()
    report = measured.report
    assert (report.frames, report.first_frame, report.late_at_start, report.underruns) == (120, 0.1, 6, 3)
    assert report.margin_worst == pytest.approx(-0.05)
    assert report.margin_median == pytest.approx(0.3)
    assert report.values()["memory_end"] == 100.0
    assert "3 underruns, 6 frames late at the start" in str(report)


def test_without_a_frame_the_report_says_so() -> None:
    measured = Measurements()
    measured.end()
    assert str(measured.report) == "no frame was sent"
    assert measured.report.values()["first_frame"] is None


def test_memory_of_this_process() -> None:
    held = measurements.memory()
    assert held is None or 10 < held < 100_000


def test_a_song_of_one_sample_ends() -> None:
    assert len(list(FileSource(Song(np.ones(1, np.float32), 8000), clock=FakeClock()).chunks())) == 1
