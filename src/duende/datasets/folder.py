"""A folder of anyone's dances with songs: styles by folder, songs by name, splits by lists or by a hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from duende.audio.entry_keys import content_digest
from duende.datasets.build_report import Problem
from duende.datasets.recordings import RecordedDance, Recordings
from duende.datasets.songs import SUFFIXES, SongFile, find_songs
from duende.datasets.split_lists import SplitLists, read_split_lists
from duende.datasets.takes import Take, check_names, held_out, motion_files

FORMATS = (".npz", ".pkl", ".bvh")
"""Where a dance lies there in several formats, the first of these is read."""


def find_folder(root: Path, music: Path | None = None, fps: float | None = None) -> Recordings:
    """Find the dances in ``root`` and the folders in it, each with the song of its name.

    Dances of one song stay in one split. Splits come from lists (``train.txt``, ``test.txt``, ``val.txt``, also with
    ``crossmodal_`` before, in ``root`` or ``root/splits``), whose names are those of files without suffix, with or
    without the folder and a hyphen before; without lists from a hash, as :func:`held_out` chooses.

    Args:
        root: of ``.bvh``, ``.npz`` and ``.pkl`` files.
        music: folder where songs are looked for before looking beside the dances.
        fps: true frame rate of BVH files whose headers are wrong.

    Raises:
        DuendeError: a folder is missing, ``root`` holds no motion, or two dances would have one name.
    """
    files = [path for path in motion_files(root.resolve()) if path.is_file() and not path.name.startswith(".")]
    chosen, second = _one_format(files)
    songs = _songs(chosen, music)
    takes = [Take(path, path.parent.name, _group(path, songs), fps) for path in chosen]
    check_names(takes)
    lists = read_split_lists([root]) or read_split_lists([root], "crossmodal_")
    splits = _listed(takes, lists) if lists else _hashed(takes)
    dances = tuple(
        RecordedDance(take.name, take.path, take.style, splits[take.name], _song(take.path, songs), fps=take.fps)
        for take in takes
    )
    problems = [
        *(Problem("second format", path.name, f"{path} is the same dance by its name") for path in second),
        *(_silent(dance, music) for dance in dances if not dance.song),
        *(_of_lists(lists, takes) if lists else ()),
        *(Problem("in no split list", dance.name, "no list names it") for dance in dances if dance.split == "other"),
    ]
    return Recordings("folder", dances, {song.name: song for song in songs.values()}, tuple(problems))


def _one_format(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Divide files into one for each dance and the others."""
    chosen: dict[Path, Path] = {}
    for path in sorted(files, key=lambda path: FORMATS.index(path.suffix.lower())):
        chosen.setdefault(path.with_suffix(""), path)
    kept = sorted(chosen.values())
    return kept, sorted(set(files) - set(kept))


def _songs(files: Sequence[Path], music: Path | None) -> dict[Path, SongFile]:
    """Find the song of each dance that has one; files of one content are one song."""
    beside = {folder: find_songs([*([music] if music else []), folder]) for folder in {path.parent for path in files}}
    paths = {path: song for path in files if (song := beside[path.parent].get(path.stem)) is not None}
    by_digest: dict[str, SongFile] = {}
    names: set[str] = set()
    found = {}
    for path, song in paths.items():
        digest = content_digest(song)
        if digest not in by_digest:
            name = song.stem if song.stem not in names else f"{song.stem}-{digest[:8]}"
            names.add(name)
            by_digest[digest] = SongFile(name, song, digest)
        found[path] = by_digest[digest]
    return found


def _song(path: Path, songs: Mapping[Path, SongFile]) -> str:
    return songs[path].name if path in songs else ""


def _group(path: Path, songs: Mapping[Path, SongFile]) -> str:
    return f"song {songs[path].name}" if path in songs else f"{path.parent.name}-{path.stem}"


def _hashed(takes: Sequence[Take]) -> dict[str, str]:
    outside = held_out(takes)
    return {take.name: "test" if take.group in outside else "train" for take in takes}


def _names(take: Take) -> tuple[str, str]:
    return take.name, take.path.stem


def _listed(takes: Sequence[Take], lists: SplitLists) -> dict[str, str]:
    return {
        take.name: next((lists.split_of[name] for name in _names(take) if name in lists.split_of), "other")
        for take in takes
    }


def _of_lists(lists: SplitLists, takes: Sequence[Take]) -> list[Problem]:
    known = {name for take in takes for name in _names(take)}
    return [
        *(Problem("in both splits", name, "lists for training and for testing name it") for name in lists.contradicted),
        *(Problem("no file", name, "a split list names it") for name in sorted(set(lists.split_of) - known)),
    ]


def _silent(dance: RecordedDance, music: Path | None) -> Problem:
    places = f"in {music} or beside it" if music else "beside it"
    return Problem("no music", dance.name, f"no {dance.path.stem} ({', '.join(SUFFIXES)}) {places}")
