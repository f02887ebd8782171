"""Results as Markdown to read, LaTeX to print and CSV to compute with."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from duende.study.definition import FIRST, QUESTIONS, TIE
from duende.study.intervals import Interval
from duende.study.order import ordered_trials, shown_clips
from duende.study.results import Preference, Responses, Score, opinion_scores, preferences

Rows = list[list[str]]

NAIVE_SCORES = (
    "Mean ± half of the 95 % interval by Student's t over all ratings, as papers print it. It takes ratings as "
    "independent, which those of one participant are not: it is too narrow."
)
CLUSTERED_SCORES = (
    "Mean and 95 % interval over participants: whole participants are redrawn 10,000 times (percentile bootstrap), so "
    "that ratings of one participant stay together. With fewer than about ten participants it is too narrow as well."
)
PREFERENCES = (
    "Win rate: share of the first system among answers that were no tie. Wilson: 95 % interval that takes answers as "
    "independent, which those of one participant are not. Participants: 95 % interval from redrawing whole "
    "participants 10,000 times (percentile bootstrap)."
)


def markdown(responses: Responses, seed: int = 0) -> str:
    """Write all results and who gave them."""
    parts = [f"# {responses.study.title}", "\n".join(f"- {line}" for line in _who(responses))]
    if responses.study.mode == "opinion":
        scores = opinion_scores(responses, seed)
        for heading, note, show in (
            ("Mean opinion scores", NAIVE_SCORES, _plus_minus),
            ("The same, with intervals over participants", CLUSTERED_SCORES, _bracketed),
        ):
            rows = [[system, *map(show, row.values())] for system, row in scores.items()]
            parts += [f"## {heading}", _markdown_table(["System", *_SHORT_UP], rows), note]
    else:
        for question, found in zip(QUESTIONS, preferences(responses, seed).values(), strict=True):
            parts += [f"## {question.name} ({question.short})", _markdown_table(_PAIR_HEAD, _pair_rows(found))]
        parts.append(PREFERENCES)
    return "\n\n".join(parts) + "\n"


def latex(responses: Responses, seed: int = 0) -> str:
    """Write the tables as ``tabular`` environments without packages."""
    if responses.study.mode == "pairs":
        tables = [
            f"% {question.name}. {PREFERENCES}\n" + _latex_table(_PAIR_HEAD, _pair_rows(found))
            for question, found in zip(QUESTIONS, preferences(responses, seed).values(), strict=True)
        ]
        return "\n".join(tables)
    scores = opinion_scores(responses, seed)
    return "\n".join(
        f"% {note}\n"
        + _latex_table(["", *_SHORT_UP], [[system, *map(show, row.values())] for system, row in scores.items()])
        for note, show in ((NAIVE_SCORES, _plus_minus), (CLUSTERED_SCORES, _bracketed))
    )


def ratings_table(responses: Responses) -> str:
    """Write every rating as a line of CSV, without what could tell who a participant is.

    ``position`` counts a participant's trials from 1. In pairs an answer is the name of the system that was preferred,
    or empty for a tie, and ``shown_as_a`` the system that stood first.
    """
    study, pairs = responses.study, responses.study.mode == "pairs"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    systems = ["first_system", "second_system", "shown_as_a"] if pairs else ["system"]
    writer.writerow(["participant", "position", "song", *systems, *(question.key for question in QUESTIONS)])
    for participant, number in responses.numbers.items():
        position = {trial.id: at for at, trial in enumerate(ordered_trials(study, participant), 1)}
        for rating in sorted(responses.of(participant), key=lambda rating: position[rating.trial]):
            trial = study.trial[rating.trial]
            clips = [study.clip[clip] for clip in trial.clips]
            names = [clip.system for clip in clips]
            answers: list[int | str] = [rating.answers[question.key] for question in QUESTIONS]
            if pairs:
                answers = ["" if answer == TIE else names[0 if answer == FIRST else 1] for answer in answers]
                names.append(shown_clips(study, participant, trial)[0].system)
            writer.writerow([number, position[trial.id], clips[0].song, *names, *answers])
    return text.getvalue()


_SHORT_UP = [f"{question.short} ↑" for question in QUESTIONS]
_PAIR_HEAD = ["First", "Second", "First better", "Same", "Second better", "Win rate", "Wilson", "Participants"]


def _who(responses: Responses) -> list[str]:
    people, complete, trials = len(responses.numbers), responses.complete, len(responses.study.trials)
    kind = "dances" if responses.study.mode == "opinion" else "pairs"
    lines = [
        f"Participants with ratings: {people}; {complete} complete, {people - complete} partial. All ratings count.",
        f"Ratings: {len(responses.ratings)} of {people * trials}, {trials} {kind} for each participant, "
        f"{len(QUESTIONS)} questions each.",
    ]
    if alike := responses.monotonous:
        names = ", ".join(map(str, alike))
        lines.append(
            f"Gave the same answer to everything: participant {names} (numbers as in ratings.csv). Not left out."
        )
    return lines


def _plus_minus(score: Score | None) -> str:
    if score is None:
        return "–"
    return f"{score.mean:.2f}" + (f"±{score.naive[1] - score.mean:.2f}" if score.naive else "")


def _bracketed(score: Score | None) -> str:
    return "–" if score is None else f"{score.mean:.2f} {_interval(score.clustered)}"


def _interval(interval: Interval | None) -> str:
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "[–]"


def _pair_rows(found: Sequence[Preference]) -> Rows:
    return [
        [
            *(entry.first, entry.second, str(entry.wins), str(entry.ties), str(entry.losses)),
            "–" if entry.rate is None else f"{entry.rate:.2f}",
            *(_interval(entry.naive), _interval(entry.clustered)),
        ]
        for entry in found
    ]


def _markdown_table(head: list[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "↑": r"$\uparrow$", "–": "--"}
)


def _latex_table(head: list[str], rows: Rows) -> str:
    lines = [" & ".join(cell.translate(_LATEX) for cell in line) + r" \\" for line in (head, *rows)]
    lines.insert(1, r"\hline")
    return "\n".join([rf"\begin{{tabular}}{{l{'c' * (len(head) - 1)}}}", *lines, r"\end{tabular}", ""])
