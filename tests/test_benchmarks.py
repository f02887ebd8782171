"""The one table of speed and memory: its rows, and how they are printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_a_few_rows_are_measured_printed_and_written(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    printed = run(
        "benchmarks", "--quick", "--seconds", "3", "--only", "nothing", "mp3", "joints", "--json", str(file)
    )  # fmt: skip
    kept = json.loads(file.read_text())
    rows = kept["rows"]
    assert list(rows) == ["nothing: all is imported", "decoding the mp3 file", "of these, joints to rotations"]
    for name, row in rows.items():
        assert f"| {name} |" in printed
        assert row["peak"] > 20 and not row["missing"]
    assert rows["of these, joints to rotations"]["ratio"] > 1
    assert kept["setting"]["seconds"] == 3 and not kept["lengths"]


def test_every_step_has_a_row() -> None:
    names = json.loads(run("benchmarks.row", '{"folder": "", "seconds": 1}', "names"))
    for word in (
        "beats",
        "features",
        "as shipped",
        "768",
        "streamed",
        "rotations",
        "clean-up",
        "mp4",
        "glb",
        "training",
    ):
        assert any(word in name for name in names), word


def test_cells_are_dashes_where_nothing_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.__main__ import _row
    from benchmarks.measuring import Figures

    assert _row("step", Figures(0.5, 100.4, song_seconds=60.0)) == "| step | 0.500 | 120 | – | 100 | – | – |"
    assert _row("step", Figures(2.0, 100.4, 12.34, "a loop", 0.3)) == "| step | 2.00 | – | 0.30 | 100 | 12.3 | a loop |"
    assert _row("step", Figures(missing="no file")) == "| step | – | – | – | – | – | no file |"
