"""The loop: batches gathered ahead, losses watched without waiting, weights averaged, codes kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from duende.configuration import to_mapping
from duende.datasets.store import Clip, DanceSet
from duende.errors import DuendeError
from duende.experiments.made_up import write_made_up_dances
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training import loop
from duende.training.batches import Batches
from duende.training.codes import encode_clips
from duende.training.compilation import compiled_for
from duende.training.loop import run_stage
from duende.training.new_system import new_system
from duende.training.optimizer import RunningAverage
from duende.training.recipe import Recipe, StageConfig
from duende.training.run import train, train_stage
from duende.training.stages import IGNORED, CodeStage, PoseStage

SMALL = StageConfig(steps=6, batch=4, frames=64, stride=16, learning_rate=1e-3)
JITTERED = replace(SMALL, frames=128, context=72, stride=56, jitter=True, average=0.9, clip=1.0)
RECIPE = Recipe(
    name="tiny",
    styled=True,
    precision="32-true",
    vqvae={"width": 16, "codes": 16, "code_dimension": 16, "dilations": [1]},
    gpt={"width": 16, "layers": 1, "heads": 2, "window": 9},
    stages={"vqvae": replace(SMALL, stride=64, jitter=True), "root": SMALL, "gpt": JITTERED},
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DanceSet:
    folder = tmp_path_factory.mktemp("set")
    write_made_up_dances(folder)
    return DanceSet.open(folder)


@pytest.fixture
def clips(data: DanceSet) -> list[Clip]:
    return data.clips("train")


@pytest.fixture
def system(data: DanceSet, clips: list[Clip]) -> ExpressiveBailando:
    torch.manual_seed(0)
    system = new_system(RECIPE, clips, data.feature_set)
    assert isinstance(system, ExpressiveBailando)
    return system


def fabric() -> Fabric:
    made = Fabric(accelerator="cpu", devices=1, precision="32-true")
    made.launch()
    return made


def test_batches_gathered_ahead_are_the_same(system: ExpressiveBailando, clips: list[Clip]) -> None:
    stage = CodeStage(system, clips, JITTERED)
    with Batches(stage, fabric(), 3, 2, 12) as plain, Batches(stage, fabric(), 3, 2, 12, ahead=True) as threaded:
        for _ in range(10):
            one, other = plain.next(), threaded.next()
            assert one.keys() == other.keys()
            assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_what_goes_wrong_in_gathering_is_told(
    system: ExpressiveBailando, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = PoseStage(system, clips, SMALL)
    monkeypatch.setattr(stage, "batch", lambda crops: 1 / 0)
    with Batches(stage, fabric(), 3, 0, 12, ahead=True) as batches, pytest.raises(ZeroDivisionError):
        batches.next()


def test_codes_of_the_context_are_not_learnt_from(system: ExpressiveBailando, clips: list[Clip]) -> None:
    stage = CodeStage(system, clips, JITTERED)
    learnt = [np.zeros(len(codes) - 1, int) for codes in stage.codes]
    for step in range(len(stage.crops)):
        crops = stage.crops.batch(step, 1, seed=1)
        batch = stage.batch(crops)
        ((sequence, start, first, end),) = crops
        known = (batch["next_upper"][0] != IGNORED).numpy()
        assert known.sum() == end - first and (known == (batch["next_lower"][0] != IGNORED).numpy()).all()
        # Nine codes, the window, are known to the first that is learnt from.
        assert start == 0 or known[:8].sum() == 0
        rows = start + np.flatnonzero(known)
        learnt[sequence][rows] += 1
        np.testing.assert_array_equal(batch["next_upper"][0, known], stage.codes[sequence][rows + 1, 0])
    assert all((count == 1).all() for count in learnt)


def test_music_is_normalised_where_the_network_is(system: ExpressiveBailando, clips: list[Clip]) -> None:
    stage = CodeStage(system, clips, JITTERED)
    batch = stage.batch(stage.crops.batch(0, 4, seed=1))
    assert batch["music"].dtype == torch.float16
    heard = stage.arrived(batch)["music"]
    torch.testing.assert_close(heard, system.normalise(batch["music"].float()), rtol=0, atol=0)
    assert heard.dtype == torch.float32 and abs(float(heard.mean())) < 0.5


def test_a_killed_run_with_moving_borders_has_the_same_losses_and_weights(
    data: DanceSet, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    recipe = replace(RECIPE, stages={"gpt": replace(JITTERED, steps=12)})
    losses, weights = [], []
    for name, stops in (("whole", [None]), ("killed", [5, 9, None])):
        for stop in stops:
            torch.manual_seed(0)
            system = new_system(recipe, clips, data.feature_set)
            train_stage("gpt", system, clips, recipe, fabric(), tmp_path / name, stop_after=stop)
        losses.append([json.loads(line)["loss"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()])
        weights.append(system.state_dict())
    assert len(losses[0]) == 12 and losses[0] == losses[1]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


class Breaking(nn.Module):
    """Its loss is no number from its fourth step on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        self.calls += 1
        return self.weight * (float("nan") if self.calls > 3 else 1.0), {}


@pytest.mark.parametrize("save_seconds", [0.0, 60.0])
def test_a_loss_that_is_no_number_ends_training_and_spoils_no_checkpoint(
    system: ExpressiveBailando,
    clips: list[Clip],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save_seconds: float,
) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", save_seconds)
    stage = PoseStage(system, clips, replace(SMALL, steps=100, clip=1.0))
    stage.network = Breaking()  # type: ignore[assignment]
    with pytest.raises(DuendeError, match="no longer a number at step 3; lower the learning rate"):
        run_stage(fabric(), stage, tmp_path, seed=0)
    path = tmp_path / "checkpoint.pt"
    assert path.exists() == (save_seconds == 0)
    if path.exists():
        saved = torch.load(path, weights_only=True)
        assert saved["step"] == 3 and saved["network"]["weight"].isfinite()


def test_the_running_average_is_that_of_its_formula() -> None:
    network = nn.Linear(3, 2)
    average = RunningAverage(network, 0.9)
    expected = {name: value.detach().clone() for name, value in network.named_parameters()}
    for step in range(1, 120):
        with torch.no_grad():
            for value in network.parameters():
                value.normal_()
        average.update(network)
        for name, value in network.named_parameters():
            expected[name].lerp_(value.detach(), 1 - min(0.9, step / (step + 10)))
    assert all(torch.equal(value, average.values[name]) for name, value in expected.items())


def test_codes_are_computed_once(
    system: ExpressiveBailando, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, computed = tmp_path / "codes.npz", []
    inner = ExpressiveBailando.codes_of
    monkeypatch.setattr(ExpressiveBailando, "codes_of", lambda self, *a: (computed.append(1), inner(self, *a))[1])
    first = encode_clips(system, clips[:3], path)
    again = encode_clips(system, [*clips[1:4]], path)
    assert len(computed) == 4
    np.testing.assert_array_equal(again[0], first[1])
    np.testing.assert_array_equal(again[2], inner(system, clips[3].upper, clips[3].lower))
    moved = replace(clips[0], upper=clips[0].upper + 0.5)
    encode_clips(system, [moved, clips[1]], path)
    assert len(computed) == 5
    with torch.no_grad():
        system.upper.encoder.output.bias.add_(1)
    encode_clips(system, clips[:3], path)
    assert len(computed) == 8
    path.write_bytes(b"cut")
    encode_clips(system, clips[:3], path)
    assert len(computed) == 11


def test_a_run_from_before_a_field_was_known_goes_on(data: DanceSet, tmp_path: Path) -> None:
    recipe = replace(RECIPE, stages={"vqvae": replace(SMALL, steps=2)})
    train(recipe, data.folder, tmp_path, devices=1)
    old = to_mapping(recipe)
    del old["compiled"], old["stages"]["vqvae"]["jitter"]
    (tmp_path / "recipe.json").write_text(json.dumps(old))
    train(recipe, data.folder, tmp_path, devices=1)
    with pytest.raises(DuendeError, match="another recipe"):
        train(replace(recipe, seed=1), data.folder, tmp_path, devices=1)


def test_networks_are_compiled_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    network, device = nn.Linear(2, 2), torch.device("cpu")
    assert compiled_for(network, "auto", device) is network and compiled_for(network, "off", device) is network
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(DuendeError, match=r"a C\+\+ compiler for cpu; install it, or give compiled: off"):
        compiled_for(network, "on", device)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert compiled_for(network, "auto", torch.device("cuda")) is network


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_compiled_network_learns_the_same_but_for_rounding(
    data: DanceSet, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    # Nothing random in a step: compiled networks draw other numbers.
    recipe = replace(
        RECIPE,
        vqvae={**RECIPE.vqvae, "complement_dropout": 0.0},
        gpt={**RECIPE.gpt, "dropout": 0.0, "attention_dropout": 0.0, "style_dropout": 0.0},
    )
    losses: dict[str, list[float]] = {}
    for compiled in ("off", "on"):
        torch.manual_seed(0)
        system = new_system(recipe, clips, data.feature_set)
        for name in recipe.ordered_stages:
            folder = tmp_path / compiled / name
            train_stage(name, system, clips, replace(recipe, compiled=compiled), fabric(), folder)  # type: ignore[arg-type]
            if name != "gpt":  # Codes near a border may differ.
                lines = (folder / "log.jsonl").read_text().splitlines()
                losses.setdefault(compiled, []).extend(json.loads(line)["loss"] for line in lines)
    np.testing.assert_allclose(losses["on"], losses["off"], rtol=1e-3)
