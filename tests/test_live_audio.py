"""Hearing music while it goes on: the same rows however it is cut, near those of the whole song, beats told ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from duende.audio import Song, extract_features, feature_set, spectral, track_beats
from duende.audio import live_bars as live_bars_module
from duende.audio.bars import likeliest_bars
from duende.audio.beat_network import FRAMES_A_SECOND, RATE
from duende.audio.live import LiveListener
from duende.audio.live_bars import LiveBars
from duende.audio.live_memory import LiveMemory
from duende.audio.live_meter import LiveMeter
from duende.audio.live_sound import LiveSound
from duende.audio.live_spectrum import LiveSpectrum
from duende.audio.live_tempo import LiveTempogram
from duende.audio.live_tuning import LiveTuning
from duende.audio.music import Beats
from duende.errors import DuendeError

ROW = 1 / 7.5


def drums(tempo: float, seconds: float, rate: int = RATE, begin: float = 0.0, change: float | None = None) -> Song:
    """Bursts on beats, deeper and louder ones on every fourth, with a chord under them."""
    rng = np.random.default_rng(0)
    at = np.arange(rate // 10) / rate
    sound = rng.normal(size=round(seconds * rate)) * 1e-3
    moment = np.arange(len(sound)) / rate
    sound += 0.05 * sum(np.sin(2 * np.pi * pitch * moment) for pitch in (220.0, 277.2, 329.6)) * (moment >= begin)
    time, number = begin, 0
    while time < seconds - 0.1:
        hit = np.sin(2 * np.pi * 60 * at) * np.exp(-25 * at) if number % 4 == 0 else 0.0
        hit = 0.4 * hit + 0.3 * rng.normal(size=len(at)) * np.exp(-80 * at)
        first = round(time * rate)
        sound[first : first + len(hit)] += hit[: len(sound) - first]
        time += 60 / (change if change and time > seconds / 2 else tempo)
        number += 1
    return Song(sound.astype(np.float32), rate, "drums")


def pieces(song: Song, *sizes: int) -> Iterator[np.ndarray]:
    """The sound of a song in pieces of these sizes, one after the other and again."""
    first, number = 0, 0
    while first < len(song.samples):
        yield song.samples[first : first + sizes[number % len(sizes)]]
        first += sizes[number % len(sizes)]
        number += 1


def rows_of(listener: LiveListener, parts: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([*(listener.hear(part) for part in parts), listener.finish()])


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation over time, each column less its mean."""
    return float(np.corrcoef((first - first.mean(axis=0)).ravel(), (second - second.mean(axis=0)).ravel())[0, 1])


@pytest.mark.parametrize("name", ["full_band", "bailando", "rhythm", "full_band+rhythm"])
@pytest.mark.parametrize("rate", [44_100, RATE])
def test_rows_are_the_same_however_the_sound_is_cut(name: str, rate: int) -> None:
    features, song = feature_set(name), drums(120, 3.3, rate)
    whole = rows_of(LiveListener(features, rate), pieces(song, 10 * rate))
    single = (song.samples[at : at + 1] for at in range(2 * rate // 10))
    rest = pieces(Song(song.samples[2 * rate // 10 :], rate), 1, 997, 30_011)
    listener = LiveListener(features, rate)
    before = [listener.hear(part) for part in single]
    cut = np.concatenate([*before, rows_of(listener, rest)])
    assert np.array_equal(whole, cut)
    assert whole.shape == extract_features(song, features).values.shape
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0, 2.0])
def test_short_sounds_have_the_rows_of_the_whole_song(seconds: float) -> None:
    song, features = drums(120, seconds, 48_000), feature_set("full_band")
    rows = rows_of(LiveListener(features, song.rate), pieces(song, 512))
    assert rows.shape == extract_features(song, features).values.shape
    assert np.isfinite(rows).all()


def test_a_row_comes_when_its_sound_was_heard() -> None:
    listener, song = LiveListener(feature_set("full_band"), RATE), drums(120, 1.0)
    counts = [len(listener.hear(song.samples[at : at + 1024])) for at in range(0, 4 * 4096, 1024)]
    assert counts == [0, 0, 0, 1] * 4
    assert listener.look_ahead == 0.0


@pytest.mark.parametrize(
    ("rate", "stated"), [(8_000, 0.12), (22_050, 0.06), (44_100, 0.03), (48_000, 0.03), (96_000, 0.06)]
)
def test_the_resampler_keeps_time_and_is_late_by_less_than_stated(rate: int, stated: float) -> None:
    sound, blocks, late = LiveSound(rate, RATE, 512), [], 0.0
    clicks = np.zeros(rate, np.float32)
    clicks[rate // 2] = 1.0
    for at in range(0, rate, 100):
        blocks += sound.hear(clicks[at : at + 100])
        late = max(late, min(at + 100, rate) / rate - len(blocks) * 512 / RATE)
    blocks += sound.finish()
    heard = np.concatenate(blocks)
    assert abs(int(np.abs(heard).argmax()) - RATE // 2) <= 1
    assert len(heard) == 512 * -(-RATE // 512)
    assert late < stated + 100 / rate + 512 / RATE


def test_separated_sound_becomes_that_of_the_whole() -> None:
    sound = drums(130, 4.0).samples[: 4096 * 28]
    spectrum = LiveSpectrum(RATE, 8, 5.0)
    for block in sound.reshape(-1, 4096):
        spectrum.hear(block)
        spectrum.separate()
    final = len(sound) - (8 + 15 + 4) * spectral.HOP
    harmonic, _ = spectral.separated(sound)
    assert len(spectrum.harmonic) == len(sound)
    assert np.abs(spectrum.harmonic[:final] - harmonic[:final]).max() < 1e-5
    power = spectral.mel_power(sound, RATE)
    assert np.allclose(spectrum.power[:, -10:-2], power[:, -10:-2], rtol=1e-4, atol=1e-6)


def test_bars_carried_on_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_bars_module, "MEMORY", 1e9)
    beats = 10 + np.arange(40) * 30.0
    at = np.arange(int(beats[-1]) + 4)
    peaks = [np.maximum(0, 1 - np.abs(at[:, None] - times).min(axis=1) / 1.5) for times in (beats, beats[::4])]
    activation = np.clip(np.stack(peaks, axis=1), 0.03, 0.95)
    bars, found = LiveBars(), None
    for end in range(8, len(activation) + 1, 8):
        found = bars.hear(activation[max(0, end - 600) : end], end)
    assert found is not None
    expected = likeliest_bars(activation[:end], FRAMES_A_SECOND)
    count = len(found.frames)
    assert count > 20
    assert np.array_equal(found.frames, expected.frames[-count:])
    assert np.array_equal(found.places, expected.places[-count:])


def test_a_meter_stays_until_another_is_clearly_likelier() -> None:
    meter = LiveMeter()
    for number in range(24):
        meter.hear(number, 0.9, 0.8 if number % 4 == 2 else 0.05)
        meter.decide()
    assert [meter.place(number) for number in (2, 3, 6, 10)] == [0, 1, 4, 0]
    meter.hear(24, 0.9, 0.8)
    meter.decide()
    assert (meter.length, meter.phase) == (4, 2)
    for number in range(24, 90):
        meter.hear(number, 0.9, 0.8 if number % 3 == 0 else 0.05)
        meter.decide()
    assert (meter.length, meter.phase) == (3, 0)


def test_a_tuning_is_heard_as_in_the_whole() -> None:
    from duende.audio.chroma import estimated_tuning

    at = np.arange(RATE * 2) / RATE
    pitch = 440.0 * 2 ** (0.3 / 36)
    sound = sum(np.sin(2 * np.pi * pitch * 2 ** (step / 12) * at) for step in (0, 4, 7, 12)).astype(np.float32)
    tuning, told = LiveTuning(RATE), 0.0
    for end in range(8192, len(sound), 4096):
        told = tuning.hear(sound[max(0, end - 6144) : end])
    assert told == pytest.approx(estimated_tuning(sound, RATE), abs=0.021)


def test_a_tempogram_of_a_steady_beat_is_that_of_the_whole() -> None:
    onset = np.zeros(1600, np.float32)
    onset[::30] = 1.0
    whole = spectral.tempogram(onset).T.reshape(200, 8, 384).mean(axis=1)
    live = LiveTempogram(8)
    rows = [live.hear(frames, 120.0) for frames in onset.reshape(200, 8)]
    assert np.abs(rows[100] - whole[100]).max() < 0.3
    assert np.corrcoef(rows[100], whole[100])[0, 1] > 0.9


def test_what_was_heard_a_bar_ago_is_expected_again() -> None:
    features = feature_set("full_band")
    memory, onset = LiveMemory(features), features.slice("onset")
    bar = 14.7
    strengths = np.zeros(8 * 80, np.float32)
    strengths[np.round(np.arange(0, 8 * 79, bar * 2)).astype(int)] = 1.0
    for frames in strengths.reshape(80, 8)[:60]:
        row = np.zeros(features.dimension, np.float32)
        row[onset] = frames
        memory.keep(row)
    expected = memory.expected(12, bar)[:, onset].ravel()
    known = strengths[480 : 480 + 96]
    assert np.corrcoef(expected, known)[0, 1] > 0.6
    assert LiveMemory(features).expected(3, 0.0).shape == (3, features.dimension)


@pytest.mark.parametrize("tempo", [80.0, 120.0, 150.0])
def test_beats_are_told_before_they_come(tempo: float) -> None:
    song = drums(tempo, 14.0)
    listener, told = LiveListener(feature_set("rhythm"), RATE), []
    for part in pieces(song, 4096):
        listener.hear(part)
        now = listener.rows * ROW
        told += [time for time in listener.beats(2.0).times if now + 1.0 <= time < now + 1.0 + ROW]
    told_late = np.array([time for time in told if 7 < time < 14])
    known = np.arange(0, 15, 60 / tempo)
    assert np.abs(told_late[:, None] - known).min(axis=1).max() < 0.03
    assert abs(len(told_late) - 7 * tempo / 60) <= 2
    assert listener.tempo == pytest.approx(tempo, rel=0.01)


def test_a_beat_that_was_settled_stays_and_no_two_lie_close() -> None:
    song = drums(100, 24.0, change=131.0)
    listener, settled = LiveListener(feature_set("rhythm"), RATE, settled=0.3), np.zeros(0)
    for part in pieces(song, 4096):
        listener.hear(part)
        beats, now = listener.beats(2.0), listener.rows * ROW
        assert np.isin(settled[settled > 2.0], beats.times).all()
        assert np.isin(beats.downbeats, beats.times).all()
        if len(beats.times):
            assert np.diff(beats.times).min() > 0.5 * 60 / 131
            assert beats.times[-1] > now + 1.0
        if now > 3.0:
            settled = beats.times[beats.times <= now + 0.3]
    assert listener.tempo == pytest.approx(131, rel=0.02)


def test_columns_of_beats_tell_the_beats_that_were_told() -> None:
    features, song = feature_set("full_band+rhythm"), drums(120, 9.0)
    listener = LiveListener(features, RATE)
    rows = rows_of(listener, pieces(song, 4096))
    beats = listener.beats()
    late = beats.times[(beats.times > 5.2) & (beats.times < 9.0)]
    frames = np.round(late * 60).astype(int)
    hits = np.flatnonzero(rows[:, features.slice("beat")].ravel())
    assert np.array_equal(hits[(hits > 312) & (hits < 530)], frames[frames < 530])
    assert rows[40:, features.slice("pace")] == pytest.approx(0.0, abs=0.03)
    phase = np.arctan2(*rows[:, features.slice("beat_phase")].T) / (2 * np.pi)
    real = beats.phase(np.arange(len(rows)) * ROW)
    off = np.abs(np.mod(phase - real + 0.5, 1.0) - 0.5)[40:]
    assert off.max() < 0.05


def test_expected_rows_have_the_beats_that_come() -> None:
    features, song = feature_set("full_band"), drums(120, 10.0)
    listener = LiveListener(features, RATE)
    listener.hear(song.samples[: 4096 * 60])
    expected = listener.expected(8)
    real = listener.hear(song.samples[4096 * 60 : 4096 * 68])
    assert expected.shape == real.shape
    assert np.array_equal(expected[:, features.slice("beat")], real[:, features.slice("beat")])
    assert np.allclose(expected[:, features.slice("phase")], real[:, features.slice("phase")], atol=0.1)
    onset = features.slice("onset")
    assert likeness(expected[:, onset].reshape(-1, 1), real[:, onset].reshape(-1, 1)) > 0.6


def test_asking_changes_nothing() -> None:
    song, features = drums(120, 5.0), feature_set("full_band")
    asked, quiet = LiveListener(features, RATE), LiveListener(features, RATE)
    for part in pieces(song, 4096):
        row = asked.hear(part)
        asked.expected(9)
        asked.beats(3.0)
        assert np.array_equal(row, quiet.hear(part))


def test_silence_and_noise_have_no_beats() -> None:
    noise = 0.1 * np.random.default_rng(1).normal(size=RATE * 8).astype(np.float32)
    for sound in (np.zeros(RATE * 4, np.float32), noise):
        listener = LiveListener(feature_set("full_band"), RATE)
        rows = rows_of(listener, iter([sound]))
        assert np.isfinite(rows).all()
        assert len(listener.beats().times) == 0
        assert listener.tempo == 0.0
        assert np.isfinite(listener.expected(5)).all()


def test_a_song_may_begin_late_and_end_early() -> None:
    song = drums(120, 12.0, begin=4.0)
    silence = np.zeros(RATE * 8, np.float32)
    listener = LiveListener(feature_set("rhythm"), RATE)
    listener.hear(song.samples)
    beats = listener.beats(1.0)
    assert np.abs(beats.times[beats.times > 8] * 2 - np.round(beats.times[beats.times > 8] * 2)).max() < 0.06
    listener.hear(silence)
    assert listener.beats(1.0).times[-1] < 12.0 + 8.0


@pytest.mark.parametrize(("tempo", "expected"), [("half", 60.0), ("double", 240.0), (60.0, 60.0), (120.0, 120.0)])
def test_a_tempo_may_be_known(tempo: float, expected: float) -> None:
    song = drums(120, 12.0)
    listener = LiveListener(feature_set("rhythm"), RATE, tempo=tempo)  # type: ignore[arg-type]
    listener.hear(song.samples)
    beats = listener.beats(0.0)
    assert beats.tempo == pytest.approx(expected, rel=0.045)
    for found in (beats, track_beats(song, tempo)):  # type: ignore[arg-type]
        assert np.median(np.diff(np.flatnonzero(np.isin(found.times, found.downbeats)))) == 4


def test_memory_does_not_grow() -> None:
    sound = drums(120, 4096 * 185 / RATE + 0.01).samples[: 4096 * 185]
    listener, sizes = LiveListener(feature_set("rhythm"), RATE), []
    for part in sound.reshape(-1, 4096):
        listener.hear(part)
        sizes.append(held(listener))
    assert sizes[-1] <= sizes[160]
    ears, row, sizes = LiveSpectrum(RATE, 8, 1.6), sound[:4096], []
    for _ in range(30):
        ears.hear(row)
        ears.separate()
        sizes.append(held(ears))
    assert sizes[-1] == sizes[-5]


def held(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of the arrays that a thing of ours holds."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return sum(held(value, seen) for value in thing.values())
    if isinstance(thing, list | tuple):
        return sum(held(value, seen) for value in thing)
    if type(thing).__module__.startswith("duende.audio.live"):
        return held(vars(thing), seen)
    return 0


def test_what_cannot_be_heard_is_said() -> None:
    features = feature_set("full_band")
    listener = LiveListener(features, RATE)
    with pytest.raises(DuendeError, match="not finite"):
        listener.hear(np.array([0.0, np.nan], np.float32))
    with pytest.raises(DuendeError, match="mono"):
        listener.hear(np.zeros((10, 2), np.float32))
    listener.finish()
    with pytest.raises(DuendeError, match="ended"):
        listener.hear(np.zeros(10, np.float32))
    assert len(listener.finish()) == 0
    with pytest.raises(DuendeError, match="rate"):
        LiveListener(features, 0)
    with pytest.raises(DuendeError, match="mert cannot be heard live"):
        LiveListener(feature_set("full_band+mert"), RATE)


def test_a_real_song_sounds_nearly_as_when_all_is_known(shared_data: Path) -> None:
    song = Song.read(shared_data / "music" / "jason_shaw_vanishing_horizon.ogg").cropped(5.0, 14.0)
    features = feature_set("full_band")
    whole = extract_features(song, features)
    listener = LiveListener(features, song.rate)
    rows = rows_of(listener, pieces(song, 2048))
    least = {"mfcc": 0.95, "mfcc_delta": 0.8, "chroma": 0.8, "onset": 0.97, "phase": 0.8}
    for family, likely in least.items():
        columns = features.slice(family)
        assert likeness(rows[45:-2, columns], whole.values[45:-2, columns]) > likely, family
    beats: Beats = listener.beats(0.0)
    late = beats.times[(beats.times > 6.0) & (beats.times < 13.0)]
    assert (np.abs(late[:, None] - whole.beats.times).min(axis=1) < 0.07).mean() > 0.9
