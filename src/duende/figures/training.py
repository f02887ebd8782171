"""Losses over the steps of training, seeds drawn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import uniform_filter1d

from duende.figures.logs import STAGES, Log
from duende.figures.style import COLUMN, GREY, PAGE, look, plain_numbers, strokes

SMOOTHED = 0.03
"""Share of a curve that the training loss is averaged over: each value logged is the loss of one batch."""
TITLES = {"vqvae": "pose codes", "root": "root path", "gpt": "music to codes"}


@look()
def training_figure(runs: Mapping[str, Sequence[Log]], width: float = COLUMN) -> Figure:
    """Draw training loss (lines) and held-out loss (dots) over steps, one panel for each stage that was logged.

    Args:
        runs: under each label the logs of its trainings; several of one stage are seeds, drawn as their mean with a
            band of one standard deviation on either side, as far as the shortest goes.
        width: of the figure in inches.
    """
    stages = [stage for stage in STAGES if any(log.stage == stage for logs in runs.values() for log in logs)]
    beside = width >= PAGE
    shape = (1, len(stages)) if beside else (len(stages), 1)
    height = 2.4 if beside else 0.65 + 1.55 * len(stages)
    figure = Figure(figsize=(width, height + 0.13 * len(runs)), layout="constrained")
    grid = np.ravel(figure.subplots(*shape, squeeze=False))
    for number, (axes, stage) in enumerate(zip(grid, stages, strict=True)):
        for logs, style in zip(runs.values(), strokes(len(runs)), strict=True):
            chosen = [log for log in logs if log.stage == stage]
            if chosen:
                _draw(axes, chosen, style)
        axes.set_title(TITLES[stage], loc="left")
        axes.set_xlim(left=0)
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
        if beside or number == len(stages) - 1:
            axes.set_xlabel("step")
        if not beside or number == 0:
            axes.set_ylabel("loss")
    figure.legend(handles=_names(runs), loc="outside upper left", ncols=3 if beside else 1)
    if any(len(log.held_out) for logs in runs.values() for log in logs):
        grid[0].legend(handles=_kinds(), loc="upper right")
    return figure


def mean_and_spread(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average curves, each ``(N,)`` steps and values, over the steps that all have.

    Returns:
        Steps ``(M,)``, means and standard deviations (with M - 1; 0 for a single curve).
    """
    steps = reduce(np.intersect1d, [steps for steps, _ in curves])
    values = np.stack([values[np.isin(at, steps)] for at, values in curves])
    spread = values.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros(len(steps))
    return steps, values.mean(axis=0), spread


def _draw(axes: Axes, logs: Sequence[Log], style: dict[str, Any]) -> None:
    steps, mean, spread = mean_and_spread([(log.steps, _smooth(log.loss)) for log in logs])
    axes.plot(steps, mean, **style)
    axes.fill_between(steps, mean - spread, mean + spread, color=style["color"], alpha=0.2, linewidth=0)
    steps, mean, spread = mean_and_spread([(log.held_out_steps, log.held_out) for log in logs])
    if len(steps):
        axes.errorbar(
            steps, mean, spread if len(logs) > 1 else None, color=style["color"], linewidth=0.6, fmt="o:", capsize=1.5
        )


def _smooth(values: np.ndarray) -> np.ndarray:
    return np.asarray(uniform_filter1d(values, max(1, round(SMOOTHED * len(values))), mode="nearest"))


def _names(runs: Mapping[str, Sequence[Log]]) -> list[Line2D]:
    handles = []
    for (label, logs), style in zip(runs.items(), strokes(len(runs)), strict=True):
        seeds = max(sum(log.stage == stage for log in logs) for stage in STAGES)
        handles.append(Line2D([], [], label=f"{label} ({seeds} seeds)" if seeds > 1 else label, **style))
    return handles


def _kinds() -> list[Line2D]:
    return [
        Line2D([], [], color=GREY, label="training"),
        Line2D([], [], color=GREY, linewidth=0.6, linestyle=":", marker="o", label="held out"),
    ]
