"""Train a system from a recipe; started again, it goes on where it stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from duende.errors import DuendeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende train``."""
    parser.add_argument("recipe", help="YAML file, such as recipes/starter.yaml")
    parser.add_argument("--data", required=True, help="folder of a data set made by duende data")
    parser.add_argument("-o", "--out", help="folder for checkpoints, logs and the model; default: runs/RECIPE")
    parser.add_argument("--devices", default="auto", help="number of processes or graphics processors")
    parser.add_argument("--until", help="stop after this stage of the recipe, such as root")


def run(options: argparse.Namespace) -> None:
    """Train with a progress bar for each stage."""
    try:
        from duende.training.recipe import load_recipe
        from duende.training.run import train
    except ModuleNotFoundError as error:
        raise DuendeError(f"training needs {error.name}; install it with: pip install 'duende[train]'") from error

    recipe = load_recipe(options.recipe)
    if options.until is not None and options.until not in recipe.stages:
        raise DuendeError(f"--until {options.until}: the stages of this recipe are {', '.join(recipe.stages)}")
    if options.devices != "auto" and not options.devices.isdigit():
        raise DuendeError(f"--devices is a number or 'auto', got {options.devices!r}")
    bars: dict[str, tqdm] = {}

    def report(stage: str, done: int, steps: int, values: dict[str, float]) -> None:
        bar = bars.setdefault(stage, tqdm(total=steps, desc=stage, file=sys.stderr, initial=done))
        bar.update(done - bar.n)
        bar.set_postfix({name: f"{value:.4g}" for name, value in list(values.items())[:4]}, refresh=False)

    folder = train(
        recipe,
        Path(options.data),
        Path(options.out or f"runs/{recipe.name}"),
        devices="auto" if options.devices == "auto" else int(options.devices),
        report=report,
        until=options.until,
    )
    for bar in bars.values():
        bar.close()
    print(f"{folder}  the trained model; dance with: duende dance SONG --model {folder}")
