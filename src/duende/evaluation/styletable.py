"""What ``evaluation.styles`` found, as text and as values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from duende.evaluation.styles import Interval, Judge, StyleScores

BEAT_NAMES = {
    "beat_align": "beat align score",
    "beat_excess": "beat align score above chance",
    "locking": "phase locking, beat",
}
NONE_ASKED = "*none asked*"


def judge_text(judge: Judge) -> str:
    """Say how good the classifier is, which is the most that can be seen of a dance's style."""
    check = judge.training
    right = sum(true == named for true, named in judge.held_out)
    takes = len(judge.held_out)
    lines = [
        f"The classifier knows {len(check.genres)} styles: {', '.join(check.genres)}.",
        f"Of {check.takes} real training takes, held out in turn, it names {check.accuracy:.0%} rightly "
        f"(mean over styles; guessing {check.chance:.0%}).",
    ]
    if takes:
        genres = len({true for true, _ in judge.held_out})
        lines.append(
            f"Of the {takes} real held-out takes in {genres} of its styles it names {right} rightly "
            f"({judge.held_out_accuracy:.0%} as the mean over styles)."
        )
    return " ".join(lines) + "\n\nReal takes, true style by the style that it names:\n\n" + _real_confusion(judge)


def _real_confusion(judge: Judge) -> str:
    genres = judge.training.genres
    rows = [[true, *map(str, counts)] for true, counts in zip(genres, judge.training.confusion, strict=True)]
    return _table(["", *genres], rows)


def scores_text(scores: StyleScores, judge: Judge) -> str:
    """Write scores as three Markdown tables: distances, beats, and what was named beside what real takes are named."""
    styles = list(scores.by_style)
    dances = f"{scores.pieces} pieces of music × {len(styles)} styles × {scores.seeds} seeds"
    head = (
        f"{dances}. The classifier names the style asked for in {_percent(scores.accuracy)} of the dances "
        f"(guessing {scores.chance:.0%}).\n\n"
    )
    apart = _table(
        ["dances of one piece of music", "distance"],
        [
            ["in different styles", _number(scores.between_styles)],
            ["in one style, other seeds", _number(scores.between_seeds)],
            ["difference", _number(scores.further)],
        ],
    )
    beat = _table(
        ["beat", "style asked for", "none asked for", "difference"],
        [
            [BEAT_NAMES[key], *map(_number, (found.asked, found.none_asked, found.difference))]
            for key, found in scores.beat.items()
        ],
    )
    named = [
        [asked or NONE_ASKED, *map(str, counts.values()), *(_rights(asked, scores, judge) if asked else ("", ""))]
        for asked, counts in scores.confusion.items()
    ]
    confusion = _table(["asked, by what is named", *styles, "right", "real takes right"], named)
    return "\n".join([head + apart, beat if scores.beat else "No piece has beats.\n", confusion])


def _rights(style: str, scores: StyleScores, judge: Judge) -> tuple[str, str]:
    place = judge.training.genres.index(style)
    counts = judge.training.confusion[place]
    return f"{scores.by_style[style]:.0%}", f"{counts[place]} of {sum(counts)}"


def values(judge: Judge, found: dict[str, dict[str, StyleScores]]) -> dict[str, Any]:
    """All that was found, ready for JSON: what is not known is None."""
    classifier = {
        "training": asdict(judge.training),
        "held_out": [{"true": true, "named": named} for true, named in judge.held_out],
        "held_out_accuracy": judge.held_out_accuracy,
    }
    music = {name: {way: asdict(scores) for way, scores in ways.items()} for name, ways in found.items()}
    return dict(_known({"classifier": classifier, "music": music}))


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_known(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(interval: Interval) -> str:
    mean, low, high = interval
    if math.isnan(mean):
        return "–"
    return f"{mean:.3f}" if math.isnan(low) else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _percent(interval: Interval) -> str:
    mean, low, high = interval
    return f"{mean:.0%}" if math.isnan(low) else f"{mean:.0%} [{low:.0%}, {high:.0%}]"
