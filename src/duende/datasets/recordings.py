"""Recorded dances and their songs as they were found on disk: what a set of recordings is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from duende.datasets.build_report import Problem
from duende.datasets.songs import SongFile


@dataclass(frozen=True)
class RecordedDance:
    """A dance as a file, and what is known of it.

    Attributes:
        name: unique in the set.
        path: of the file.
        style: of the dance.
        split: ``"train"``, ``"test"`` or ``"other"``.
        song: name of its song, empty where it is not known.
        tempo: beats a minute where the name tells it, else 0.
        fps: true frame rate of a BVH file whose header is wrong.
    """

    name: str
    path: Path
    style: str
    split: str
    song: str = ""
    tempo: float = 0.0
    fps: float | None = None


@dataclass(frozen=True)
class Recordings:
    """What was found.

    Attributes:
        source: ``"aistpp"`` or ``"folder"``.
        dances: that can be built.
        songs: those that are at hand, by name.
        problems: what was noticed on the way.
        ignored: number of dances that a list calls broken, which are left out.
    """

    source: str
    dances: tuple[RecordedDance, ...]
    songs: Mapping[str, SongFile] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    ignored: int = 0
