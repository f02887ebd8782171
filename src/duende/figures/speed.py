"""How fast a joint moves over time: a real dance beside its reconstructions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from duende.evaluation.movement import speed_deviation, speeds
from duende.figures.style import BLACK, COLUMN, look, strokes
from duende.motion import SMPL24

ALL_JOINTS = "all_joints"


def joint_speeds(positions: np.ndarray, fps: float, joint: str) -> np.ndarray:
    """Speeds ``(T - 1, N)`` in m/s: of the one ``joint``, or of every joint for ``"all_joints"``.

    Raises:
        DuendeError: no joint has that name.
    """
    every = speeds(positions, fps)
    return every if joint == ALL_JOINTS else every[:, [SMPL24.index(joint)]]


def joint_deviation(positions: np.ndarray, fps: float, joint: str) -> float:
    """Standard deviation of speed in windows of two seconds, averaged, in m/s: the paper's Table 2 for any joint.

    Raises:
        DuendeError: no joint has that name.
    """
    if joint != ALL_JOINTS:
        # With every joint moving as this one does, the mean over joints is its own.
        index = SMPL24.index(joint)
        positions = np.broadcast_to(positions[:, [index]], positions.shape)
    return speed_deviation(positions, fps)["all_joints"] * 60.0


@look()
def speed_figure(
    dances: Mapping[str, np.ndarray],
    fps: float,
    joint: str = "left_wrist",
    start: float = 0.0,
    width: float = COLUMN,
) -> Figure:
    """Draw the speed of a joint over time, one line for each dance.

    Args:
        dances: joint positions ``(T, 24, 3)`` in metres under their names, the real dance first.
        fps: frames per second.
        joint: a joint of SMPL24, or ``"all_joints"`` for the mean speed of all.
        start: the time of the first frame in seconds, for the axis.
        width: of the figure in inches.

    Raises:
        DuendeError: no joint has that name.
    """
    figure = Figure(figsize=(width, min(0.30 * width, 1.4) + 0.75 + 0.13 * len(dances)), layout="constrained")
    axes = figure.add_subplot()
    styles = [{"color": BLACK, "linewidth": 1.3}, *strokes(len(dances) - 1)]
    for (name, positions), style in zip(dances.items(), styles, strict=True):
        curve = joint_speeds(positions, fps, joint).mean(axis=1)
        deviation = joint_deviation(positions, fps, joint)
        # A speed belongs half-way between the two frames that it is taken from.
        seconds = start + (np.arange(len(curve)) + 0.5) / fps
        axes.plot(seconds, curve, label=f"{name}: deviation {deviation:.3f} m/s", **style)
    axes.set(xlabel="time (s)", ylabel=f"speed, {joint.replace('_', ' ')} (m/s)")
    axes.set_xlim(start, start + max(len(positions) for positions in dances.values()) / fps)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper left", ncols=1)
    return figure
