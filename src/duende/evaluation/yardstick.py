"""Real dances that other dances are measured against: those of the published protocol, and those of the honest side.

The honest side leaves out the test split and takes that a scored dance is named after, so that no dance meets itself,
and features that do not vary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from duende.datasets.store import Clip, DanceSet, read_clip
from duende.errors import DuendeError
from duende.evaluation.distributions import Normalisation, frechet_distance, real_from_real
from duende.evaluation.genre import Example, GenreClassifier, learnable, windows_of
from duende.evaluation.geometric import geometric_features
from duende.evaluation.pool import FEATURES
from duende.motion import Motion

FPS = 60.0
LEAST_POOL = 8
"""Real dances; with fewer, half of them is no set to measure."""
NO_SPREAD = 1e-6
"""An honest feature that varies less over the pool tells nothing, and would be divided by nothing."""
TEST = "test"
CORRECTED = "_corrected"

ALL_FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **FEATURES,
    f"geometric{CORRECTED}": lambda positions: geometric_features(positions, form="corrected"),
}
"""Features of a dance ``(T, 24, 3)`` at 60 frames a second, classic and corrected."""


@dataclass(frozen=True, eq=False)
class RealDance:
    """What is kept of a real dance: ``features`` by :data:`ALL_FEATURES`, ``windows`` for its genre."""

    name: str
    take: str
    genre: str
    split: str
    features: dict[str, np.ndarray]
    windows: np.ndarray


def real_clips(data: DanceSet) -> Iterator[tuple[Clip, Motion]]:
    """Read the clips of all splits one by one, those that keep their motion, with it at 60 frames a second.

    Raises:
        DuendeError: a file is missing or damaged.
    """
    for name in data.names:
        clip = read_clip(data.folder / f"{name}.npz")
        if clip.motion is not None:
            yield clip, clip.motion.resampled(FPS)


def real_dance(clip: Clip, positions: np.ndarray) -> RealDance:
    """Describe a clip by its joints ``(T, 24, 3)`` at 60 frames a second."""
    windows = windows_of(positions, FPS)
    return RealDance(clip.name, clip.take, clip.style, clip.split, features_of(positions), windows)


def features_of(positions: np.ndarray) -> dict[str, np.ndarray]:
    """Describe joints ``(T, 24, 3)`` at 60 frames a second in all features."""
    return {key: of(positions) for key, of in ALL_FEATURES.items()}


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Real dances in one kind of features.

    Attributes:
        pool: ``(N, D)``, normalised.
        normal: mean and spread that they were brought to.
        used: ``(D',)`` bool, which features are used.
        seed: of random halves.
    """

    pool: np.ndarray
    normal: Normalisation
    used: np.ndarray
    seed: int

    @classmethod
    def of(cls, features: np.ndarray, seed: int, drop_constant: bool) -> Yardstick:
        """Measure a pool ``(N, D')``."""
        used = features.std(axis=0) > NO_SPREAD if drop_constant else np.ones(features.shape[1], dtype=bool)
        normal = Normalisation.of(features[:, used])
        return cls(normal(features[:, used]), normal, used, seed)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Bring features ``(N, D')`` to the pool's mean and spread, ``(N, D)``."""
        return self.normal(features[:, self.used])

    def comparable(self, count: int) -> int:
        """How many real dances to draw from the pool for a comparison with ``count`` others: at most half of it."""
        return max(2, min(count, len(self.pool) // 2))

    def real(
        self, count: int, distance: Callable[[np.ndarray, np.ndarray], float] = frechet_distance, draws: int = 20
    ) -> np.ndarray:
        """Distances ``(draws,)`` of :meth:`comparable` real dances from the others of the pool."""
        key = (distance.__name__, self.comparable(count), draws)
        if key not in self._known:
            self._known[key] = real_from_real(self.pool, self.comparable(count), distance, self.seed, draws)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str, int, int], np.ndarray]:
        return {}


class RealDances:
    """A pool of real dances: all of them, and those of the honest side."""

    def __init__(self, dances: Sequence[RealDance], namesakes: Collection[str] = (), seed: int = 0) -> None:
        """Take the pool.

        Args:
            dances: of all splits.
            namesakes: names of clips that scored dances are named after; the honest side leaves their takes out.
            seed: of random halves.

        Raises:
            DuendeError: it is too small.
        """
        if len(dances) < LEAST_POOL:
            raise DuendeError(
                f"the reference holds {len(dances)} dances with their motion, {LEAST_POOL} or more are needed; "
                "build a larger set with: duende data starter"
            )
        self.dances, self.seed = list(dances), seed
        met = {dance.take for dance in dances if dance.split == TEST or dance.name in namesakes}
        apart = [dance for dance in dances if dance.take not in met]
        self.honest = apart if len(apart) >= LEAST_POOL else self.dances

    @cached_property
    def yardsticks(self) -> dict[str, Yardstick]:
        """One for each of :data:`ALL_FEATURES`; corrected ones are of the honest side."""
        found = {}
        for key in ALL_FEATURES:
            corrected = key.endswith(CORRECTED)
            dances = self.honest if corrected else self.dances
            features = np.stack([dance.features[key] for dance in dances])
            found[key] = Yardstick.of(features, self.seed, drop_constant=corrected)
        return found

    @property
    def examples(self) -> list[Example]:
        """Dances of the honest side, for the genre classifier and a check of it on takes held out in turn."""
        return [Example(dance.windows, dance.take, dance.genre) for dance in self.honest]

    @cached_property
    def classifier(self) -> GenreClassifier | None:
        """Fitted to :attr:`examples`; None where these have no two genres of two takes."""
        kept = learnable(self.examples)
        return GenreClassifier.fit(kept) if kept else None
