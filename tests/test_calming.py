"""Trembling is taken out, movement is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.evaluation.movement import mean_jerk, mean_speed
from duende.formats.load import load_mocap
from duende.motion import SMPL24, Motion
from duende.motion.calming import calmed


def trembling(motion: Motion, joint: str, degrees: float, hertz: float) -> Motion:
    seconds = np.arange(len(motion)) / motion.fps
    shake = Rotation.from_euler("x", degrees * np.sin(2 * np.pi * hertz * seconds)[:, None], degrees=True)
    rotations = motion.rotations.copy()
    index = SMPL24.index(joint)
    rotations[:, index] = (Rotation.from_quat(rotations[:, index]) * shake).as_quat()
    return replace(motion, rotations=rotations)


def apart(first: Motion, second: Motion, joint: str) -> float:
    """Mean angle in degrees between a joint's rotations."""
    a, b = (Rotation.from_quat(motion.rotations[:, SMPL24.index(joint)]) for motion in (first, second))
    return float(np.degrees((a.inv() * b).magnitude()).mean())


def test_smooth_movement_is_left_alone(wavy_motion: Motion) -> None:
    calm = calmed(wavy_motion)
    np.testing.assert_allclose(calm.positions, wavy_motion.positions, atol=1e-9)


def test_a_joint_that_trembles_is_calmed_and_the_others_are_not(wavy_motion: Motion) -> None:
    shaken = trembling(wavy_motion, "left_elbow", 3.0, 11.0)
    calm = calmed(shaken)
    assert apart(calm, wavy_motion, "left_elbow") < 0.4 * apart(shaken, wavy_motion, "left_elbow")
    assert apart(calm, shaken, "right_elbow") < 1e-3
    wrist = [SMPL24.index("left_wrist")]
    still, rough, after = (mean_jerk(motion.positions[:, wrist], 60.0) for motion in (wavy_motion, shaken, calm))
    assert after - still < 0.4 * (rough - still)


def test_a_path_that_trembles_is_calmed_on_that_axis_alone(wavy_motion: Motion) -> None:
    shake = 0.008 * np.sin(2 * np.pi * 10.0 * np.arange(len(wavy_motion)) / 60.0)
    shaken = replace(wavy_motion, root=wavy_motion.root + shake[:, None] * np.array([1.0, 0.0, 0.0]))
    calm = calmed(shaken)
    inside = slice(20, -20)
    assert np.abs((calm.root - wavy_motion.root)[inside, 0]).max() < 0.003
    np.testing.assert_array_equal(calm.root[:, 2], shaken.root[:, 2])


def test_one_sharp_accent_stays_sharp(wavy_motion: Motion) -> None:
    """A quarter turn in a twentieth of a second is an accent, not trembling."""
    seconds = np.arange(len(wavy_motion)) / 60.0
    snap = Rotation.from_euler("y", 45 * (1 + np.tanh((seconds - 2.0) / 0.012))[:, None], degrees=True)
    rotations = wavy_motion.rotations.copy()
    neck = SMPL24.index("neck")
    rotations[:, neck] = (Rotation.from_quat(rotations[:, neck]) * snap).as_quat()
    snapped = replace(wavy_motion, rotations=rotations)
    assert apart(calmed(snapped), snapped, "neck") < 0.2


def test_captured_dance_hardly_changes(shared_data: Path) -> None:
    paths = sorted((shared_data / "aistpp" / "motions").glob("*.pkl"))[:4]
    for motion in map(load_mocap, paths):
        calm = calmed(motion)
        assert np.linalg.norm(calm.positions - motion.positions, axis=-1).mean() < 0.001
        assert mean_speed(calm.positions, motion.fps) == pytest.approx(
            mean_speed(motion.positions, motion.fps), rel=0.02
        )
