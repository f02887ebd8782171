"""Features of Jukebox that were computed elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duende.audio.jukebox import WIDTH, jukebox_identity, jukebox_rows
from duende.errors import DuendeError


def stored(folder: Path, frames: int, kind: str = "float32") -> np.ndarray:
    """Write features whose frame ``i`` is ``i`` in its first and ``-i`` in its last column."""
    values = np.zeros((frames, WIDTH), kind)
    values[:, 0], values[:, -1] = np.arange(frames), -np.arange(frames)
    np.save(folder / "song.npy", values)
    return values


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_a_row_holds_four_frames_in_the_order_of_time(tmp_path: Path, kind: str) -> None:
    stored(tmp_path, 60, kind)
    rows = jukebox_rows(tmp_path, "song", 2.0)
    assert rows.shape == (15, 4 * WIDTH) and rows.dtype == np.float16
    assert rows[3].reshape(4, WIDTH)[:, 0].tolist() == [12, 13, 14, 15]
    assert rows[3].reshape(4, WIDTH)[:, -1].tolist() == [-12, -13, -14, -15]


@pytest.mark.parametrize(("frames", "seconds"), [(45, 2.0), (75, 2.0), (60, 2.1), (1, 0.01), (15, 0.0)])
def test_a_length_off_by_half_a_second_is_mended(tmp_path: Path, frames: int, seconds: float) -> None:
    stored(tmp_path, frames)
    rows = max(1, int(np.ceil(7.5 * seconds)))
    found = jukebox_rows(tmp_path, "song", seconds).reshape(rows * 4, WIDTH)[:, 0]
    assert found.tolist() == np.minimum(np.arange(rows * 4), frames - 1).tolist()


@pytest.mark.parametrize("frames", [44, 76])
def test_a_length_off_by_more_is_refused(tmp_path: Path, frames: int) -> None:
    stored(tmp_path, frames)
    with pytest.raises(DuendeError, match=rf"{frames} rows.*make 60 at 30 a second"):
        jukebox_rows(tmp_path, "song", 2.0)


def test_a_name_with_dots_keeps_them(tmp_path: Path) -> None:
    np.save(tmp_path / "feat. someone.npy", np.zeros((30, WIDTH), np.float16))
    assert jukebox_rows(tmp_path, "feat. someone", 1.0).shape == (8, 4 * WIDTH)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_numbers_that_float16_cannot_hold_are_refused(tmp_path: Path, value: float) -> None:
    values = stored(tmp_path, 30)
    values[7, 9] = value
    np.save(tmp_path / "song.npy", values)
    with pytest.raises(DuendeError, match=r"song\.npy holds numbers that are not finite or too large"):
        jukebox_rows(tmp_path, "song", 1.0)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((30, 768), np.float32),
        np.zeros((30, WIDTH), np.int64),
        np.zeros(WIDTH, np.float32),
        np.zeros((1, 30, WIDTH), np.float32),
    ],
)
def test_another_width_or_type_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "song.npy", values)
    with pytest.raises(DuendeError, match=r"a float array \(T, 4800\) is expected"):
        jukebox_rows(tmp_path, "song", 1.0)


def test_what_is_no_array_is_refused_and_no_pickle_is_opened(tmp_path: Path) -> None:
    with pytest.raises(DuendeError, match=r"no file .*song\.npy"):
        jukebox_rows(tmp_path, "song", 1.0)
    (tmp_path / "song.npy").write_bytes(b"not an array")
    with pytest.raises(DuendeError, match="cannot be read as a NumPy array"):
        jukebox_rows(tmp_path, "song", 1.0)
    np.save(tmp_path / "song.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DuendeError, match="cannot be read as a NumPy array"):
        jukebox_rows(tmp_path, "song", 1.0)
    with (tmp_path / "song.npy").open("wb") as file:
        np.savez(file, values=np.zeros((30, WIDTH), np.float32))
    with pytest.raises(DuendeError, match="an archive"):
        jukebox_rows(tmp_path, "song", 1.0)
    np.save(tmp_path / "song.npy", np.zeros((0, WIDTH), np.float32))
    with pytest.raises(DuendeError, match="no rows"):
        jukebox_rows(tmp_path, "song", 0.1)


def test_identity_follows_the_content(tmp_path: Path) -> None:
    values = stored(tmp_path, 30)
    first = jukebox_identity(tmp_path, "song")
    np.save(tmp_path / "other.npy", values)
    assert jukebox_identity(tmp_path, "other") == first
    values[3, 3] += 1
    np.save(tmp_path / "song.npy", values)
    assert jukebox_identity(tmp_path, "song") != first
    with pytest.raises(DuendeError, match="no file"):
        jukebox_identity(tmp_path, "missing")
