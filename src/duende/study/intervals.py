"""Means and shares with 95 % intervals: as the field reports them, and as participants who rate many times ask for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

Interval = tuple[float, float]


def student_interval(values: Sequence[int]) -> Interval | None:
    """Interval of the mean by Student's t, as if every rating came from another person; None for fewer than two.

    This is what papers print: it is too narrow where one participant gives several of the ratings.
    """
    if len(values) < 2:
        return None
    mean, half = np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(mean - half), float(mean + half)


def wilson_interval(count: int, total: int) -> Interval | None:
    """Interval of the share ``count / total`` (Wilson, 1927), as if answers were independent; None for a total of 0."""
    if not total:
        return None
    interval = stats.binomtest(count, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def participant_interval(
    sums: Sequence[float], counts: Sequence[int], seed: int = 0, draws: int = 10_000
) -> Interval | None:
    """Interval of ``sum(sums) / sum(counts)`` when whole participants are redrawn (percentile bootstrap).

    Args:
        sums: for each participant, the sum of what is averaged.
        counts: for each participant, how many values the sum has; may be 0.
        seed: of the draws.
        draws: how many times as many participants are drawn with replacement.

    Returns:
        The 2.5th and 97.5th percentile; None where fewer than two participants have a value.
    """
    taking = np.flatnonzero(np.asarray(counts))
    if len(taking) < 2:
        return None
    all_sums, all_counts = np.asarray(sums, float)[taking], np.asarray(counts, float)[taking]
    chosen = np.random.default_rng(seed).integers(len(taking), size=(draws, len(taking)))
    means = all_sums[chosen].sum(axis=1) / all_counts[chosen].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
