"""Loops: the frame after the last is the first, in place, pose and speed, and feet that stand keep standing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duende.errors import DuendeError
from duende.formats.load import load_mocap
from duende.motion import SMPL24, Motion
from duende.motion.carrying import carried
from duende.motion.contacts import skate_ratio
from duende.motion.feet import plant_feet
from duende.motion.kinematics import forward_kinematics
from duende.motion.looping import endlessly, loop_at_frame_rate, looped, unrolled_frames
from duende.motion.stances import standing_joints
from duende.motion.travelling import in_place, on_stage


def thrice(loop: Motion) -> Motion:
    return replace(loop, rotations=np.tile(loop.rotations, (3, 1, 1)), root=np.tile(loop.root, (3, 1)))


def assert_seamless(loop: Motion) -> None:
    """At the seam no joint goes further, changes its speed or its acceleration more than it does elsewhere."""
    positions = thrice(loop).positions
    middle = slice(len(loop) - 4, 2 * len(loop) + 4)
    for order in (1, 2, 3):
        change = np.linalg.norm(np.diff(positions[middle], n=order, axis=0), axis=-1).max(axis=1)
        around_seam = np.concatenate([change[3 - order : 5], change[len(loop) + 3 - order : len(loop) + 5]])
        elsewhere = change[8 : len(loop) - 8]
        assert around_seam.max() < 1.6 * np.quantile(elsewhere, 0.98), order


@pytest.fixture(params=["gHO_sBM_cAll_d20_mHO5_ch02", "gLH_sBM_cAll_d17_mLH4_ch02"])
def dance(request: pytest.FixtureRequest, shared_data: Path) -> Motion:
    return plant_feet(load_mocap(shared_data / "aistpp" / "motions" / f"{request.param}.pkl"))


def test_a_loop_is_closed(wavy_motion: Motion) -> None:
    loop = looped(wavy_motion, 150, planted=False)
    assert len(loop) == 150
    assert_seamless(loop)
    np.testing.assert_allclose(loop.root[0, [0, 2]], 0, atol=1e-9)


def test_a_dance_that_turns_and_travels_ends_where_it_began(wavy_motion: Motion) -> None:
    turns = np.linspace(0, 1.1 * np.pi, len(wavy_motion))
    rotations = wavy_motion.rotations.copy()
    rotations[:, 0] = np.stack([0 * turns, np.sin(turns / 2), 0 * turns, np.cos(turns / 2)], axis=1)
    away = wavy_motion.root + np.linspace(0, 3, len(turns))[:, None] * [1.0, 0.0, 0.4]
    loop = looped(Motion(rotations, away), 150)
    for values in (loop.root, loop.global_rotations[:, 0]):
        steps = np.linalg.norm(np.diff(np.concatenate([values, values[:1]]), axis=0), axis=1)
        assert steps[-1] < 1.1 * steps[:-1].max() < 0.1


def test_the_loop_begins_with_the_music() -> None:
    """A dance that repeats with its music is cut anywhere and comes out as it was, its beginning first."""
    seconds = np.arange(500) / 60.0
    phase = 2 * np.pi * seconds / 2.0
    arm = np.stack([0 * phase, 0 * phase, np.sin(0.4 * np.sin(phase)), np.cos(0.4 * np.sin(phase))], axis=1)
    rotations = np.zeros((500, 24, 4))
    rotations[..., 3] = 1
    rotations[:, SMPL24.index("left_shoulder")] = arm
    motion = Motion(rotations, np.tile([0.0, SMPL24.rest_height, 0.0], (500, 1)))
    loop = looped(motion, 120)
    np.testing.assert_allclose(loop.positions, motion.positions[:120], atol=2e-3)


def test_real_dances_become_loops(dance: Motion) -> None:
    period = 180
    loop = looped(dance, period)
    assert_seamless(loop)
    around = thrice(loop).cropped(period - 10, 2 * period + 10)
    assert skate_ratio(around.positions, loop.fps) < skate_ratio(dance.positions, dance.fps) + 0.05
    again = looped(dance, period)
    np.testing.assert_array_equal(loop.rotations, again.rotations)


def test_too_little_dance_for_a_loop_is_said(wavy_motion: Motion) -> None:
    with pytest.raises(DuendeError, match="dance longer"):
        looped(wavy_motion, 230)


def test_what_changes_nothing_leaves_a_loop_as_it_is(wavy_motion: Motion) -> None:
    loop = looped(wavy_motion, 150, planted=False)
    seen: list[int] = []

    def nothing(motion: Motion) -> Motion:
        seen.append(len(motion))
        return motion

    same = endlessly(loop, nothing)
    assert seen == [len(unrolled_frames(loop))] and seen[0] > 3 * len(loop)
    np.testing.assert_allclose(same.positions, loop.positions, atol=1e-6)


def test_loops_stay_loops_on_a_stage_in_place_and_at_other_rates(dance: Motion) -> None:
    loop = looped(dance, 180)
    staged = on_stage(loop, 0.5, 0.4, cyclic=True)
    assert_seamless(staged)
    assert (np.ptp(staged.root[:, [0, 2]], axis=0) <= [0.5 + 1e-6, 0.4 + 1e-6]).all()
    still = in_place(loop, cyclic=True)
    assert_seamless(still)
    for fps, frames in ((24, 72), (25, 75), (120, 361)):
        other = loop_at_frame_rate(loop, fps, frames)
        assert (len(other), other.fps) == (frames, fps)
        assert_seamless(other)
    assert loop_at_frame_rate(loop, 60, 180) is loop


def test_a_carried_dance_keeps_its_feet_standing(dance: Motion) -> None:
    sway = 0.4 * np.sin(np.arange(len(dance)) / 60.0)
    path = dance.root + sway[:, None] * [1.0, 0.0, 0.5]
    turns = 0.3 * np.sin(np.arange(len(dance)) / 80.0)
    there = carried(dance, path, turns)
    np.testing.assert_allclose(there.root, path)
    feet, standing = list(SMPL24.feet), standing_joints(dance)
    both = standing[1:] & standing[:-1]
    slides = [np.linalg.norm(np.diff(m.positions[:, feet], axis=0)[..., [0, 2]], axis=-1)[both] for m in (dance, there)]
    assert slides[1].mean() < slides[0].mean() + 0.0015
    upper = list(SMPL24.upper)
    np.testing.assert_allclose(there.rotations[:, upper], dance.rotations[:, upper], atol=1e-12)


def test_a_stage_holds_the_dance_and_leaves_one_that_fits(dance: Motion) -> None:
    extent = np.ptp(dance.root[:, [0, 2]], axis=0)
    roomy = on_stage(dance, *(extent + 0.01))
    np.testing.assert_allclose(np.diff(roomy.root, axis=0), np.diff(dance.root, axis=0), atol=1e-9)
    small = on_stage(dance, *(0.5 * extent))
    place = small.root - dance.root[0]
    assert (np.abs(place[:, [0, 2]]) <= 0.25 * extent + 1e-6).all()
    np.testing.assert_allclose(small.root[:, 1], dance.root[:, 1])
    np.testing.assert_allclose(small.rotations[:, 0], dance.rotations[:, 0], atol=1e-9)
    assert skate_ratio(small.positions, 60) < skate_ratio(dance.positions, 60) + 0.02
    tiny = on_stage(dance, 0.05, 0.05)
    assert np.ptp(tiny.root[:, [0, 2]], axis=0).max() <= 0.05 + 1e-6


def test_in_place_takes_out_the_journey_and_keeps_sway_and_pose(wavy_motion: Motion) -> None:
    seconds = np.arange(1200) / 60.0
    sway = 0.05 * np.sin(2 * np.pi * seconds)
    rotations = np.tile(wavy_motion.rotations, (5, 1, 1))
    root = np.stack([sway, 0.9 + 0.1 * sway, 0.8 * seconds + 1.0], axis=1)
    still = in_place(Motion(rotations, root))
    np.testing.assert_array_equal(still.rotations, rotations)
    np.testing.assert_array_equal(still.root[:, 1], root[:, 1])
    middle = slice(240, -240)
    np.testing.assert_allclose(still.root[middle, 0], sway[middle], atol=0.002)
    assert np.abs(still.root[middle, 2] - 1.0).max() < 0.05


def test_frames_between_frames_are_as_smooth_as_the_movement(wavy_motion: Motion) -> None:
    assert wavy_motion.resampled(60) is wavy_motion
    quick, straight = wavy_motion.resampled(120), wavy_motion.warped(np.arange(480) / 120)
    np.testing.assert_allclose(quick.positions[::2], wavy_motion.positions, atol=1e-6)
    assert (len(quick), quick.fps) == (480, 120)
    jerks = [
        np.linalg.norm(np.diff(motion.positions[:-4], n=3, axis=0), axis=-1).mean() for motion in (quick, straight)
    ]
    assert jerks[0] < 0.2 * jerks[1]
    slow = wavy_motion.resampled(24)
    assert (len(slow), slow.fps) == (96, 24)
    np.testing.assert_allclose(slow.positions[::2], wavy_motion.positions[::5], atol=1e-6)
    assert len(wavy_motion.cropped(0, 2).resampled(120)) == 4
    np.testing.assert_allclose(forward_kinematics(slow.rotations, slow.root, SMPL24), slow.positions)
