"""Training for tables: each stage is trained once, however many rows and tables need it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from duende.configuration import to_mapping
from duende.datasets.store import INDEX, DanceSet
from duende.errors import DuendeError
from duende.files import replacing
from duende.systems.kinds import AnySystem
from duende.systems.storage import WEIGHTS, model_folder, save_pretrained
from duende.training.new_system import new_system
from duende.training.recipe import DECISIVE, Recipe, StageConfig
from duende.training.run import (
    StageReport,
    check_representation,
    learn_habits,
    new_fabric,
    train_stage,
)


class TrainedStages:
    """Stages trained on one data set, kept in a folder under a name that tells all that they depend on.

    Rows that differ only in the GPT share their codebooks; a table that is made again trains nothing.
    """

    def __init__(self, data: DanceSet, folder: Path, devices: int | str = "auto") -> None:
        """Read the clips of ``data``.

        Raises:
            DuendeError: it has no clips to train on, or a file is damaged.
        """
        self.data, self.folder, self.devices = data, folder, devices
        self.train, self.test = data.clips("train"), data.clips("test")
        if not self.train or not self.test:
            raise DuendeError(f"{data.folder} needs clips in the splits train and test; build it with: duende data")
        self.fingerprint = _fingerprint(data)

    def system(
        self, recipe: Recipe, seed: int, until: str | None = None, report: StageReport | None = None
    ) -> AnySystem:
        """Return the system of ``recipe`` with ``seed``, trained as far as the stage ``until``.

        Raises:
            DuendeError: recipe and data do not fit.
        """
        check_representation(recipe, self.data)
        recipe = replace(recipe, seed=seed)
        fabric = new_fabric(recipe.precision, self.devices)
        torch.manual_seed(recipe.seed)
        system = new_system(recipe, self.train, self.data.feature_set)
        for name, folder in self.folders(recipe).items():
            self._train(name, system, recipe, fabric, folder, report)
            if name == until:
                break
        else:
            learn_habits(system, self.train)
        return system.eval()

    def identity(self, recipe: Recipe, seed: int, until: str | None = None) -> str:
        """Return what tells the trained system apart from any other."""
        folders = self.folders(replace(recipe, seed=seed))
        return folders[until or list(folders)[-1]].name

    def save(self, system: AnySystem, name: str) -> Path:
        """Keep a trained system as a folder that dances, ``models/NAME``, and return it."""
        folder = self.folder / "models" / name
        save_pretrained(system, folder, dtype=torch.float16)
        return folder

    def cost(self, recipe: Recipe, seed: int, until: str | None = None) -> dict[str, float]:
        """Return what training took, as far as its stages keep it: ``processor_minutes``, all cores together."""
        spent = 0.0
        for name, folder in self.folders(replace(recipe, seed=seed)).items():
            lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
            spent += json.loads(lines[-1]).get("processor_seconds", float("nan"))
            if name == until:
                break
        return {} if math.isnan(spent) else {"processor_minutes": spent / 60}

    def folders(self, recipe: Recipe) -> dict[str, Path]:
        """Return where each stage of ``recipe`` is kept, in the order of training."""
        values = to_mapping(recipe)
        usual = to_mapping(Recipe(name="", stages={}))
        known: dict[str, Any] = {"data": self.fingerprint, "seed": recipe.seed, "precision": recipe.precision}
        if recipe.codebooks:
            known["codebooks"] = _weights_digest(recipe.codebooks)
        folders = {}
        for name in recipe.ordered_stages:
            # What has its default does not tell: a new field leaves what was trained before it as it is.
            known |= {key: values[key] for key in DECISIVE[name] if values[key] != usual[key]}
            known[f"{name} stage"] = _unusual(values["stages"][name])
            digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
            folders[name] = self.folder / f"{name}-{digest}"
        return folders

    def _train(
        self,
        name: str,
        system: AnySystem,
        recipe: Recipe,
        fabric: Fabric,
        folder: Path,
        report: StageReport | None,
    ) -> None:
        if fabric.is_global_zero and not (folder / "recipe.json").exists():
            with replacing(folder / "recipe.json") as path:
                path.write_text(json.dumps(to_mapping(recipe), indent=1), encoding="utf-8")
        train_stage(name, system, self.train, recipe, fabric, folder, report, outside=self.test)


def _unusual(stage: dict[str, Any]) -> dict[str, Any]:
    usual = to_mapping(StageConfig(steps=0))
    return {key: value for key, value in stage.items() if key == "steps" or value != usual[key]}


def _weights_digest(model: str) -> str:
    """Tell systems apart by their weights."""
    path = model_folder(model) / WEIGHTS
    if not path.is_file():
        raise DuendeError(f"{path} is missing; copy the whole model folder from its source")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fingerprint(data: DanceSet) -> str:
    """Tell data sets apart by their index and the sizes of their files."""
    digest = hashlib.sha256((data.folder / INDEX).read_bytes())
    for name in sorted(data.names):
        digest.update(f"{name} {(data.folder / f'{name}.npz').stat().st_size}".encode())
    return digest.hexdigest()
