"""At which rates the speed of a joint changes: a real dance beside its reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.signal import welch

from duende.errors import DuendeError
from duende.evaluation.movement import BANDS
from duende.figures.speed import joint_speeds
from duende.figures.style import BLACK, COLUMN, LIGHT, look, plain_numbers, strokes

WINDOW = 4.0
"""Seconds of each piece that Welch's method averages over: a quarter of a hertz apart."""


def speed_power(pieces: Sequence[np.ndarray], fps: float, joint: str) -> tuple[np.ndarray, np.ndarray]:
    """Power spectral density of joint speed by Welch's method, averaged over dances by their length.

    Args:
        pieces: joint positions ``(T, 24, 3)`` in metres.
        fps: frames per second.
        joint: a joint of SMPL24, or ``"all_joints"`` for the mean of their densities.

    Returns:
        Frequencies ``(F,)`` in hertz without 0, and densities ``(F,)`` in (m/s)²/Hz.

    Raises:
        DuendeError: a piece is too short, or no joint has that name.
    """
    length = min(round(WINDOW * fps), min(len(piece) for piece in pieces) - 1)
    if length < fps:
        raise DuendeError(f"a dance of {(length + 1) / fps:.2g} s is too short for a spectrum; use one of 1 s or more")
    densities = []
    for piece in pieces:
        frequency, density = welch(joint_speeds(piece, fps, joint), fps, nperseg=length, axis=0)
        densities.append(density.mean(axis=1))
    mean = np.average(densities, axis=0, weights=[len(piece) for piece in pieces])
    return frequency[1:], mean[1:]


@look()
def spectrum_figure(
    dances: Mapping[str, Sequence[np.ndarray]], fps: float, joint: str = "left_wrist", width: float = COLUMN
) -> Figure:
    """Draw power spectra of a joint's speed, one line for each group of dances.

    Args:
        dances: joint positions ``(T, 24, 3)`` in metres of one dance or several under their names, the real first.
        fps: frames per second.
        joint: a joint of SMPL24, or ``"all_joints"``.
        width: of the figure in inches.

    Raises:
        DuendeError: a dance is too short, or no joint has that name.
    """
    figure = Figure(figsize=(width, min(0.45 * width, 1.9) + 0.7 + 0.13 * len(dances)), layout="constrained")
    axes = figure.add_subplot()
    styles = [{"color": BLACK, "linewidth": 1.3}, *strokes(len(dances) - 1)]
    lowest = fps / 2
    for (name, pieces), style in zip(dances.items(), styles, strict=True):
        frequency, density = speed_power(pieces, fps, joint)
        lowest = min(lowest, frequency[0])
        axes.plot(frequency, np.maximum(density, 1e-12), label=name, **style)
    _shade_bands(axes, lowest, fps / 2)
    axes.set_yscale("log")
    axes.set(xlabel="frequency (Hz)", ylabel=f"power, {joint.replace('_', ' ')} ((m/s)²/Hz)")
    figure.legend(loc="outside upper left", ncols=1)
    return figure


def _shade_bands(axes: Axes, lowest: float, highest: float) -> None:
    edges = [low for low, _ in BANDS if lowest < low < highest]
    for number, (low, high) in enumerate(BANDS):
        if number % 2 == 0 and low < highest:
            axes.axvspan(max(low, lowest), min(high, highest), color=LIGHT, alpha=0.5, linewidth=0, zorder=0)
    axes.set_xscale("log")
    plain_numbers(axes.xaxis, [lowest, *edges, highest])
    axes.set_xlim(lowest, highest)
