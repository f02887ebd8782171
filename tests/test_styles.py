"""Styles told apart: a dancer that ignores them scores chance, one that obeys scores 1, bad input is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duende.audio.feature_sets import FULL_BAND
from duende.cli.main import main
from duende.datasets.store import Clip, DanceSet, write_clip, write_index
from duende.errors import DuendeError
from duende.evaluation.report import HeldOut, held_out_clip
from duende.evaluation.styles import Danced, Judge, judge_of, scores, styles_told_apart
from duende.experiments.made_up import STYLES, write_made_up_dances
from duende.motion import Motion
from duende.systems.debug import debug_system
from duende.systems.storage import save_pretrained


def full_band(clip: Clip, seconds: float | None = None) -> Clip:
    """A clip in the features that the debug system listens to, or so many seconds of it."""
    assert clip.music is not None and clip.motion is not None
    rows = len(clip.music) if seconds is None else round(7.5 * seconds)
    beats = clip.beats[clip.beats < rows / 7.5]
    motion = clip.motion.cropped(0, 8 * rows)
    return replace(clip, music=clip.music[:rows, : FULL_BAND.dimension], beats=beats, motion=motion)


def write_set(clips: list[Clip], folder: Path) -> Path:
    for clip in clips:
        write_clip(clip, folder / f"{clip.name}.npz")
    write_index(folder, [(clip.name, clip.split) for clip in clips], FULL_BAND.identity, {})
    return folder


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up training dances, and two held-out ones of four seconds, one in each style."""
    folder = tmp_path_factory.mktemp("made_up")
    write_made_up_dances(folder / "whole")
    data = DanceSet.open(folder / "whole")
    held_out = [full_band(clip, 4.0) for clip in data.clips("test")[:2]]
    return write_set([*map(full_band, data.clips("train")), *held_out], folder)


@pytest.fixture(scope="module")
def train(made_up: Path) -> list[Clip]:
    return DanceSet.open(made_up).clips("train")


@pytest.fixture(scope="module")
def music(made_up: Path) -> list[HeldOut]:
    return [held_out_clip(clip, FULL_BAND) for clip in DanceSet.open(made_up).clips("test")]


@pytest.fixture(scope="module")
def judge(train: list[Clip], made_up: Path) -> Judge:
    return judge_of(train, DanceSet.open(made_up).clips("test"), STYLES)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The debug system, told of the made-up styles."""
    system = debug_system()
    system.config = replace(system.config, styles=STYLES)
    save_pretrained(system, tmp_path_factory.mktemp("model"))
    return tmp_path_factory.getbasetemp() / "model0"


def performer(train: list[Clip], style_of: Callable[[str | None], str]) -> Callable[..., Motion]:
    """A dancer that shows a training dance of the style that ``style_of`` makes of the one asked for."""

    def dance(piece: HeldOut, style: str | None, seed: int) -> Motion:
        shown = [clip.motion for clip in train if clip.style == style_of(style)]
        motion = shown[seed % len(shown)]
        assert motion is not None
        return motion

    return dance


def test_the_judge_is_right_about_real_dances(judge: Judge) -> None:
    assert judge.classifier.genres == tuple(sorted(STYLES))
    assert judge.training.takes == 8 and judge.training.accuracy > judge.training.chance
    assert len(judge.held_out) == 2
    assert judge.held_out_accuracy == np.mean([true == named for true, named in judge.held_out]) >= 0.5


def test_one_who_obeys_is_told_apart(train: list[Clip], music: list[HeldOut], judge: Judge) -> None:
    steps = []
    found = styles_told_apart(
        performer(train, lambda style: style or STYLES[0]),
        music,
        judge.classifier,
        range(2),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(n, 12) for n in range(1, 13)]
    assert found.accuracy == (1.0, 1.0, 1.0) and found.chance == 0.5
    assert found.by_style == dict.fromkeys(STYLES, 1.0)
    assert found.confusion[STYLES[0]] == {STYLES[1]: 0, STYLES[0]: 4}
    assert found.confusion[""] == {STYLES[1]: 0, STYLES[0]: 4}
    assert found.further[0] > 0 and found.between_styles[0] > found.between_seeds[0] > 0


def test_one_who_does_not_listen_gets_chance(train: list[Clip], music: list[HeldOut], judge: Judge) -> None:
    found = styles_told_apart(performer(train, lambda style: STYLES[1]), music, judge.classifier, range(2))
    assert found.accuracy[0] == 0.5 == found.chance
    assert found.by_style == {STYLES[1]: 1.0, STYLES[0]: 0.0}
    assert found.between_styles[0] == pytest.approx(0.0, abs=1e-12) and found.further[2] < 0
    for measure in found.beat.values():
        np.testing.assert_allclose(measure.difference, 0.0, atol=1e-12)


def test_what_asking_costs_the_beat_is_told_piece_by_piece(train: list[Clip]) -> None:
    places = {"a": 0.0, "b": 3.0, None: 0.0}

    def dance(asked: str | None, seed: int, piece: int) -> Danced:
        beat = piece / 10 + (0.05 if asked is None else 0.02)
        keys = ("beat_align", "beat_excess", "locking")
        return Danced(asked, asked or "a", np.array([places[asked], float(seed)]), dict.fromkeys(keys, beat))

    pieces = [[[dance(asked, seed, piece) for seed in range(2)] for asked in ("a", "b", None)] for piece in range(3)]
    found = scores(pieces, ("a", "b"))
    measure = found.beat["locking"]
    assert measure.asked[0] == pytest.approx(0.12) and measure.none_asked[0] == pytest.approx(0.15)
    # Pieces differ much and all in the same way: the difference is known exactly.
    np.testing.assert_allclose(measure.difference, -0.03, atol=1e-12)
    assert measure.asked[2] - measure.asked[1] > 0.4
    assert (found.between_styles[0], found.between_seeds[0]) == (pytest.approx(3.0), pytest.approx(1.0))
    single = scores([[turns[:1] for turns in piece] for piece in pieces], ("a", "b"))
    assert np.isnan(single.between_seeds[0]) and single.between_styles[0] == pytest.approx(3.0)


def test_pieces_without_beats_are_left_out_of_the_beat(train: list[Clip], music: list[HeldOut], judge: Judge) -> None:
    silent = replace(music[0].features.beats, times=np.zeros(0), downbeats=np.zeros(0), tempo=0.0)
    quiet = HeldOut("quiet", replace(music[0].features, beats=silent))
    dancer = performer(train, lambda style: style or STYLES[0])
    both = styles_told_apart(dancer, [quiet, music[0]], judge.classifier, [0])
    assert both.pieces == 2 and np.isnan(both.beat["locking"].asked[1])
    assert styles_told_apart(dancer, [quiet], judge.classifier, [0]).beat == {}


def test_the_command_scores_both_ways_and_writes_a_report(
    model: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["styles", "--model", str(model), "--data", str(made_up), "--seeds", "2", "-o", str(tmp_path)]
    assert main([*arguments, "--network-alone"]) == 0
    printed = capsys.readouterr().out
    assert printed.strip() == (tmp_path / "report.md").read_text().strip()
    assert "## held-out music, finished dances" in printed and "## held-out music, network alone" in printed
    assert "| real takes right |" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["classifier"]["training"]["takes"] == 8
    for scored in report["music"]["held-out music"].values():
        mean, low, high = scored["accuracy"]
        assert 0 <= low <= mean <= high <= 1 and scored["chance"] == 0.5
        assert {asked: sum(named.values()) for asked, named in scored["confusion"].items()} == {
            **dict.fromkeys(STYLES, 4),
            "": 4,
        }
        assert set(scored["beat"]) == {"beat_align", "beat_excess", "locking"}
        assert all(0 <= scored["beat"][key][side][0] <= 1 for key in ("beat_align", "locking") for side in ("asked",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]


def test_mistakes_end_in_one_sentence(
    model: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: str) -> str:
        assert main(["styles", *arguments, "-o", str(tmp_path / "out")]) == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.startswith("duende: ")
        return message

    clips = [clip for clip in DanceSet.open(made_up).clips("train") if clip.style == STYLES[0]]
    one = write_set(clips, tmp_path / "one")
    common = ("--model", str(model), "--data", str(made_up))
    assert "two of the model's styles" in fails("--model", "debug", "--data", str(made_up))
    assert "two of the model's styles" in fails("--model", str(model), "--data", str(one))
    assert "nowhere.ogg" in fails(*common, "--songs", "nowhere.ogg")
    assert f"listens to {FULL_BAND.identity}" in fails("--model", str(model), "--data", str(made_up / "whole"))
    assert "--seeds" in fails(*common, "--seeds", "0")
    assert "no finished data set" in fails("--model", str(model), "--data", str(tmp_path / "none"))
    with pytest.raises(DuendeError, match="told of no styles"):
        judge_of(clips, [], ())
    assert not (tmp_path / "out").exists()
