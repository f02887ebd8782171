"""A data set on disk: one ``npz`` for each clip and an index; read with numpy alone."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from duende.audio.feature_sets import present
from duende.errors import DuendeError
from duende.files import replacing
from duende.motion import Motion

DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile)
"""What reading a damaged file of arrays raises."""
INDEX, SCHEMA = "index.json", 1


@dataclass(frozen=True, eq=False)
class Clip:
    """A dance with its music, both from time 0, ready for networks.

    Attributes:
        name: unique in the set.
        take: recording that it comes from.
        style: of dance and music.
        split: ``"train"`` or ``"test"``; ``"other"`` in a set of recordings whose split lists do not name it.
        tempo: beats a minute, 0 where it is not known.
        mirrored: whether left and right are exchanged.
        upper: ``(T, 45)`` channels at 60 a second, T a multiple of 8.
        lower: ``(T, 27)``.
        root: ``(T, R)``.
        music: ``(T / 8, D)`` features, None for a dance without music.
        beats: seconds, none for a dance without music.
        downbeats: seconds.
        motion: the dance itself; kept for one variant of each take, None for the others.
    """

    name: str
    take: str
    style: str
    split: str
    tempo: float
    mirrored: bool
    upper: np.ndarray
    lower: np.ndarray
    root: np.ndarray
    music: np.ndarray | None
    beats: np.ndarray
    downbeats: np.ndarray
    motion: Motion | None = None


ARRAYS = ("upper", "lower", "root", "music", "beats", "downbeats")
FACTS = tuple(f.name for f in fields(Clip) if f.name not in (*ARRAYS, "motion"))


@dataclass(frozen=True, eq=False)
class DanceSet:
    """A folder of clips.

    Attributes:
        folder: where it is.
        index: what it is made of.
    """

    folder: Path
    index: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> DanceSet:
        """Open a finished set.

        Raises:
            DuendeError: the folder holds no set, or one of another schema or of other versions of its music features.
        """
        path = Path(folder) / INDEX
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DuendeError(f"{folder} holds no finished data set; build one with: duende data starter") from None
        except (OSError, ValueError) as error:
            raise DuendeError(f"{path} is damaged ({error}); build the set again") from error
        if index.get("schema") != SCHEMA:
            raise DuendeError(f"{path} has schema {index.get('schema')}, {SCHEMA} is expected; build the set again")
        features = str(index.get("feature_set", ""))
        if features and features != present(features).identity:
            raise DuendeError(
                f"{path} holds music features {features}, this version computes {present(features).identity}; "
                "build the set again"
            )
        return cls(Path(folder), index)

    @property
    def feature_set(self) -> str:
        """Identity of the music features, name and version."""
        return str(self.index["feature_set"])

    @property
    def representation(self) -> str:
        """How the clips' poses became channels, see :class:`PoseRepresentation`."""
        return str(self.index.get("representation", "heading"))

    @property
    def songs(self) -> dict[str, dict[str, Any]]:
        """Whole songs of recordings by name: ``beats``, ``downbeats`` and ``duration`` in seconds, and ``tempo``."""
        return dict(self.index.get("songs", {}))

    @property
    def song_of(self) -> dict[str, str]:
        """Name of the song of each recorded clip that has one; a song that was not at hand is not in ``songs``."""
        return dict(self.index.get("song_of", {}))

    @cached_property
    def names(self) -> list[str]:
        """Names of all clips."""
        return list(self.index["clips"])

    def clips(self, split: str) -> list[Clip]:
        """Read the clips of a split.

        Raises:
            DuendeError: a file is missing or damaged.
        """
        return [read_clip(self.folder / f"{name}.npz") for name, part in self.index["clips"].items() if part == split]


def write_clip(clip: Clip, path: Path) -> None:
    """Write a clip, whole or not at all."""
    values: dict[str, Any] = {name: getattr(clip, name) for name in ARRAYS if getattr(clip, name) is not None}
    for name in ("upper", "lower", "root"):
        values[name] = values[name].astype(np.float32)
    if clip.music is not None:
        values["music"] = clip.music.astype(np.float16)
    if clip.motion is not None:
        values["rotations"] = clip.motion.rotations.astype(np.float32)
        values["path"] = clip.motion.root.astype(np.float32)
        values["fps"] = clip.motion.fps
    facts = json.dumps({name: getattr(clip, name) for name in FACTS})
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, facts=np.array(facts), **values)


def read_clip(path: Path) -> Clip:
    """Read a clip.

    Raises:
        DuendeError: the file is missing or damaged.
    """
    with reading(path):
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in file.files}
        facts = json.loads(str(values["facts"]))
        motion = Motion(values["rotations"], values["path"], float(values["fps"])) if "rotations" in values else None
        arrays: dict[str, Any] = {name: values.get(name) for name in ARRAYS}
        return Clip(**facts, **arrays, motion=motion)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with the file of a clip that cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise DuendeError(f"{path} is missing; build the set again, finished clips are kept") from None
    except DAMAGE as error:
        raise DuendeError(f"{path} is damaged ({error}); delete it and build the set again") from error


def write_index(folder: Path, clips: Sequence[tuple[str, str]], feature_set: str, facts: dict[str, Any]) -> None:
    """Write the index last: a folder with an index is a finished set."""
    index = {"schema": SCHEMA, "feature_set": feature_set, "clips": dict(clips), **facts}
    with replacing(folder / INDEX) as path:
        path.write_text(json.dumps(index, indent=1), encoding="utf-8")
