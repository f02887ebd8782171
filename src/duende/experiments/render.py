"""Results as Markdown, CSV and LaTeX, with what was published beside what was measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from duende.experiments.results import Results, findings
from duende.experiments.statistics import Estimate, estimate
from duende.experiments.tables import Measure, Row, Table

NOTHING = "–"
LARGE = 1e5
"""From here on numbers are written with a power of ten."""


def markdown(table: Table, rows: Sequence[Row], results: Results) -> str:
    """Write the paper's measures in three columns each, all others in one, and what was found about each claim."""
    parts = [f"# {table.title}\n"]
    paper, ours = table.measures[: table.published], table.measures[table.published :]
    if paper:
        parts.append(
            _markdown_table(_header(paper, published=True), [_cells(row, paper, results, True) for row in rows])
        )
    measured = [row for row in rows if results.runs.get(row.key)]
    if ours and measured:
        cells = [_cells(row, ours, results, False) for row in measured]
        parts.append(_markdown_table(_header(ours, published=False), cells))
    parts.append(_found(table, results))
    parts.append("\n".join(f"- {key}: {value}" for key, value in results.facts.items()) + "\n")
    return "\n".join(part for part in parts if part)


def latex(table: Table, rows: Sequence[Row], results: Results) -> str:
    """Write the paper's measures, or all of a table of ours, as a ``tabular`` for the ``booktabs`` package."""
    published = table.published > 0
    measures = table.measures[: table.published or None]
    columns = ["published", "measured", "interval"] if published else ["measured"]
    first = " & ".join(rf"\multicolumn{{{len(columns)}}}{{c}}{{{_tex(measure.title)}}}" for measure in measures)
    second = " & ".join([" & ".join(columns)] * len(measures))
    shape = "r" * len(columns) * len(measures)
    lines = [rf"\begin{{tabular}}{{l{shape}}}", r"\toprule", rf" & {first} \\", rf" & {second} \\"]
    lines.append(r"\midrule")
    for row in rows:
        lines.append(" & ".join(_tex(cell) for cell in _cells(row, measures, results, published)) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def comma_separated(table: Table, rows: Sequence[Row], results: Results) -> str:
    """Write a line for each row and measure, in the unit that the table prints."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["table", "row", "measure", "better", "published", "measured", "low", "high", "runs"])
    for row in rows:
        for measure in table.measures:
            found = _estimate(results, row, measure)
            values = [found.mean, found.low, found.high] if found else [None] * 3
            printed = ["" if v is None or np.isnan(v) else f"{v * measure.factor:.6g}" for v in values]
            published = row.published.get(measure.key, "")
            count = found.count if found else 0
            writer.writerow([table.name, row.label, measure.title, measure.better, published, *printed, count])
    return file.getvalue()


def _estimate(results: Results, row: Row, measure: Measure) -> Estimate | None:
    values = results.values(row.key, measure.key)
    return estimate(values) if values else None


def _header(measures: Sequence[Measure], published: bool) -> list[str]:
    if not published:
        return ["", *(measure.title for measure in measures)]
    names = ("published", "measured", "interval")
    titles = [[f"{measure.title}: {names[0]}", *names[1:]] for measure in measures]
    return ["", *(title for group in titles for title in group)]


def _cells(row: Row, measures: Sequence[Measure], results: Results, published: bool) -> list[str]:
    cells = [row.label]
    for measure in measures:
        found = _estimate(results, row, measure)
        value, interval = _printed(found, measure)
        if published:
            given = row.published.get(measure.key)
            cells += [NOTHING if given is None else f"{given:.{measure.digits}f}", value, interval]
        else:
            half = None if found is None or np.isnan(found.high) else (found.high - found.mean) * measure.factor
            cells.append(value if half is None else f"{value} ± {_number(half, measure.digits)}")
    return cells


def _printed(found: Estimate | None, measure: Measure) -> tuple[str, str]:
    if found is None:
        return NOTHING, NOTHING
    values = (found.mean, found.low, found.high)
    mean, low, high = (_number(value * measure.factor, measure.digits) for value in values)
    return mean, NOTHING if np.isnan(found.low) else f"{low} to {high}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < LARGE else f"{value:.2g}"


def _found(table: Table, results: Results) -> str:
    lines = ["| claim | measure | gain | over seeds | over takes | verdict |", "|---|---|---|---|---|---|"]
    for claim in table.claims:
        for found in findings(results, table, claim):
            measure = table.measure(found.measure)
            digits = max(measure.digits, 2) + (measure.better == "real")

            def interval(bounds: tuple[float, float] | None, factor: float = measure.factor, d: int = digits) -> str:
                if bounds is None or np.isnan(bounds[0]):
                    return NOTHING
                return f"{_number(bounds[0] * factor, d)} to {_number(bounds[1] * factor, d)}"

            gain = _number(found.gain * measure.factor, digits)
            cells = (claim.text, measure.title, gain, interval(found.over_seeds), interval(found.over_takes))
            lines.append(f"| {' | '.join(cells)} | {found.verdict} |")
    count = len(lines) - 2
    if not count:
        return ""
    lines += ["", f"{count} comparisons at 95 %: of so many, {count / 20:.1f} would reach a verdict by chance."]
    return "\n".join(lines) + "\n"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    powers = (("×10⁻²", r"$\times10^{-2}$"), ("×10⁻³", r"$\times10^{-3}$"))
    for character, written in (("_", r"\_"), ("%", r"\%"), *powers, (NOTHING, "--")):
        text = text.replace(character, written)
    return text
