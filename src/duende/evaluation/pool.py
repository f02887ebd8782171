"""A pool of real dances, and how far other dances are from it in the field's features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duende.evaluation.distributions import Normalisation, diversity, frechet_distance, half_floor, kernel_distance
from duende.evaluation.geometric import geometric_features
from duende.evaluation.kinetic import kinetic_features

FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "kinetic": lambda positions: kinetic_features(positions, form="classic"),
    "kinetic_corrected": lambda positions: kinetic_features(positions, form="corrected"),
    "geometric": geometric_features,
}
"""Features of a dance ``(T, 24, 3)`` at 60 frames a second."""


@dataclass(frozen=True)
class Distances:
    """A set of dances against a pool: Fréchet and kernel distances, and the diversity of the set itself."""

    fid_kinetic: float
    fid_kinetic_corrected: float
    fid_geometric: float
    kernel_kinetic_corrected: float
    kernel_geometric: float
    diversity_kinetic: float
    diversity_geometric: float


@dataclass(frozen=True, eq=False)
class ReferencePool:
    """Features ``(N, D)`` of real dances, brought to their own mean and spread as the published protocol does."""

    normalisations: Mapping[str, Normalisation]
    features: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, dances: Sequence[np.ndarray]) -> ReferencePool:
        """Measure dances ``(T, 24, 3)`` in metres at 60 frames a second, Y up.

        Raises:
            DuendeError: there are fewer than two, or one is not a dance.
        """
        plain = {name: np.stack([of(dance) for dance in dances]) for name, of in FEATURES.items()}
        normalisations = {name: Normalisation.of(values) for name, values in plain.items()}
        return cls(normalisations, {name: normalisations[name](values) for name, values in plain.items()})

    def normalised(self, dances: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return features ``(N, D)`` of other dances, brought to the pool's mean and spread."""
        return {
            name: self.normalisations[name](np.stack([of(dance) for dance in dances])) for name, of in FEATURES.items()
        }

    def distances(self, dances: Sequence[np.ndarray]) -> Distances:
        """Compare a set of dances with the pool."""
        made, pool = self.normalised(dances), self.features
        return Distances(
            fid_kinetic=frechet_distance(pool["kinetic"], made["kinetic"]),
            fid_kinetic_corrected=frechet_distance(pool["kinetic_corrected"], made["kinetic_corrected"]),
            fid_geometric=frechet_distance(pool["geometric"], made["geometric"]),
            kernel_kinetic_corrected=kernel_distance(pool["kinetic_corrected"], made["kinetic_corrected"]),
            kernel_geometric=kernel_distance(pool["geometric"], made["geometric"]),
            diversity_kinetic=diversity(made["kinetic"]),
            diversity_geometric=diversity(made["geometric"]),
        )

    def floors(self, seed: int = 0) -> dict[str, float]:
        """Return the Fréchet distance of one half of the pool from the other, for each kind of features."""
        return {name: half_floor(values, seed) for name, values in self.features.items()}
