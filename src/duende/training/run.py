"""From a recipe and a data set to a folder that dances."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from duende.audio.feature_sets import ROWS_A_SECOND, present
from duende.audio.music import FeatureSet
from duende.configuration import to_mapping
from duende.datasets.store import Clip, DanceSet
from duende.errors import DuendeError
from duende.files import replacing
from duende.motion.accents import mean_speed
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.storage import from_pretrained, save_pretrained
from duende.training.genre import GenreStage
from duende.training.loop import run_stage
from duende.training.recipe import Recipe
from duende.training.stages import CodeStage, PoseStage, RootStage, Stage, encode_clip

STAGES: dict[str, Callable[..., Stage]] = {"vqvae": PoseStage, "root": RootStage, "genre": GenreStage, "gpt": CodeStage}

NO_MUSIC = FeatureSet("", 1, ROWS_A_SECOND, (("", 1),))
"""Stands for the features of a set of dances without music, from which codebooks can be trained."""

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
    clips, outside = data_set.clips("train"), data_set.clips("test")
    if not clips:
        raise DuendeError(f"{data} holds no clips for training; build it again with: duende data")
    check_representation(recipe, data_set)
    if until in (None, "gpt") and not recipe.hears(data_set.feature_set):
        raise DuendeError(
            f"{data} holds music features {data_set.feature_set}, the recipe wants {recipe.features}; "
            f"build the data with --features {recipe.features}"
        )
    _check_same_recipe(recipe, out)
    fabric = new_fabric(recipe.precision, devices)
    torch.manual_seed(recipe.seed)
    system = new_system(recipe, clips, data_set.feature_set)
    for name in recipe.ordered_stages:
        train_stage(name, system, clips, recipe, fabric, out / name, report, outside=outside)
        if name == until:
            break
    if fabric.is_global_zero:
        system.config = system.config.with_habits(starting_codes(system, clips), usual_pace(clips))
        save_pretrained(system, out / "model", dtype=torch.float16 if recipe.float16_weights else torch.float32)
    fabric.barrier()
    return out / "model"


def check_representation(recipe: Recipe, data: DanceSet) -> None:
    """Refuse data whose poses are coded otherwise than the recipe wants.

    Raises:
        DuendeError: they are.
    """
    if data.representation != recipe.representation:
        raise DuendeError(
            f"{data.folder} holds poses as {data.representation!r}, recipe {recipe.name} wants "
            f"{recipe.representation!r}; change the recipe, or build the data with --representation "
            f"{recipe.representation}"
        )


def new_fabric(precision: str, devices: int | str = "auto") -> Fabric:
    """Start Fabric on what the machine has; ``precision`` as in :class:`Recipe`."""
    fabric = Fabric(accelerator="auto", devices=devices, precision=_precision(precision))  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def new_system(recipe: Recipe, clips: Sequence[Clip], feature_set: str) -> ExpressiveBailando:
    """Build an untrained system that fits the data, with the mean and spread of their music."""
    music = [np.asarray(clip.music, np.float32) for clip in clips if clip.music is not None and len(clip.music)]
    styles = tuple(sorted({clip.style for clip in clips}))
    features = present(feature_set) if music else NO_MUSIC
    other = from_pretrained(recipe.codebooks) if recipe.codebooks else None
    halves = (other.config.upper, other.config.lower) if other else None
    system = ExpressiveBailando(recipe.system_config(features, styles, halves))
    if other:
        _take_codebooks(system, other, recipe)
    if music:
        every = np.concatenate(music)
        system.music_mean.copy_(torch.from_numpy(every.mean(axis=0)))
        system.music_scale.copy_(torch.from_numpy(np.maximum(every.std(axis=0), 1e-3)))
    return system


def _take_codebooks(system: ExpressiveBailando, other: ExpressiveBailando, recipe: Recipe) -> None:
    """Put the codebooks and the root decoder of ``other`` in place of untrained ones."""
    if other.config.representation != recipe.representation:
        raise DuendeError(
            f"the codebooks of {recipe.codebooks} are of poses as {other.config.representation!r}, "
            f"recipe {recipe.name} has {recipe.representation!r}; give the recipe the same"
        )
    for mine, theirs in ((system.upper, other.upper), (system.lower, other.lower), (system.root, other.root)):
        mine.load_state_dict(theirs.state_dict())


def train_stage(
    name: str,
    system: ExpressiveBailando,
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
    more = {"inferred": recipe.inferred} if name == "gpt" else {}
    stage = STAGES[name](system, clips, config, **more)
    held_out: Stage | None = None
    if outside and config.check_every:
        with suppress(DuendeError):  # None of them is as long as a crop.
            held_out = STAGES[name](system, outside, config)

    def told(done: int, steps: int, values: dict[str, float]) -> None:
        if report and fabric.is_global_zero:
            report(name, done, steps, values)

    return run_stage(fabric, stage, folder, recipe.seed, told, stop_after, held_out)


def starting_codes(
    system: ExpressiveBailando, clips: Sequence[Clip], per_style: int = 24
) -> dict[str, list[list[int]]]:
    """Collect code pairs that real dances began with: for each style, and under ``""`` for any."""
    starts: dict[str, list[list[int]]] = {"": []}
    for clip in clips:
        pair = [int(code) for code in encode_clip(system, clip)[0]]
        for key in ("", clip.style) if clip.style in system.config.styles else ("",):
            known = starts.setdefault(key, [])
            if pair not in known and (key == "" or len(known) < per_style):
                known.append(pair)
    return starts


def usual_pace(clips: Sequence[Clip]) -> float:
    """Mean joint speed (m/s) of the dances, those that keep their motion; 0.5 where none does."""
    dances = [clip.motion for clip in clips if clip.motion is not None]
    if not dances:
        return 0.5
    speeds = [float(mean_speed(dance.positions, dance.fps).mean()) for dance in dances]
    return round(float(np.average(speeds, weights=[len(dance) for dance in dances])), 3)


def _check_same_recipe(recipe: Recipe, out: Path) -> None:
    record = out / "recipe.json"
    mine = json.loads(json.dumps(to_mapping(recipe)))
    if record.exists():
        if json.loads(record.read_text(encoding="utf-8")) != mine:
            raise DuendeError(f"{out} holds a run of another recipe; choose another folder, or delete that one")
        return
    with replacing(record) as path:
        path.write_text(json.dumps(mine, indent=1), encoding="utf-8")


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"
