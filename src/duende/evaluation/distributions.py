"""Distances between sets of dances, told in features ``(N, D)``: Fréchet and kernel distance, diversity, intervals."""

from __future__ import annotations

from collections.abc import Callable
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
    return _Gaussian.of(first).distance(_Gaussian.of(second))


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
    _check(pool, dances)
    real = _Gaussian.of(pool)
    values = np.array(
        [real.distance(_Gaussian.of(dances[rng.integers(len(dances), size=len(dances))])) for _ in range(draws)]
    )
    low, high = np.quantile(values - values.mean(), [(1 - share) / 2, (1 + share) / 2])
    plain = real.distance(_Gaussian.of(dances))
    return plain + float(low), plain + float(high)


def half_floor(pool: np.ndarray, seed: int = 0, draws: int = 10) -> float:
    """Mean Fréchet distance of one random half of real dances from the other: what a perfect system would get."""
    return float(real_from_real(pool, len(pool) // 2, seed=seed, draws=draws).mean())


def real_from_real(
    pool: np.ndarray,
    count: int,
    distance: Callable[[np.ndarray, np.ndarray], float] = frechet_distance,
    seed: int = 0,
    draws: int = 10,
) -> np.ndarray:
    """Distances ``(draws,)`` of ``count`` real dances, drawn at random, from the others of the pool ``(N, D)``.

    A system that draws real dances as the pool does would get such values with as many dances.

    Raises:
        DuendeError: fewer than two dances would be on a side.
    """
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        order = rng.permutation(len(pool))
        values.append(distance(pool[order[:count]], pool[order[count:]]))
    return np.array(values)


@dataclass(frozen=True, eq=False)
class _Gaussian:
    """A set ``(N, D)`` by its mean ``(D,)`` and a root ``(R, D)`` of its covariance ``root.T @ root``."""

    mean: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> _Gaussian:
        mean = features.mean(axis=0)
        return cls(mean, np.linalg.qr(features - mean, mode="r") / np.sqrt(len(features) - 1))

    def distance(self, other: _Gaussian) -> float:
        difference = self.mean - other.mean
        # The trace of the root of the product of the covariances, as singular values: never complex.
        shared = np.linalg.svd(self.root @ other.root.T, compute_uv=False).sum()
        return float(difference @ difference + (self.root**2).sum() + (other.root**2).sum() - 2 * shared)


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise DuendeError(f"two sets (N, D) of the same features are expected, got {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise DuendeError(f"a distance of sets needs two dances in each, got {len(first)} and {len(second)}")
