"""From a table's name to the table: train or load each row, measure, write; stopped, it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from duende.audio.feature_sets import present
from duende.errors import DuendeError
from duende.experiments.generation import GenerationMeasurement
from duende.experiments.measurements import Measurement, ReconstructionMeasurement
from duende.experiments.render import comma_separated, latex, markdown
from duende.experiments.results import Results
from duende.experiments.scales import ScaleFolder
from duende.experiments.stages import TrainedStages
from duende.experiments.tables import REAL, Row, Table
from duende.files import replacing
from duende.motion.representation import PoseRepresentation
from duende.training.recipe import Recipe
from duende.training.run import StageReport

MEASURES = 3
"""Raised whenever the same dances would be measured otherwise, so that what was kept is measured again."""
Announce = Callable[[str], None]
"""Called with a sentence on what comes next."""


@dataclass(frozen=True)
class Progress:
    """Who is told what is going on."""

    announce: Announce = lambda sentence: None
    stage: StageReport = lambda stage, done, steps, values: None


def reproduce(
    table: Table,
    scale: ScaleFolder,
    stages: TrainedStages,
    out: Path,
    seeds: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make a table in ``out``: ``table.md``, ``table.csv``, ``table.tex`` and ``results.json``.

    Args:
        table: which.
        scale: recipes and size.
        stages: where trained stages are kept, and the data.
        out: folder; what was measured there under the same facts is not measured again.
        seeds: in place of the scale's.
        progress: told what is going on.

    Returns:
        The Markdown file.

    Raises:
        DuendeError: recipes, data or files do not fit.
    """
    progress = progress or Progress()
    if not any(recipe for _, recipe in scale.rows(table)):
        raise DuendeError(f"{scale.folder} has no recipe for any row of {table.name}; choose another --scale")
    measurement = _measurement(table, scale, stages)
    results = _begun(out / "results.json", {**_facts(scale, stages), **measurement.facts})
    rows = scale.rows(table)
    _drop_outdated(results, rows, table, stages)
    if REAL not in results.runs:
        progress.announce("measuring the real dances")
        results.add(REAL, None, measurement.real())
    for seed in seeds if seeds is not None else scale.scale.seeds:
        for row, recipe in rows:
            if recipe is not None and _can(row, recipe, table, stages, progress):
                _run(row, recipe, seed, results, table, stages, measurement, progress)
                results.save(out / "results.json")
    return _write(table, [row for row, _ in rows], results, out)


def _drop_outdated(
    results: Results, rows: Sequence[tuple[Row, Recipe | None]], table: Table, stages: TrainedStages
) -> None:
    """Drop runs of recipes that have changed since, those of seeds that are not run now among them."""
    for row, recipe in rows:
        if recipe is not None and row.key in results.runs:
            runs = results.runs[row.key].items()
            current = {
                seed: run for seed, run in runs if run.identity == stages.identity(recipe, int(seed), table.until)
            }
            results.runs[row.key] = current


def _can(row: Row, recipe: Recipe, table: Table, stages: TrainedStages, progress: Progress) -> bool:
    """Whether the data hold the music features that a row needs; tables of codebooks need none."""
    fits = table.kind == "reconstruction" or recipe.hears(stages.data.feature_set)
    if not fits:
        progress.announce(f"{row.label}: left out, needs music features {recipe.features!r}")
    return fits


def _run(
    row: Row,
    recipe: Recipe,
    seed: int,
    results: Results,
    table: Table,
    stages: TrainedStages,
    measurement: Measurement,
    progress: Progress,
) -> None:
    if str(seed) in results.runs.get(row.key, {}):
        return
    progress.announce(f"{row.label}, seed {seed}")
    system = stages.system(recipe, seed, table.until, progress.stage)
    if table.until is None:
        folder = stages.save(system, f"{row.key}-{seed}")
        progress.announce(f"{folder}  can be danced with: duende dance SONG --model {folder}")
    measured = measurement.of(system)
    values = {**measured.values, **stages.cost(recipe, seed, table.until)}
    identity = stages.identity(recipe, seed, table.until)
    results.add(row.key, seed, replace(measured, values=values, identity=identity))


def _measurement(table: Table, scale: ScaleFolder, stages: TrainedStages) -> Measurement:
    poses = PoseRepresentation(stages.data.representation)  # type: ignore[arg-type]
    if table.kind == "reconstruction":
        return ReconstructionMeasurement(stages.test, poses)
    return GenerationMeasurement(stages.train, stages.test, scale.scale, present(stages.data.feature_set))


def _facts(scale: ScaleFolder, stages: TrainedStages) -> dict[str, Any]:
    return {
        "scale": f"{scale.folder.name}: {scale.scale.about}",
        "training clips": len(stages.train),
        "measures": f"revision {MEASURES}",
        "data": stages.fingerprint[:12],
    }


def _begun(path: Path, facts: dict[str, Any]) -> Results:
    """Go on with results measured under the same facts, or begin anew."""
    if path.exists():
        known = Results.load(path)
        if known.facts == facts:
            return known
    return Results(facts)


def _write(table: Table, rows: Sequence[Row], results: Results, out: Path) -> Path:
    results.save(out / "results.json")
    for name, write in (("table.md", markdown), ("table.csv", comma_separated), ("table.tex", latex)):
        with replacing(out / name) as path:
            path.write_text(write(table, rows, results), encoding="utf-8")
    return out / "table.md"
