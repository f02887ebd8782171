"""BVH files as other programs read them; what is read back is in test_motion.py."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.formats.bvh import read_bvh, write_bvh
from duende.motion import SMPL24, Motion, Skeleton


def spinning(fps: float = 60.0) -> Motion:
    """Four turns about the vertical, a left arm that swings through straight up and past it, and a fast right one."""
    seconds = np.arange(round(4 * fps)) / fps
    turns = np.zeros((len(seconds), 24, 3))
    turns[:, 0, 1] = 2 * np.pi * seconds
    turns[:, SMPL24.index("left_shoulder"), 0] = np.pi * seconds
    turns[:, SMPL24.index("right_shoulder"), 2] = 9 * np.sin(seconds)
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(-1, 24, 4)
    return Motion(rotations, np.tile([0.0, 0.9, 0.0], (len(seconds), 1)), fps)


def table(path: Path) -> np.ndarray:
    """The numbers of the frames."""
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Frame Time"))
    return np.array([line.split() for line in lines[first + 1 :]], dtype=float)


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 60.0, 120.0])
def test_a_reader_finds_the_very_frame_rate(fps: float, tmp_path: Path) -> None:
    write_bvh(spinning(fps), tmp_path / "dance.bvh")
    assert read_bvh(tmp_path / "dance.bvh").fps == pytest.approx(fps, abs=1e-12)


def test_angles_never_jump(tmp_path: Path) -> None:
    motion = spinning()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_bvh(motion, tmp_path / "dance.bvh")
    angles = table(tmp_path / "dance.bvh")[:, 3:]
    # The fastest turn, of the right arm, is 9 radians a second.
    assert np.abs(np.diff(angles, axis=0)).max() < np.degrees(9 / 60) + 0.1
    assert np.ptp(angles[:, 2]) > 4 * 360 - 10


def test_interpolated_angles_give_the_movement_between(tmp_path: Path) -> None:
    motion = spinning()
    write_bvh(motion, tmp_path / "dance.bvh")
    frames = table(tmp_path / "dance.bvh")
    lines = (tmp_path / "dance.bvh").read_text().splitlines()
    head = lines[: -len(frames)]
    between = (frames[1:] + frames[:-1]) / 2
    head[-2] = f"Frames: {len(between)}"
    rows = [" ".join(f"{value:.6f}" for value in row) for row in between]
    (tmp_path / "between.bvh").write_text("\n".join(head + rows))
    back = read_bvh(tmp_path / "between.bvh")
    expected = motion.warped((np.arange(len(between)) + 0.5) / 60).positions
    order = [back.skeleton.index(name) for name in SMPL24.names]
    assert np.abs(back.positions[:, order] / 100 - expected).max() < 0.005


def test_decimals_hold_a_tenth_of_a_millimetre(tmp_path: Path) -> None:
    motion = spinning()
    write_bvh(motion, tmp_path / "dance.bvh")
    back = read_bvh(tmp_path / "dance.bvh")
    order = [back.skeleton.index(name) for name in SMPL24.names]
    assert np.abs(back.positions[:, order] / 100 - motion.positions).max() < 1e-4


def test_end_sites_point_up_sideways_and_forward(tmp_path: Path) -> None:
    write_bvh(spinning(), tmp_path / "dance.bvh")
    back = read_bvh(tmp_path / "dance.bvh", ends=True).skeleton
    ends = {name[:-4]: back.offsets[index] for index, name in enumerate(back.names) if name.endswith(" end")}
    assert set(ends) == {"head", "left_hand", "right_hand", "left_foot", "right_foot"}
    np.testing.assert_allclose(ends["head"], [0, 8, 0])
    np.testing.assert_allclose(ends["left_hand"], [8, 0, 0])
    np.testing.assert_allclose(ends["right_hand"], [-8, 0, 0])
    np.testing.assert_allclose(ends["right_foot"], [0, 0, 8])


def test_any_skeleton_is_written_with_words_for_names(tmp_path: Path) -> None:
    tree = Skeleton(("root bone", "arm  left", "leg"), (-1, 0, 0), np.array([[5.0, 5, 5], [1, 0, 0], [0, 0, 0]]))
    motion = Motion(np.tile([0.0, 0, 0, 1], (2, 3, 1)), np.zeros((2, 3)), 30, tree)
    write_bvh(motion, tmp_path / "tree.bvh", "m")
    text = (tmp_path / "tree.bvh").read_text()
    assert re.findall(r"(?:ROOT|JOINT) (.*)", text) == ["root_bone", "arm_left", "leg"]
    # Whether a root's offset is added to its position is read in two ways: zero is the same in both.
    assert "OFFSET 0.000000 0.000000 0.000000" in text.splitlines()[3]
    np.testing.assert_allclose(read_bvh(tmp_path / "tree.bvh").positions, motion.positions, atol=1e-6)


def test_joints_that_no_reader_could_tell_apart_are_refused(tmp_path: Path) -> None:
    tree = Skeleton(("root", "a b", "a_b"), (-1, 0, 1), np.zeros((3, 3)))
    motion = Motion(np.tile([0.0, 0, 0, 1], (2, 3, 1)), np.zeros((2, 3)), 30, tree)
    with pytest.raises(DuendeError, match="'a_b'"):
        write_bvh(motion, tmp_path / "tree.bvh")
    nameless = replace(motion, skeleton=replace(tree, names=("root", "", "b")))
    with pytest.raises(DuendeError, match="a name of its own"):
        write_bvh(nameless, tmp_path / "tree.bvh")
    assert not list(tmp_path.iterdir())
