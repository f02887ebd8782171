"""AIST++ in its own layout: motions, split lists, ignore list, and music by the fifth field of a dance's name."""

from __future__ import annotations

from pathlib import Path

from duende.audio.entry_keys import content_digest
from duende.datasets.build_report import Problem
from duende.datasets.recordings import RecordedDance, Recordings
from duende.datasets.songs import SUFFIXES, SongFile, find_songs
from duende.datasets.split_lists import SplitLists, find_list, read_names, read_split_lists
from duende.datasets.takes import GENRES
from duende.errors import DuendeError
from duende.formats.aistpp import parse_name

ARCHIVE = "aist_plusplus_final"
"""Folder that the published archive holds everything in."""
MUSIC = ("music", "musics", "all_musics", "wav", "wavs", "audio", "songs")
"""Where people keep its music."""
IGNORED = "ignore_list.txt"


def find_aistpp(root: Path, music: Path | None = None) -> Recordings:
    """Find the dances of AIST++ below ``root``, with their splits and their music.

    Args:
        root: holds ``motions/*.pkl``, ``splits/crossmodal_*.txt`` and ``ignore_list.txt`` (the lists may lie beside
            ``motions``), or a folder ``aist_plusplus_final`` that does.
        music: folder of ``mBR0.wav`` and so on; by default one within ``root`` that is called so.

    Raises:
        DuendeError: the layout is another, or there is no folder ``music``.
    """
    home = _home(root)
    homes = list(dict.fromkeys((home, root)))
    lists = read_split_lists(homes, "crossmodal_")
    if lists is None:
        raise DuendeError(
            f"{root} holds no split lists (splits/crossmodal_train.txt and others); copy AIST++'s beside its motions"
        )
    ignore_list = find_list(homes, IGNORED)
    ignored = set(read_names(ignore_list)) if ignore_list else set()
    files = sorted(path for path in (home / "motions").glob("*.pkl") if path.is_file() and path.name[0] != ".")
    wanted = [path for path in files if path.stem not in ignored]
    dances = tuple(dance for path in wanted if (dance := _dance(path, lists)) is not None)
    folders = [music] if music else [folder for place in homes for name in MUSIC if (folder := place / name).is_dir()]
    paths = find_songs(folders)
    named = {dance.song for dance in dances}
    songs = {name: SongFile(name, path, content_digest(path)) for name, path in paths.items() if name in named}
    problems = [
        *_of_lists(lists, {path.stem for path in files} | ignored, bool(ignore_list)),
        *(Problem("no AIST++ name", path.stem, f"{path} tells no genre and music") for path in wanted if _odd(path)),
        *(Problem("in no split list", dance.name, "no list names it") for dance in dances if dance.split == "other"),
        *(_silent(dance, folders or [home / MUSIC[0]]) for dance in dances if dance.song not in songs),
    ]
    return Recordings("aistpp", dances, songs, tuple(problems), len(files) - len(wanted))


def _home(root: Path) -> Path:
    if not root.is_dir():
        raise DuendeError(f"no folder {root}; name the folder that holds AIST++'s motions after --root")
    home = next((place for place in (root, root / ARCHIVE) if any((place / "motions").glob("*.pkl"))), None)
    if home is None:
        hint = (
            f"name the folder above it, {root.resolve().parent}" if any(root.glob("*.pkl")) else "unpack AIST++ there"
        )
        raise DuendeError(f"{root} holds no motions/*.pkl as AIST++ does; {hint}")
    return home


def _odd(path: Path) -> bool:
    return parse_name(path.stem) is None


def _dance(path: Path, lists: SplitLists) -> RecordedDance | None:
    name = parse_name(path.stem)
    if name is None:
        return None
    style, split = GENRES.get(name.genre, name.genre.lower()), lists.split_of.get(path.stem, "other")
    return RecordedDance(path.stem, path, style, split, f"m{name.music}", name.tempo)


def _of_lists(lists: SplitLists, known: set[str], ignore_list: bool) -> list[Problem]:
    absent = [*lists.absent, *([] if ignore_list else [IGNORED])]
    return [
        *(Problem("no list", name, "neither in splits nor beside motions") for name in absent),
        *(Problem("in both splits", name, "lists for training and for testing name it") for name in lists.contradicted),
        *(Problem("no file", name, "a split list names it") for name in sorted(set(lists.split_of) - known)),
    ]


def _silent(dance: RecordedDance, folders: list[Path]) -> Problem:
    places = " or ".join(map(str, folders))
    return Problem("no music", dance.name, f"no {dance.song} ({', '.join(SUFFIXES)}) in {places}")
