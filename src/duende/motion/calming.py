"""Trembling taken out of a dance, and nothing else: quick movement stays quick.

Trembling is fast change that leads nowhere. What is faster than about 8 Hz is compared with what is faster than
about 1.3 Hz, joint by joint and over half a second: in captured dances the first is less than a tenth of the second
in 99 of 100 frames, in dances that tremble a fifth to a third.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d, rank_filter

from duende.motion.kinematics import continuous_quaternions
from duende.motion.motion import Motion
from duende.motion.quaternions import between, dots, normalised

FAST, SLOW = 0.017, 0.1
"""Seconds (deviations of a Gaussian) under which change is as fast as trembling, and as movement."""
AROUND = 0.5
"""Seconds over which the usual size of both is taken: an accent is over in less."""
CALMED = 0.045
"""Seconds over which what trembles is smoothed."""
TURNS, PATH = (0.1, 0.2), (0.07, 0.12)
"""Ratios of fast to slow change at which smoothing begins and is complete, for rotations and for the root's path."""
LEAST_TURN, LEAST_STEP = np.radians(0.5), 0.003
"""Radians and metres that are added to slow change: a joint that hardly moves does not tremble."""
STRETCH = 4096
"""Frames worked on at a time."""
REACH = 5 * SLOW + AROUND / 2 + 5 * AROUND / 4
"""Seconds on both sides that a frame depends on, and a little more."""


def calmed(motion: Motion) -> Motion:
    """Smooth each joint and the path where they tremble, and leave all else as it is."""
    if len(motion) < 3:
        return motion
    rotations = continuous_quaternions(motion.rotations)
    calm, reach = np.empty_like(rotations), int(np.ceil(REACH * motion.fps)) + 2
    for first in range(0, len(motion), STRETCH):
        begin, end = max(0, first - reach), first + STRETCH
        part = _calmed_turns(rotations[begin : end + reach], motion.fps)
        calm[first:end] = part[first - begin : end - begin]
    return replace(motion, rotations=continuous_quaternions(calm), root=_calmed_path(motion))


def _calmed_turns(rotations: np.ndarray, fps: float) -> np.ndarray:
    fast, slow, smooth = (normalised(_mean(rotations, width * fps)) for width in (FAST, SLOW, CALMED))
    ratio = _ratio(_apart(rotations, fast), _apart(rotations, slow), LEAST_TURN, fps)
    return between(normalised(rotations), smooth, _share(ratio, TURNS))


def _calmed_path(motion: Motion) -> np.ndarray:
    fast, slow, smooth = (_mean(motion.root, width * motion.fps) for width in (FAST, SLOW, CALMED))
    ratio = _ratio(np.abs(motion.root - fast), np.abs(motion.root - slow), LEAST_STEP, motion.fps)
    return np.asarray(motion.root + _share(ratio, PATH) * (smooth - motion.root))


def _ratio(fast: np.ndarray, slow: np.ndarray, least: float, fps: float) -> np.ndarray:
    """Ratio of usual fast to usual slow change, both ``(T, N)``; medians, which a single accent does not move."""
    usual = [_medians(change, max(1, round(AROUND * fps))) for change in (fast, slow)]
    return np.asarray(gaussian_filter1d(usual[0] / (usual[1] + least), AROUND * fps / 4, axis=0, mode="nearest"))


def _medians(values: np.ndarray, size: int) -> np.ndarray:
    """Running medians over time of ``(T, N)``, column by column: so the filter keeps its window sorted."""
    columns = np.ascontiguousarray(values.T)
    return np.stack([rank_filter(column, size // 2, size=size, mode="nearest") for column in columns], axis=1)


def _share(ratio: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    return np.asarray(np.clip((ratio - bounds[0]) / (bounds[1] - bounds[0]), 0.0, 1.0))


def _mean(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian mean over time; beyond the ends values go on as they came, so that no kink is made there."""
    outside = min(int(4 * width) + 1, len(values) - 1)
    sides = [(outside, outside)] + [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, sides, mode="reflect", reflect_type="odd")
    return np.asarray(gaussian_filter1d(padded, width, axis=0)[outside : len(padded) - outside])


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles ``(T, J)`` in radians between rotations ``(T, J, 4)`` whose quaternions lie on the same side."""
    apart = first - second
    return np.asarray(4 * np.arcsin(np.minimum(np.sqrt(dots(apart, apart)) / 2, 1.0)))
