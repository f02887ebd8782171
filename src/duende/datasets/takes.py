"""What is known of a folder of motion capture that its files do not say: as data, not as code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from duende.errors import DuendeError
from duende.formats.aistpp import parse_name
from duende.formats.load import SUFFIXES

GENRES = {
    "BR": "break", "HO": "house", "JB": "ballet", "JS": "street_jazz", "KR": "krump", "LH": "la_hip_hop",
    "LO": "lock", "MH": "hip_hop", "PO": "pop_lock", "WA": "waack",
}  # fmt: skip
"""AIST++ genre codes to styles."""

TITLES = {
    "salsa": "salsa", "broadway": "jazz", "westcoast": "jazz", "jazzwalk": "jazz", "disco": "disco",
    "wiggle": "disco", "nineties": "house", "modern": "modern", "spiral": "modern", "woah": "hip_hop",
    "tiktok": "pop", "steptouch": "pop", "sassy": "pop", "party": "pop", "daddance": "pop", "longdance": "pop",
}  # fmt: skip
"""Words in the names of the G1 dances to styles."""


@dataclass(frozen=True)
class Folder:
    """Rules for a folder, found by its name.

    Attributes:
        style: of its dances.
        fps: true frame rate where the files' headers are wrong.
        left_out: names of takes with broken capture.
        couples: whether take NN + 15 is the partner of take NN.
    """

    style: str
    fps: float | None = None
    left_out: tuple[str, ...] = ()
    couples: bool = False


FOLDERS = {
    # CMU subjects 60 and 61: 06 and 07 have wrong heads, 10 trembles.
    "salsa": Folder("salsa", fps=60.0, left_out=("06", "07", "10"), couples=True),
    "indian": Folder("indian"),
    # CMU subject 05 is at 60 frames a second here, whatever the headers say.
    "modern": Folder("modern", fps=60.0),
    "pop": Folder("pop"),
}
HELD_OUT = 0.12


@dataclass(frozen=True)
class Take:
    """One recording.

    Attributes:
        path: of the file.
        style: of the dance.
        group: takes of one group stay in one split.
        fps: true frame rate, None for the file's own.
        tempo: beats a minute where it is known.
    """

    path: Path
    style: str
    group: str
    fps: float | None = None
    tempo: float | None = None

    @property
    def name(self) -> str:
        """Unique name: folder and file."""
        return f"{self.path.parent.name}-{self.path.stem}"


def find_takes(folders: Sequence[Path]) -> list[Take]:
    """List the takes in ``folders``, those with broken capture left out.

    Raises:
        DuendeError: a folder does not exist or holds no motion, or two takes would have one name.
    """
    takes = [take for folder in folders for path in motion_files(folder) if (take := describe(path)) is not None]
    check_names(takes)
    return takes


def motion_files(folder: Path) -> list[Path]:
    """List the files of motion in a folder and those in it, sorted.

    Raises:
        DuendeError: it does not exist or holds none.
    """
    if not folder.is_dir():
        raise DuendeError(f"no folder {folder}; name folders of {', '.join(SUFFIXES)} files")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DuendeError(f"{folder} holds no motion ({', '.join(SUFFIXES)})")
    return found


def check_names(takes: Iterable[Take]) -> None:
    """Refuse two takes of one name.

    Raises:
        DuendeError: there are two.
    """
    known: dict[str, Path] = {}
    for take in takes:
        if take.name in known:
            raise DuendeError(
                f"{known[take.name]} and {take.path} would both be called {take.name!r}; rename one of the folders"
            )
        known[take.name] = take.path


def describe(path: Path) -> Take | None:
    """Say what is known of a file; None for one that is left out."""
    name = parse_name(path.stem)
    if name is not None:
        return Take(path, GENRES.get(name.genre, "pop"), path.stem, tempo=name.tempo)
    folder = FOLDERS.get(path.parent.name)
    if folder is not None:
        if path.stem in folder.left_out:
            return None
        group = f"{int(path.stem) % 15:02d}" if folder.couples and path.stem.isdigit() else path.stem
        return Take(path, folder.style, f"{path.parent.name}-{group}", fps=folder.fps)
    plain = path.stem.lower().replace("_", "")
    style = next((style for word, style in TITLES.items() if word in plain), "pop")
    return Take(path, style, f"{path.parent.name}-{path.stem}")


def held_out(takes: Iterable[Take]) -> set[str]:
    """Choose the groups that training never sees: by a hash of their names, so that the choice never changes.

    Styles of four groups and more give about an eighth of them, at least one; of the styles of two or three, every
    fourth by the hash of its name gives one; styles of one group give none, so that no style is lost to training.
    """
    by_style: dict[str, set[str]] = defaultdict(set)
    for take in takes:
        by_style[take.style].add(take.group)
    chosen: set[str] = set()
    for style, groups in by_style.items():
        ordered = sorted(groups, key=_hashed)
        if len(ordered) >= 4:
            chosen.update(ordered[: max(1, round(HELD_OUT * len(ordered)))])
        elif len(ordered) >= 2 and _hashed(style) % 4 == 0:
            chosen.add(ordered[0])
    return chosen


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
