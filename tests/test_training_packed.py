"""Packed data sets: the same clips out of a few files, made once and again when the clips change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duende.datasets.music_spread import MusicSpread
from duende.datasets.packed import CONTENTS, FOLDER, PackedSet
from duende.datasets.store import ARRAYS, FACTS, DanceSet, read_clip, write_clip, write_index
from duende.errors import DuendeError
from duende.experiments.made_up import write_made_up_dances


@pytest.fixture
def data(tmp_path: Path) -> DanceSet:
    write_made_up_dances(tmp_path / "set")
    return DanceSet.open(tmp_path / "set")


def contents(data: DanceSet) -> list[Path]:
    return sorted((data.folder / FOLDER).glob(f"*/{CONTENTS}"))


def test_packed_clips_are_the_clips(data: DanceSet) -> None:
    for split in ("train", "test"):
        clips, packed = data.clips(split), PackedSet.of(data).clips(split)
        assert len(clips) == len(packed) > 0
        for clip, mapped in zip(clips, packed, strict=True):
            assert all(getattr(clip, name) == getattr(mapped, name) for name in FACTS)
            for name in ARRAYS:
                assert getattr(mapped, name).dtype == getattr(clip, name).dtype
                np.testing.assert_array_equal(getattr(clip, name), getattr(mapped, name))
            assert clip.motion is not None and mapped.motion is not None
            np.testing.assert_array_equal(clip.motion.rotations, mapped.motion.rotations)


def test_a_clip_without_music_or_motion_stays_so(data: DanceSet) -> None:
    path = data.folder / f"{data.names[0]}.npz"
    write_clip(replace(read_clip(path), music=None, motion=None), path)
    first = PackedSet.of(data).clips("train")[0]
    assert first.music is None and first.motion is None and len(first.upper)


def test_mean_and_spread_are_those_of_all_training_music_at_once(data: DanceSet) -> None:
    spread = PackedSet.of(data).spread
    music = [np.asarray(clip.music, np.float32) for clip in data.clips("train") if clip.music is not None]
    every = np.concatenate(music)
    assert spread is not None
    np.testing.assert_array_equal(spread.mean, every.mean(axis=0))
    np.testing.assert_array_equal(spread.scale, np.maximum(every.std(axis=0), 1e-3))
    np.testing.assert_array_equal(spread.mean, MusicSpread.of(np.array_split(every, 7)).mean)


def test_what_is_packed_is_used_again_until_a_clip_changes(data: DanceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    PackedSet.of(data)
    before = contents(data)
    with monkeypatch.context() as patch:
        patch.setattr("duende.datasets.packed._pack", lambda *_: pytest.fail("packed twice"))
        PackedSet.of(data)
    path = data.folder / f"{data.names[0]}.npz"
    clip = read_clip(path)
    write_clip(replace(clip, upper=clip.upper + 1), path)
    changed = PackedSet.of(data)
    np.testing.assert_array_equal(changed.clips("train")[0].upper, clip.upper + 1)
    assert len(contents(data)) == 1 and contents(data) != before


def test_another_index_is_packed_anew(data: DanceSet) -> None:
    PackedSet.of(data)
    kept = list(data.index["clips"].items())[2:]
    write_index(data.folder, kept, data.feature_set, {"representation": "heading", "music": True})
    assert len(PackedSet.of(DanceSet.open(data.folder)).clips("train")) == len(data.clips("train")) - 2


def test_packing_that_was_killed_is_begun_anew(data: DanceSet) -> None:
    packed = PackedSet.of(data)
    (packed.folder / CONTENTS).unlink()
    (packed.folder / ".upper-cut.npy").write_bytes(b"half")
    assert len(PackedSet.of(data).clips("train")) == len(data.clips("train"))
    assert not list(packed.folder.glob(".*"))
    with (packed.folder / "upper.npy").open("r+b") as file:
        file.truncate(1000)
    np.testing.assert_array_equal(PackedSet.of(data).clips("test")[-1].upper, data.clips("test")[-1].upper)


def test_a_damaged_clip_is_named(data: DanceSet) -> None:
    path = data.folder / f"{data.names[1]}.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DuendeError, match=path.name):
        PackedSet.of(data)
    assert not contents(data)
    path.unlink()
    with pytest.raises(DuendeError, match=f"{path.name} is missing"):
        PackedSet.of(data)


def test_processes_that_start_at_once_pack_once(data: DanceSet) -> None:
    code = f"""
import duende.datasets.packed as packed
from duende.datasets.store import DanceSet
inner, made = packed._pack, []
packed._pack = lambda *a: (made.append(1), inner(*a))[1]
clips = packed.PackedSet.of(DanceSet.open({str(data.folder)!r})).clips("train")
print(len(made), len(clips))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    answers = [process.communicate()[0].split() for process in started]
    assert sorted(made for made, _ in answers) == ["0", "1"]
    assert {count for _, count in answers} == {str(len(data.clips("train")))}


def test_opening_reads_no_clip(data: DanceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    PackedSet.of(data)
    monkeypatch.setattr("duende.datasets.packed.reading", lambda *_: pytest.fail("a clip was opened"))
    clips = PackedSet.of(data).clips("train")
    assert clips[0].upper.base is not None
    assert json.loads(contents(data)[0].read_text())["clips"]
