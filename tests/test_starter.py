"""The starter set: what is known of takes, what is held out, what a build leaves on disk."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from duende.datasets import starter
from duende.datasets.hearing import Hearing
from duende.datasets.starter import build_starter, without_still_ends
from duende.datasets.starter_clips import Plan, stretched
from duende.datasets.store import Clip, DanceSet, read_clip, write_clip
from duende.datasets.takes import Take, describe, find_takes, held_out
from duende.errors import DuendeError
from duende.motion import Motion
from duende.motion.accents import phase_locking, speed_minima
from duende.motion.representation import PoseRepresentation

FPS = 60.0


def write_dance(path: Path, seed: int, seconds: float = 12.0, beat: float = 0.6) -> None:
    """A swaying, stepping figure in AIST++'s layout, which stops on a beat that wanders a little."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * FPS)) / FPS
    phase = np.interp(
        at, np.cumsum(rng.normal(beat, 0.06 * beat, int(seconds / beat) + 8)), np.arange(int(seconds / beat) + 8)
    )
    poses = 0.4 * np.sin(np.pi * phase)[:, None] * rng.normal(0, 1, 72)
    poses[:, :3] = 0
    move = np.stack([0.3 * np.cos(np.pi * phase), 0.95 + 0 * at, 0 * at], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pickle.dump({"smpl_poses": poses, "smpl_trans": move, "smpl_scaling": np.ones(1)}, file)


@pytest.fixture(scope="module")
def dances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mocap") / "dances"
    for number in range(4):
        write_dance(folder / f"gLO_sBM_cAll_d{number:02d}_mLO2_ch{number:02d}.pkl", number)
    write_dance(folder / "short_salsa.pkl", 9, seconds=3.0)
    write_dance(folder / "long_disco.pkl", 10)
    (folder / "broken.pkl").write_bytes(b"no pickle")
    return folder


@pytest.fixture(scope="module")
def built(dances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "set"
    build_starter([dances], out, variants=2, workers=1, music=False)
    return out


def test_salsa_is_at_60_and_its_couples_share_a_group() -> None:
    lead, follow = describe(Path("x/salsa/12.bvh")), describe(Path("x/salsa/27.bvh"))
    assert lead is not None and follow is not None
    assert lead.fps == follow.fps == 60.0
    assert lead.group == follow.group
    last, partner = describe(Path("x/salsa/15.bvh")), describe(Path("x/salsa/30.bvh"))
    assert last is not None and partner is not None and last.group == partner.group != lead.group
    assert all(describe(Path(f"x/salsa/{number}.bvh")) is None for number in ("06", "07", "10"))


def test_names_tell_style_and_tempo() -> None:
    house = describe(Path("motions/gHO_sBM_cAll_d20_mHO5_ch02.pkl"))
    assert house is not None and (house.style, house.tempo) == ("house", 135.0)
    disco = describe(Path("mocap_g1/J_ShortDance14_Disco.npz"))
    assert disco is not None and (disco.style, disco.tempo, disco.fps) == ("disco", None, None)


def takes_of(counts: dict[str, int]) -> list[Take]:
    return [Take(Path(f"{s}/{n}.bvh"), s, f"{s}-{n}") for s, count in counts.items() for n in range(count)]


def test_held_out_groups_leave_every_style_to_training() -> None:
    takes = takes_of({"salsa": 25, "indian": 6, "krump": 2, "waack": 1, "lock": 2})
    outside = held_out(takes)
    assert outside == held_out(takes[::-1])
    for style in ("salsa", "indian", "krump", "waack", "lock"):
        groups = {take.group for take in takes if take.style == style}
        assert groups - outside
        if len(groups) >= 4:
            assert groups & outside
    # More takes of one style do not change the choice in another.
    more = held_out(takes_of({"salsa": 25, "indian": 6, "pop": 9}))
    assert {group for group in outside if group.startswith("indian")} <= more


@pytest.mark.shared_data
def test_the_real_split_keeps_couples_together(shared_data: Path) -> None:
    folders = [shared_data / "mocap", shared_data / "mocap_g1", shared_data / "aistpp" / "motions"]
    takes = find_takes(folders)
    outside = held_out(takes)
    test = [take for take in takes if take.group in outside]
    assert 0.08 < len(test) / len(takes) < 0.2
    assert sum(take.tempo is not None for take in test) == 3
    assert {take.style for take in takes} == {take.style for take in takes if take.group not in outside}
    numbers = {int(take.path.stem) for take in test if take.path.parent.name == "salsa"}
    others = {int(t.path.stem) for t in takes if t.path.parent.name == "salsa" and t.group not in outside}
    assert not {number % 15 for number in numbers} & {number % 15 for number in others}


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match="nowhere"):
        find_takes([tmp_path / "nowhere"])
    with pytest.raises(DuendeError, match="holds no motion"):
        find_takes([tmp_path])


def test_two_takes_of_one_name_are_refused(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        (tmp_path / parent / "motions").mkdir(parents=True)
        (tmp_path / parent / "motions" / "one.bvh").touch()
    with pytest.raises(DuendeError, match="rename"):
        find_takes([tmp_path / "a", tmp_path / "b"])


def test_still_ends_are_cut(wavy_motion: Motion) -> None:
    still = np.repeat(wavy_motion.rotations[:1], 180, axis=0), np.repeat(wavy_motion.root[:1], 180, axis=0)
    longer = Motion(
        np.concatenate([still[0], wavy_motion.rotations]), np.concatenate([still[1], wavy_motion.root]), FPS
    )
    assert len(wavy_motion) <= len(without_still_ends(longer)) <= len(wavy_motion) + 25


def test_a_build_leaves_out_what_it_must_and_says_why(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    assert set(report["summary"]["left_out"]) == {"dances-broken", "dances-short_salsa"}
    assert "shorter" in report["summary"]["left_out"]["dances-short_salsa"]
    assert report["summary"]["takes"] == {"train": 4, "test": 1}
    assert report["takes"]["dances-long_disco"]["chance_after"] >= 0


def test_clips_are_whole_rows_on_the_beat(built: Path) -> None:
    data = DanceSet.open(built)
    train, test = data.clips("train"), data.clips("test")
    assert (len(train), len(test)) == (8, 1)
    assert {clip.take for clip in train}.isdisjoint({clip.take for clip in test})
    for clip in train + test:
        assert len(clip.upper) == len(clip.lower) == len(clip.root)
        assert len(clip.upper) % 8 == 0
        assert clip.beats[0] == clip.downbeats[0] == 0
        assert clip.beats[-1] < len(clip.upper) / FPS
        np.testing.assert_allclose(np.diff(clip.beats), 60 / clip.tempo)
        np.testing.assert_array_equal(clip.downbeats, clip.beats[::4])
        assert np.isfinite(clip.upper).all() and np.isfinite(clip.root).all()


def test_variants_are_mirrored_and_stretched(built: Path) -> None:
    clips = {clip.name: clip for clip in DanceSet.open(built).clips("train")}
    plain, mirrored = clips["dances-long_disco-0"], clips["dances-long_disco-1"]
    assert (plain.mirrored, mirrored.mirrored) == (False, True)
    factor = mirrored.tempo / plain.tempo
    assert 0.85 <= factor <= 1.15 and factor != 1
    assert len(mirrored.upper) == pytest.approx(len(plain.upper) / factor, abs=10)
    assert plain.motion is not None and len(plain.motion) == len(plain.upper)
    positions = PoseRepresentation("heading").decode(mirrored.upper, mirrored.lower, mirrored.root)
    locking = phase_locking(speed_minima(positions, FPS), mirrored.beats)
    # Stretched together: the dance still stops on the beat.
    assert locking.resultant > 0.6


def test_a_build_goes_on_where_it_stopped_and_is_the_same(built: Path, dances: Path) -> None:
    names = sorted(path.name for path in built.glob("*.npz"))
    before = {name: (built / name).stat().st_mtime_ns for name in names}
    lost = built / "dances-long_disco-1.npz"
    values = read_clip(lost)
    lost.unlink()
    build_starter([dances], built, variants=2, workers=1, music=False)
    again = read_clip(lost)
    np.testing.assert_array_equal(values.upper, again.upper)
    assert values.tempo == again.tempo
    changed = {name for name in names if (built / name).stat().st_mtime_ns != before[name]}
    assert changed == {"dances-long_disco-1.npz"}


def test_variants_are_added_to_a_finished_build(dances: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "one.pkl").write_bytes((dances / "long_disco.pkl").read_bytes())
    build_starter([folder], tmp_path / "out", variants=1, workers=1, music=False)
    first = (tmp_path / "out" / "one-one-0.npz").stat().st_mtime_ns
    build_starter([folder], tmp_path / "out", variants=2, workers=1, music=False)
    assert (tmp_path / "out" / "one-one-0.npz").stat().st_mtime_ns == first
    assert DanceSet.open(tmp_path / "out").names == ["one-one-0", "one-one-1"]


def test_a_changed_choice_builds_anew(built: Path, dances: Path) -> None:
    plan = Plan(find_takes([dances])[1], "train", 0, 0)
    assert plan.key() == Plan(plan.take, "train", 0, 0).key()
    for other in (
        Plan(plan.take, "test", 0, 0),
        Plan(plan.take, "train", 0, 1),
        Plan(plan.take, "train", 0, 0, Hearing(plan.take.path, "full_band@2")),
        Plan(plan.take, "train", 0, 0, Hearing(plan.take.path, "full_band@2", "weights")),
    ):
        assert plan.key() != other.key()


def test_the_set_is_read_without_audio_or_training_libraries(built: Path) -> None:
    script = (
        "import sys; from duende.datasets.store import DanceSet; "
        f"assert DanceSet.open({str(built)!r}).clips('train'); "
        "bad = {'soundfile', 'soxr', 'symusic', 'lightning_fabric', 'torch'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_clips_come_back_as_written(tmp_path: Path, wavy_motion: Motion) -> None:
    poses = PoseRepresentation("heading").encode(wavy_motion.positions)
    music = np.random.default_rng(0).normal(size=(30, 12))
    beats = np.arange(0, 4, 0.5)
    clip = Clip(
        "a-0",
        "a",
        "salsa",
        "test",
        120.0,
        False,
        poses.upper,
        poses.lower,
        poses.root,
        music,
        beats,
        beats[::4],
        wavy_motion,
    )
    write_clip(clip, tmp_path / "a-0.npz")
    read = read_clip(tmp_path / "a-0.npz")
    np.testing.assert_array_equal(read.upper, poses.upper)
    assert read.music is not None and read.music.dtype == np.float16
    np.testing.assert_allclose(read.music, music, atol=2e-3)
    assert read.motion is not None
    np.testing.assert_allclose(read.motion.positions, wavy_motion.positions, atol=1e-5)
    assert (read.name, read.style, read.split, read.tempo, read.mirrored) == ("a-0", "salsa", "test", 120.0, False)


def test_unfinished_and_damaged_sets_are_named(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match="duende data starter"):
        DanceSet.open(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DuendeError, match="damaged"):
        DanceSet.open(tmp_path)
    (tmp_path / "index.json").write_text('{"schema": 999}')
    with pytest.raises(DuendeError, match="schema"):
        DanceSet.open(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DuendeError, match=r"x\.npz is damaged"):
        read_clip(tmp_path / "x.npz")


def test_stretching_changes_dance_and_tempo_together(wavy_motion: Motion) -> None:
    retimed = starter.on_known_tempo(wavy_motion, 100.0)
    motion, tempo = stretched(retimed, 1.1)
    assert tempo == pytest.approx(110.0)
    assert motion.duration == pytest.approx(retimed.motion.duration / 1.1, abs=0.05)
