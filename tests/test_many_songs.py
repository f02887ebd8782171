"""Many songs in one call: each as if danced alone, one that fails told at the end, whole files whatever happens."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch
from song_library import write_library

from duende.audio.music import MusicFeatures
from duende.cli import dancing, many
from duende.cli import threads as threading
from duende.cli.company import DancedSong
from duende.cli.dancing import Piece
from duende.cli.hearing import add_hearing_arguments, chosen_sources
from duende.cli.main import main
from duende.cli.placing import add_placement_arguments, chosen_placement
from duende.cli.processes import as_finished, crew, result
from duende.cli.threads import chosen_threads, threads
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.npz import read_npz, write_npz
from duende.models.placement import Placement
from duende.motion import Motion
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.storage import from_pretrained

COMMON = ("--model", "debug", "--formats", "npz,bvh,glb,html", "--seed", "3")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two songs of one name, in a folder and in one in it, one of another, and a broken one."""
    folder = tmp_path_factory.mktemp("library")
    return write_library(folder, (("one.wav", 120, 4), ("album/one.flac", 100, 3), ("two.ogg", 90, 2)))


def run(*words: object) -> int:
    return main(["dance", *map(str, words)])


def fails(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(*words) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def written(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their names in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_song_has_the_files_that_it_has_alone_and_a_broken_one_is_told_at_the_end(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert run(songs, *COMMON, "--jobs", 2, "-o", together, "--cache", tmp_path / "cache") == 2
    printed = capsys.readouterr()
    for place in ("one", "album/one", "two"):
        song = next(songs.glob(f"{place}.*"))
        out = (alone / place).parent
        assert run(song, *COMMON, "-o", out, "--cache", tmp_path / "cache alone") == 0
        (line,) = [line for line in printed.out.splitlines() if f"{together / place}.npz" in line]
        assert line.startswith(song.name) and f"{together / place}.html" in line
    assert len(written(together)) == 12
    assert written(together) == written(alone)
    mistakes = [line for line in printed.err.splitlines() if line.startswith("duende: ")]
    assert len(mistakes) == 2 and "broken.mp3 is not a sound file" in mistakes[0]
    assert mistakes[1].startswith("duende: 1 of 4 songs could not be danced to")


def test_what_is_there_is_left_and_what_is_missing_is_danced(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, words = (
        tmp_path / "out",
        (good, *COMMON[:2], "--formats", "npz,bvh", "--skip-existing", "-o", tmp_path / "out"),
    )
    assert run(*words, "--seed", 1) == 0
    first = written(out)
    (out / "two.bvh").unlink()
    capsys.readouterr()
    assert run(*words, "--seed", 2) == 0
    printed = capsys.readouterr()
    assert "2 of 3 songs have their files already" in printed.err
    assert [line.split()[0] for line in printed.out.splitlines()] == ["two.ogg"]
    again = written(out)
    assert {name for name in first if again[name] != first[name]} == {"two.npz", "two.bvh"}
    assert run(*words) == 0 and written(out) == again
    assert run(good / "two.ogg", *words[1:]) == 0 and written(out) == again


def test_songs_of_one_name_are_refused_before_the_work(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    message = fails(capsys, good / "one.wav", good / "album" / "one.flac", *COMMON, "-o", out)
    assert "one.wav and " in message and "album/one.flac would both be written to" in message
    assert not written(out)


def test_variants_of_many_songs_are_all_there(good: Path, tmp_path: Path) -> None:
    words = (*COMMON[:2], "--variants", 2, "--formats", "npz,html", "--seconds", 1)
    assert run(good / "one.wav", good / "two.ogg", *words, "-o", tmp_path) == 0
    names = sorted(path.name for path in tmp_path.glob("*.*"))
    assert names == [f"{song}{end}" for song in ("one", "two") for end in ("-seed0.npz", "-seed1.npz", ".html")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--jobs", "0"), "--jobs is auto or a whole number of 1 or more, got 0"),
        (("--jobs", "many"), "--jobs is auto"),
        (("--threads", "-1"), "--threads"),
        (("--style", "polka"), "the styles of this model are: calm, lively"),
        (("--temperature", "-1"), "--temperature"),
        (("--device", "tpu"), "there is no device 'tpu' here; choose among cpu"),
        (("--precision", "float8"), "--precision"),
    ],
)
def test_mistakes_that_concern_all_songs_end_in_one_sentence_before_the_work(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert said in fails(capsys, good, *COMMON, *words, "-o", tmp_path / "out")
    assert not written(tmp_path / "out")


def test_a_given_dance_belongs_to_one_song(
    good: Path, tmp_path: Path, wavy_motion: Motion, capsys: pytest.CaptureFixture[str]
) -> None:
    write_npz(wavy_motion, tmp_path / "given.npz")
    message = fails(capsys, good, *COMMON, "--given", tmp_path / "given.npz", "-o", tmp_path / "out")
    assert "belongs to one song, not to 3" in message


def test_an_option_that_one_song_cannot_meet_fails_that_song_alone(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*COMMON[:2], "--formats", "npz", "--start", "2.5", "-o", tmp_path)
    assert run(good, *words) == 2
    printed = capsys.readouterr().err
    assert "two.ogg: --start 0:02.5 is after the end of the song" in printed
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.npz")) == ["album/one.npz", "one.npz"]


def test_a_mistake_of_ours_does_not_stop_the_other_songs(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = dancing.heard_excerpt

    def unlucky(path: Path, *others: object) -> object:
        if path.name == "two.ogg":
            raise ZeroDivisionError("float division\nby zero")
        return hear(path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(dancing, "heard_excerpt", unlucky)
    assert run(good, *COMMON[:2], "--formats", "npz", "-o", tmp_path / "out") == 2
    assert "two.ogg met a mistake in duende (ZeroDivisionError: float division); " in capsys.readouterr().err
    assert len(written(tmp_path / "out")) == 2


def test_dances_in_batches_are_those_alone(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    many_at_once = ExpressiveBailando.choreograph_many

    def counted(
        self: ExpressiveBailando, features: list[MusicFeatures], seeds: list[int], **others: object
    ) -> list[np.ndarray]:
        sizes.append(len(features))
        return many_at_once(self, features, seeds, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(ExpressiveBailando, "choreograph_many", counted)
    words = (*COMMON[:2], "--formats", "npz", "--variants", 2)
    assert run(songs, *words, "--batch", 4, "-o", tmp_path / "batches") == 2
    printed = capsys.readouterr()
    assert "broken.mp3 is not a sound file" in printed.err and len(printed.out.splitlines()) == 3
    assert sizes == [4, 2]
    assert run(songs, *words, "-o", tmp_path / "alone") == 2
    together, alone = tmp_path / "batches", tmp_path / "alone"
    assert written(together).keys() == written(alone).keys() and len(written(alone)) == 6
    for name in written(alone):
        np.testing.assert_allclose(read_npz(together / name).root, read_npz(alone / name).root, atol=1e-4)
    assert "--batch needs a system of pose codes" in fails(
        capsys, songs, "--model", "edge", "--formats", "npz", "--batch", 2, "-o", tmp_path
    )


def slowly(folder: Path, name: str) -> None:
    with replacing(folder / name) as temporary:
        temporary.touch()
        time.sleep(60)


def test_who_leaves_early_ends_the_processes_and_deletes_what_is_half_written(tmp_path: Path) -> None:
    before = set(active_children())
    with pytest.raises(KeyboardInterrupt), crew(2) as others:
        for name in "abcd":
            others.begin(partial(slowly, tmp_path), name)
        end = time.monotonic() + 120
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(list(tmp_path.iterdir())) == 2
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    assert set(active_children()) <= before


def killed(number: int) -> int:
    os._exit(9)


def test_a_process_that_is_killed_is_told_in_one_sentence() -> None:
    with pytest.raises(DuendeError, match="perhaps for want of memory; run again with fewer --jobs"), crew(1) as others:
        list(as_finished([others.begin(killed, 1)]))
    with crew(1) as others:
        assert result(others.begin(abs, -2)) == 2


def test_a_small_model_has_one_thread_alone_and_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    system = from_pretrained("debug")
    monkeypatch.setattr(threading, "processors", lambda: 8)
    auto = argparse.Namespace(threads="auto")
    assert [chosen_threads(auto, system, jobs) for jobs in (1, 2, 8)] == [1, 1, 1]
    assert chosen_threads(argparse.Namespace(threads="3"), system, 8) == 3
    monkeypatch.setattr(threading, "LARGE", 0)
    assert [chosen_threads(auto, system, jobs) for jobs in (1, 2, 3, 16)] == [8, 4, 2, 1]


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    with threads(before + 2):
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before


def test_a_placed_system_dances_as_the_options_say() -> None:
    plain = from_pretrained("debug")
    assert isinstance(plain, ExpressiveBailando)
    placed = from_pretrained("debug", placement=Placement("cpu", "bfloat16"))
    assert isinstance(placed, ExpressiveBailando) and not placed.gpt.training
    kinds = {type(module) for module in placed.gpt.modules()}
    assert torch.nn.Linear not in kinds and torch.nn.Linear in {type(module) for module in plain.gpt.modules()}
    with pytest.raises(DuendeError, match="dances in float32 and knows no int8"):
        from_pretrained("edge", placement=Placement("cpu", "int8"))


@pytest.mark.parametrize(
    ("said", "mert"), [("auto", "auto"), ("float32", "float32"), ("bfloat16", "bfloat16"), ("int8", "auto")]
)
def test_one_precision_is_that_of_all_networks(said: str, mert: str) -> None:
    parser = argparse.ArgumentParser()
    add_hearing_arguments(parser, placed=True)
    add_placement_arguments(parser)
    options = parser.parse_args(["--precision", said, "--device", "cpu"])
    assert chosen_placement(options).precision == said
    assert chosen_sources(options).precision == mert


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_songs_are_danced_on_a_cluster(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    # Ray's processes give way to all others, and beside a busy machine's they would wait for minutes.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.chdir(songs)
    words = (*COMMON, "--cache", tmp_path / "cache")
    assert run(".", *words, "-o", tmp_path / "cluster", "--ray") == 2
    printed = capsys.readouterr()
    assert "broken.mp3 is not a sound file" in printed.err and "1 of 4 songs" in printed.err
    assert f"{tmp_path / 'cluster' / 'two.npz'}" in printed.out
    assert run(songs / "two.ogg", *words, "-o", tmp_path / "alone") == 0
    cluster = written(tmp_path / "cluster")
    assert len(cluster) == 12
    assert written(tmp_path / "alone") == {name: cluster[name] for name in cluster if name.startswith("two")}


def test_a_cluster_that_does_not_answer_is_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    words = (good, *COMMON, "-o", tmp_path / "out", "--ray", "127.0.0.1:1")
    assert "no Ray cluster answers at 127.0.0.1:1 (" in fails(capsys, *words)


def test_a_cluster_works_on_processors(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    words = (good, *COMMON, "-o", tmp_path / "out", "--device", "cuda", "--ray")
    assert "--ray works on processors" in fails(capsys, *words)


def test_a_cluster_is_told_whole_paths_and_its_processors(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def here(work: Callable[[Piece], DancedSong], pieces: list[Piece], address: str, workers: int) -> list[DancedSong]:
        told.append((work, pieces, address, workers))
        return [DancedSong(piece) for piece in pieces]

    monkeypatch.setattr(many, "on_ray", here)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.chdir(good)
    assert run(".", *COMMON, "-o", "out", "--cache", ".", "--jobs", 2, "--ray", "10.0.0.1:6379") == 0
    ((work, pieces, address, workers),) = told
    assert [piece.song for piece in pieces] == [good / "one.wav", good / "album" / "one.flac", good / "two.ogg"]
    assert pieces[1].place == good / "out" / "album" / "one"
    assert (address, workers) == ("10.0.0.1:6379", 2)
    keywords = work.keywords  # type: ignore[attr-defined]
    assert keywords["company"].placement.device == keywords["dancing"].options.device == "cpu"
    assert keywords["company"].threads == 1 and keywords["dancing"].options.cache == str(good)


def test_a_batch_that_is_too_large_is_told_in_one_sentence(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ExpressiveBailando, "choreograph_many", full)
    message = fails(capsys, good, *COMMON, "--batch", 8, "-o", tmp_path / "out")
    assert message == "duende: cpu has no room for 3 dances at once; give a smaller --batch"
