"""Distances between sets of dances, told in features ``(N, D)``: Fréchet and kernel distance, diversity, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from duende.errors import DuendeError


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Mean and spread ``(D,)`` of a reference pool: the published protocol brings all sets to it."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, pool: np.ndarray) -> Normalisation:
        """Measure the pool ``(N, D)``."""
        return cls(pool.mean(axis=0), pool.std(axis=0) + 1e-10)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Bring features ``(N, D)`` to mean 0 and spread 1 of the pool."""
        return np.asarray((features - self.mean) / self.scale)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of the Gaussians of two sets ``(N, D)`` and ``(M, D)`` (Heusel et al., 2017), as FID.

    With fewer dances than features a covariance is singular, and the distance depends on the number of dances: read
    it beside :func:`half_floor` and :func:`kernel_distance`.

    Raises:
        DuendeError: a set holds fewer than two dances, or the sets have different features.
    """
    _check(first, second)
    difference = first.mean(axis=0) - second.mean(axis=0)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # The trace of the root of a product of covariances, by symmetric matrices alone: never complex.
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0.0)).sum()
    return float(difference @ difference + np.trace(one) + np.trace(two) - 2 * shared)


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel ``(x . y / D + 1)³`` (Bińkowski et al., 2018).

    Its expectation is 0 for two sets of one distribution, however small they are.
    """
    _check(first, second)
    dimension, n, m = first.shape[1], len(first), len(second)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray((a @ b.T / dimension + 1) ** 3)

    within_first, within_second = kernel(first, first), kernel(second, second)
    inside_first = (within_first.sum() - np.trace(within_first)) / (n * (n - 1))
    inside_second = (within_second.sum() - np.trace(within_second)) / (m * (m - 1))
    return float(inside_first + inside_second - 2 * kernel(first, second).mean())


def diversity(features: np.ndarray) -> float:
    """Mean Euclidean distance over all pairs of dances ``(N, D)``.

    Raises:
        DuendeError: there are fewer than two.
    """
    if len(features) < 2:
        raise DuendeError(f"diversity needs two dances or more, got {len(features)}")
    return float(pdist(features).mean())


def bootstrap_interval(
    pool: np.ndarray, dances: np.ndarray, seed: int = 0, draws: int = 200, share: float = 0.95
) -> tuple[float, float]:
    """Interval of the Fréchet distance under redrawing ``dances``, centred on the plain value.

    Redrawing repeats dances, which raises the distance: the spread of the draws about their own mean is laid
    about the plain value.
    """
    rng = np.random.default_rng(seed)
    values = np.array(
        [frechet_distance(pool, dances[rng.integers(len(dances), size=len(dances))]) for _ in range(draws)]
    )
    low, high = np.quantile(values - values.mean(), [(1 - share) / 2, (1 + share) / 2])
    plain = frechet_distance(pool, dances)
    return plain + float(low), plain + float(high)


def half_floor(pool: np.ndarray, seed: int = 0, draws: int = 10) -> float:
    """Mean Fréchet distance of one random half of real dances from the other: what a perfect system would get."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        order = rng.permutation(len(pool))
        half = len(pool) // 2
        values.append(frechet_distance(pool[order[:half]], pool[order[half:]]))
    return float(np.mean(values))


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise DuendeError(f"two sets (N, D) of the same features are expected, got {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise DuendeError(f"a distance of sets needs two dances in each, got {len(first)} and {len(second)}")
