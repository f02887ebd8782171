"""Means with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def mean_interval(values: Sequence[float] | np.ndarray, share: float = 0.95) -> tuple[float, float, float]:
    """Mean of independent values and the ends of its interval by Student's t; the ends are NaN for a single value."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf((1 + share) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return mean, mean - half, mean + half
