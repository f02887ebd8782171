"""The cache of what is heard in songs: computed once, never out of date, whole or absent."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duende.audio import cache as cache_module
from duende.audio import entry_keys
from duende.audio.cache import FeatureCache, HeardSong, default_folder
from duende.audio.feature_sets import PARTS, feature_set
from duende.audio.features import extract_features
from duende.audio.music import FeatureSet
from duende.audio.song import Song
from duende.audio.sources import Sources
from duende.errors import DuendeError

RATE = 22_050
SET = feature_set("bailando+rhythm")


def write_song(path: Path, tempo: float = 120.0, seconds: float = 3.0) -> Path:
    at = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(path, 0.5 * np.exp(-20 * (at % (60 / tempo))) * np.sin(6.28 * 220 * at), RATE)
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_song(tmp_path / "song.wav")


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often songs are decoded, beats tracked and parts of each name computed."""
    counts: Counter[str] = Counter()

    def counted(name: Callable[..., str], function: Callable[..., object]) -> Callable[..., object]:
        def call(*values: object) -> object:
            counts[name(*values)] += 1
            return function(*values)

        return call

    read = counted(lambda path: "decoded", Song.read)
    monkeypatch.setattr(cache_module.Song, "read", read)
    monkeypatch.setattr(cache_module, "track_beats", counted(lambda song, tempo: "tracked", cache_module.track_beats))
    parts = counted(lambda part, *rest: part.name, cache_module.part_rows)
    monkeypatch.setattr(cache_module, "part_rows", parts)
    return counts


def assert_same(heard: HeardSong, other: HeardSong) -> None:
    assert heard.duration == other.duration
    assert heard.features.feature_set == other.features.feature_set
    assert heard.features.values.dtype == np.float32
    assert np.array_equal(heard.features.values, other.features.values)
    assert np.array_equal(heard.beats.times, other.beats.times) and heard.beats.tempo == other.beats.tempo
    assert np.array_equal(heard.beats.downbeats, other.beats.downbeats)


def fresh(path: Path, features: FeatureSet = SET, sources: Sources | None = None) -> HeardSong:
    song = Song.read(path)
    return HeardSong(extract_features(song, features, sources=sources), song.duration)


def entries(cache: FeatureCache) -> list[Path]:
    return sorted(cache.folder.glob("??/*"))


def test_a_song_is_heard_once_and_comes_back_bit_for_bit(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    assert not cache.holds(song, SET)
    first = cache.features(song, SET)
    assert cache.holds(song, SET)
    again = cache.features(song, SET)
    assert work == {"decoded": 1, "tracked": 1, "bailando": 1, "rhythm": 1}
    assert_same(first, again)
    assert_same(fresh(song), again)
    assert cache.size > again.features.values.nbytes


def test_sets_share_their_parts_and_the_beats(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    cache.features(song, SET)
    both = cache.features(song, feature_set("full_band+rhythm"))
    assert_same(fresh(song, feature_set("full_band+rhythm")), both)
    cache.features(song, feature_set("bailando"))
    assert work == {"decoded": 2 + 1, "tracked": 1, "bailando": 1, "full_band": 1, "rhythm": 1}
    assert len(entries(cache)) == 4


def test_a_copy_under_another_name_is_the_same_song(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    cache.features(song, SET)
    copy = shutil.copy(song, song.with_name("copy.wav"))
    assert_same(cache.features(song, SET), cache.features(Path(copy), SET))
    assert work["decoded"] == 1


def test_other_content_under_the_same_name_is_another_song(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    cache.features(song, SET)
    write_song(song, 100)
    assert_same(cache.features(song, SET), fresh(song))
    assert work["tracked"] == 2


def test_a_part_of_a_song_is_kept_beside_the_whole(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    cut = Song.read(song).cropped(0.5, 1.0)
    heard = cache.features(song, SET, crop=(0.5, 1.0))
    assert_same(heard, HeardSong(extract_features(cut, SET), cut.duration))
    assert_same(heard, cache.features(song, SET, crop=(0.5, 1.0), song=cut))
    assert cache.features(song, SET).duration == 3.0
    assert work["tracked"] == 2


def test_another_version_is_computed_again(
    song: Path, cache: FeatureCache, work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.features(song, SET)
    monkeypatch.setattr(entry_keys, "BEATS", entry_keys.BEATS + 1)
    cache.features(song, SET)
    assert work == {"decoded": 2, "tracked": 2, "bailando": 2, "rhythm": 2}
    with pytest.raises(DuendeError, match="computes bailando@2"):
        cache.features(song, replace(feature_set("bailando"), version=7))
    newer = replace(feature_set("rhythm"), version=2)
    monkeypatch.setitem(PARTS, "rhythm", newer)
    cache.features(song, newer)
    assert work["rhythm"] == 3 and work["tracked"] == 2
    keys = {cache.key(song, feature_set(name)) for name in ("bailando", "full_band", "bailando+rhythm")}
    assert len(keys) == 3


def test_damaged_entries_are_computed_again(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    first = cache.features(song, SET)
    whole = [path.read_bytes() for path in entries(cache)]
    rng = np.random.default_rng(0)
    for round_number in range(12):
        for path, content in zip(entries(cache), whole, strict=True):
            broken = bytearray(content[: rng.integers(0, len(content))] if round_number < 6 else content)
            if round_number >= 6:
                broken[rng.integers(0, len(content))] ^= 0xFF
            path.write_bytes(broken)
        assert_same(first, cache.features(song, SET))
    assert work["bailando"] > 6 and work["rhythm"] > 6


def test_features_of_jukebox_follow_their_files(song: Path, cache: FeatureCache, work: Counter[str]) -> None:
    jukebox, features = song.parent / "jukebox", feature_set("rhythm+jukebox")
    jukebox.mkdir()
    sources = Sources(jukebox=str(jukebox))
    with pytest.raises(DuendeError, match=r"song\.npy"):
        cache.features(song, features, sources)
    with pytest.raises(DuendeError, match="--jukebox"):
        cache.prepare(features)
    for seed in (0, 1):
        values = np.random.default_rng(seed).normal(0, 9, (90, 4800)).astype(np.float32)
        np.save(jukebox / "song.npy", values)
        heard = [cache.features(song, features, sources) for _ in range(2)]
        assert_same(*heard)
        assert_same(heard[0], fresh(song, features, sources))
    assert work["jukebox"] == 2
    with pytest.raises(DuendeError, match="whole songs"):
        cache.features(song, features, sources, crop=(0, 1))


def test_weights_of_mert_are_part_of_the_key_and_need_not_be_loaded_again(
    song: Path, cache: FeatureCache, work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_mert import written

    from duende.audio import features as features_module

    shape = {"hidden_size": 768, "num_hidden_layers": 1, "intermediate_size": 16}
    weights, features = written(song.parent / "mert", **shape), feature_set("rhythm+mert_95m")
    sources = Sources(mert=str(weights), precision="float32")
    heard = cache.features(song, features, sources)
    assert_same(heard, fresh(song, features, sources))
    with monkeypatch.context() as patch:
        patch.setattr(features_module, "_loaded", None)
        assert_same(heard, cache.features(song, features, sources))
    cache.features(song, features, replace(sources, precision="bfloat16"))
    features_module._loaded.cache_clear()
    written(weights, do_normalize=False, **{**shape, "layer_norm_eps": 1e-3})
    other = cache.features(song, features, sources)
    assert not np.array_equal(other.features.values, heard.features.values)
    assert work["mert_95m"] == 3 and work["tracked"] == 1


def test_weights_that_are_not_there_are_told_with_what_to_do(song: Path, cache: FeatureCache) -> None:
    for call in (cache.features, lambda song, *rest: cache.prepare(*rest)):
        with pytest.raises(DuendeError, match=r"no folder .*nowhere.*MERT"):
            call(song, feature_set("bailando+mert"), Sources(mert="nowhere"))


def slowly(part: FeatureSet, *rest: object) -> np.ndarray:
    """Compute a part, and leave a mark of it; long enough for another process to come."""
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write(f"{part.name}\n")
    time.sleep(1.5)
    return original(part, *rest)


original = cache_module.part_rows


def hear_slowly(folder: Path, song: Path, start: float) -> np.ndarray:
    cache_module.part_rows = slowly
    time.sleep(max(0.0, start - time.time()))
    return FeatureCache(folder).features(song, SET).features.values


def test_of_two_processes_that_want_the_same_one_computes(
    song: Path, cache: FeatureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKS", str(tmp_path / "marks"))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        # Both are asked for nothing first, so that they begin together, however long they take to start.
        pool.map(time.sleep, [0.5, 0.5], chunksize=1)
        jobs = [(cache.folder, song, time.time() + 1.0)] * 2
        first, second = pool.starmap(hear_slowly, jobs, chunksize=1)
    assert np.array_equal(first, second)
    assert (tmp_path / "marks").read_text().splitlines() == ["bailando", "rhythm"]


def stop_in_the_middle_of_writing(folder: Path, song: Path, marker: Path) -> None:
    def half(file: object, **arrays: np.ndarray) -> None:
        file.write(b"PK\x03\x04 half of an entry")  # type: ignore[attr-defined]
        file.flush()  # type: ignore[attr-defined]
        marker.touch()
        time.sleep(120)

    np.savez = half
    FeatureCache(folder).features(song, SET)


def test_a_process_that_is_killed_leaves_nothing_in_the_way(song: Path, cache: FeatureCache, tmp_path: Path) -> None:
    marker = tmp_path / "writing"
    process = multiprocessing.get_context("spawn").Process(
        target=stop_in_the_middle_of_writing, args=(cache.folder, song, marker)
    )
    process.start()
    while not marker.exists():
        assert process.is_alive(), "it ended before it wrote"
        time.sleep(0.05)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    left = [path for path in entries(cache) if path.name.startswith(".")]
    assert len(left) == 1 and not cache.holds(song, SET)
    assert_same(cache.features(song, SET), fresh(song))
    assert len(entries(cache)) == 3 and not left[0].exists()


def test_a_folder_that_cannot_be_written_is_named_or_done_without(song: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    folder = tmp_path / "taken" / "cache"
    for call in (lambda: FeatureCache(folder).features(song, SET), lambda: FeatureCache(folder).prepare(SET)):
        with pytest.raises(DuendeError, match=r"cannot write .*taken.*choose another folder"):
            call()
    lenient = FeatureCache(folder, lenient=True)
    lenient.prepare(SET)
    assert_same(lenient.features(song, SET), fresh(song))


def test_a_full_disk_is_told_and_leaves_nothing(
    song: Path, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DuendeError, match="no space left on device"):
        cache.features(song, SET)
    assert not entries(cache)


def test_where_nothing_can_be_locked_all_goes_on(
    song: Path, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError("this drive cannot lock")

    monkeypatch.setattr("filelock.FileLock._acquire", refuse)
    assert_same(cache.features(song, SET), fresh(song))
    assert cache.holds(song, SET)


def test_a_file_that_grows_while_it_is_read_is_not_kept_under_its_old_content(
    song: Path, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Song.read

    def meanwhile(path: Path) -> Song:
        write_song(song, 100)
        return read(path)

    monkeypatch.setattr(cache_module.Song, "read", meanwhile)
    with pytest.raises(DuendeError, match="changed while it was read"):
        cache.features(song, SET)
    assert not entries(cache)


def test_files_that_are_no_songs_are_named(cache: FeatureCache, tmp_path: Path) -> None:
    (tmp_path / "words.mp3").write_text("no song")
    with pytest.raises(DuendeError, match=r"words\.mp3 is not a sound file"):
        cache.features(tmp_path / "words.mp3", SET)
    with pytest.raises(DuendeError, match=r"no file .*none\.mp3"):
        cache.features(tmp_path / "none.mp3", SET)
    assert not entries(cache)


def test_the_usual_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENDE_CACHE", "/here")
    assert default_folder() == Path("/here")
    monkeypatch.delenv("DUENDE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert default_folder() == Path("/there/duende")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder() == Path("/home/me/.cache/duende")
