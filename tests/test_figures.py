"""Figures show the numbers that they were given, come out the same every time, and say what is wrong with bad input."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from duende.audio.music import Beats
from duende.cli import figures
from duende.datasets.store import Clip, write_clip, write_index
from duende.errors import DuendeError
from duende.evaluation.movement import speed_deviation
from duende.figures.codebook import CodeUse, codebook_figure
from duende.figures.keyframes import Mark, keyframes_figure
from duende.figures.logs import find_logs, read_log
from duende.figures.portraits import portraits
from duende.figures.spectrum import spectrum_figure, speed_power
from duende.figures.speed import joint_deviation, speed_figure
from duende.figures.style import COLUMN, PAGE, save
from duende.figures.training import training_figure
from duende.formats.npz import write_npz
from duende.motion import SMPL24, Motion
from duende.motion.representation import PoseRepresentation

FPS = 60.0


def labels(figure: Figure) -> str:
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return "\n".join(text.get_text() for legend in legends for text in legend.get_texts())


def swinging(hertz: float, seconds: float = 8.0) -> np.ndarray:
    """Joints at rest, but for the left wrist: its speed is 1 m/s, now 0.5 more, now less, ``hertz`` times a second."""
    at = np.arange(round(seconds * FPS) + 1) / FPS
    positions = np.tile(SMPL24.rest_positions, (len(at), 1, 1))
    positions[:, SMPL24.index("left_wrist"), 0] += at - 0.5 / (2 * np.pi * hertz) * np.cos(2 * np.pi * hertz * at)
    return positions


def standing(frames: int = 60) -> Motion:
    rotations = np.zeros((frames, 24, 4))
    rotations[..., 3] = 1
    return Motion(rotations, np.tile([0.0, SMPL24.rest_height, 0.0], (frames, 1)), FPS)


def test_the_speed_curve_and_its_deviation_are_those_of_the_joint() -> None:
    real, still = swinging(1.5), swinging(1.5) * 0
    figure = speed_figure({"real": real, "model": still}, FPS, "left_wrist", start=2.0)
    curve = figure.axes[0].lines[0]
    seconds, speed = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    assert seconds[0] == pytest.approx(2.0 + 0.5 / FPS)
    np.testing.assert_allclose(speed, 1 + 0.5 * np.sin(2 * np.pi * 1.5 * (seconds - 2.0)), atol=1e-3)
    assert joint_deviation(real, FPS, "left_wrist") == pytest.approx(speed_deviation(real, FPS)["left_wrist"] * 60)
    assert joint_deviation(real, FPS, "all_joints") == pytest.approx(speed_deviation(real, FPS)["all_joints"] * 60)
    assert labels(figure) == "real: deviation 0.353 m/s\nmodel: deviation 0.000 m/s"
    with pytest.raises(DuendeError, match="left_wrist"):
        speed_figure({"real": real}, FPS, "left_wing")


def test_the_spectrum_peaks_where_the_speed_swings_and_holds_its_variance() -> None:
    frequency, density = speed_power([swinging(4.0), swinging(4.0, 6.0)], FPS, "left_wrist")
    assert frequency[np.argmax(density)] == 4.0
    assert density.sum() * frequency[0] == pytest.approx(0.5**2 / 2, rel=0.02)
    figure = spectrum_figure({"real": [swinging(4.0)], "model": [swinging(2.0)]}, FPS)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0.25", "1", "3", "6", "12", "30"]
    with pytest.raises(DuendeError, match="too short"):
        speed_power([swinging(4.0, 0.5)], FPS, "left_wrist")


def test_code_use_is_sorted_and_unused_codes_end_the_line() -> None:
    upper, lower = np.repeat(np.arange(8), 5), np.repeat([3, 5], [30, 10])
    figure = codebook_figure([CodeUse("even", np.stack([upper, lower], axis=1), 16)])
    shares = [np.asarray(axes.lines[0].get_ydata()) for axes in figure.axes]
    np.testing.assert_allclose(shares[0], np.full(8, 12.5))
    np.testing.assert_allclose(shares[1], [75, 25])
    assert labels(figure) == "even: perplexity 8, 8 of 16 used\neven: perplexity 2, 2 of 16 used"


def test_a_portrait_is_the_dancer_alone_to_scale() -> None:
    motion = standing(2)
    lifted = Motion(motion.rotations, motion.root + np.array([[0, 0, 0], [0, 0.5, 0]]), FPS)
    ground, jump = portraits(lifted, np.array([0, 1]))
    assert ground.image[0, 0, 3] == ground.image[-1, -1, 3] == 0
    rows, columns = (round(part * size) for part, size in zip((0.4, 0.5), ground.image.shape, strict=False))
    assert ground.image[rows, columns, 3] == 255
    assert 1.65 < ground.top < 1.95 and abs(ground.bottom) < 0.15
    assert jump.top - ground.top == pytest.approx(0.5, abs=0.05)
    # The shadow stays on the floor.
    assert jump.bottom == pytest.approx(ground.bottom, abs=0.05)
    sizes = [(figure.top - figure.bottom) / figure.image.shape[0] for figure in (ground, jump)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_keyframes_neither_touch_each_other_nor_leave_the_page(wavy_motion: Motion, width: float) -> None:
    beats = Beats(np.arange(0, 4, 0.5), np.arange(0, 4, 2.0), 120.0)
    rows = {"a rather long name of a system": wavy_motion, "wide": standing(240)}
    figure = keyframes_figure(rows, 0.5, 3.0, 5, beats, [Mark("wide", 1.0, 2.0, "green")], width=width)
    for axes in figure.axes[:2]:
        sides = [image.get_extent()[:2] for image in axes.images]
        assert len(sides) == 5 and sides[0][0] >= 0.5 and sides[-1][1] <= 3.5
        assert all(left[1] <= right[0] + 1e-9 for left, right in pairwise(sides))
        # A metre is as long across as upwards.
        box, (low, high) = axes.get_position(), axes.get_ylim()
        inches = np.array([box.width, box.height]) * figure.get_size_inches()
        left, right, bottom, top = axes.images[2].get_extent()
        pixels = axes.images[2].get_array().shape  # type: ignore[union-attr]
        across = (right - left) / 3.0 * inches[0] / pixels[1]
        assert across == pytest.approx((top - bottom) / (high - low) * inches[1] / pixels[0], rel=1e-6)
    assert len(figure.axes[2].collections[0].get_segments()) == 7  # type: ignore[attr-defined]
    assert len(figure.axes[2].collections[1].get_segments()) == 1  # type: ignore[attr-defined]
    figure.draw_without_rendering()
    names = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    assert len(names) == 3 and all(name.x0 >= 0 for name in names)


def test_keyframes_refuse_what_they_cannot_show(wavy_motion: Motion) -> None:
    rows = {"Ours": wavy_motion}
    mistakes: list[tuple[str, dict[str, Any]]] = [
        ("lasts 4.0 s", {"seconds": 8.0}),
        ("the rows are Ours", {"seconds": 3.0, "marks": [Mark("Theirs", 0, 1, "red")]}),
        ("choose green, red", {"seconds": 3.0, "marks": [Mark("Ours", 0, 1, "pink")]}),
        ("within the figure", {"seconds": 3.0, "marks": [Mark("Ours", 2, 4, "red")]}),
        ("1 to 40 columns", {"seconds": 3.0, "columns": 0}),
    ]
    for expected, options in mistakes:
        with pytest.raises(DuendeError, match=expected):
            keyframes_figure(rows, **options)
    with pytest.raises(DuendeError, match="--row"):
        keyframes_figure({})


def write_log(folder: Path, seed: int, losses: list[float], held_out: list[float], width: int = 64) -> Path:
    folder.mkdir(parents=True)
    rows: list[dict[str, float]] = [{"step": 20 * (i + 1), "loss": loss} for i, loss in enumerate(losses)]
    for i, value in enumerate(held_out):
        rows[2 * i + 1]["held_out"] = value
    lines = [json.dumps(row) for row in rows]
    (folder / "log.jsonl").write_text("\n".join([*lines, '{"step": 9']))
    recipe = {"seed": seed, "representation": "heading", "vqvae": {"width": width}, "stages": {"vqvae": {"steps": 80}}}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


def test_seeds_become_a_mean_with_a_band(tmp_path: Path) -> None:
    for seed, losses in ((0, [4.0, 2.0, 1.0, 1.0]), (1, [6.0, 4.0, 3.0])):
        write_log(tmp_path / f"vqvae-{seed}", seed, losses, [2.0 + seed])
    figure = training_figure({"VQ-VAE": [read_log(path) for path in find_logs(tmp_path)]})
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [20, 40, 60])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [5, 3, 2])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(5 + np.sqrt(2))
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [[40, 2.5]])
    assert "VQ-VAE (2 seeds)" in labels(figure)


def test_the_same_figure_gives_the_same_bytes(wavy_motion: Motion, tmp_path: Path) -> None:
    def draw(folder: str) -> list[bytes]:
        curves = speed_figure({"real": swinging(1.5), "model": swinging(2.0)}, FPS)
        bodies = keyframes_figure({"Ours": wavy_motion}, 0, 3, 2)
        paths = [*save(curves, tmp_path / folder, "speed"), *save(bodies, tmp_path / folder, "keyframes")]
        assert [path.suffix for path in paths] == [".pdf", ".svg", ".png"] * 2
        return [path.read_bytes() for path in paths]

    assert draw("one") == draw("two")


def run(*arguments: str | Path) -> None:
    parser = argparse.ArgumentParser()
    figures.add_arguments(parser)
    figures.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def dance_set(wavy_motion: Motion, tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    poses = PoseRepresentation("heading").encode(wavy_motion.positions)
    for name, split in (("salsa-1-0", "test"), ("salsa-2-0", "train")):
        beats = np.arange(0, 4, 0.5)
        clip = Clip(
            name,
            name[:-2],
            "salsa",
            split,
            120.0,
            False,
            poses.upper,
            poses.lower,
            poses.root,
            None,
            beats,
            beats[::4],
            wavy_motion,
        )
        write_clip(clip, folder / f"{name}.npz")
    write_index(folder, [("salsa-1-0", "test"), ("salsa-2-0", "train")], "full_band@2", {"representation": "heading"})
    return folder


def test_every_kind_becomes_three_files(
    dance_set: Path, wavy_motion: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_npz(wavy_motion, tmp_path / "ours.npz")
    write_log(tmp_path / "run" / "vqvae", 0, [3.0, 2.0], [2.5])
    out, models = tmp_path / "out", ("--data", dance_set, "--model", "Ours=debug")
    row = ("--row", f"Ours={tmp_path / 'ours.npz'}", "--mark", "Ours:0-1.5:green")
    clip = ("--data", dance_set, "--clip", "salsa-1-0")
    run("keyframes", *row, *clip, "--seconds", "3", "--columns", "2", "-o", out)
    run("speed", *models, "--clip", "salsa-1-0", "--seconds", "3", "-o", out)
    run("spectrum", *models, "--joint", "all_joints", "-o", out)
    run("codebook", *models, "--width", "page", "-o", out, "--name", "codes")
    run("training", "--run", f"Ours={tmp_path / 'run'}", "-o", out)
    printed = capsys.readouterr().out.split()
    names = ("keyframes", "speed", "spectrum", "codes", "training")
    assert printed == [str(out / f"{name}.{suffix}") for name in names for suffix in ("pdf", "svg", "png")]
    assert all(Path(path).stat().st_size > 3000 for path in printed)


def test_mistakes_end_in_one_sentence(
    dance_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("-o", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun" / "gpt").mkdir(parents=True)
    (tmp_path / "begun" / "gpt" / "log.jsonl").touch()
    one = write_log(tmp_path / "runs" / "vqvae-1", 0, [1.0, 2.0], [])
    other = write_log(tmp_path / "runs" / "vqvae-2", 0, [1.0, 2.0], [], width=128)
    speed = ("speed", "--data", dance_set, "--clip")
    mistakes: list[tuple[str, tuple[Any, ...]]] = [
        ("no clip 'tango'.*salsa-1-0", (*speed, "tango", "--model", "Ours=debug")),
        ("lasts 4.0 s", (*speed, "salsa-1-0", "--model", "Ours=debug", "--start", "9")),
        ("holds no model", (*speed, "salsa-1-0", "--model", f"Ours={tmp_path / 'empty'}")),
        ("should be a name and a place", (*speed, "salsa-1-0", "--model", "debug")),
        ("two values", (*speed, "salsa-1-0", "--model", "Ours=debug", "--model", "Ours=debug")),
        ("holds no finished data set", ("codebook", "--data", tmp_path / "empty", "--model", "Ours=debug")),
        ("holds no log.jsonl", ("training", "--run", f"Ours={tmp_path / 'empty'}")),
        ("holds no losses yet", ("training", "--run", f"Ours={tmp_path / 'begun'}")),
        ("different recipes", ("training", "--run", f"Ours={one}", "--run", f"Ours={other}")),
        ("no name for a figure", ("training", "--run", f"Ours={one}", "--name", "a/b")),
        ("--mark 'Ours'", ("keyframes", "--row", "Ours=x.npz", "--mark", "Ours")),
        ("needs the folder of its data set", ("keyframes", "--clip", "salsa-1-0")),
        ("no file", ("keyframes", "--row", f"Ours={tmp_path / 'nowhere.npz'}")),
    ]
    for expected, arguments in mistakes:
        with pytest.raises(DuendeError, match=f"(?s).*{expected}") as raised:
            run(*arguments, *out)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "duende.figures.style")
    with pytest.raises(DuendeError, match=r"figures need matplotlib.*duende\[figures\]"):
        run("training", "--run", f"Ours={one}", *out)
