"""How evenly models use their codebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from duende.evaluation.reconstruction import perplexity
from duende.figures.style import COLUMN, GREY, PAGE, TYPE, look, plain_numbers, strokes


@dataclass(frozen=True, eq=False)
class CodeUse:
    """The codes that a model gave to dances.

    Attributes:
        name: of the model.
        codes: ``(N, 2)`` integers, upper and lower.
        size: how many codes each of its codebooks has.
    """

    name: str
    codes: np.ndarray
    size: int


@look()
def codebook_figure(models: Sequence[CodeUse], width: float = COLUMN) -> Figure:
    """Draw how often each code is used, most used first, upper and lower body apart.

    A dashed line shows even use of the largest codebook. A line ends where the codes end that were used at all.
    """
    beside = width >= PAGE
    shape = (1, 2) if beside else (2, 1)
    panel = 1.75 + 0.13 * len(models)
    figure = Figure(figsize=(width, panel + 0.1 if beside else 2 * panel - 0.2), layout="constrained")
    grid = figure.subplots(*shape, sharex=True, sharey=True)
    for half, (axes, body) in enumerate(zip(np.ravel(grid), ("upper body", "lower body"), strict=True)):
        _draw(axes, models, half)
        axes.legend(
            title=body,
            loc="lower left",
            bbox_to_anchor=(0, 1.04),
            alignment="left",
            title_fontproperties={"weight": "bold", "size": TYPE},
        )
        if beside or half == 1:
            axes.set_xlabel("code, most used first")
        if not beside or half == 0:
            axes.set_ylabel("share of steps (%)")
    return figure


def _draw(axes: Axes, models: Sequence[CodeUse], half: int) -> None:
    for model, style in zip(models, strokes(len(models)), strict=True):
        used = model.codes[:, half]
        share = np.sort(np.bincount(used, minlength=model.size) / len(used))[::-1]
        share = 100 * share[share > 0]
        label = f"{model.name}: perplexity {perplexity(used):.0f}, {len(share)} of {model.size} used"
        axes.step(np.arange(1, len(share) + 1), share, where="mid", label=label, **style)
    largest = max(model.size for model in models)
    axes.axhline(100 / largest, color=GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate("even use", (1, 100 / largest), (0, 2), ("axes fraction", "data"), "offset points", ha="right")
    axes.set(xlim=(1, largest), xticks=[1, *(largest * quarter // 4 for quarter in (1, 2, 3, 4))])
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)
