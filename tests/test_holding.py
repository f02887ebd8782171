"""What of another dance is kept: in systems of pose codes, at the seams, and on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.audio.feature_sets import feature_set
from duende.audio.music import Beats, MusicFeatures
from duende.cli.holding import chosen_holding
from duende.cli.main import main
from duende.cli.main import parser as command_line
from duende.errors import DuendeError
from duende.formats.load import load_mocap
from duende.formats.npz import write_npz
from duende.models.sampling import Sampling
from duende.motion import SMPL24, Motion
from duende.motion.holding import HeldMotion, carried_by
from duende.motion.joining import continued, eased, facing, moved
from duende.systems.debug import debug_system
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.storage import from_pretrained

UPPER, LOWER = (carried_by(SMPL24, half) for half in (SMPL24.upper, SMPL24.lower))


@pytest.fixture(scope="module")
def debug() -> ExpressiveBailando:
    return debug_system()


def music(rows: int) -> MusicFeatures:
    features = feature_set("full_band")
    values = np.random.default_rng(0).normal(size=(rows, features.dimension)).astype(np.float32)
    times = np.arange(0.0, rows / 7.5, 0.5)
    return MusicFeatures(values, features, Beats(times, times[::4], 120.0))


def held(motion: Motion, joints: tuple[int, ...], first: int = 0, last: int | None = None) -> HeldMotion:
    mask = np.zeros((len(motion), 24), dtype=bool)
    mask[first:last, list(joints)] = True
    return HeldMotion(motion, mask)


def test_given_codes_are_taken_and_the_others_chosen(debug: ExpressiveBailando) -> None:
    given = np.full((20, 2), -1)
    given[:7] = [[3, 5]] * 7
    given[:, 1] = np.arange(20) % 16
    codes = debug.choreograph(music(20), given=given, sampling=Sampling(temperature=1.0, candidates=2))
    np.testing.assert_array_equal(codes[given >= 0], given[given >= 0])
    free = debug.choreograph(music(20), sampling=Sampling(temperature=1.0))
    assert not np.array_equal(codes, free)


def test_a_dance_goes_on_from_a_held_beginning(wavy_motion: Motion) -> None:
    starter = from_pretrained()
    bold = Sampling(temperature=1.0)
    dance = starter.dance(music(30), sampling=bold, held=held(wavy_motion, tuple(range(24)), 0, 100))
    assert len(dance) == 240
    np.testing.assert_allclose(dance.positions[:100], wavy_motion.positions[:100], atol=1e-9)
    step = np.linalg.norm(np.diff(dance.positions, axis=0), axis=-1).max(axis=1)
    # No jump: joining moves less from frame to frame than the given dance and the rest do at their fastest.
    assert step[99] <= 1.5 * max(step[:99].max(), step[130:].max())


def test_a_held_half_keeps_its_poses_as_the_dancer_sees_them(debug: ExpressiveBailando, wavy_motion: Motion) -> None:
    rows = len(wavy_motion) // 8
    poses = debug.config.poses
    wanted = poses.encode(wavy_motion.positions)
    for half, joints in (("upper", UPPER), ("lower", LOWER)):
        dance = debug.dance(music(rows), held=held(wavy_motion, joints))
        got = poses.encode(dance.positions)
        error = np.abs(getattr(got, half) - getattr(wanted, half))
        other = "lower" if half == "upper" else "upper"
        assert np.median(error) < 0.02 < np.median(np.abs(getattr(got, other) - getattr(wanted, other)))
    # With the lower body goes the path.
    np.testing.assert_allclose(dance.root[:, 1], wavy_motion.root[:, 1], atol=0.05)


def test_code_systems_say_what_they_cannot_hold(debug: ExpressiveBailando, wavy_motion: Motion) -> None:
    for joints, first, last in (((0, 3), 0, None), (tuple(range(24)), 40, 80), (UPPER, 0, 100)):
        with pytest.raises(DuendeError, match=r"can hold the beginning .* or one half"):
            debug.dance(music(30), held=held(wavy_motion, joints, first, last))
    with pytest.raises(DuendeError, match="shorter than one pose code"):
        debug.dance(music(30), held=held(wavy_motion, tuple(range(24)), 0, 5))


def test_a_motion_is_turned_and_carried(wavy_motion: Motion) -> None:
    about, to = np.array([1.0, 0.5, 2.0]), np.array([-3.0, 9.0, 0.0])
    turned = moved(wavy_motion, 0.7, about, to)
    assert facing(turned, 50) - facing(wavy_motion, 50) == pytest.approx(0.7)
    before = np.linalg.norm(wavy_motion.positions - about * [1, 0, 1], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(turned.positions - to * [1, 0, 1], axis=-1), before, atol=1e-9)


def test_a_continuation_begins_where_the_other_stands(wavy_motion: Motion) -> None:
    then = moved(wavy_motion, 2.0, np.zeros(3), np.array([5.0, 0.0, 5.0])).mirrored()
    joined = continued(wavy_motion, then, 120)
    gap = np.linalg.norm(np.diff(joined.positions, axis=0), axis=-1).max(axis=1)
    assert gap[119] < 1.5 * gap[:118].max()
    # What is left between the two is let go of: from then on all moves as in the second, seen from its own place.
    relative = [m.positions[150:] - m.positions[150:, :1] for m in (joined, then)]
    lengths = [np.linalg.norm(r, axis=-1) for r in relative]
    np.testing.assert_allclose(*lengths, atol=1e-6)


def chosen(seconds: float, *arguments: str) -> HeldMotion | None:
    return chosen_holding(command_line().parse_args(["dance", *arguments]), seconds)


@pytest.fixture
def given(wavy_motion: Motion, tmp_path: Path) -> str:
    path = tmp_path / "given.npz"
    write_npz(wavy_motion, path)
    return str(path)


def test_wishes_become_joints_and_frames(given: str) -> None:
    assert chosen(4.0) is None
    goes_on = chosen(10.0, "--given", given)
    assert goes_on is not None and goes_on.beginning == 240 and len(goes_on.motion) == 600
    upper = chosen(4.0, "--given", given, "--hold", "upper")
    assert upper is not None and upper.half == "upper"
    between = chosen(4.0, "--given", given, "--hold", "all:0-1", "--hold", "all:3-4")
    assert between is not None and between.joints[:60].all() and between.joints[180:].all()
    assert not between.joints[60:180].any()
    hand = chosen(4.0, "--given", given, "--hold", "left_hand+right_knee:1-2")
    assert hand is not None
    names = {SMPL24.names[joint] for joint in np.flatnonzero(hand.joints[90])}
    assert {"left_hand", "left_shoulder", "right_knee", SMPL24.names[0]} <= names
    assert "right_hand" not in names and not hand.joints[:60].any()


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        (["--hold", "upper"], "name one with --given"),
        (["GIVEN", "--hold", "tail"], "'tail' is no part of the body"),
        (["GIVEN", "--hold", "all"], "nothing is left to dance"),
        (["GIVEN", "--hold", "upper", "--hold", "lower"], "nothing is left to dance"),
        (["GIVEN", "--hold", "upper:3-1"], "ends before it begins"),
        (["GIVEN", "--hold", "upper:a-b"], "write it as FROM-TO"),
        (["GIVEN", "--hold", "upper:0-9"], "the given dance lasts 4.0"),
    ],
)
def test_wishes_that_contradict_each_other_are_told(given: str, wishes: list[str], sentence: str) -> None:
    arguments = [part for wish in wishes for part in (["--given", given] if wish == "GIVEN" else [wish])]
    with pytest.raises(DuendeError, match=sentence):
        chosen(4.0, *arguments)


def test_a_given_file_that_is_none_ends_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.bvh").write_text("no dance")
    arguments = ["dance", "--model", "debug", "--seconds", "3", "-o", str(tmp_path), "--formats", "npz"]
    assert main([*arguments, "--given", str(tmp_path / "notes.bvh")]) == 2
    assert "Traceback" not in (error := capsys.readouterr().err) and "notes.bvh" in error


def test_the_command_line_goes_on_from_a_dance(given: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["dance", "--model", "debug", "--seconds", "6", "-o", str(out), "--formats", "npz"]
    assert main([*arguments, "--given", given]) == 0
    dance = load_mocap(next(out.glob("*.npz")))
    assert dance.duration == pytest.approx(6.0, abs=0.05)
    kept = load_mocap(Path(given)).positions
    # Reading a file stands the dance on the floor anew: heights may differ.
    heights = [motion[:230, :1] * [0.0, 1.0, 0.0] for motion in (dance.positions, kept)]
    np.testing.assert_allclose(dance.positions[:230] - heights[0], kept[:230] - heights[1], atol=1e-3)


def test_what_is_let_go_of_goes_on_without_a_jump(wavy_motion: Motion) -> None:
    held_then = np.zeros((240, 24), dtype=bool)
    held_then[:80], held_then[160:] = True, True
    held_then[:, 12] = True
    offset = Rotation.from_rotvec([0.5, -0.2, 0.3])
    free = ~held_then
    torn = wavy_motion.rotations.copy()
    torn[free] = (offset * Rotation.from_quat(torn[free])).as_quat()
    root = wavy_motion.root + np.where(free[:, :1], [0.3, 0.0, -0.2], 0.0)
    jumping = replace(wavy_motion, rotations=torn, root=root)
    joined = eased(jumping, held_then)

    def roughest(motion: Motion) -> float:
        return float(np.abs(np.diff(motion.positions, n=2, axis=0)).max())

    assert roughest(jumping) > 20 * roughest(wavy_motion)
    assert roughest(joined) < 3 * roughest(wavy_motion)
    turns = np.abs((joined.rotations * wavy_motion.rotations).sum(axis=-1))
    np.testing.assert_allclose(turns[held_then], 1.0, atol=1e-9)
    # Far from both ends it is what it was.
    np.testing.assert_allclose(joined.root[110:130], jumping.root[110:130], atol=1e-9)


def test_nothing_is_eased_where_nothing_is_let_go_of(wavy_motion: Motion) -> None:
    half = np.zeros((240, 24), dtype=bool)
    half[:, list(UPPER)] = True
    np.testing.assert_allclose(eased(wavy_motion, half).positions, wavy_motion.positions, atol=1e-12)
