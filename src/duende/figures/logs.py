"""Training logs as data: what ``duende train`` writes, read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duende.errors import DuendeError
from duende.training.recipe import DECISIVE

LOG, RECIPE = "log.jsonl", "recipe.json"
STAGES = tuple(DECISIVE)


@dataclass(frozen=True, eq=False)
class Log:
    """The losses of one stage of one training.

    Attributes:
        path: of the file.
        stage: ``"vqvae"``, ``"root"`` or ``"gpt"``.
        steps: ``(N,)`` steps done.
        loss: ``(N,)`` training loss at each.
        held_out_steps: ``(M,)`` steps at which the loss on held-out clips was taken, M may be 0.
        held_out: ``(M,)`` that loss.
    """

    path: Path
    stage: str
    steps: np.ndarray
    loss: np.ndarray
    held_out_steps: np.ndarray
    held_out: np.ndarray


def find_logs(folder: str | Path) -> list[Path]:
    """Return every log in ``folder`` and below it, sorted.

    Raises:
        DuendeError: there is none.
    """
    logs = sorted(Path(folder).rglob(LOG))
    if not logs:
        raise DuendeError(f"{folder} holds no {LOG}; name the folder of a training, such as runs/starter")
    return logs


def read_log(path: Path) -> Log:
    """Read a log; its folder's name tells the stage. A line cut short by a kill is passed over.

    Raises:
        DuendeError: the file cannot be read, holds no losses, or its folder is not named after a stage.
    """
    stage = path.parent.name.split("-")[0]
    if stage not in STAGES:
        raise DuendeError(f"{path} is in no folder of a stage; its name should begin with {', '.join(STAGES)}")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DuendeError(f"{path} cannot be read ({error}); train again") from error
    rows = [row for row in map(_row, lines) if row is not None]
    if not rows:
        raise DuendeError(f"{path} holds no losses yet; wait for the first steps of the training")
    checked = [row for row in rows if "held_out" in row]
    return Log(
        path,
        stage,
        *(np.array([row[name] for row in rows], float) for name in ("step", "loss")),
        *(np.array([row[name] for row in checked], float) for name in ("step", "held_out")),
    )


def check_same_recipe(label: str, logs: Sequence[Log]) -> None:
    """Refuse to average what differs in more than its seed; logs without a recipe beside them are taken as they are.

    Raises:
        DuendeError: two logs of one stage come from different recipes.
    """
    for stage in STAGES:
        known = [(log, recipe) for log in logs if log.stage == stage and (recipe := _recipe(log)) is not None]
        for log, recipe in known[1:]:
            first, expected = known[0]
            if recipe != expected:
                raise DuendeError(
                    f"{first.path.parent} and {log.path.parent} are of different recipes; "
                    f"give each a label of its own instead of {label!r} for both"
                )


def _row(line: str) -> dict[str, float] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "step" in row and "loss" in row else None


def _recipe(log: Log) -> dict[str, Any] | None:
    """What decides the log's curve, out of the recipe beside it or in the run's folder."""
    upto = STAGES[: STAGES.index(log.stage) + 1]
    for folder in (log.path.parent, log.path.parent.parent):
        path = folder / RECIPE
        if path.is_file():
            try:
                values = json.loads(path.read_text(encoding="utf-8"))
                decisive = {name: values[name] for stage in upto for name in DECISIVE[stage]}
                return {**decisive, "stages": {stage: values["stages"].get(stage) for stage in upto}}
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise DuendeError(f"{path} is no recipe of a training ({error}); train again") from error
    return None
