"""``duende features``: a library of songs, heard once, with what goes wrong told at the end."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from song_library import write_library

from duende.audio.cache import FeatureCache
from duende.audio.feature_sets import feature_set
from duende.audio.features import extract_features
from duende.audio.song import Song
from duende.cli.main import main
from duende.datasets import song_library
from duende.datasets.building import in_processes
from duende.datasets.cluster import on_ray
from duende.datasets.songs import find_library
from duende.errors import DuendeError

NAMES = ["one", "three", "two"]


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short songs in a folder and one in it, a broken one, and files that are no songs."""
    folder = tmp_path_factory.mktemp("library")
    write_library(folder, (("one.wav", 120, 3), ("two.flac", 100, 3), ("album/three.ogg", 90, 3)))
    shutil.copy(folder / "one.wav", folder / "one.mp3")
    (folder / "album" / "._three.ogg").write_bytes(b"what macOS leaves")
    (folder / "cover.jpg").write_bytes(b"no song")
    return folder


def run(*words: object) -> int:
    return main(["features", *map(str, words)])


def row(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The table that was printed, as a mapping."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    return dict(zip(*([cell.strip() for cell in lines[place].strip("|").split("|")] for place in (0, 2)), strict=True))


def test_a_library_is_heard_and_one_broken_song_does_not_stop_the_rest(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (songs, "--features", "bailando+rhythm", "--workers", "2", "--cache", tmp_path / "cache")
    assert run(*words) == 2
    printed = capsys.readouterr()
    mistakes = [line for line in printed.err.splitlines() if line.startswith("duende: ")]
    assert len(mistakes) == 2 and "broken.mp3 is not a sound file" in mistakes[0]
    assert mistakes[1].startswith("duende: 1 of 4 songs could not be heard")
    assert "| bailando@2+rhythm@1 | 4 | 3 | 0 | 1 | 69 | 445 | 0.1 |" in printed.out
    assert str(tmp_path / "cache") in printed.out
    cache = FeatureCache(tmp_path / "cache")
    for path in (songs / "one.wav", songs / "two.flac", songs / "album" / "three.ogg"):
        assert cache.holds(path, feature_set("bailando+rhythm"))


def test_it_goes_on_where_it_was_stopped(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (good, "--features", "rhythm", "--workers", "1", "--cache", tmp_path / "cache")
    heard = song_library.SongHearing.hear

    def stop(hearing: song_library.SongHearing, song: Path) -> object:
        if song.stem == "two":
            raise KeyboardInterrupt
        return heard(hearing, song)

    with monkeypatch.context() as patch:
        patch.setattr(song_library.SongHearing, "hear", stop)
        assert run(*words) == 130
    assert "what was finished is kept" in capsys.readouterr().err
    assert run(*words) == 0
    table = row(capsys)
    assert int(table["before"]) + int(table["heard now"]) == 3 and int(table["heard now"]) in (1, 2)
    assert run(*words) == 0
    assert row(capsys)["before"] == "3"


def test_files_for_work_outside_the_project_hold_all_that_is_needed(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert run(good, "--workers", "1", "--cache", tmp_path / "cache", "-o", out) == 0
        assert sorted(path.stem for path in out.iterdir()) == NAMES
        shutil.rmtree(out) if _ == 0 else None
    song = Song.read(good / "two.flac")
    expected = extract_features(song, feature_set("full_band+rhythm"))
    with np.load(out / "two.npz", allow_pickle=False) as file:
        values = {name: file[name] for name in file.files}
    assert np.array_equal(values["features"], expected.values) and values["features"].dtype == np.float32
    assert np.array_equal(values["beats"], expected.beats.times)
    assert np.array_equal(values["downbeats"], expected.beats.downbeats)
    assert (float(values["tempo"]), float(values["duration"])) == (expected.beats.tempo, 3.0)
    assert str(values["feature_set"]) == "full_band@2+rhythm@1"
    columns = json.loads(str(values["columns"]))
    first, last = columns["bar_phase"]
    assert np.array_equal(
        values["features"][:, first:last], expected.values[:, expected.feature_set.slice("bar_phase")]
    )
    assert max(last for _, last in columns.values()) == values["features"].shape[1]


def test_songs_are_found_in_folders_and_by_name(songs: Path, tmp_path: Path) -> None:
    found = find_library([songs, songs / "one.wav", songs / "album"])
    assert [path.name for path in found] == ["one.wav", "two.flac", "broken.mp3", "three.ogg"]
    odd = shutil.copy(songs / "one.wav", tmp_path / "odd.name")
    assert find_library([Path(odd)]) == [Path(odd)]


def fails(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(*words) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("duende: ")
    return message


def test_mistakes_end_in_one_sentence(
    songs: Path, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").touch()
    shutil.copy(good / "one.wav", good / "album" / "one.wav")
    for words, message in (
        ((tmp_path / "empty",), "holds no songs"),
        ((tmp_path / "nowhere",), "no file or folder"),
        ((songs, "--features", "loud"), "'loud'"),
        ((songs, "--features", "rhythm+rhythm"), "twice"),
        ((songs, "--workers", 0), "--workers"),
        ((songs, "--precision", "float8"), "--precision"),
        ((songs, "--features", "bailando+mert", "--mert", tmp_path / "none"), "330M"),
        ((songs, "--features", "jukebox"), "--jukebox"),
        ((songs, "--features", "jukebox", "--jukebox", tmp_path / "none"), "NAME.npy"),
        ((songs, "--cache", tmp_path / "taken"), "choose another folder"),
        ((songs, "-o", tmp_path / "taken"), "taken"),
        ((good, "-o", tmp_path / "out"), "would both become one.npz"),
    ):
        assert message in fails(capsys, *words), words
    assert not (tmp_path / "out").exists()


def test_jukebox_features_of_one_song_that_are_missing_are_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "jukebox"
    folder.mkdir()
    for name in ("one", "two"):
        np.save(folder / f"{name}.npy", np.zeros((90, 4800), np.float16))
    words = (good, "--features", "rhythm+jukebox", "--jukebox", folder, "--cache", tmp_path / "cache", "--workers", 1)
    assert run(*words) == 2
    printed = capsys.readouterr()
    assert "three.npy" in printed.err and "1 of 3 songs" in printed.err
    assert "| 3 | 2 | 0 | 1 |" in printed.out


def test_a_dance_is_danced_to_what_was_heard_before(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("dance", good / "one.wav", "--model", "debug", "--formats", "npz", "--cache", tmp_path / "cache")

    def danced(folder: Path) -> bytes:
        assert main([*map(str, words), "--seconds", "1", "-o", str(folder)]) == 0
        return (folder / "one.npz").read_bytes()

    first = danced(tmp_path / "first")
    count = len(list((tmp_path / "cache").glob("??/*.npz")))
    monkeypatch.setattr("duende.audio.cache.part_rows", None)
    monkeypatch.setattr("duende.audio.cache.track_beats", None)
    assert danced(tmp_path / "second") == first
    assert count == len(list((tmp_path / "cache").glob("??/*.npz"))) == 2


def elsewhere(number: int) -> int:
    """A function of a module that the processes of a cluster do not find."""
    return number


@pytest.fixture
def local_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's processes give way to all others, and beside a busy machine's they would wait for minutes."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_worker_niceness", "0")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("local_cluster")
def test_a_cluster_does_what_processes_do() -> None:
    told: list[tuple[int, int]] = []
    jobs = ["bailando", "rhythm+full_band", "mert"]
    made = on_ray(feature_set, jobs, progress=lambda *counts: told.append(counts))
    assert made == in_processes(feature_set, jobs, 1)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    with pytest.raises(DuendeError, match=r"^no music features are called 'loud'; [^\n]*$"):
        on_ray(feature_set, ["rhythm", "loud"])
    with pytest.raises(DuendeError, match="No module named 'test_features_command'"):
        on_ray(elsewhere, [1])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("local_cluster")
def test_a_library_is_heard_on_a_cluster(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (good / "broken.mp3").write_bytes(b"no sound")
    words = (good, "--features", "rhythm", "--cache", tmp_path / "cache", "-o", tmp_path / "out", "--ray")
    assert run(*words) == 2
    printed = capsys.readouterr()
    assert "broken.mp3 is not a sound file" in printed.err and "1 of 4 songs" in printed.err
    assert "| 4 | 3 | 0 | 1 |" in printed.out
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == NAMES


def test_a_cluster_that_does_not_answer_is_named(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray")
    assert "no Ray cluster answers at 127.0.0.1:1 (" in fails(
        capsys, good, "--features", "rhythm", "--ray", "127.0.0.1:1"
    )


def test_without_ray_a_sentence_says_how_to_get_it(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'duende[ray]'" in fails(capsys, good, "--features", "rhythm", "--ray")
