"""Means with intervals over seeds, and whether a claim holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duende.evaluation.intervals import mean_interval
from duende.experiments.tables import Better


@dataclass(frozen=True)
class Estimate:
    """A mean over ``count`` values with its 95 % interval by Student's t; NaN bounds for a single value."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Finding:
    """What was found about a claim in one measure.

    Attributes:
        measure: its key.
        gain: how much better the claimed row is, averaged over seeds; below 0 it is worse.
        over_seeds: interval of the gain over seeds of training.
        over_takes: interval over held-out takes (bootstrap), None where a measure has no value for a single take.
        verdict: ``"confirmed"`` or ``"contradicted"`` where neither interval reaches 0, else ``"undecided"``.
    """

    measure: str
    gain: float
    over_seeds: tuple[float, float]
    over_takes: tuple[float, float] | None
    verdict: str


def estimate(values: Sequence[float]) -> Estimate:
    """Average values of independent runs."""
    return Estimate(*mean_interval(values), len(values))


def gain(value: np.ndarray, other: np.ndarray, real: np.ndarray | float | None, better: Better) -> np.ndarray:
    """How much better ``value`` is than ``other``: above 0 it is better."""
    if better == "real":
        return np.asarray(np.abs(other - real) - np.abs(value - real))
    return np.asarray(value - other if better == "higher" else other - value)


@dataclass(frozen=True, eq=False)
class Takes:
    """A measure on single takes: two rows ``(seeds, takes)``, real dances ``(takes,)`` and each take's length."""

    value: np.ndarray
    other: np.ndarray
    real: np.ndarray
    seconds: np.ndarray


def gain_over_takes(takes: Takes, better: Better, seed: int = 0, draws: int = 4000) -> tuple[float, float]:
    """Return the 95 % interval of the gain when takes are redrawn; seeds are averaged."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(takes.value.shape[1], size=(draws, takes.value.shape[1]))
    weights = takes.seconds[chosen] / takes.seconds[chosen].sum(axis=1, keepdims=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray((values[..., chosen] * weights).sum(axis=-1))

    gains = gain(mean(takes.value), mean(takes.other), mean(takes.real), better).mean(axis=0)
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


def finding(measure: str, by_seed: np.ndarray, over_takes: tuple[float, float] | None) -> Finding:
    """Judge the gains ``(seeds,)`` of a measure, and their interval over takes where there is one."""
    mean = estimate(list(by_seed))
    bounds = [(mean.low, mean.high), *([over_takes] if over_takes else [])]
    if all(low > 0 for low, _ in bounds):
        verdict = "confirmed"
    elif all(high < 0 for _, high in bounds):
        verdict = "contradicted"
    else:
        verdict = "undecided"
    return Finding(measure, mean.mean, (mean.low, mean.high), over_takes, verdict)
