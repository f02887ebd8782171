"""What is told of a build of recorded dances: how many there are, and for each problem what it is and what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SPLITS = ("train", "test", "other")
SHOWN = 4
"""Problems of one kind that are printed one by one; more are summed up."""
REMEDIES = {
    "no music": "put the song there, or name its folder after --music",
    "music unreadable": "copy or export the song again",
    "music too short": "give the whole song",
    "another tempo": "check that it is the right song, at its own speed",
    "no beat": "nothing, if the song has no pulse: the dance keeps it without beats",
    "motion unreadable": "copy or export the file again, or leave it out",
    "too short": "nothing, or leave the file out",
    "second format": "nothing: one file of each dance is read",
    "no AIST++ name": "rename the file as AIST++ does, or leave it out",
    "in no split list": "nothing: it is kept for reference pools, in the split 'other'",
    "in both splits": "mend the lists: it is taken to be for testing",
    "no file": "copy the file, or nothing if the dance is not wanted",
    "no list": "copy the list from where the data set comes from",
}
"""For each kind of problem what to do."""


@dataclass(frozen=True, order=True)
class Problem:
    """Something that a user should know of a dance or a file.

    Attributes:
        kind: one of :data:`REMEDIES`.
        name: of the dance or file.
        what: is the matter, with names and numbers.
    """

    kind: str
    name: str
    what: str

    @property
    def remedy(self) -> str:
        """What to do."""
        return REMEDIES[self.kind]

    @property
    def facts(self) -> dict[str, str]:
        """As a report holds it."""
        return {"kind": self.kind, "name": self.name, "what": self.what, "remedy": self.remedy}


def summary(reports: Mapping[str, dict[str, Any]], ignored: int = 0) -> dict[str, Any]:
    """Sum up a build: dances, minutes and dances with music by split, and how many were left out or ignored."""
    used = [report for report in reports.values() if report["used"]]
    splits = {}
    for split in SPLITS:
        mine = [report for report in used if report["split"] == split]
        minutes = round(sum(report["seconds"] for report in mine) / 60, 2)
        splits[split] = {
            "dances": len(mine),
            "minutes": minutes,
            "with_music": sum(report["music"] for report in mine),
        }
    return {"splits": splits, "left_out": len(reports) - len(used), "ignored": ignored}


def markdown(report: dict[str, Any]) -> str:
    """Write a build's report as two tables: dances by split, and what could not be done as it should."""
    counted, lines = report["summary"], ["| split | dances | minutes | with music |", "|---|---|---|---|"]
    for split, counts in counted["splits"].items():
        lines.append(_row(split, str(counts["dances"]), f"{counts['minutes']:.1f}", str(counts["with_music"])))
    ignored = f", {counted['ignored']} more by the ignore list" if counted["ignored"] else ""
    lines.append(f"\n{counted['left_out']} left out{ignored}")
    problems = [Problem(facts["kind"], facts["name"], facts["what"]) for facts in report["problems"]]
    return "\n".join(lines) + (f"\n\n{problem_table(problems)}" if problems else "")


def problem_table(problems: Iterable[Problem]) -> str:
    """Write a table of problems; of a kind that many dances have, it is one row with their number."""
    by_kind: dict[str, list[Problem]] = defaultdict(list)
    for problem in sorted(problems):
        by_kind[problem.kind].append(problem)
    lines = ["| name | what | what to do |", "|---|---|---|"]
    for kind in [kind for kind in REMEDIES if kind in by_kind]:
        found = by_kind[kind]
        if len(found) <= SHOWN:
            lines += [_row(problem.name, f"{kind}: {problem.what}", problem.remedy) for problem in found]
        else:
            names = f"{len(found)}: {', '.join(problem.name for problem in found[:2])} and others"
            lines.append(_row(names, f"{kind}; the first: {found[0].what}", REMEDIES[kind]))
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
