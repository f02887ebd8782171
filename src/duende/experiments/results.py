"""Values measured for a table, kept as they come in, so that a table that is stopped goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from duende.configuration import from_mapping
from duende.errors import DuendeError
from duende.experiments.statistics import Finding, Takes, finding, gain, gain_over_takes
from duende.experiments.tables import REAL, Claim, Table
from duende.files import replacing


@dataclass(frozen=True)
class Measured:
    """One run of one row.

    Attributes:
        values: of each measure.
        takes: for each held-out take those that a single take has, and its ``seconds``.
        identity: of the trained stages that were measured; empty for real dances.
    """

    values: dict[str, float]
    takes: dict[str, dict[str, float]] = field(default_factory=dict)
    identity: str = ""


@dataclass
class Results:
    """Runs of a table: for each row by seed, the real dances under the seed ``""``.

    Attributes:
        facts: what the values depend on, told under the table.
        runs: ``runs[row][seed]``.
    """

    facts: dict[str, Any]
    runs: dict[str, dict[str, Measured]] = field(default_factory=dict)

    def add(self, row: str, seed: int | None, measured: Measured) -> None:
        """Keep a run; the real dances have no seed."""
        self.runs.setdefault(row, {})["" if seed is None else str(seed)] = measured

    def values(self, row: str, measure: str) -> list[float]:
        """Return the values of a measure over the runs of a row."""
        return [run.values[measure] for run in self.runs.get(row, {}).values() if measure in run.values]

    def save(self, path: Path) -> None:
        """Write all, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what :meth:`save` wrote.

        Raises:
            DuendeError: the file is damaged.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DuendeError(f"{path} is damaged ({error}); delete it to measure again") from error
        return from_mapping(cls, values, str(path))


def findings(results: Results, table: Table, claim: Claim) -> list[Finding]:
    """Say for each measure of ``claim`` whether it holds; nothing where a row was not measured."""
    mine, others = results.runs.get(claim.row, {}), results.runs.get(claim.other, {})
    seeds = sorted(set(mine) & set(others))
    if not seeds:
        return []
    real = results.runs.get(REAL, {}).get("")
    found = []
    for key in claim.measures:
        measure = table.measure(key)
        truth = real.values.get(key) if real else None
        if measure.better == "real" and truth is None:
            continue
        pairs = [(mine[seed].values.get(key), others[seed].values.get(key)) for seed in seeds]
        if any(value is None or other is None for value, other in pairs):
            continue
        by_seed = np.array([gain(np.array(v), np.array(o), truth, measure.better) for v, o in pairs], dtype=float)
        takes = _takes(results, claim, key, seeds)
        found.append(finding(key, by_seed, gain_over_takes(takes, measure.better) if takes else None))
    return found


def _takes(results: Results, claim: Claim, key: str, seeds: list[str]) -> Takes | None:
    """Collect a measure that single takes have; None where they have none, or where there is but one take."""
    mine, others = (results.runs[row] for row in (claim.row, claim.other))
    runs = [run[seed].takes for run in (mine, others) for seed in seeds]
    names = sorted(set.intersection(*({name for name, values in run.items() if key in values} for run in runs)))
    if len(names) < 2:
        return None
    real = results.runs.get(REAL, {}).get("", Measured({})).takes
    first = mine[seeds[0]].takes
    return Takes(
        np.array([[mine[seed].takes[name][key] for name in names] for seed in seeds]),
        np.array([[others[seed].takes[name][key] for name in names] for seed in seeds]),
        np.array([real.get(name, {}).get(key, np.nan) for name in names]),
        np.array([first[name].get("seconds", 1.0) for name in names]),
    )
