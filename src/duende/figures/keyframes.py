"""Dances side by side as rows of figures over time, with the beats of the music."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from duende.audio.music import Beats
from duende.errors import DuendeError
from duende.figures.portraits import Portrait, portraits
from duende.figures.style import BLACK, GREY, LIGHT, PAGE, TYPE, look
from duende.motion import Motion

MARK_COLOURS = {"green": "#009E73", "red": "#D55E00", "blue": "#0072B2", "yellow": "#E69F00", "grey": GREY}
"""Names of backgrounds, in shades that colour-blind readers tell apart."""
HIGHEST_ROW = 1.25
"""Inches."""
LINE = 14
"""Letters after which a row's name goes on in a new line, where it has a space."""
GAP = 0.08
"""Inches between names and rows."""
STRIP, FOOT, EDGE = 0.14, 0.36, 0.08
"""Inches of the strip of beats, of the axis below it, and around everything."""


@dataclass(frozen=True)
class Mark:
    """A background behind a part of a row.

    Attributes:
        row: the row's name.
        start: seconds.
        stop: seconds.
        colour: one of :data:`MARK_COLOURS`.
    """

    row: str
    start: float
    stop: float
    colour: str


def parse_mark(text: str) -> Mark:
    """Read a mark such as ``"Ours:2.0-3.5:green"``.

    Raises:
        DuendeError: the text is built otherwise.
    """
    number = r"(\d+(?:\.\d*)?)"
    found = re.fullmatch(rf"(.+):{number}-{number}:(\w+)", text)
    if not found:
        raise DuendeError(f"--mark {text!r} should be a row, seconds and a colour, such as --mark 'Ours:2.0-3.5:green'")
    row, start, stop, colour = found.groups()
    return Mark(row, float(start), float(stop), colour)


@look()
def keyframes_figure(
    rows: Mapping[str, Motion],
    start: float = 0.0,
    seconds: float = 8.0,
    columns: int = 8,
    beats: Beats | None = None,
    marks: Sequence[Mark] = (),
    angle: float = 0.0,
    width: float = PAGE,
) -> Figure:
    """Draw dances as rows of lit figures, all to one scale, at the same times.

    Args:
        rows: dances on SMPL24 under their names, each beginning with the music.
        start: where the time axis begins, in seconds.
        seconds: how long it is; it is cut into ``columns`` equal parts and each shows the frame at its middle.
        columns: figures in a row.
        beats: of the music, drawn as lines behind the figures and as ticks below, those of downbeats longer.
        marks: coloured backgrounds.
        angle: degrees about the vertical that the dances are seen from; 0 is from +Z.
        width: of the figure in inches.

    Raises:
        DuendeError: a dance is too short or not on SMPL24, a mark names no row or colour, or a number is out of range.
    """
    _check(rows, start, seconds, columns, marks)
    times = start + (np.arange(columns) + 0.5) * seconds / columns
    drawn = {name: portraits(motion, _frames(motion, times), angle) for name, motion in rows.items()}
    highest = max(1.9, *(figure.top for row in drawn.values() for figure in row)) + 0.05
    lowest = min(-0.05, *(figure.bottom for row in drawn.values() for figure in row))
    labels = {name: "\n".join(textwrap.wrap(name, LINE, break_long_words=False)) for name in rows}
    margin = EDGE + GAP + max(map(_inches, ["beats", *labels.values()]))
    cell = (width - margin - EDGE) / columns
    scale = min(HIGHEST_ROW / (highest - lowest), cell / _widest(drawn.values()))
    row_height, with_beats = scale * (highest - lowest), beats is not None and len(beats.times) > 0
    height = EDGE + row_height * len(rows) + STRIP * with_beats + FOOT
    figure = Figure(figsize=(width, height))
    inches = np.array([width, height, width, height])

    def placed(bottom: float, tall: float) -> Axes:
        axes = figure.add_axes(tuple(np.array([margin, bottom, width - margin - EDGE, tall]) / inches))
        axes.set_xlim(start, start + seconds)
        return axes

    for number, (name, row) in enumerate(drawn.items()):
        axes = placed(height - EDGE - row_height * (number + 1), row_height)
        axes.set_axis_off()
        axes.set_ylim(lowest, highest)
        for mark in marks:
            if mark.row == name:
                colour = MARK_COLOURS[mark.colour]
                axes.axvspan(mark.start, mark.stop, color=colour, alpha=0.22, linewidth=0, zorder=0)
        if beats is not None:
            _beat_lines(axes, beats)
        _place_figures(axes, row, times, seconds / columns / (cell / scale))
        _label(axes, labels[name])
    _time_axis(placed(FOOT, STRIP * with_beats + 1e-3), beats if with_beats else None)
    return figure


def _check(rows: Mapping[str, Motion], start: float, seconds: float, columns: int, marks: Sequence[Mark]) -> None:
    if not rows:
        raise DuendeError("keyframes need at least one dance; add one with --row NAME=FILE")
    if not (start >= 0 and 0 < seconds < float("inf") and 1 <= columns <= 40):
        raise DuendeError(
            f"keyframes begin at 0 s or later, last more than 0 s and have 1 to 40 columns; "
            f"got {start:g}, {seconds:g} and {columns}"
        )
    for name, motion in rows.items():
        last = start + seconds * (1 - 0.5 / columns)
        if motion.duration < last:
            raise DuendeError(
                f"{name} lasts {motion.duration:.1f} s and its last keyframe would be at {last:.1f} s; "
                "choose fewer --seconds or an earlier --start"
            )
    for mark in marks:
        if mark.row not in rows:
            raise DuendeError(f"a mark names the row {mark.row!r}; the rows are {', '.join(rows)}")
        if mark.colour not in MARK_COLOURS:
            raise DuendeError(f"a mark cannot be {mark.colour!r}; choose {', '.join(MARK_COLOURS)}")
        if not start <= mark.start < mark.stop <= start + seconds:
            raise DuendeError(
                f"a mark from {mark.start:g} to {mark.stop:g} s does not lie within the figure's "
                f"{start:g} to {start + seconds:g} s; move it, or choose other --start and --seconds"
            )


def _frames(motion: Motion, times: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(times * motion.fps).astype(int), 0, len(motion) - 1)


def _widest(rows: Iterable[Sequence[Portrait]]) -> float:
    """Metres between the middles of two columns at which no figure touches the next, or leaves its row."""
    needed = [0.9]
    for row in rows:
        needed += [left.right - right.left for left, right in pairwise(row)]
        needed += [-2 * row[0].left, 2 * row[-1].right]
    return max(needed)


def _place_figures(axes: Axes, row: Sequence[Portrait], times: np.ndarray, seconds_a_metre: float) -> None:
    for figure, time in zip(row, times, strict=True):
        sides = (time + figure.left * seconds_a_metre, time + figure.right * seconds_a_metre)
        axes.imshow(
            figure.image,
            extent=(*sides, figure.bottom, figure.top),
            aspect="auto",
            interpolation="antialiased",
            zorder=3,
        )


def _beat_lines(axes: Axes, beats: Beats) -> None:
    first, last = axes.get_xlim()
    for time in beats.times[(beats.times >= first) & (beats.times <= last)]:
        down = bool(np.isclose(beats.downbeats, time, atol=1e-3).any())
        axes.axvline(time, color=GREY if down else LIGHT, linewidth=0.6 if down else 0.5, zorder=1)


def _time_axis(axes: Axes, beats: Beats | None) -> None:
    axes.spines["left"].set_visible(False)
    axes.set(ylim=(0, 1), yticks=[], xlabel="time (s)")
    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    if beats is None:
        return
    first, last = axes.get_xlim()
    for times, top, line in ((beats.times, 0.5, 0.7), (beats.downbeats, 0.95, 1.2)):
        axes.vlines(times[(times >= first) & (times <= last)], 0, top, color=BLACK, linewidth=line)
    _label(axes, "beats")


def _label(axes: Axes, text: str) -> None:
    axes.annotate(text, (0, 0.5), (-72 * GAP, 0), "axes fraction", "offset points", ha="right", va="center")


def _inches(text: str) -> float:
    return max(float(TextPath((0, 0), line, size=TYPE).get_extents().width) for line in text.split("\n")) / 72
