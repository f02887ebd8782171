"""From a recipe and a data set to a folder that dances."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from duende.configuration import from_mapping, to_mapping
from duende.datasets.packed import PackedSet
from duende.datasets.store import Clip, DanceSet
from duende.errors import DuendeError
from duende.files import replacing
from duende.motion.accents import mean_speed
from duende.systems.edge import EDGE
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem, of_codes
from duende.systems.storage import save_pretrained
from duende.training.actor_critic import ActorCriticStage
from duende.training.codes import encode_clips
from duende.training.diffusion import DiffusionStage
from duende.training.genre import GenreStage
from duende.training.loop import run_stage
from duende.training.new_system import new_system
from duende.training.recipe import Recipe
from duende.training.stage import Stage
from duende.training.stages import CodeStage, PoseStage, RootStage

STAGES: dict[str, Callable[..., Stage]] = {
    "vqvae": PoseStage,
    "root": RootStage,
    "genre": GenreStage,
    "gpt": CodeStage,
    "diffusion": DiffusionStage,
}
"""Stages that are made of a system, clips and their own settings alone; ``actor_critic`` is of another kind."""

CODES = "codes.npz"
"""In the folder of the stage ``gpt``: the codes of its dances."""

StageReport = Callable[[str, int, int, dict[str, float]], None]
"""Called with the stage's name, steps done, steps in all and the latest terms."""


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    devices: int | str = "auto",
    report: StageReport | None = None,
    until: str | None = None,
) -> Path:
    """Train all stages of ``recipe``, going on where an earlier run in ``out`` stopped.

    Args:
        recipe: what to train.
        data: folder of a data set made by ``duende data``.
        out: for checkpoints, logs and, in ``out/model``, the finished system.
        devices: number of processes or graphics processors.
        report: told of progress.
        until: name of the last stage to train; by default the last of the recipe.

    Returns:
        The folder of the system.

    Raises:
        DuendeError: data and recipe do not fit, or a checkpoint in ``out`` is of another recipe.
    """
    data_set = DanceSet.open(data)
    packed = PackedSet.of(data_set)
    clips, outside = packed.clips("train"), packed.clips("test")
    if not clips:
        raise DuendeError(f"{data} holds no clips for training; build it again with: duende data")
    check_representation(recipe, data_set)
    if until not in ("vqvae", "root") and not recipe.hears(data_set.feature_set):
        raise DuendeError(
            f"{data} holds music features {data_set.feature_set}, the recipe wants {recipe.features}; "
            f"build the data with --features {recipe.features}"
        )
    _check_same_recipe(recipe, out)
    fabric = new_fabric(recipe.precision, devices)
    torch.manual_seed(recipe.seed)
    system = new_system(recipe, clips, data_set.feature_set, packed.spread)
    for name in recipe.ordered_stages:
        train_stage(name, system, clips, recipe, fabric, out / name, report, outside=outside)
        if name == until:
            break
    if fabric.is_global_zero:
        learn_habits(system, clips, out / "gpt" / CODES)
        save_pretrained(system, out / "model", dtype=torch.float16 if recipe.float16_weights else torch.float32)
    fabric.barrier()
    return out / "model"


def check_representation(recipe: Recipe, data: DanceSet) -> None:
    """Refuse data whose poses are coded otherwise than the recipe wants.

    Raises:
        DuendeError: they are.
    """
    if recipe.system != "edge" and data.representation != recipe.representation:
        raise DuendeError(
            f"{data.folder} holds poses as {data.representation!r}, recipe {recipe.name} wants "
            f"{recipe.representation!r}; change the recipe, or build the data with --representation "
            f"{recipe.representation}"
        )


def new_fabric(precision: str, devices: int | str = "auto", accelerator: str = "auto") -> Fabric:
    """Start Fabric, by default on what the machine has; ``precision`` as in :class:`Recipe`."""
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=_precision(precision))  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def train_stage(
    name: str,
    system: AnySystem,
    clips: Sequence[Clip],
    recipe: Recipe,
    fabric: Fabric,
    folder: Path,
    report: StageReport | None = None,
    stop_after: int | None = None,
    outside: Sequence[Clip] = (),
) -> bool:
    """Train one stage of ``recipe``, its checkpoint and log in ``folder``; return whether it is finished.

    The clips ``outside`` the training are for the loss that the stage's ``check_every`` asks for.
    """
    system.to(fabric.device)
    config = recipe.stages[name]
    if name == "actor_critic" and fabric.world_size > 1:
        raise DuendeError("the actor_critic stage learns in one process; train with --devices 1")
    stage = _stage(name, system, clips, recipe, outside, folder / CODES)
    held_out: Stage | None = None
    if outside and config.check_every:
        with suppress(DuendeError):  # None of them is as long as a crop.
            held_out = STAGES[name](system, outside, config)

    def told(done: int, steps: int, values: dict[str, float]) -> None:
        if report and fabric.is_global_zero:
            report(name, done, steps, values)

    return run_stage(fabric, stage, folder, recipe.seed, told, stop_after, held_out, recipe.compiled)


def _stage(
    name: str, system: AnySystem, clips: Sequence[Clip], recipe: Recipe, outside: Sequence[Clip], kept: Path
) -> Stage:
    config = recipe.stages[name]
    if name == "actor_critic":
        assert recipe.actor_critic is not None
        if not outside:
            raise DuendeError("the actor_critic stage dances to the music of held-out clips and there are none")
        # It begins as the dances of the training do, and knows their pace.
        learn_habits(system, clips)
        return ActorCriticStage(of_codes(system, "actor_critic"), outside, config, recipe.actor_critic)
    if name == "gpt":
        return CodeStage(
            of_codes(system, "gpt"),
            clips,
            config,
            inferred=recipe.inferred,
            genre_weight=recipe.genre_weight,
            kept=kept,
        )
    stage = STAGES[name](system, clips, config)
    if isinstance(stage, DiffusionStage):
        stage.take_ranges()
    return stage


def learn_habits(system: AnySystem, clips: Sequence[Clip], kept: Path | None = None) -> None:
    """Note in the config of a trained system how dances begin, and how fast they are; ``kept`` as in encode_clips."""
    if isinstance(system, EDGE):
        system.config = system.config.with_pace(usual_pace(clips))
    else:
        system.config = system.config.with_habits(starting_codes(system, clips, kept=kept), usual_pace(clips))


def starting_codes(
    system: ExpressiveBailando, clips: Sequence[Clip], per_style: int = 24, kept: Path | None = None
) -> dict[str, list[list[int]]]:
    """Collect code pairs that real dances began with: for each style, and under ``""`` for any."""
    starts: dict[str, list[list[int]]] = {"": []}
    for clip, codes in zip(clips, encode_clips(system, clips, kept), strict=True):
        pair = [int(code) for code in codes[0]]
        for key in ("", clip.style) if clip.style in system.config.styles else ("",):
            known = starts.setdefault(key, [])
            if pair not in known and (key == "" or len(known) < per_style):
                known.append(pair)
    return starts


def usual_pace(clips: Sequence[Clip]) -> float:
    """Mean joint speed (m/s) of the dances, those that keep their motion; 0.5 where none does."""
    speeds, lengths = [], []
    for clip in clips:
        dance = clip.motion
        if dance is not None:
            speeds.append(float(mean_speed(dance.positions, dance.fps).mean()))
            lengths.append(len(dance))
    return round(float(np.average(speeds, weights=lengths)), 3) if speeds else 0.5


def _check_same_recipe(recipe: Recipe, out: Path) -> None:
    record = out / "recipe.json"
    mine = json.loads(json.dumps(to_mapping(recipe)))
    if record.exists():
        if _recorded(record) != mine:
            raise DuendeError(f"{out} holds a run of another recipe; choose another folder, or delete that one")
        return
    with replacing(record) as path:
        path.write_text(json.dumps(mine, indent=1), encoding="utf-8")


def _recorded(record: Path) -> dict[str, Any] | None:
    """Read the recipe of a run, what was not known yet when it began at its default; None where it is no recipe."""
    try:
        recipe = from_mapping(Recipe, json.loads(record.read_text(encoding="utf-8")), str(record))
    except (OSError, ValueError, DuendeError):
        return None
    values: dict[str, Any] = json.loads(json.dumps(to_mapping(recipe)))
    return values


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"
