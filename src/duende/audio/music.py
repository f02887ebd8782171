"""What the rest of the project knows of music: beats, and features on a fixed grid with a named layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duende.errors import DuendeError


@dataclass(frozen=True, eq=False)
class Beats:
    """Where the beats of a piece fall.

    Attributes:
        times: ``(N,)`` seconds, rising.
        downbeats: ``(M,)`` seconds, the first beats of the bars, a subset of ``times`` (may be empty).
        tempo: beats per minute, 0 where there are none.
    """

    times: np.ndarray
    downbeats: np.ndarray
    tempo: float

    def phase(self, at: np.ndarray) -> np.ndarray:
        """Return the position in the beat, 0 to 1, at each of ``at`` (seconds), the grid going on past both ends.

        Without beats the phase is 0 everywhere.
        """
        at = np.asarray(at, dtype=np.float64)
        if len(self.times) < 2:
            return np.zeros_like(at)
        number = np.interp(at, self.times, np.arange(len(self.times)))
        first, last = self.times[1] - self.times[0], self.times[-1] - self.times[-2]
        number = np.where(at < self.times[0], (at - self.times[0]) / first, number)
        number = np.where(at > self.times[-1], len(self.times) - 1 + (at - self.times[-1]) / last, number)
        return number - np.floor(number)


RHYTHM_FAMILIES = (
    "onset",
    "beat",
    "downbeat",
    "phase",
    "beat_phase",
    "bar_phase",
    "next_beat",
    "next_downbeat",
    "pace",
)
"""Families of columns that tell where onsets and beats are."""


@dataclass(frozen=True)
class FeatureSet:
    """A named, versioned layout of music features.

    Attributes:
        name: what configs and caches call it.
        version: raised whenever the same song would give other numbers.
        rate: rows per second.
        columns: for each family in order its name and width.
        frames: families of which each row holds several frames one after the other, and how many; a network brings them
            down to one.
        parts: the sets that it is joined of; none for a set of its own.
    """

    name: str
    version: int
    rate: float
    columns: tuple[tuple[str, int], ...]
    frames: tuple[tuple[str, int], ...] = ()
    parts: tuple[FeatureSet, ...] = ()

    @property
    def dimension(self) -> int:
        """Number of columns."""
        return sum(width for _, width in self.columns)

    @property
    def identity(self) -> str:
        """Name and version, as configs and caches store it; of a joined set those of its parts."""
        return "+".join(part.identity for part in self.parts) or f"{self.name}@{self.version}"

    @property
    def rhythm_columns(self) -> tuple[int, ...]:
        """Runs of columns that tell where onsets and beats are: of each the first and the one after the last."""
        bounds: list[int] = []
        for name, _ in self.columns:
            if name in RHYTHM_FAMILIES:
                run = self.slice(name)
                if bounds and bounds[-1] == run.start:
                    bounds.pop()
                    bounds.append(run.stop)
                else:
                    bounds += [run.start, run.stop]
        return tuple(bounds)

    def slice(self, family: str) -> slice:
        """Return where the columns of ``family`` are."""
        start = 0
        for name, width in self.columns:
            if name == family:
                return slice(start, start + width)
            start += width
        raise DuendeError(f"feature set {self.name} has no columns {family!r}; it has {[n for n, _ in self.columns]}")


@dataclass(frozen=True, eq=False)
class MusicFeatures:
    """Music features ``(T, D)`` float32 of one song with the layout that says what they are."""

    values: np.ndarray
    feature_set: FeatureSet
    beats: Beats

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != self.feature_set.dimension:
            raise DuendeError(
                f"features of {self.feature_set.identity} have {self.feature_set.dimension} columns, "
                f"got an array of shape {self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.values)
