"""Recorded dances with their music: AIST++ in its own layout, and anyone's folder."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duende.cli.main import main
from duende.datasets.aistpp import find_aistpp
from duende.datasets.build_report import SHOWN, Problem, markdown, problem_table
from duende.datasets.folder import find_folder
from duende.datasets.recorded import build_recorded
from duende.datasets.store import DanceSet
from duende.errors import DuendeError
from duende.formats.bvh import write_bvh
from duende.formats.load import load_mocap
from duende.formats.npz import write_npz
from duende.motion import Motion

RATE = 22_050
SCALE = 93.5
TRAIN, VALIDATED, TESTED = "gBR_sFM_cAll_d04_mBR0_ch03", "gBR_sBM_cAll_d04_mBR0_ch01", "gBR_sBM_cAll_d04_mBR0_ch02"
UNLISTED, SILENT, SHORT = "gBR_sBM_cAll_d05_mBR0_ch05", "gPO_sBM_cAll_d10_mPO1_ch01", "gLO_sBM_cAll_d13_mLO2_ch01"
WRONG, NOISY, ODD = "gHO_sBM_cAll_d20_mHO5_ch01", "gMH_sBM_cAll_d22_mMH3_ch01", "solo"
DAMAGED, ARMED = "gJB_sBM_cAll_d08_mJB5_ch01", "gJB_sBM_cAll_d08_mJB5_ch02"
EMPTY, NARROW, BRIEF = "gJB_sBM_cAll_d08_mJB5_ch03", "gJB_sBM_cAll_d08_mJB5_ch04", "gJB_sBM_cAll_d08_mJB5_ch05"
JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
IGNORED, ABSENT = "gWA_sBM_cAll_d25_mWA0_ch01", "gWA_sBM_cAll_d25_mWA0_ch02"


def poses(frames: int, seed: int) -> dict[str, np.ndarray]:
    """A swaying dance as AIST++ writes it: float32, the translation in the body's scale."""
    rng = np.random.default_rng(seed)
    at = np.arange(frames) / 60
    turns = 0.3 * np.sin(2 * np.pi * rng.uniform(0.4, 1.2, 72) * at[:, None] + rng.uniform(0, 6, 72))
    root = np.stack([0.2 * np.sin(at), 0.9 + 0.02 * np.cos(9 * at), 0.1 * at], axis=1)
    return {
        "smpl_loss": np.float32(1.0),
        "smpl_poses": turns.astype(np.float32),
        "smpl_scaling": np.array([SCALE], np.float32),
        "smpl_trans": (root * SCALE).astype(np.float32),
    }


def write_motion(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(values))


def write_clicks(path: Path, tempo: float, seconds: float) -> None:
    """Clicks with a pitch on each beat, the first of every four louder."""
    sound = np.zeros(round(seconds * RATE))
    click = np.exp(-np.arange(RATE // 10) / 500) * np.sin(2 * np.pi * 180 * np.arange(RATE // 10) / RATE)
    for number, time in enumerate(np.arange(0.1, seconds - 0.15, 60 / tempo)):
        first = round(time * RATE)
        sound[first : first + len(click)] += click * (0.9 if number % 4 == 0 else 0.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE)


class Armed:
    """Unpickled without care it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.marker), "w"))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AIST++ as its archive unpacks, with something of every kind that can go wrong."""
    root = tmp_path_factory.mktemp("aistpp")
    home = root / "aist_plusplus_final"
    for seed, name in enumerate((TRAIN, VALIDATED, TESTED, UNLISTED, SILENT, SHORT, WRONG, NOISY, ODD, IGNORED)):
        write_motion(home / "motions" / f"{name}.pkl", poses(365 + seed, seed))
    whole = poses(300, 20)
    (home / "motions" / f"{DAMAGED}.pkl").write_bytes(pickle.dumps(whole)[:4000])
    write_motion(home / "motions" / f"{ARMED}.pkl", {**whole, "more": Armed(root / "it ran")})
    holed = whole["smpl_poses"].copy()
    holed[7, 3] = np.nan
    write_motion(home / "motions" / f"{EMPTY}.pkl", {**whole, "smpl_poses": holed})
    write_motion(home / "motions" / f"{NARROW}.pkl", {**whole, "smpl_poses": whole["smpl_poses"][:, :69]})
    write_motion(home / "motions" / f"{BRIEF}.pkl", poses(1, 21))
    (home / "motions" / "._gBR.pkl").write_bytes(b"what macOS leaves")
    lists = {
        "splits/crossmodal_train.txt": [
            TRAIN,
            SILENT,
            SHORT,
            WRONG,
            NOISY,
            IGNORED,
            DAMAGED,
            ARMED,
            EMPTY,
            NARROW,
            BRIEF,
        ],
        "splits/crossmodal_test.txt": [TESTED, ABSENT],
        "splits/crossmodal_val.txt": [VALIDATED],
        "ignore_list.txt": [IGNORED],
    }
    for file, names in lists.items():
        (home / file).parent.mkdir(exist_ok=True)
        (home / file).write_text("\n".join(names))
    write_clicks(root / "music" / "mBR0.wav", 80, 9)
    write_clicks(root / "music" / "mLO2.flac", 100, 4)
    write_clicks(root / "music" / "mHO5.ogg", 104, 9)
    (root / "music" / "mMH3.mp3").write_bytes(b"no sound")
    return root


@pytest.fixture(scope="module")
def built(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "set"
    build_recorded(find_aistpp(layout), out, representation="global", features="bailando", workers=1)
    return out


def problems(folder: Path) -> dict[tuple[str, str], str]:
    report = json.loads((folder / "report.json").read_text())
    return {(found["kind"], found["name"]): found["what"] for found in report["problems"]}


def test_dances_go_to_the_splits_of_their_lists_and_ignored_ones_nowhere(built: Path) -> None:
    clips = DanceSet.open(built).index["clips"]
    assert clips == {
        TRAIN: "train", SILENT: "train", SHORT: "train", WRONG: "train", NOISY: "train",
        TESTED: "test", VALIDATED: "test", UNLISTED: "other",
    }  # fmt: skip
    summary = json.loads((built / "report.json").read_text())["summary"]
    assert summary["ignored"] == 1 and summary["left_out"] == 5
    assert {split: counts["dances"] for split, counts in summary["splits"].items()} == {
        "train": 5,
        "test": 2,
        "other": 1,
    }


def test_every_dance_that_is_not_as_it_should_be_is_named_with_its_reason(built: Path) -> None:
    found = problems(built)
    assert set(found) == {
        ("in no split list", UNLISTED),
        ("no file", ABSENT),
        ("no music", SILENT),
        ("music too short", SHORT),
        ("another tempo", WRONG),
        ("music unreadable", NOISY),
        ("no AIST++ name", ODD),
        *(("motion unreadable", name) for name in (DAMAGED, ARMED, EMPTY, NARROW)),
        ("too short", BRIEF),
    }
    assert "mPO1" in found["no music", SILENT]
    assert "lasts 4.0 seconds, the dance 6.1" in found["music too short", SHORT]
    assert "135" in found["another tempo", WRONG]
    assert "finite" in found["motion unreadable", EMPTY]
    assert "(300, 69)" in found["motion unreadable", NARROW]


def test_code_in_a_pickle_is_not_run(built: Path, layout: Path) -> None:
    assert "not part of an array" in problems(built)["motion unreadable", ARMED]
    assert not (layout / "it ran").exists()


def test_clips_are_the_recorded_dances_with_their_songs_from_the_start(built: Path, layout: Path) -> None:
    data = DanceSet.open(built)
    assert (data.feature_set, data.representation, data.index["source"]) == ("bailando@2", "global", "aistpp")
    clip = next(clip for clip in data.clips("test") if clip.name == TESTED)
    recorded = load_mocap(layout / "aist_plusplus_final" / "motions" / f"{TESTED}.pkl")
    assert clip.motion is not None and len(clip.motion) == len(recorded) // 8 * 8
    np.testing.assert_allclose(clip.motion.positions, recorded.positions[: len(clip.motion)], atol=1e-5)
    assert 0.6 < clip.motion.root[:, 1].mean() < 1.2
    assert clip.music is not None and clip.music.shape == (len(clip.motion) // 8, 438)
    song = data.songs["mBR0"]
    assert song["tempo"] == pytest.approx(80, rel=0.02) and song["duration"] == pytest.approx(9)
    within = [time for time in song["beats"] if time < clip.motion.duration]
    np.testing.assert_allclose(clip.beats, within, atol=1e-3)
    np.testing.assert_allclose(np.diff(clip.beats), 0.75, atol=0.02)
    assert set(song["downbeats"]) <= set(song["beats"])


def test_dances_whose_music_does_not_fit_are_clips_without_music(built: Path) -> None:
    data = DanceSet.open(built)
    clips = {clip.name: clip for clip in data.clips("train")}
    assert clips[TRAIN].music is not None
    for name in (SILENT, SHORT, WRONG, NOISY):
        assert clips[name].music is None and len(clips[name].beats) == 0
    # A song that contradicts its name is not to be measured against, one that is only short is.
    assert set(data.songs) == {"mBR0", "mLO2"}
    assert (data.song_of[WRONG], data.song_of[SILENT]) == ("mHO5", "mPO1")


def test_songs_and_clips_are_read_without_audio_libraries(built: Path) -> None:
    script = (
        "import sys; from duende.datasets.store import DanceSet; "
        f"data = DanceSet.open({str(built)!r}); assert data.clips('train') and data.songs and data.song_of; "
        "bad = {'soundfile', 'soxr', 'imageio_ffmpeg', 'torch'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.npz")}


def test_a_build_that_was_stopped_goes_on_and_gives_the_same_set(built: Path, layout: Path, tmp_path: Path) -> None:
    def stop(work: str, done: int, total: int) -> None:
        if work == "dances" and done == 3:
            raise KeyboardInterrupt

    recordings = find_aistpp(layout)
    with pytest.raises(KeyboardInterrupt):
        build_recorded(recordings, tmp_path, "global", "bailando", workers=1, progress=stop)
    with pytest.raises(DuendeError, match="no finished data set"):
        DanceSet.open(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert 3 <= len([path for path in before if path.parent == tmp_path]) < 8
    build_recorded(recordings, tmp_path, "global", "bailando", workers=1)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert contents(tmp_path) == contents(built)
    assert (tmp_path / "index.json").read_text() == (built / "index.json").read_text()


def test_only_what_has_changed_is_built_again(built: Path, layout: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    shutil.copytree(layout, root)
    shutil.copytree(built, out)
    before = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    write_clicks(root / "music" / "mPO1.wav", 90, 8)
    write_motion(root / "aist_plusplus_final" / "motions" / f"{TRAIN}.pkl", poses(400, 50))
    build_recorded(find_aistpp(root), out, "global", "bailando", workers=1)
    after = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    changed = {name for name in after if before.get(name) != after[name]}
    assert {f"{SILENT}.npz", f"{TRAIN}.npz"} < changed
    assert len(changed) == 4, "two clips, and the beats and the features of the song that was added"
    assert DanceSet.open(out).songs["mPO1"]["tempo"] == pytest.approx(90, rel=0.03)


@pytest.fixture
def own(tmp_path: Path, wavy_motion: Motion) -> Path:
    """Three formats and rates in two styles; two dances share a song, one has none."""
    root = tmp_path / "own"
    for style in ("tango", "jive"):
        (root / style).mkdir(parents=True)
    write_npz(wavy_motion.resampled(30), root / "tango" / "a.npz")
    write_bvh(wavy_motion, root / "tango" / "a.bvh")
    write_bvh(wavy_motion.resampled(120), root / "tango" / "b.bvh")
    write_motion(root / "jive" / "c.pkl", poses(244, 3))
    write_clicks(root / "tango" / "a.wav", 120, 5)
    shutil.copy(root / "tango" / "a.wav", root / "jive" / "c.wav")
    return root


def test_a_folder_gives_clips_at_60_with_the_songs_of_their_names(
    own: Path, tmp_path: Path, wavy_motion: Motion
) -> None:
    out = tmp_path / "set"
    report = build_recorded(find_folder(own), out, workers=1)
    data = DanceSet.open(out)
    clips = {clip.name: clip for split in ("train", "test") for clip in data.clips(split)}
    assert {name: clip.style for name, clip in clips.items()} == {
        "tango-a": "tango",
        "tango-b": "tango",
        "jive-c": "jive",
    }
    assert all(clip.motion is not None and (clip.motion.fps, len(clip.motion)) == (60, 240) for clip in clips.values())
    assert clips["tango-b"].music is None and clips["tango-a"].music is not None
    assert (data.song_of, set(data.songs)) == ({"jive-c": "c", "tango-a": "c"}, {"c"})
    assert clips["jive-c"].split == clips["tango-a"].split
    assert len(list((out / "songs").glob("*/*.npz"))) == 2, "the beats and the features of one song"
    assert {(problem["kind"], problem["name"]) for problem in report["problems"]} == {
        ("no music", "tango-b"),
        ("second format", "a.bvh"),
    }


def test_a_folder_follows_its_split_lists_and_takes_other_songs(own: Path, tmp_path: Path) -> None:
    (own / "splits").mkdir()
    (own / "splits" / "train.txt").write_text("tango-a\nc\ngone\n")
    (own / "test.txt").write_text("c\n")
    (tmp_path / "songs").mkdir()
    (own / "tango" / "a.wav").unlink()
    write_clicks(tmp_path / "songs" / "b.wav", 100, 5)
    found = find_folder(own, tmp_path / "songs", fps=60.0)
    assert {dance.name: (dance.split, dance.song) for dance in found.dances} == {
        "tango-a": ("train", ""),
        "tango-b": ("other", "b"),
        "jive-c": ("test", "c"),
    }
    kinds = {(problem.kind, problem.name) for problem in found.problems}
    assert {("in both splits", "c"), ("no file", "gone"), ("in no split list", "tango-b")} < kinds


def test_a_dance_whose_t_pose_is_left_out_keeps_its_place_in_the_music(tmp_path: Path, wavy_motion: Motion) -> None:
    root = tmp_path / "waltz"
    root.mkdir()
    rest = np.zeros_like(wavy_motion.rotations[:1])
    rest[..., 3] = 1
    posed = Motion(
        np.concatenate([rest, wavy_motion.rotations]), np.concatenate([wavy_motion.root[:1], wavy_motion.root]), 60.0
    )
    write_bvh(posed, root / "d.bvh")
    # Under another tool's names: in files of our own nothing is left out.
    text = (root / "d.bvh").read_text()
    for ours, theirs in {"foot": "Toe", **{part: part.title() for part in JOINTS}}.items():
        text = text.replace(f" left_{ours}\n", f" Left{theirs}\n").replace(f" right_{ours}\n", f" Right{theirs}\n")
    for ours, theirs in (("left_hand", "LFingers"), ("right_hand", "RFingers"), ("neck", "Neck"), ("head", "Head")):
        text = text.replace(f" {ours}\n", f" {theirs}\n")
    (root / "d.bvh").write_text(text)
    write_clicks(root / "d.wav", 120, 5)
    report = build_recorded(find_folder(root), tmp_path / "set", workers=1)
    data = DanceSet.open(tmp_path / "set")
    clip = data.clips("train")[0]
    assert report["dances"]["waltz-d"]["start"] == 1
    expected = np.array(data.songs["d"]["beats"]) - 8 / 60
    np.testing.assert_allclose(clip.beats, expected[(expected >= 0) & (expected < len(clip.upper) / 60)], atol=1e-3)
    # The file's eighth frame after the T-pose was the first in which eight sixtieths of the music have passed.
    assert clip.motion is not None
    shapes = [motion.positions - motion.positions[:, :1] for motion in (clip.motion, wavy_motion)]
    apart = [np.abs(shapes[0][:200] - shapes[1][shift : shift + 200]).mean() for shift in range(20)]
    assert int(np.argmin(apart)) == 7


def test_problems_of_many_dances_are_summed_up(built: Path) -> None:
    many = [Problem("no file", f"d{number}", "a split list names it") for number in range(SHOWN + 1)]
    table = problem_table([*many, Problem("too short", "e", "0.02 seconds")])
    assert table.count("\n") == 3 and f"{SHOWN + 1}: d0, d1 and others" in table
    printed = markdown(json.loads((built / "report.json").read_text()))
    assert "| train | 5 |" in printed and "5 left out, 1 more by the ignore list" in printed and WRONG in printed


def fails(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["data", *map(str, words)]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("duende: ")
    return message


def test_mistakes_end_in_one_sentence(
    layout: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    home = layout / "aist_plusplus_final"
    for words, message in (
        (("aistpp", "--root", tmp_path / "nowhere"), "no folder"),
        (("aistpp", "--root", empty), "motions/*.pkl"),
        (("aistpp", "--root", home / "motions"), f"name the folder above it, {home}"),
        (("aistpp", "--root", layout, "--music", tmp_path / "nowhere"), "no folder"),
        (("aistpp", "--root", layout, "--features", "loud"), "loud"),
        (("aistpp", "--root", layout, "--workers", 0), "--workers"),
        (("aistpp",), "--root"),
        (("folder", tmp_path / "nowhere"), "no folder"),
        (("folder", empty), "holds no motion"),
        (("folder", own, "--fps", 0), "--fps"),
        (("opera",), "opera"),
    ):
        assert message in fails(capsys, *words, "-o", out)
    assert "lies in the folder of dances" in fails(capsys, "folder", own, "-o", own / "set")
    assert "is a file" in fails(capsys, "folder", own, "-o", own / "tango" / "a.wav")
    shutil.copytree(home / "motions", empty / "motions")
    assert "crossmodal_train.txt" in fails(capsys, "aistpp", "--root", empty, "-o", out)


def test_a_folder_without_a_usable_dance_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "broken"
    root.mkdir()
    (root / "a.bvh").write_text("no hierarchy")
    message = fails(capsys, "folder", root, "-o", tmp_path / "set", "--workers", 1)
    assert "no dance could be used" in message and "report.json" in message
    assert set(problems(tmp_path / "set")) == {("motion unreadable", "broken-a")}


@pytest.mark.shared_data
def test_real_sequences_of_aistpp_become_clips_and_are_named_as_without_music(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "aistpp", "--root", str(shared_data / "aistpp"), "-o", str(tmp_path), "--workers", "1"]) == 0
    assert "15: gBR_sBM_cAll_d04_mBR0_ch02" in capsys.readouterr().out
    clips = DanceSet.open(tmp_path).clips("test")
    assert len(clips) == 15 and all(clip.music is None for clip in clips)
    assert len({clip.style for clip in clips}) == 10
    found = problems(tmp_path)
    assert {name for kind, name in found if kind == "no music"} == {clip.name for clip in clips}
    assert all(clip.motion is not None and abs(clip.motion.positions[..., 1].min()) < 0.1 for clip in clips)
