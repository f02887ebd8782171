"""Which genre a dance looks like: a classifier of real dances, beside how often it is right about others.

A linear discriminant (Fisher, 1936) with a shrunk covariance, of the corrected kinetic and geometric features of
four-second windows. All genres count the same, and so do all takes of a genre.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from duende.evaluation.distributions import Normalisation
from duende.evaluation.geometric import geometric_features
from duende.evaluation.kinetic import kinetic_features

WINDOW = 4.0
"""Seconds."""
LEAST_ENERGY = 1e-3
"""Energies are compared by their logarithms; this much (m²/s², and m/s²) is as good as none."""
SHRINKAGE = 0.3
"""How far the covariance goes to one of independent features."""
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Example:
    """A real dance: windows ``(W, 104)``, the take it is from, its genre."""

    windows: np.ndarray
    take: str
    genre: str


@dataclass(frozen=True, eq=False)
class GenreClassifier:
    """A fitted classifier: a window scores ``normalised @ weights + bias`` for each genre."""

    genres: tuple[str, ...]
    normal: Normalisation
    weights: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(cls, examples: Sequence[Example]) -> GenreClassifier:
        """Fit to dances of two genres or more."""
        genres = tuple(sorted({example.genre for example in examples}))
        windows = np.concatenate([example.windows for example in examples])
        label = np.repeat([genres.index(example.genre) for example in examples], [len(e.windows) for e in examples])
        weight = _weights(examples)
        normal = Normalisation.of(windows)
        # A feature without spread would be divided by nothing.
        normal = Normalisation(normal.mean, np.maximum(normal.scale, 1e-6))
        x = normal(windows)
        means = np.stack([np.average(x[label == k], axis=0, weights=weight[label == k]) for k in range(len(genres))])
        away = x - means[label]
        covariance = (away * weight[:, None]).T @ away / weight.sum()
        dimension = len(covariance)
        plain = max(float(np.trace(covariance)) / dimension, 1e-9) * np.eye(dimension)
        weights = np.linalg.solve((1 - SHRINKAGE) * covariance + SHRINKAGE * plain, means.T)
        return cls(genres, normal, weights, -0.5 * (means.T * weights).sum(axis=0))

    def __call__(self, windows: np.ndarray) -> str:
        """Name the genre of a dance: that of the largest score, averaged over its windows ``(W, 104)``."""
        return self.genres[int(np.argmax((self.normal(windows) @ self.weights + self.bias).mean(axis=0)))]


@dataclass(frozen=True)
class GenreCheck:
    """How often the classifier is right about real takes that it was not fitted to.

    Attributes:
        genres: that it knows.
        takes: how many were held out in turn.
        accuracy: mean over genres of the share of their takes that it names rightly.
        chance: what guessing gives.
        confusion: takes for each true genre (row) by the genre that it named (column).
        left_out: genres of a single take, which cannot be held out.
    """

    genres: tuple[str, ...]
    takes: int
    accuracy: float
    chance: float
    confusion: tuple[tuple[int, ...], ...]
    left_out: tuple[str, ...]


def windows_of(positions: np.ndarray, fps: float) -> np.ndarray:
    """Describe a dance ``(T, 24, 3)`` window by window: ``(W, 104)``, one window where it is shorter than that."""
    length = min(round(WINDOW * fps), len(positions))
    starts = range(0, len(positions) - length + 1, length)
    pieces = [positions[start : start + length] for start in starts]
    energies = np.stack([kinetic_features(piece, fps, "corrected") for piece in pieces])
    poses = np.stack([geometric_features(piece, fps, "corrected") for piece in pieces])
    return np.concatenate([np.log(LEAST_ENERGY + energies), poses], axis=1)


def learnable(examples: Sequence[Example]) -> list[Example]:
    """Keep the dances of genres that have two takes or more; none where there is only one such genre."""
    takes = Counter(genre for genre, _ in {(example.genre, example.take) for example in examples})
    kept = [example for example in examples if takes[example.genre] > 1]
    return kept if len({example.genre for example in kept}) > 1 else []


def checked(examples: Sequence[Example], seed: int = 0) -> GenreCheck | None:
    """Hold out each take once, in :data:`FOLDS` rounds; None where fewer than two genres have two takes."""
    kept = learnable(examples)
    if not kept:
        return None
    genres = tuple(sorted({example.genre for example in kept}))
    confusion = np.zeros((len(genres), len(genres)), dtype=int)
    for inside, outside in _rounds(kept, seed):
        classifier = GenreClassifier.fit(inside)
        for windows, genre in outside:
            confusion[genres.index(genre), genres.index(classifier(windows))] += 1
    return GenreCheck(
        genres=genres,
        takes=int(confusion.sum()),
        accuracy=float(np.mean(np.diag(confusion) / confusion.sum(axis=1))),
        chance=1 / len(genres),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        left_out=tuple(sorted({example.genre for example in examples} - set(genres))),
    )


def _rounds(examples: Sequence[Example], seed: int) -> Iterator[tuple[list[Example], list[tuple[np.ndarray, str]]]]:
    """Yield what to fit to, and the windows and genre of each take held out; genres are spread over the rounds."""
    rng = np.random.default_rng(seed)
    turn: dict[tuple[str, str], int] = {}
    for genre in sorted({example.genre for example in examples}):
        takes = sorted({example.take for example in examples if example.genre == genre})
        for number, index in enumerate(rng.permutation(len(takes))):
            turn[genre, takes[index]] = number % FOLDS
    for round_number in range(FOLDS):
        outside = [key for key, value in turn.items() if value == round_number]
        if outside:
            inside = [example for example in examples if turn[example.genre, example.take] != round_number]
            yield (
                inside,
                [
                    (np.concatenate([e.windows for e in examples if (e.genre, e.take) == key]), key[0])
                    for key in outside
                ],
            )


def _weights(examples: Sequence[Example]) -> np.ndarray:
    """Weigh each window so that every genre weighs 1, shared evenly by its dances and by each one's windows."""
    dances = Counter(example.genre for example in examples)
    shares = [1 / dances[example.genre] / len(example.windows) for example in examples]
    return np.repeat(shares, [len(example.windows) for example in examples])
