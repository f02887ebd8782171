"""A data set packed for training: one memory-mapped file for each array, beside the clips that it is made of.

A thousand clips open in the time of one, and memory holds what is looked at, not the set. The folder ``packed`` may be
deleted at any time: who trains next makes it, and makes it anew when the clips have changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from duende.datasets.music_spread import MusicSpread
from duende.datasets.store import ARRAYS, DAMAGE, FACTS, INDEX, Clip, DanceSet, read_clip, reading
from duende.errors import DuendeError
from duende.files import replacing
from duende.motion import Motion

FOLDER, CONTENTS, SPREAD, LOCK = "packed", "contents.json", "spread.npz", "lock"
LAYOUT = 1
"""Raised whenever the files are laid out otherwise."""


class MappedClip(Clip):
    """A clip whose arrays lie in memory-mapped files; its motion is read whenever it is asked for, and not kept."""

    def __init__(self, facts: dict[str, Any], arrays: dict[str, np.ndarray | None], file: Path | None) -> None:
        """Take the values of a :class:`Clip`, and the file that holds its motion where there is one."""
        for name, value in {**facts, **arrays, "_file": file}.items():
            object.__setattr__(self, name, value)

    @property
    def motion(self) -> Motion | None:
        """The dance itself, see :class:`Clip`."""
        file: Path | None = self.__dict__["_file"]
        return None if file is None else read_clip(file).motion


@dataclass(frozen=True, eq=False)
class PackedSet:
    """The packed files of a data set.

    Attributes:
        data: that they are made of.
        folder: where they are.
        contents: ``clips``, one entry for each: its facts and which rows of each file are its own.
    """

    data: DanceSet
    folder: Path
    contents: dict[str, Any]

    @classmethod
    def of(cls, data: DanceSet) -> PackedSet:
        """Open the packed files of ``data``; make them where there are none, or where they are of other clips.

        Several processes may ask at once: one makes them and the others wait.

        Raises:
            DuendeError: a clip is missing or damaged, or the folder cannot be written.
        """
        folder = data.folder / FOLDER / _key(data)
        contents = _read_contents(folder)
        if contents is None:
            with _locked(data.folder / FOLDER / LOCK):
                contents = _read_contents(folder) or _pack(data, folder)
                _drop_others(folder)
        return cls(data, folder, contents)

    def clips(self, split: str) -> list[Clip]:
        """Return the clips of a split, as :meth:`DanceSet.clips` does.

        Their arrays may be written to; that changes no file.
        """
        return [self._clip(entry) for entry in self.contents["clips"] if entry["split"] == split]

    @cached_property
    def spread(self) -> MusicSpread | None:
        """Mean and spread of the music of the training clips; None where there is none."""
        path = self.folder / SPREAD
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            return MusicSpread(file["mean"], file["scale"])

    def _clip(self, entry: dict[str, Any]) -> Clip:
        rows: dict[str, list[int]] = entry["rows"]
        arrays = {name: self._files[name][slice(*rows[name])] if name in rows else None for name in ARRAYS}
        file = self.data.folder / f"{entry['name']}.npz" if entry["moves"] else None
        return MappedClip(entry["facts"], arrays, file)

    @cached_property
    def _files(self) -> dict[str, np.ndarray]:
        names = {name for entry in self.contents["clips"] for name in entry["rows"]}
        # A view as a plain array: each slice of a memory map would be a map of its own.
        return {name: np.load(_file(self.folder, name), mmap_mode="c").view(np.ndarray) for name in names}


def _key(data: DanceSet) -> str:
    """Tell clips apart by the index, and by size and time of their files."""
    digest = hashlib.sha256(f"{LAYOUT}".encode() + (data.folder / INDEX).read_bytes())
    for name in data.names:
        path = data.folder / f"{name}.npz"
        try:
            facts = path.stat()
        except FileNotFoundError:
            raise DuendeError(f"{path} is missing; build the set again, finished clips are kept") from None
        digest.update(f"{name} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _read_contents(folder: Path) -> dict[str, Any] | None:
    """Read what is written last; None where it is missing, damaged, or not of the files beside it."""
    with suppress(*DAMAGE):
        contents: dict[str, Any] = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        if all(_file(folder, name).stat().st_size == size for name, size in contents["sizes"].items()):
            return contents
    return None


def _pack(data: DanceSet, folder: Path) -> dict[str, Any]:
    splits: dict[str, str] = data.index["clips"]
    headers = {name: _headers(data.folder / f"{name}.npz") for name in splits}
    clips: list[dict[str, Any]] = [
        {"name": name, "split": split, "facts": {}, "rows": {}, "moves": "rotations" in headers[name]}
        for name, split in splits.items()
    ]
    sizes = {}
    for array in ARRAYS:
        owners = [entry for entry in clips if array in headers[entry["name"]]]
        if not owners:
            continue
        kinds = [headers[entry["name"]][array] for entry in owners]
        ends = np.cumsum([shape[0] for shape, _ in kinds]).tolist()
        for entry, start, end in zip(owners, [0, *ends], ends, strict=False):
            entry["rows"][array] = [start, end]
        shape = (ends[-1], *kinds[0][0][1:])
        if any(other[1:] != shape[1:] for other, _ in kinds):
            raise DuendeError(f"the clips of {data.folder} have {array} of different widths; build the set again")
        pieces = (_array(data.folder / f"{entry['name']}.npz", array) for entry in owners)
        _write_array(_file(folder, array), shape, np.result_type(*(kind for _, kind in kinds)), pieces)
        sizes[array] = _file(folder, array).stat().st_size
    for entry in clips:
        entry["facts"] = _facts(data.folder / f"{entry['name']}.npz")
    contents = {"clips": clips, "sizes": sizes}
    _write_spread(PackedSet(data, folder, contents))
    with replacing(folder / CONTENTS) as path:
        path.write_text(json.dumps(contents), encoding="utf-8")
    return contents


def _write_spread(packed: PackedSet) -> None:
    music = [clip.music for clip in packed.clips("train") if clip.music is not None and len(clip.music)]
    if music:
        spread = MusicSpread.of(music)
        with replacing(packed.folder / SPREAD) as path, path.open("wb") as file:
            np.savez(file, mean=spread.mean, scale=spread.scale)


def _write_array(path: Path, shape: tuple[int, ...], kind: np.dtype[Any], pieces: Iterable[np.ndarray]) -> None:
    """Write a ``.npy`` file piece by piece."""
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, kind).tobytes())


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of each array of a clip without reading it."""
    headers = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                np.lib.format.read_magic(file)
                shape, _, kind = np.lib.format.read_array_header_1_0(file)
            headers[member.removesuffix(".npy")] = (shape, kind)
    return headers


def _array(path: Path, name: str) -> np.ndarray:
    with reading(path), np.load(path, allow_pickle=False) as file:
        return np.asarray(file[name])


def _facts(path: Path) -> dict[str, Any]:
    with reading(path):
        facts: dict[str, Any] = json.loads(str(_array(path, "facts")))
        return {name: facts[name] for name in FACTS}


def _file(folder: Path, array: str) -> Path:
    return folder / f"{array}.npy"


def _drop_others(folder: Path) -> None:
    """Delete the packed files of clips that are no longer there, and what a process that was killed has left."""
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)
    for left in folder.glob(".*"):
        left.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep out others who pack the same set; some network drives cannot lock, and work may then be done twice."""
    lock = FileLock(path, mode=0o666)
    with suppress(OSError, NotImplementedError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
