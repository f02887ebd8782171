"""Contact sheets: the key poses of a dance, whole, in order, and labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from duende.audio import Beats
from duende.errors import DuendeError
from duende.formats import contact_sheet
from duende.formats.contact_sheet import COLUMNS, MARGIN, PAPER, TITLE_HEIGHT, key_times, write_contact_sheet
from duende.formats.lettering import shortened, text_width, write_text
from duende.formats.performance import Performance, Variant
from duende.motion import SMPL24, Motion, Skeleton
from duende.motion.accents import accents

BEATS = Beats(np.arange(0.3, 30, 0.5), np.arange(0.3, 30, 2.0), 120.0)


def longer(motion: Motion, times: int) -> Motion:
    return Motion(np.tile(motion.rotations, (times, 1, 1)), np.tile(motion.root, (times, 1)), motion.fps)


def written(performance: Performance, folder: Path) -> np.ndarray:
    write_contact_sheet(performance, folder / "sheet.png")
    assert [path.name for path in folder.iterdir()] == ["sheet.png"]
    return cv2.imread(str(folder / "sheet.png"))


def is_red(picture: np.ndarray) -> np.ndarray:
    """Where the dancer's top is seen."""
    return picture[..., 2].astype(int) > picture[..., 0].astype(int) + 60


def test_a_dance_is_seen_in_every_picture(wavy_motion: Motion, tmp_path: Path) -> None:
    sheet = written(Performance(longer(wavy_motion, 4), "Mi canción", None, BEATS), tmp_path)
    assert sheet.shape[1] == 1600
    assert (sheet[0, 0] == PAPER).all()
    pictures = is_red(sheet[MARGIN + TITLE_HEIGHT :, MARGIN:-MARGIN])
    assert all(part.sum() > 800 for part in np.array_split(pictures, COLUMNS, axis=1))
    rows = pictures.sum(axis=1) > 150
    assert np.count_nonzero(np.diff(rows.astype(int)) == 1) == 2


def test_nothing_of_a_pose_is_cut_off(wavy_motion: Motion) -> None:
    leap = wavy_motion.root.copy()
    leap[100:140, 1] += 0.6 * np.sin(np.linspace(0, np.pi, 40))
    leap[:, 0] += np.linspace(-2, 2, len(leap))
    rotations = wavy_motion.rotations.copy()
    for side in ("left", "right"):
        rotations[:, SMPL24.index(f"{side}_shoulder")] = [0, 0, 0, 1]
    motion, size = Motion(rotations, leap), (120, 160)
    for picture in contact_sheet._portraits([motion], np.array([0.2, 1.0, 2.0, 3.0]), size):
        assert picture.shape == (160, 120, 3)
        figure = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[..., 1] > 120
        assert figure.any() and not figure[:, [0, -1]].any() and not figure[[0, -1]].any()


def test_each_variant_has_its_row(wavy_motion: Motion, tmp_path: Path) -> None:
    variants = tuple(Variant(f"seed {seed}", wavy_motion) for seed in range(3))
    sheet = written(Performance(wavy_motion, "song", None, BEATS, variants), tmp_path)
    rows = is_red(sheet[MARGIN + TITLE_HEIGHT :]).sum(axis=1) > 150
    assert np.count_nonzero(np.diff(rows.astype(int)) == 1) == 3


def test_key_poses_are_spread_over_the_dance_and_lie_on_accents(wavy_motion: Motion) -> None:
    motion = longer(wavy_motion, 3)
    times = key_times([motion], 6)
    assert (np.diff(times) > 0).all() and times[0] >= 0 and times[-1] < motion.duration
    assert ((times // 2).astype(int) == np.arange(6)).all()
    found = accents(motion).times
    assert np.mean(np.abs(times[:, None] - found).min(axis=1) < 0.1) > 0.6
    np.testing.assert_array_equal(times, key_times([motion], 6))


def test_a_new_pose_is_shown_rather_than_one_that_was_seen() -> None:
    rotations = np.zeros((600, 24, 4))
    rotations[..., 3] = 1
    lifted = slice(430, 470)
    rotations[lifted, SMPL24.index("left_shoulder")] = [0, 0, np.sin(0.6), np.cos(0.6)]
    motion = Motion(rotations, np.tile([0.0, SMPL24.rest_height, 0.0], (600, 1)))
    times = key_times([motion], 5)
    assert 430 <= times[3] * 60 < 470


@pytest.mark.parametrize("frames", [1, 2, 30, 200])
def test_short_dances_have_a_sheet_too(wavy_motion: Motion, tmp_path: Path, frames: int) -> None:
    assert is_red(written(Performance(wavy_motion.cropped(0, frames), "short"), tmp_path)).any()


def test_another_skeleton_is_refused(wavy_motion: Motion, tmp_path: Path) -> None:
    names = tuple(f"bone{number}" for number in range(24))
    other = Skeleton(names, SMPL24.parents, SMPL24.offsets, SMPL24.left_right, SMPL24.lower, SMPL24.feet)
    with pytest.raises(DuendeError, match="SMPL24"):
        write_contact_sheet(Performance(replace(wavy_motion, skeleton=other), "other"), tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())


def test_letters_of_many_languages_are_written_where_they_should_be() -> None:
    picture = np.full((60, 400, 3), 255, np.uint8)
    write_text(picture, "Canción, Привет, Ελλάδα", (20, 40), 24, (0, 0, 0))
    dark = picture[..., 0] < 128
    columns, rows = np.flatnonzero(dark.any(axis=0)), np.flatnonzero(dark.any(axis=1))
    assert columns[0] == pytest.approx(21, abs=2)
    assert columns[-1] == pytest.approx(20 + text_width("Canción, Привет, Ελλάδα", 24), abs=4)
    assert 40 - 24 < rows[0] < 26 and 40 <= rows[-1] < 50
    assert text_width("ñ", 24) == pytest.approx(text_width("n", 24), rel=0.05)
    assert text_width("君", 24) == 0


def test_text_may_begin_outside_and_long_text_is_shortened() -> None:
    picture = np.full((20, 50, 3), 255, np.uint8)
    write_text(picture, "a long name of a song", (-10, 8), 30, (0, 0, 0))
    write_text(picture, "gone", (300, 300), 30, (0, 0, 0))
    write_text(picture, "", (5, 5), 30, (0, 0, 0))
    assert (picture < 128).any()
    cut = shortened("a long name of a song", 20, 100)
    assert cut.endswith("…") and text_width(cut, 20) <= 100
    assert shortened("song", 20, 100) == "song"
