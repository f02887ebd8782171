"""Dances of any system against real ones: files in each layout, bad files, and what each score must say."""

from __future__ import annotations

import csv
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.spatial.transform import Rotation

from duende.audio.cache import FeatureCache
from duende.audio.feature_sets import FULL_BAND
from duende.cli.main import main
from duende.datasets.store import Clip, DanceSet, write_clip, write_index
from duende.errors import DuendeError
from duende.evaluation import rhythm
from duende.evaluation.agreement import agreement
from duende.evaluation.distributions import half_floor, real_from_real
from duende.evaluation.genre import Example, GenreClassifier, checked, windows_of
from duende.evaluation.matching import Library, Match, Music, parse_dance_name
from duende.evaluation.protocol import CROP, Dance, ScoredDance, score_dance
from duende.evaluation.scorecard import Value, scorecard
from duende.evaluation.scoretable import LABELS, QUESTIONS
from duende.evaluation.yardstick import RealDances, real_clips, real_dance
from duende.formats.bvh import write_bvh
from duende.formats.dances import dance_name, find_dances, read_dance
from duende.formats.npz import write_npz
from duende.motion import SMPL24, Motion
from duende.motion.contacts import foot_height, penetration_depth, standing_floor

FPS = 60.0
BEAT = 0.5
GENRES = ("krump", "waack")


def dancer(seed: int, seconds: float = 8.0, genre: str = "krump", fps: float = FPS) -> Motion:
    """A figure that stops on every beat; krump swings its legs, waack its arms."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * fps)) / fps
    swing = np.cos(np.pi * at / BEAT)[:, None, None]
    joints = range(1, 12) if genre == "krump" else range(12, 24)
    size = np.zeros((24, 3))
    size[list(joints)] = rng.normal(0, 0.25, (len(joints), 3))
    slow = 0.1 * np.sin(2 * np.pi * rng.uniform(0.05, 0.15) * at)[:, None, None] * rng.normal(0, 1, (24, 3))
    rotations = Rotation.from_rotvec((swing * size + slow).reshape(-1, 3)).as_quat().reshape(len(at), 24, 4)
    root = np.stack([0.2 * swing[:, 0, 0] * rng.normal(), SMPL24.rest_height + 0 * at, 0 * at], axis=1)
    return Motion(rotations, root, fps)


def clip_of(name: str, motion: Motion, genre: str, split: str) -> Clip:
    steps = len(motion) // 8
    flat = np.zeros((8 * steps, 3))
    beats = np.arange(0, motion.duration, BEAT)
    take = name.rsplit("-", 1)[0]
    return Clip(name, take, genre, split, 120.0, False, flat, flat, flat, None, beats, beats[::4], motion)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 dances to train and 8 to test, of two genres, and a song whose beats the index tells."""
    folder = tmp_path_factory.mktemp("reference")
    clips = []
    for number in range(32):
        genre, split = GENRES[number % 2], "test" if number >= 24 else "train"
        clip = clip_of(f"real{number:02d}-0", dancer(number, genre=genre), genre, split)
        write_clip(clip, folder / f"{clip.name}.npz")
        clips.append((clip.name, split))
    beats = [float(at) for at in np.arange(0, 20, BEAT)]
    songs = {"mKR2": {"beats": beats, "downbeats": beats[::4], "tempo": 120.0, "duration": 20.0}}
    write_index(folder, clips, FULL_BAND.identity, {"songs": songs})
    return folder


@pytest.fixture(scope="module")
def real(reference: Path) -> RealDances:
    return RealDances([real_dance(clip, motion.positions) for clip, motion in real_clips(DanceSet.open(reference))])


def write_bailando(motion: Motion, folder: Path, name: str) -> Path:
    """As its ``write2pkl`` does: ``np.save`` adds a suffix to a name that ends in ``.pkl``."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.pkl", {"pred_position": motion.positions.reshape(len(motion), 72).astype(np.float32)})
    return folder / f"{name}.pkl.npy"


def write_edge(motion: Motion, folder: Path, name: str) -> Path:
    """As its ``render_sample`` does: Z up, 30 frames a second."""
    folder.mkdir(parents=True, exist_ok=True)
    z_up = motion.positions[::2] @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    values = {
        "smpl_poses": np.zeros((len(z_up), 72), np.float32),
        "smpl_trans": z_up[:, 0].astype(np.float32),
        "full_pose": z_up.astype(np.float32),
    }
    (folder / f"{name}.pkl").write_bytes(pickle.dumps(values))
    return folder / f"{name}.pkl"


def write_aistpp(motion: Motion, folder: Path, name: str, protocol: int = 5) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    poses = Rotation.from_quat(motion.rotations.reshape(-1, 4)).as_rotvec().reshape(len(motion), 72)
    values = {"smpl_poses": poses, "smpl_trans": 93.0 * motion.root, "smpl_scaling": np.array([93.0])}
    (folder / f"{name}.pkl").write_bytes(pickle.dumps(values, protocol=protocol))
    return folder / f"{name}.pkl"


@pytest.mark.parametrize(
    ("write", "layout", "fps"),
    [(write_bailando, "Bailando", 60.0), (write_edge, "EDGE", 30.0), (write_aistpp, "AIST++", 60.0)],
)
def test_each_systems_files_give_the_same_joints(
    write: Callable[[Motion, Path, str], Path], layout: str, fps: float, tmp_path: Path
) -> None:
    motion = dancer(1)
    dance = read_dance(write(motion, tmp_path, "a.b"))
    assert (dance.name, dance.layout, dance.fps) == ("a.b", layout, fps)
    np.testing.assert_allclose(dance.positions, motion.positions[:: round(60 / fps)], atol=1e-5)
    brought = dance.resampled(60.0).positions
    # The splines of slow movement are near it between frames, and exact on them.
    np.testing.assert_allclose(brought, motion.positions[: len(brought)], atol=2e-3)


def test_npz_bvh_and_plain_arrays_are_read_and_a_rate_can_be_given(tmp_path: Path) -> None:
    motion = dancer(2)
    write_npz(motion.resampled(120), tmp_path / "fast.npz")
    write_bvh(motion, tmp_path / "figure.bvh")
    np.save(tmp_path / "joints.npy", motion.positions)
    fast = read_dance(tmp_path / "fast.npz", fps=25)
    assert fast.fps == 120 and len(fast.resampled(60).positions) == len(motion)
    figure = read_dance(tmp_path / "figure.bvh")
    assert figure.fps == 60 and np.abs(figure.positions - motion.positions).max() < 2e-3
    assert read_dance(tmp_path / "joints.npy").fps == 60
    assert read_dance(tmp_path / "joints.npy", fps=20).fps == 20
    assert read_dance(write_bailando(motion, tmp_path, "b"), fps=20).fps == 20


def test_one_dance_in_several_formats_counts_once(tmp_path: Path) -> None:
    motion = dancer(3)
    write_npz(motion, tmp_path / "one.npz")
    write_bvh(motion, tmp_path / "one.bvh")
    (tmp_path / "one.mp4").touch()
    (tmp_path / "kinetic_features").mkdir()
    np.save(tmp_path / "kinetic_features" / "one.pkl.npy", np.zeros(72))
    assert find_dances(tmp_path) == [tmp_path / "one.npz"]
    assert dance_name(Path("gBR_sBM_cAll_d04_mBR0_ch02.pkl.npy")) == "gBR_sBM_cAll_d04_mBR0_ch02"


class Dangerous:
    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.touched),)


def bad_files(folder: Path) -> dict[str, str]:
    """Write a file of each kind that cannot be scored; return what its sentence must say."""
    good = dancer(4).positions
    hole = good.copy()
    hole[7, 3, 1] = np.nan
    arrays = {
        "hole.npy": (hole, "frame 7"),
        "joints23.npy": (good[:, :23], "23 joints"),
        "single.npy": (good[:1], "1 frame at 60"),
        "flat.npy": (good[..., 0], r"24"),
        "centimetres.npy": (good * 100, "metres are expected"),
        "along_z.npy": (good[..., [0, 2, 1]], "Y up is expected"),
    }
    for name, (array, _) in arrays.items():
        np.save(folder / name, array)
    np.save(folder / "code.npy", np.array({"pred_position": Dangerous(folder / "ran")}), allow_pickle=True)
    (folder / "code.pkl").write_bytes(pickle.dumps({"full_pose": Dangerous(folder / "ran")}))
    (folder / "empty.pkl").write_bytes(b"")
    (folder / "other.pkl").write_bytes(pickle.dumps({"hands": np.zeros(3)}))
    (folder / "words.pkl").write_bytes(pickle.dumps({"pred_position": "joints"}))
    whole = write_bailando(dancer(4), folder, "torn").read_bytes()
    (folder / "torn.pkl.npy").write_bytes(whole[: len(whole) // 2])
    (folder / "header.npy").write_bytes(whole[:20])
    (folder / "broken.npz").write_bytes(b"PK")
    (folder / "broken.bvh").write_text("HIERARCHY\n")
    return {
        **{name: said for name, (_, said) in arrays.items()},
        "code.npy": "was not opened", "code.pkl": "was not opened", "empty.pkl": "was not opened",
        "other.pkl": "it holds hands", "words.pkl": "no array of numbers", "torn.pkl.npy": "was not opened",
        "header.npy": "damaged npy", "broken.npz": "copy it again", "broken.bvh": "broken.bvh",
    }  # fmt: skip


def test_every_bad_file_has_one_sentence_and_its_code_never_runs(tmp_path: Path) -> None:
    for name, said in bad_files(tmp_path).items():
        with pytest.raises(DuendeError, match=said) as raised:
            read_dance(tmp_path / name)
        assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_good_dances_are_scored_beside_bad_ones_and_strict_stops(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "made", tmp_path / "out"
    for number in range(3):
        write_bailando(dancer(60 + number), folder, f"gKR_sBM_cAll_d{number:02d}_mKR2_ch02")
    write_edge(dancer(70), folder, "test_mKR2")
    bad = {"hole": np.full((90, 24, 3), np.nan), "few": np.zeros((90, 23, 3))}
    for name, array in bad.items():
        np.save(folder / f"{name}.npy", array)
    assert run("evaluate", folder, "--reference", reference, "-o", out) == 0
    printed = capsys.readouterr().out
    assert printed == (out / "report.md").read_text(encoding="utf-8") + "\n"
    assert all(f"{name}.npy" in printed for name in bad)
    assert "Mixed frame rates: 30 and 60; all brought to 60" in printed
    assert "1 of 4 dances are by EDGE's test script" in printed
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["systems"]["made"]["dances"] == 4 and len(report["not_scored"]) == 2
    with (out / "dances.csv").open(encoding="utf-8") as file:
        rows = {row["dance"]: row for row in csv.DictReader(file)}
    assert len(rows) == 12 and rows["test_mKR2"]["beat_align"] == "" and rows["test_mKR2"]["source_fps"] == "30"
    row = rows["gKR_sBM_cAll_d00_mKR2_ch02"]
    assert row["music"] == "song" and row["wanted_genre"] == "krump" and float(row["locking"]) > 0.9
    assert run("evaluate", folder, "--reference", reference, "-o", out, "--strict") == 2
    assert "few.npy" in capsys.readouterr().err.splitlines()[-1]


def test_nothing_to_score_ends_in_one_sentence(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, other, bad = (tmp_path / name for name in ("empty", "other", "bad"))
    for folder in (empty, other, bad):
        folder.mkdir()
    (other / "song.mp3").touch()
    np.save(bad / "x.npy", np.zeros((60, 24, 3)))
    for folder, said in (
        (empty, "empty folder"), (other, "no dance files"), (bad, "no dance in"), (tmp_path / "no", "no file or folder"),
    ):  # fmt: skip
        assert run("evaluate", folder, "--reference", reference, "-o", tmp_path / "out") == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.startswith("duende: ") and said in message and folder.name in message
    assert run("evaluate", bad, "--reference", empty) == 2
    assert run("evaluate", bad, "--reference", reference, "--fps", "-1") == 2
    assert run("evaluate", bad, "--reference", reference, "--music", tmp_path / "none") == 2


def test_names_tell_music_song_and_genre(reference: Path, tmp_path: Path) -> None:
    assert parse_dance_name("test_mBR0", edge=True).start is None
    sliced = parse_dance_name("17_3_gBR_sBM_cAll_d04_mBR0_ch02_slice4", edge=True)
    assert (sliced.plain, sliced.start, sliced.music) == ("gBR_sBM_cAll_d04_mBR0_ch02", 2.0, "mBR0")
    assert parse_dance_name("test_song") == parse_dance_name("test_song_seed12")
    rate = 22_050
    at = np.arange(8 * rate) / rate
    soundfile.write(tmp_path / "my song.wav", np.exp(-20 * (at % 0.5)) * np.sin(6.28 * 220 * at), rate)
    library = Library(DanceSet.open(reference), tmp_path, FeatureCache(tmp_path / "cache"))
    clip = library.match("real03-0", 8.0)
    assert clip.music and clip.music.source == "clip" and clip.genre == "waack" and clip.namesakes == ("real03-0",)
    later = library.match("1_1_gKR_sBM_cAll_d04_mKR2_ch02_slice1", 5.0, edge=True)
    assert later.music and later.music.source == "song" and later.music.beats[0] == -0.5
    assert library.match("test_mKR2", 19.0, edge=True).music, "a dance as long as its song begins with it"
    tracked = library.match("my song_seed2", 8.0)
    assert tracked.music and tracked.music.source == "audio" and tracked.song == "my song"
    assert abs(np.median(np.diff(tracked.music.beats)) - 0.5) < 0.02
    assert library.match("unknown", 8.0).music is None
    past = library.match("1_1_mKR2_slice60", 5.0, edge=True)
    assert "beat_align" not in score_dance(Dance("past", dancer(1, 5.0).positions, FPS, past)).values


def test_a_dance_longer_than_its_clip_is_scored_against_its_song(tmp_path: Path) -> None:
    name = "gKR_sBM_cAll_d04_mKR2_ch02"
    clip = clip_of(name, dancer(1), "krump", "test")
    for folder, songs in ((tmp_path / "with", True), (tmp_path / "without", False)):
        beats = [float(at) for at in np.arange(0, 20, BEAT)]
        song = {"mKR2": {"beats": beats, "downbeats": [], "tempo": 120.0, "duration": 20.0}}
        write_clip(clip, folder / f"{name}.npz")
        write_index(
            folder, [(name, "test")], FULL_BAND.identity, {"songs": song if songs else {}, "song_of": {name: "mKR2"}}
        )
    cache = FeatureCache(tmp_path / "cache")
    known, unknown = (Library(DanceSet.open(tmp_path / folder), None, cache) for folder in ("with", "without"))
    sources = [library.match(name, seconds).music for library in (known, unknown) for seconds in (8.0, 16.0)]
    assert [music and music.source for music in sources] == ["clip", "song", "clip", "clip"]
    # Where only the clip is known, what is danced after its end is left out.
    long, match = dancer(1, 16.0), unknown.match(name, 16.0)
    still = np.repeat(long.positions[480:481], 480, axis=0)
    danced = score_dance(Dance(name, np.concatenate([long.positions[:480], still]), FPS, match))
    assert danced.values["precision"] > 0.9 and danced.values["recall"] > 0.9


def named(number: int, motion: Motion, beats: np.ndarray | None = None, song: str = "") -> Dance:
    music = Music(np.arange(0, motion.duration, BEAT) if beats is None else beats, motion.duration, "song")
    return Dance(f"dance{number}", motion.positions, FPS, Match(music, song or f"song{number}", GENRES[number % 2]))


def scores(dances: list[Dance], real: RealDances) -> tuple[list[ScoredDance], dict[str, Value]]:
    scored = [score_dance(dance, real.classifier) for dance in dances]
    return scored, scorecard(scored, real, 1.0)


def test_shifted_music_brings_the_excess_to_nothing_and_leaves_the_locking_length(real: RealDances) -> None:
    rng = np.random.default_rng(0)
    dances = [dancer(200 + number, 12.0) for number in range(24)]
    on = [agreement(motion.positions, FPS, np.arange(0, 12, BEAT)) for motion in dances]
    shifts = (np.arange(24) + rng.uniform()) * BEAT / 24
    _, off = scores(
        [named(n, m, np.arange(s, 12, BEAT)) for n, (m, s) in enumerate(zip(dances, shifts, strict=True))], real
    )
    assert min(found.beat_excess for found in on if found) > 0.4
    assert all(found and found.beat_p_value < 0.05 and abs(found.lag) < 0.02 for found in on)
    assert off["beat_excess"].low < 0 < off["beat_excess"].high  # type: ignore[operator]
    assert off["locking"].value > 0.9, "a constant lag is no lack of relation"


def test_chance_of_a_match_is_over_all_phases_of_the_beat() -> None:
    found = agreement(dancer(13, 20.0).positions, FPS, np.arange(0, 20, BEAT))
    assert found is not None and found.f_measure > 0.9
    # A beat each half second is within 70 ms of a random time with a chance of 0.14 / 0.5.
    assert found.f_measure_chance == pytest.approx(0.28, abs=0.08)


def test_precision_falls_with_needless_beats_and_recall_with_missed_ones() -> None:
    music = np.arange(0, 10, BEAT)
    assert rhythm.beat_match(music + 0.06, music) == rhythm.BeatMatch(1.0, 1.0, 1.0)
    assert rhythm.beat_match(music[::2], music).recall == 0.5
    assert rhythm.beat_match(np.sort([*music, *(music + BEAT / 2)]), music).precision == 0.5
    assert rhythm.beat_match(np.zeros(0), music).f_measure == 0


def test_no_mir_eval_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mir_eval", None)
    with pytest.raises(DuendeError, match=r"duende\[evaluate\]"):
        rhythm.beat_match(np.arange(3.0), np.arange(3.0))


def test_twice_the_frame_rate_leaves_measures_in_units_as_they_are() -> None:
    motion = dancer(11, fps=120.0)
    half = Motion(motion.rotations[::2], motion.root[::2], 60.0)
    whole, halved = (
        score_dance(Dance("a", read.resampled(60).positions, 60, Match(None, "a", None))).values
        for read in (_file(motion), _file(half))
    )
    for key in ("foot_contact_si", "speed", "jerk", "frozen", "skate", "foot_height", "deviation_all_joints"):
        assert halved[key] == pytest.approx(whole[key], rel=0.02, abs=1e-6), key


def _file(motion: Motion):  # type: ignore[no-untyped-def]
    from duende.formats.dances import DanceFile

    return DanceFile("a", motion.positions, motion.fps, "array")


def test_a_floor_is_found_and_hovering_and_sinking_are_seen() -> None:
    positions = np.tile(SMPL24.rest_positions, (200, 1, 1))
    assert standing_floor(positions) == pytest.approx(-SMPL24.rest_height)
    positions[..., 1] += SMPL24.rest_height
    assert foot_height(positions) == pytest.approx(0.0, abs=1e-9) and penetration_depth(positions) == 0.0
    positions[100:, :, 1] += 0.1
    assert standing_floor(positions) == pytest.approx(0.0, abs=1e-9)
    assert foot_height(positions) == pytest.approx(0.05)
    assert penetration_depth(positions - [0.0, 0.1, 0.0]) == pytest.approx(0.05)


def test_half_of_the_pool_is_as_far_as_the_floor(real: RealDances) -> None:
    yardstick = real.yardsticks["kinetic_corrected"]
    order = np.random.default_rng(9).permutation(len(yardstick.pool))
    floors = yardstick.real(len(yardstick.pool) // 2)
    fresh = real_from_real(yardstick.pool[order], len(order) // 2, seed=5, draws=1)[0]
    assert floors.min() * 0.7 < fresh < floors.max() * 1.3
    assert half_floor(yardstick.pool) == pytest.approx(floors.mean(), rel=0.3)
    assert yardstick.real(4).mean() > floors.mean(), "fewer dances are further away"


def test_real_dances_score_better_than_trembling_and_still_copies(real: RealDances) -> None:
    rng = np.random.default_rng(0)
    motions = [dancer(300 + n, genre=GENRES[n % 2]) for n in range(12)]
    kinds = {
        "real": [motion.positions for motion in motions],
        "trembling": [motion.positions + rng.normal(scale=0.01, size=motion.positions.shape) for motion in motions],
        "still": [np.repeat(motion.positions[:1], len(motion), axis=0) for motion in motions],
    }
    cards = {}
    for kind, positions in kinds.items():
        match = [named(n, motion).match for n, motion in enumerate(motions)]
        cards[kind] = scores(
            [Dance(str(n), p, FPS, m) for n, (p, m) in enumerate(zip(positions, match, strict=True))], real
        )[1]
    for other in ("trembling", "still"):
        for key in ("fid_kinetic_corrected", "kernel_kinetic"):
            assert cards["real"][key].value < cards[other][key].value, (other, key)
        assert cards["real"]["beat_excess"].value > cards[other]["beat_excess"].value
    assert cards["still"]["frozen"].value == 1 and cards["still"]["diversity_kinetic_corrected"].value < 1
    assert cards["trembling"]["trembling"].value > 5 * cards["real"]["trembling"].value
    within = cards["real"]["fid_kinetic_corrected"]
    assert within.low is not None and within.low < within.value < within.high  # type: ignore[operator]
    assert cards["real"]["genre"].value > 0.8
    shown = {key for rows in QUESTIONS.values() for row in rows for key in row if key}
    assert shown == set(LABELS) and set(cards["real"]) - shown == set()


def test_seeds_of_one_song_are_compared_with_other_songs(real: RealDances) -> None:
    dances = [named(n, dancer(400 + n // 2), song=f"s{n // 2}") for n in range(6)]
    card = scores(dances, real)[1]
    assert card["same_song"].value == pytest.approx(0.0, abs=1e-6) and card["other_songs"].value > 1
    assert "same_song" not in scores(dances[::2], real)[1]


def test_features_are_of_twenty_seconds_and_beats_of_the_whole_dance(real: RealDances) -> None:
    long = dancer(12, 24.0)
    whole, cut = (score_dance(named(0, motion)) for motion in (long, long.cropped(0, CROP)))
    np.testing.assert_allclose(whole.features["kinetic"], cut.features["kinetic"], rtol=1e-9)
    later = np.arange(21.0, 24.0, BEAT)
    assert score_dance(named(0, long, later)).values["beat_align"] > 0.5


def test_no_dance_meets_itself_on_the_honest_side(reference: Path) -> None:
    dances = [real_dance(clip, motion.positions) for clip, motion in real_clips(DanceSet.open(reference))]
    real = RealDances(dances, {"real03-0"})
    assert len(real.yardsticks["kinetic"].pool) == 32
    assert {dance.name for dance in dances} - {dance.name for dance in real.honest} == {
        "real03-0", *(f"real{n}-0" for n in range(24, 32)),
    }  # fmt: skip
    with pytest.raises(DuendeError, match="build a larger set"):
        RealDances(dances[:3])


def test_genres_are_told_apart_and_shuffled_ones_are_not() -> None:
    def example(number: int, genre: str) -> Example:
        shown = GENRES[number % 2]
        return Example(windows_of(dancer(500 + number, 5.0, shown).positions, FPS), str(number), genre)

    told = checked([example(n, GENRES[n % 2]) for n in range(40)])
    assert told is not None and told.accuracy > 0.9 and told.takes == 40
    shuffled = np.random.default_rng(3).permutation([GENRES[n % 2] for n in range(40)])
    blind = checked([example(n, str(shuffled[n])) for n in range(40)])
    assert blind is not None and abs(blind.accuracy - blind.chance) < 0.2
    assert checked([example(n, "krump") for n in range(4)]) is None
    lonely = checked([*(example(n, GENRES[n % 2]) for n in range(6)), example(6, "ballet")])
    assert lonely is not None and lonely.left_out == ("ballet",)
    assert GenreClassifier.fit([example(0, "krump"), example(1, "waack")]).genres == GENRES


def test_systems_stand_side_by_side_beside_real_dances(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for system in ("one", "two"):
        for number in range(2):
            write_aistpp(dancer(80 + number), tmp_path / system / "pkl", f"x{number}", protocol=4)
    assert run("evaluate", tmp_path / "one/pkl", tmp_path / "two/pkl", "--reference", reference, "-o", tmp_path) == 0
    header = capsys.readouterr().out.splitlines()[2]
    assert header.count("one/pkl") == header.count("two/pkl") == header.count("real dances") == 2
    assert run("evaluate", tmp_path / "one/pkl", tmp_path / "one/pkl", "--reference", reference) == 2
    assert "named twice" in capsys.readouterr().err


@pytest.mark.shared_data
def test_real_dances_of_aistpp_are_read_as_another_systems(shared_data: Path) -> None:
    folder = shared_data / "aistpp" / "motions"
    dances = [read_dance(path) for path in find_dances(folder)]
    assert len(dances) == 15 and all(dance.layout == "AIST++" and dance.fps == 60 for dance in dances)
    heights = [np.median(dance.positions[:, 15, 1]) - standing_floor(dance.positions) for dance in dances]
    assert min(heights) > 1.0 and max(heights) < 1.8
