"""Kinematics, representation, rotations from positions, contacts and feet, retargeting, files."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.aistpp import parse_name, read_aistpp
from duende.formats.bvh import read_bvh, write_bvh
from duende.formats.load import load_mocap
from duende.formats.npz import read_npz, write_npz
from duende.motion import SMPL24, Motion
from duende.motion.contacts import floor_penetration, foot_contacts, skate_ratio
from duende.motion.feet import plant_feet
from duende.motion.inverse_kinematics import fit_rotations, two_bones
from duende.motion.legs import with_feet_moved
from duende.motion.representation import PoseRepresentation, body_heading, turned
from duende.motion.retargeting import retarget
from duende.motion.stances import standing_joints


def test_rest_and_one_turned_joint_are_where_they_should_be() -> None:
    rotations = np.zeros((1, 24, 4))
    rotations[..., 3] = 1
    rest = Motion(rotations, np.zeros((1, 3)))
    np.testing.assert_allclose(rest.positions[0], SMPL24.rest_positions)
    # A quarter turn of the left shoulder about Z points the arm (along +X) up.
    shoulder, elbow = SMPL24.index("left_shoulder"), SMPL24.index("left_elbow")
    rotations[:, shoulder] = Rotation.from_euler("z", 90, degrees=True).as_quat()
    raised = Motion(rotations, np.zeros((1, 3)))
    x, y, z = SMPL24.offsets[elbow]
    np.testing.assert_allclose(raised.positions[0, elbow] - raised.positions[0, shoulder], [-y, x, z], atol=1e-12)


def test_mirroring_twice_is_nothing_and_once_is_a_reflection(wavy_motion: Motion) -> None:
    back = wavy_motion.mirrored().mirrored()
    np.testing.assert_allclose(back.positions, wavy_motion.positions, atol=1e-12)
    even = replace(SMPL24, offsets=(SMPL24.offsets + (SMPL24.offsets * [-1, 1, 1])[list(SMPL24.mirror_order)]) / 2)
    motion = replace(wavy_motion, skeleton=even)
    seen = motion.positions[:, list(even.mirror_order)] * [-1, 1, 1]
    np.testing.assert_allclose(motion.mirrored().positions, seen, atol=1e-9)


def test_resampling_keeps_time_and_place(wavy_motion: Motion) -> None:
    half = wavy_motion.resampled(30)
    assert len(half) == 120
    np.testing.assert_allclose(half.positions, wavy_motion.positions[::2], atol=1e-9)


@pytest.mark.parametrize("name", ["global", "heading"])
def test_channels_decode_to_the_same_dance(name: str, wavy_motion: Motion) -> None:
    poses = PoseRepresentation(name)  # type: ignore[arg-type]
    encoded = poses.encode(wavy_motion.positions)
    assert (encoded.upper.shape[1], encoded.lower.shape[1], encoded.root.shape[1]) == (45, 27, poses.root_channels)
    decoded = poses.decode(encoded.upper, encoded.lower, encoded.root)
    expected = wavy_motion.positions - wavy_motion.positions[:1, :1]
    if name == "heading":
        expected = turned(expected, np.array(-body_heading(wavy_motion.positions, SMPL24, 60.0)[0]))
    np.testing.assert_allclose(decoded - decoded[:1, :1], expected, atol=1e-4)


def test_heading_channels_do_not_know_which_way_the_dancer_faces(wavy_motion: Motion) -> None:
    poses = PoseRepresentation("heading")
    one = poses.encode(wavy_motion.positions)
    moved = turned(wavy_motion.positions, np.array(2.0)) + np.array([3.0, 0.0, -1.0])
    other = poses.encode(moved)
    np.testing.assert_allclose(one.upper, other.upper, atol=1e-5)
    np.testing.assert_allclose(one.root, other.root, atol=1e-4)


def test_positions_of_the_skeleton_are_met(wavy_motion: Motion) -> None:
    fitted = fit_rotations(wavy_motion.positions, 60.0)
    assert np.linalg.norm(fitted.positions - wavy_motion.positions, axis=-1).max() < 1e-6


def test_fitted_rotations_do_not_snap(wavy_motion: Motion) -> None:
    # Knees and elbows bend one way only, and pass through straight: there the twist is unknown and must be carried.
    seconds = np.arange(240) / 60
    rotations = wavy_motion.rotations.copy()
    for name, axis in (("left_knee", "x"), ("right_knee", "x"), ("left_elbow", "y"), ("right_elbow", "y")):
        sign = -1 if name == "left_elbow" else 1
        bend = sign * 0.6 * (1 + np.sin(4 * seconds))
        rotations[:, SMPL24.index(name)] = Rotation.from_euler(axis, bend[:, None]).as_quat()
    fitted = fit_rotations(replace(wavy_motion, rotations=rotations).positions, 60.0)
    for joint in range(24):
        turn = Rotation.from_quat(fitted.rotations[:-1, joint]).inv() * Rotation.from_quat(fitted.rotations[1:, joint])
        assert np.degrees(turn.magnitude()).max() < 25, SMPL24.names[joint]


def test_other_bone_lengths_still_put_feet_and_hands_in_place(wavy_motion: Motion) -> None:
    longer = wavy_motion.positions * 1.03
    fitted = fit_rotations(longer, 60.0)
    ends = [SMPL24.index(name) for name in ("left_ankle", "right_ankle", "left_wrist", "right_wrist")]
    error = np.linalg.norm(fitted.positions[:, ends] - longer[:, ends], axis=-1)
    assert np.median(error) < 0.03
    lengths = np.linalg.norm(fitted.positions[:, 4] - fitted.positions[:, 1], axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(SMPL24.offsets[4]), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.9, 0.9), min_size=6, max_size=6))
def test_two_bones_keep_their_lengths(values: list[float]) -> None:
    first, end = np.zeros((1, 3)), np.array([values[:3]])
    middle = np.array([values[3:]])
    placed = two_bones(first, middle, end, 0.4, 0.5)
    pole = np.cross(middle, end)
    if np.linalg.norm(pole) < 1e-3 or np.linalg.norm(end) < 0.15:
        return
    assert np.linalg.norm(placed) == pytest.approx(0.4, abs=1e-6)
    if np.linalg.norm(end) < 0.89:
        assert np.linalg.norm(placed - end) == pytest.approx(0.5, abs=1e-6)


def step_in_place(drift: float) -> Motion:
    """Stand on both feet for two seconds while the path slides sideways by ``drift`` m/s."""
    rotations = np.zeros((120, 24, 4))
    rotations[..., 3] = 1
    for side in ("left", "right"):
        rotations[:, SMPL24.index(f"{side}_hip")] = Rotation.from_euler("x", -0.3).as_quat()
        rotations[:, SMPL24.index(f"{side}_knee")] = Rotation.from_euler("x", 0.6).as_quat()
        rotations[:, SMPL24.index(f"{side}_ankle")] = Rotation.from_euler("x", -0.3).as_quat()
    root = np.zeros((120, 3))
    root[:, 0] = drift * np.arange(120) / 60
    lowest = Motion(rotations, root).positions[..., 1].min()
    return Motion(rotations, root - [0, lowest, 0])


def test_sliding_stands_are_planted() -> None:
    sliding = step_in_place(0.2)
    assert foot_contacts(sliding.positions, 60.0).all()
    assert skate_ratio(sliding.positions, sliding.fps) > 0.9
    planted = plant_feet(sliding)
    assert skate_ratio(planted.positions, planted.fps) < 0.05
    assert np.ptp(planted.positions[:, SMPL24.index("left_foot"), 0]) < 0.02
    body = planted.positions - planted.root[:, None] - (sliding.positions - sliding.root[:, None])
    assert np.abs(body).max() < 0.02


def test_feet_that_are_said_to_be_free_are_left_alone() -> None:
    sliding = step_in_place(0.2)
    free = plant_feet(sliding, np.zeros((len(sliding), 4), dtype=bool), gentle=True)
    np.testing.assert_allclose(free.positions, sliding.positions, atol=1e-3)


def test_a_moving_foot_passes_over_the_floor_and_a_standing_one_stays_on_it() -> None:
    """The left foot is dragged along the floor at half a metre a second while the right one stands."""
    still = step_in_place(0.0)
    drag = np.zeros((len(still), 2, 3))
    drag[30:90, 0, 2] = 0.25 * (1 - np.cos(np.linspace(0, 2 * np.pi, 60)))
    dragged = with_feet_moved(still, drag)
    left, right = ([SMPL24.index(f"{side}_ankle"), SMPL24.index(f"{side}_foot")] for side in ("left", "right"))
    assert skate_ratio(dragged.positions, dragged.fps) > 0.3
    planted = plant_feet(dragged)
    assert skate_ratio(planted.positions, planted.fps) < 0.1
    lift = planted.positions[:, left, 1] - dragged.positions[:, left, 1]
    assert lift[:25].max() < 0.01
    assert lift[42:50].min() > 0.02
    assert np.ptp(planted.positions[:, right], axis=0).max() < 0.01
    np.testing.assert_allclose(planted.rotations[:, list(SMPL24.upper)], dragged.rotations[:, list(SMPL24.upper)])


def test_a_body_that_hovers_is_put_on_the_floor_and_a_jump_stays_a_jump() -> None:
    still = step_in_place(0.0)
    jump = np.zeros(len(still))
    seconds = np.arange(30) / 60
    jump[45:75] = 9.81 * seconds * (0.5 - seconds) / 2
    path = np.stack([np.zeros(120), 0.08 + jump, np.zeros(120)], axis=1)
    planted = plant_feet(replace(still, root=still.root + path))
    lowest = planted.positions[..., 1].min(axis=1)
    assert np.abs(lowest[:35]).max() < 0.01
    assert np.abs(lowest[-35:]).max() < 0.01
    assert lowest.max() == pytest.approx(jump.max(), rel=0.15)


def test_some_foot_stands_wherever_both_glide() -> None:
    gliding = step_in_place(0.8)
    assert not foot_contacts(gliding.positions, 60.0).any()
    assert standing_joints(gliding).any(axis=1).all()
    assert np.ptp(plant_feet(gliding).root[:, 0]) < 0.05


def test_legs_are_bent_to_where_the_feet_are_moved(wavy_motion: Motion) -> None:
    shifts = np.tile([[0.02, 0.05, -0.01], [-0.01, 0.04, 0.02]], (len(wavy_motion), 1, 1))
    bent = with_feet_moved(wavy_motion, shifts)
    ankles = [SMPL24.index("left_ankle"), SMPL24.index("right_ankle")]
    np.testing.assert_allclose(bent.positions[:, ankles], wavy_motion.positions[:, ankles] + shifts, atol=1e-6)
    others = [joint for joint in range(24) if joint not in SMPL24.lower]
    np.testing.assert_allclose(bent.positions[:, others], wavy_motion.positions[:, others], atol=1e-9)
    np.testing.assert_allclose(bent.global_rotations[:, ankles], wavy_motion.global_rotations[:, ankles], atol=1e-9)


def test_planting_a_foot_makes_no_knee_pop() -> None:
    """Legs that are nearly straight and far from where their feet stand bend smoothly, or do not reach."""
    sliding = step_in_place(0.25)
    raised = replace(sliding, root=sliding.root + np.array([0.0, 0.012, 0.0]))
    knees = [SMPL24.index("left_knee"), SMPL24.index("right_knee")]

    def fastest(motion: Motion) -> float:
        turns = np.abs((motion.rotations[1:, knees] * motion.rotations[:-1, knees]).sum(axis=-1)).clip(0, 1)
        return float(np.degrees(2 * np.arccos(turns)).max())

    assert fastest(plant_feet(raised)) < fastest(raised) + 6.0


def test_an_arm_that_moves_slowly_overhead_does_not_spin() -> None:
    """Straight arms swing past straight up, where the short way from rest turns fastest, and bend a little."""
    frames, fps = 120, 60.0
    share = np.linspace(-1.0, 1.0, frames)
    rotations = np.zeros((frames, 24, 4))
    rotations[..., 3] = 1
    up = Rotation.from_euler("z", 85, degrees=True)
    rotations[:, SMPL24.index("left_shoulder")] = (
        Rotation.from_euler("x", 40 * share[:, None], degrees=True) * up
    ).as_quat()
    bend = 8 + 6 * np.sin(9 * share)
    rotations[:, SMPL24.index("left_elbow")] = Rotation.from_euler("y", -bend[:, None], degrees=True).as_quat()
    motion = Motion(rotations, np.zeros((frames, 3)), fps)
    fitted = fit_rotations(motion.positions, fps)
    np.testing.assert_allclose(fitted.positions, motion.positions, atol=1e-3)
    for name in ("left_shoulder", "left_elbow"):
        turned_by = np.abs((fitted.rotations[1:] * fitted.rotations[:-1]).sum(axis=-1))[:, SMPL24.index(name)]
        assert np.degrees(2 * np.arccos(turned_by.clip(0, 1))).max() < 3.0


@pytest.mark.parametrize("backwards", [8, 16, 24])
def test_a_knee_stretched_too_far_does_not_turn_the_foot_over(backwards: int) -> None:
    """Decoders overstretch knees: the leg must not be read as one that is turned about and bent."""
    frames = 60
    rotations = np.zeros((frames, 24, 4))
    rotations[..., 3] = 1
    bend = np.concatenate([np.linspace(40, -backwards, 30), np.full(30, -backwards)])
    rotations[:, SMPL24.index("left_knee")] = Rotation.from_euler("x", bend[:, None], degrees=True).as_quat()
    motion = Motion(rotations, np.zeros((frames, 3)))
    fitted = fit_rotations(motion.positions, 60.0)
    np.testing.assert_allclose(fitted.positions, motion.positions, atol=1e-3)
    chain = [
        Rotation.from_quat(fitted.rotations[:, SMPL24.index(n)])
        for n in ("pelvis", "left_hip", "left_knee", "left_ankle")
    ]
    sole_up = (chain[0] * chain[1] * chain[2] * chain[3]).apply([0.0, 1.0, 0.0])[:, 1]
    assert sole_up.min() > 0.6


def test_a_knee_whose_place_is_vague_does_not_spin() -> None:
    """In a deep squat decoders give a leg that is far too short, its knee by turns on either side of it."""
    rotations = np.zeros((90, 24, 4))
    rotations[..., 3] = 1
    fold = 140 * np.sin(np.linspace(0, np.pi, 90))
    for side in ("left", "right"):
        for part, share in (("hip", -0.5), ("knee", 1.0), ("ankle", -0.5)):
            turns = Rotation.from_euler("x", share * fold[:, None], degrees=True)
            rotations[:, SMPL24.index(f"{side}_{part}")] = turns.as_quat()
    squat = Motion(rotations, np.zeros((90, 3)))
    given = squat.positions.copy()
    hip, knee, ankle = (given[:, SMPL24.index(f"left_{part}")] for part in ("hip", "knee", "ankle"))
    middle = (hip + ankle) / 2
    shrunk = np.clip((fold[:, None] - 90) / 40, 0, 1)
    spin = np.stack([np.cos(np.arange(90)), np.zeros(90), np.sin(np.arange(90))], axis=1)
    knee[:] = knee + shrunk * (middle + 0.03 * spin - knee)
    fitted = fit_rotations(given, 60.0)

    def fastest(positions: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(positions[:, SMPL24.index("left_knee")], axis=0), axis=1).max())

    assert fastest(fitted.positions) < 2.0 * fastest(squat.positions)
    assert fitted.positions[40:50, SMPL24.index("left_knee"), 2].min() > 0.2


def test_a_body_under_the_floor_is_lifted() -> None:
    sunk = step_in_place(0.0)
    sunk = replace(sunk, root=sunk.root - [0, 0.1, 0])
    assert floor_penetration(sunk) == pytest.approx(0.1, abs=1e-6)
    assert floor_penetration(plant_feet(sunk)) < 0.002


def test_skating_does_not_depend_on_the_frame_rate() -> None:
    fast = step_in_place(0.2)
    assert skate_ratio(fast.resampled(120).positions, 120) == pytest.approx(
        skate_ratio(fast.positions, fast.fps), abs=0.03
    )


def test_retargeting_follows_the_bones(wavy_motion: Motion) -> None:
    """Our own dance under another tool's names, at another size, comes back as itself."""
    parts = {
        "hip": "Hip",
        "knee": "Knee",
        "ankle": "Ankle",
        "foot": "Toe",
        "shoulder": "Shoulder",
        "elbow": "Elbow",
        "wrist": "Wrist",
    }
    joints = {"Neck": wavy_motion.positions[:, 12] * 40, "Head": wavy_motion.positions[:, 15] * 40}
    for side in ("left", "right"):
        for ours, theirs in parts.items():
            joints[f"{side.title()}{theirs}"] = wavy_motion.positions[:, SMPL24.index(f"{side}_{ours}")] * 40
        joints[f"{side[0].upper()}Fingers"] = wavy_motion.positions[:, SMPL24.index(f"{side}_hand")] * 40
    result = retarget(joints, 60.0)
    for child in (4, 5, 7, 8, 18, 19, 20, 21):
        parent = SMPL24.parents[child]
        ours = result.positions[:, child] - result.positions[:, parent]
        theirs = wavy_motion.positions[:, child] - wavy_motion.positions[:, parent]
        cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 3
    with pytest.raises(DuendeError, match="not known"):
        retarget({"hips": joints["Neck"]}, 60.0)


@pytest.mark.parametrize("unit", ["cm", "m"])
def test_bvh_comes_back(unit: str, wavy_motion: Motion, tmp_path: Path) -> None:
    write_bvh(wavy_motion, tmp_path / "dance.bvh", unit)
    back = read_bvh(tmp_path / "dance.bvh")
    scale = {"cm": 100, "m": 1}[unit]
    assert back.fps == pytest.approx(60, abs=1e-3)
    order = [back.skeleton.index(name) for name in SMPL24.names]
    np.testing.assert_allclose(back.positions[:, order] / scale, wavy_motion.positions, atol=2e-5)
    again = load_mocap(tmp_path / "dance.bvh")
    np.testing.assert_allclose(again.positions, wavy_motion.positions, atol=1e-4)


def test_npz_comes_back(wavy_motion: Motion, tmp_path: Path) -> None:
    write_npz(wavy_motion, tmp_path / "dance.npz")
    back = read_npz(tmp_path / "dance.npz")
    np.testing.assert_allclose(back.positions, wavy_motion.positions, atol=1e-5)
    with np.load(tmp_path / "dance.npz") as file:
        assert file["poses"].shape == (240, 72)
        assert float(file["mocap_framerate"]) == 60


def test_a_z_up_file_is_turned_upright(wavy_motion: Motion, tmp_path: Path) -> None:
    write_npz(wavy_motion, tmp_path / "dance.npz")
    with np.load(tmp_path / "dance.npz") as file:
        values = {name: file[name] for name in ("poses", "trans", "mocap_framerate")}
    turn = Rotation.from_euler("x", 90, degrees=True)
    values["trans"] = turn.apply(values["trans"])
    values["poses"][:, :3] = (turn * Rotation.from_rotvec(values["poses"][:, :3])).as_rotvec()
    np.savez(tmp_path / "amass.npz", **values)
    np.testing.assert_allclose(read_npz(tmp_path / "amass.npz").positions, wavy_motion.positions, atol=1e-4)


BROKEN = {
    "not bvh": "hello\n",
    "no motion": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\n",
    "open brace": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\nMOTION\nFrames: 1\nFrame Time: 0.1\n0\n",
    "twice": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\nJOINT a\n{\nOFFSET 0 1 0\nCHANNELS 1 Zrotation\n}\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n0 0\n",
    "count": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n0 0\n",
    "short": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n}\nMOTION\nFrames: 3\nFrame Time: 0.1\n0\n",
    "words": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\nzero\n",
    "channel": "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Wrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n0\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_bvh_is_named_in_one_sentence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(BROKEN[kind])
    with pytest.raises(DuendeError) as caught:
        read_bvh(path)
    assert "broken.bvh" in str(caught.value)
    assert "\n" not in str(caught.value)


class Malice:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("open('pwned', 'w').close()",)


def test_a_pickle_with_code_is_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"smpl_poses": Malice()}))
    with pytest.raises(DuendeError, match=r"evil\.pkl"):
        read_aistpp(tmp_path / "evil.pkl")
    assert not (tmp_path / "pwned").exists()


def test_aistpp_files_are_read_and_their_names_understood(wavy_motion: Motion, tmp_path: Path) -> None:
    poses = Rotation.from_quat(wavy_motion.rotations.reshape(-1, 4)).as_rotvec().reshape(-1, 72)
    values = {"smpl_poses": poses, "smpl_trans": wavy_motion.root * 90, "smpl_scaling": np.array([90.0])}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(values))
    np.testing.assert_allclose(read_aistpp(tmp_path / "a.pkl").positions, wavy_motion.positions, atol=1e-9)
    name = parse_name("gHO_sBM_cAll_d20_mHO5_ch02")
    assert name is not None
    assert (name.genre, name.tempo) == ("HO", 135)
    assert parse_name("gBR_sBM_cAll_d04_mBR0_ch02").tempo == 80  # type: ignore[union-attr]
    assert parse_name("salsa") is None


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "fps"),
    [
        ("mocap/salsa/01.bvh", 60.0),
        ("mocap/modern/005_02.bvh", 60.0),
        ("mocap/pop/131_01.bvh", None),
        ("mocap_g1/J_Dance0_StepTouch.npz", None),
    ],
)
def test_real_captures_stand_upright_on_the_floor(shared_data: Path, file: str, fps: float | None) -> None:
    motion = load_mocap(shared_data / file, fps)
    assert motion.fps == 60
    head, pelvis = motion.positions[:, 15, 1], motion.positions[:, 0, 1]
    assert np.median(head - pelvis) > 0.5
    assert 0.7 < np.median(pelvis) < 1.05
    lowest = motion.positions[..., 1].min(axis=1)
    assert -0.02 < np.percentile(lowest, 5) < 0.05
    frames = np.arange(len(motion))
    standing = motion.positions[:, [7, 8], 1].argmin(axis=1)
    toes, ankle = motion.positions[frames, 10 + standing], motion.positions[frames, 7 + standing]
    forward = turned(np.tile([0.0, 0.0, 1.0], (len(motion), 1)), body_heading(motion.positions, SMPL24, 60.0))
    assert np.median(((toes - ankle) * forward).sum(axis=1)) > 0.05


@pytest.mark.shared_data
def test_rotations_of_real_dances_are_fitted_within_a_centimetre(shared_data: Path) -> None:
    for path in sorted((shared_data / "aistpp" / "motions").glob("*.pkl"))[:5]:
        motion = read_aistpp(path)
        error = np.linalg.norm(fit_rotations(motion.positions, 60.0).positions - motion.positions, axis=-1)
        assert error.mean() < 0.01
