"""Training: every stage learns, and a killed run goes on as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from duende.audio.feature_sets import feature_set
from duende.datasets.crops import Crops, cropped
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.denoiser import DenoiserConfig
from duende.models.diffusion import DiffusionConfig
from duende.motion import Motion
from duende.motion.representation import PoseRepresentation
from duende.training.diffusion import DiffusionStage, channels_of
from duende.training.new_system import code_config, edge_config, new_system
from duende.training.recipe import Recipe, StageConfig, load_recipe
from duende.training.reinforcement import ActorCriticConfig
from duende.training.run import starting_codes, train_stage
from duende.training.stages import CodeStage

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
SMALL = {"steps": 6, "batch": 4, "frames": 64, "stride": 16, "learning_rate": 1e-3}


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        name="tiny",
        styled=True,
        precision="32-true",
        vqvae={"width": 32, "codes": 16, "code_dimension": 32, "dilations": [1]},
        gpt={"width": 32, "layers": 1, "heads": 2, "window": 16},
        stages={
            "vqvae": StageConfig(**SMALL),
            "root": StageConfig(**SMALL),
            "gpt": StageConfig(**SMALL, average=0.9, clip=1.0, schedule="cosine", warmup=2),
        },
    )


@pytest.fixture
def clips(wavy_motion: Motion) -> list[Clip]:
    features = feature_set("full_band")
    rng = np.random.default_rng(0)
    made = []
    for name, motion in (("a", wavy_motion), ("b", wavy_motion.mirrored())):
        encoded = PoseRepresentation("heading").encode(motion.positions)
        made.append(
            Clip(
                name=name,
                take=name,
                style="salsa" if name == "a" else "pop",
                split="train",
                tempo=120.0,
                mirrored=False,
                upper=encoded.upper,
                lower=encoded.lower,
                root=encoded.root,
                music=rng.normal(size=(30, features.dimension)).astype(np.float32),
                beats=np.arange(0, 4, 0.5),
                downbeats=np.arange(0, 4, 2.0),
                motion=motion,
            )
        )
    return made


def fabric() -> Fabric:
    made = Fabric(accelerator="cpu", devices=1, precision="32-true")
    made.launch()
    return made


def run_all(recipe: Recipe, clips: list[Clip], out: Path, kill_at: int | None = None) -> dict[str, list[dict]]:
    torch.manual_seed(recipe.seed)
    system = new_system(recipe, clips, feature_set("full_band").identity)
    for stage in ("vqvae", "root", "gpt"):
        if kill_at is not None:
            assert not train_stage(stage, system, clips, recipe, fabric(), out / stage, stop_after=kill_at)
            # A new process knows nothing but the folder: everything before this stage is read back from it.
            torch.manual_seed(recipe.seed)
            system = new_system(recipe, clips, feature_set("full_band").identity)
            for earlier in ("vqvae", "root", "gpt"):
                if earlier == stage:
                    break
                train_stage(earlier, system, clips, recipe, fabric(), out / earlier)
        assert train_stage(stage, system, clips, recipe, fabric(), out / stage)
    return {
        stage: [json.loads(line) for line in (out / stage / "log.jsonl").read_text().splitlines()]
        for stage in ("vqvae", "root", "gpt")
    }


def test_a_killed_run_has_the_same_losses(
    recipe: Recipe, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duende.training.loop.LOG_EVERY", 1)
    whole = run_all(recipe, clips, tmp_path / "whole")
    resumed = run_all(recipe, clips, tmp_path / "resumed", kill_at=3)
    for stage, lines in whole.items():
        assert [line["step"] for line in resumed[stage]] == list(range(1, 7))
        np.testing.assert_array_equal([line["loss"] for line in lines], [line["loss"] for line in resumed[stage]])


def test_a_log_line_cut_by_a_kill_is_dropped(recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    system = new_system(recipe, clips, feature_set("full_band").identity)
    train_stage("vqvae", system, clips, recipe, fabric(), tmp_path / "vqvae", stop_after=2)
    with (tmp_path / "vqvae" / "log.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    train_stage("vqvae", system, clips, recipe, fabric(), tmp_path / "vqvae")
    for line in (tmp_path / "vqvae" / "log.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_damaged_checkpoint_is_named(recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    system = new_system(recipe, clips, feature_set("full_band").identity)
    train_stage("vqvae", system, clips, recipe, fabric(), tmp_path / "vqvae", stop_after=1)
    path = tmp_path / "vqvae" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DuendeError, match=r"checkpoint\.pt"):
        train_stage("vqvae", system, clips, recipe, fabric(), tmp_path / "vqvae")


def test_each_stage_learns(recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    longer = {name: StageConfig(**{**SMALL, "steps": 60}) for name in ("vqvae", "root", "gpt")}
    logs = run_all(Recipe(**{**recipe.__dict__, "stages": longer}), clips, tmp_path)
    for stage, lines in logs.items():
        assert lines[-1]["loss"] < lines[0]["loss"], stage


def test_starts_are_those_of_real_dances(recipe: Recipe, clips: list[Clip]) -> None:
    system = new_system(recipe, clips, feature_set("full_band").identity)
    starts = starting_codes(system, clips)
    assert set(starts) == {"", "salsa", "pop"}
    assert all(len(pair) == 2 for pairs in starts.values() for pair in pairs)


def test_crops_cover_every_start_once_in_an_epoch() -> None:
    crops = Crops.over([40, 20, 7], length=16, stride=8)
    epoch = [crop[:2] for step in range(len(crops)) for crop in crops.batch(step, 1, seed=3)]
    assert sorted(epoch) == [(0, 0), (0, 8), (0, 16), (0, 24), (1, 0)]
    assert crops.batch(2, 3, seed=3) == crops.batch(2, 3, seed=3)
    with pytest.raises(DuendeError, match="longest has 40"):
        Crops.over([40], length=41, stride=8)
    assert cropped(np.arange(5)[:, None], 3, 4)[:, 0].tolist() == [3, 4, 4, 4]


@pytest.mark.parametrize(
    "path",
    sorted(p for p in RECIPES.rglob("*.yaml") if p.name != "scale.yaml"),
    ids=lambda p: f"{p.parent.name}-{p.stem}",
)
def test_every_recipe_of_the_repository_is_valid(path: Path) -> None:
    recipe = load_recipe(path)
    features = feature_set(recipe.features or "full_band+rhythm")
    if recipe.system == "edge":
        assert edge_config(recipe, features).denoiser.frames * 2 == recipe.stages["diffusion"].frames
        assert set(recipe.stages) == {"diffusion"}
        return
    assert code_config(recipe, features, ("salsa",)).code_rate == 7.5
    optional = {"genre", "actor_critic"}
    assert set(recipe.stages) - optional == ({"gpt"} if recipe.codebooks else {"vqvae", "root", "gpt"})


def test_recipes_of_the_systems_to_beat_hold_their_published_values() -> None:
    bailando = load_recipe(RECIPES / "bailando.yaml")
    config = code_config(bailando, feature_set("bailando"), ())
    assert not config.upper.frequency and config.genre is None and config.gpt.positions == "learned"
    assert bailando.stages["vqvae"].betas == (0.5, 0.999)
    assert bailando.actor_critic == ActorCriticConfig()
    stage = bailando.stages["actor_critic"]
    assert (stage.learning_rate, stage.batch, stage.epochs) == (1e-5, 128, 10)
    genre = load_recipe(RECIPES / "gtn_bailando.yaml")
    assert "actor_critic" not in genre.stages and genre.genre_weight > 0
    edge = load_recipe(RECIPES / "edge.yaml")
    assert edge_config(edge, feature_set("jukebox")).denoiser == DenoiserConfig()
    assert edge.diffusion == DiffusionConfig()


def test_stages_of_another_system_are_refused() -> None:
    for system, stage in (("edge", "gpt"), ("bailando", "diffusion")):
        with pytest.raises(DuendeError, match=f"the stages of {system} are"):
            Recipe(name="x", system=system, stages={stage: StageConfig(**SMALL)})
    with pytest.raises(DuendeError, match="no system is called 'waltz'"):
        Recipe(name="x", system="waltz", stages={})
    with pytest.raises(DuendeError, match="needs both actor_critic: and a stage"):
        Recipe(name="x", stages={"actor_critic": StageConfig(**SMALL)})


def test_crops_can_begin_near_the_start_of_a_dance_alone(recipe: Recipe, clips: list[Clip]) -> None:
    system = new_system(recipe, clips, "full_band")
    for within, starts in ((0.0, {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22}), (0.5, {0, 2})):
        config = replace(recipe.stages["gpt"], stride=16, starts_within=within)
        assert set(CodeStage(system, clips, config).crops.starts.tolist()) == starts


@pytest.fixture
def edge_recipe() -> Recipe:
    shape = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "music_layers": 1, "frames": 32}
    return Recipe(
        name="edge",
        system="edge",
        precision="32-true",
        denoiser=shape,
        stages={"diffusion": StageConfig(**{**SMALL, "average": 0.9, "steps": 6})},
    )


def test_edge_learns_ranges_and_goes_on_after_a_kill(edge_recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    weights = []
    for name, stops in (("whole", [None]), ("killed", [3, None])):
        for stop in stops:
            torch.manual_seed(0)
            system = new_system(edge_recipe, clips, "full_band")
            train_stage("diffusion", system, clips, edge_recipe, fabric(), tmp_path / name, stop_after=stop)
        weights.append(system.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    dances = np.concatenate([channels_of(clip, system.config.channels) for clip in clips])
    np.testing.assert_allclose(weights[0]["scaling.low"], dances.min(axis=0), atol=1e-6)


def test_a_held_out_dance_does_not_move_the_ranges(edge_recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    checked = replace(edge_recipe, stages={"diffusion": replace(edge_recipe.stages["diffusion"], check_every=3)})
    system = new_system(checked, clips[:1], "full_band")
    train_stage("diffusion", system, clips[:1], checked, fabric(), tmp_path, outside=clips[1:])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "held_out" in lines[-1] and lines[-1]["processor_seconds"] > 0
    own = channels_of(clips[0], system.config.channels)
    np.testing.assert_allclose(system.scaling.low.numpy(), own.min(axis=0), atol=1e-6)


def test_crops_of_another_length_than_the_window_are_refused(edge_recipe: Recipe, clips: list[Clip]) -> None:
    system = new_system(edge_recipe, clips, "full_band")
    with pytest.raises(DuendeError, match="give frames: 64"):
        DiffusionStage(system, clips, replace(edge_recipe.stages["diffusion"], frames=96))


def test_a_genre_token_network_is_finetuned_with_the_gpt(recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    stages = {**recipe.stages, "genre": StageConfig(**SMALL)}
    for weight in (0.0, 0.1):
        told = replace(
            recipe, system="expressive_bailando", genre={"width": 8}, inferred=1.0, genre_weight=weight, stages=stages
        )
        torch.manual_seed(0)
        system = new_system(told, clips, "full_band")
        before = {name: value.clone() for name, value in system.genre.state_dict().items()}
        train_stage("gpt", system, clips, told, fabric(), tmp_path / f"gpt-{weight}")
        moved = any(not torch.equal(value, before[name]) for name, value in system.genre.state_dict().items())
        assert moved == (weight > 0)


def test_the_paper_recipe_holds_the_paper_values() -> None:
    recipe = load_recipe(RECIPES / "expressive_bailando.yaml")
    config = code_config(recipe, feature_set("bailando+mert"), ())
    assert (config.upper.width, config.upper.codes, config.upper.code_dimension) == (512, 512, 512)
    assert (config.upper.signal_weight, config.upper.feature_weight, config.upper.complement_dropout) == (
        1.0,
        0.1,
        0.2,
    )
    assert (config.gpt.layers, config.gpt.width, config.gpt.heads, config.gpt.window) == (12, 768, 12, 29)
    assert recipe.stages["vqvae"].betas == (0.9, 0.99)
    assert recipe.stages["vqvae"].epochs == 500


def test_mistakes_in_recipes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for text in (
        "name: x\nstages: {}\nsurprise: 1\n",
        "- 1\n",
        "name: [",
        "name: x\nstages: {gpt: {batch: 2}}\n",
    ):
        path.write_text(text)
        with pytest.raises(DuendeError):
            load_recipe(path)
    with pytest.raises(DuendeError, match="no recipe"):
        load_recipe(tmp_path / "none.yaml")


def test_the_loss_on_held_out_clips_is_logged_when_asked_for(recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    checked = replace(recipe, stages={"gpt": replace(recipe.stages["gpt"], check_every=3)})
    system = new_system(checked, clips[:1], "full_band@2")
    train_stage("gpt", system, clips[:1], checked, fabric, tmp_path / "gpt", outside=clips[1:])
    lines = [json.loads(line) for line in (tmp_path / "gpt" / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 6 and lines[-1]["held_out"] > 0
    short = [replace(clip, upper=clip.upper[:16], lower=clip.lower[:16]) for clip in clips]
    poses = replace(recipe, stages={"vqvae": replace(recipe.stages["vqvae"], check_every=3)})
    train_stage(
        "vqvae", new_system(poses, clips, "full_band@2"), clips, poses, fabric, tmp_path / "vqvae", outside=short
    )
    assert "held_out" not in (tmp_path / "vqvae" / "log.jsonl").read_text()


def test_training_needs_no_audio_library() -> None:
    code = """
import sys
for name in ("soundfile", "soxr", "imageio_ffmpeg"):
    sys.modules[name] = None
import duende.training.run
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_recipe_is_its_base_with_changes(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    path = tmp_path / "below" / "mine.yaml"
    path.write_text("base: ../base.yaml\nname: mine\nstages: {vqvae: {steps: null, epochs: 3}}\nvqvae: {width: 64}\n")
    (tmp_path / "base.yaml").write_text(
        "name: base\nstyled: true\nvqvae: {width: 32, codes: 16}\nstages: {vqvae: {steps: 5, batch: 2}, gpt: {steps: 4}}\n"
    )
    recipe = load_recipe(path)
    assert recipe.name == "mine" and recipe.styled and recipe.vqvae == {"width": 64, "codes": 16}
    assert recipe.stages["vqvae"].epochs == 3 and recipe.stages["vqvae"].steps is None
    assert recipe.stages["vqvae"].batch == 2 and recipe.stages["gpt"].steps == 4
    (tmp_path / "base.yaml").write_text("base: below/mine.yaml\nname: round\n")
    with pytest.raises(DuendeError, match="base is"):
        load_recipe(path)


def test_the_network_does_not_hear_what_a_recipe_leaves_out(recipe: Recipe, clips: list[Clip]) -> None:
    deaf = new_system(replace(recipe, unheard=("beat", "tempogram")), clips, "full_band@2")
    music = torch.from_numpy(np.asarray(clips[0].music))[None]
    changed = music.clone()
    features = feature_set("full_band")
    changed[..., features.slice("beat")] += 1.0
    changed[..., features.slice("tempogram")] -= 2.0
    torch.testing.assert_close(deaf.normalise(music), deaf.normalise(changed))
    changed[..., features.slice("mfcc")] += 1.0
    assert not torch.allclose(deaf.normalise(music), deaf.normalise(changed))
    assert "heard" not in deaf.state_dict()
    with pytest.raises(DuendeError, match="no columns 'smell'"):
        new_system(replace(recipe, unheard=("smell",)), clips, "full_band@2")


def test_clips_without_music_train_codebooks_only(recipe: Recipe, clips: list[Clip]) -> None:
    silent = [replace(clip, music=None) for clip in clips]
    system = new_system(recipe, clips, "full_band@2")
    assert len(CodeStage(system, [*silent, clips[0]], recipe.stages["gpt"]).codes) == 1
    with pytest.raises(DuendeError, match="no clip has any"):
        CodeStage(system, silent, recipe.stages["gpt"])
