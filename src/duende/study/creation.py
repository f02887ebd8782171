"""Make a study from folders of videos: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from duende.errors import DuendeError
from duende.study.definition import MODES, VIDEOS, Clip, Mode, Study, Trial, write_study
from duende.study.mp4 import video_seconds
from duende.study.ratings import Ratings


def parse_systems(entries: Sequence[str]) -> dict[str, Path]:
    """Read ``NAME=FOLDER`` entries, in their order.

    Raises:
        DuendeError: an entry has no name or no folder, or a name comes twice.
    """
    systems: dict[str, Path] = {}
    for entry in entries:
        name, _, folder = (part.strip() for part in entry.partition("="))
        if not name or not folder:
            raise DuendeError(f'--system {entry!r} needs a name and a folder; write it like --system "Ours=out/ours"')
        if name in systems:
            raise DuendeError(f"the system {name!r} is named twice; give each --system a name of its own")
        systems[name] = Path(folder)
    return systems


def create_study(
    folder: Path,
    systems: Mapping[str, Path],
    mode: Mode = "opinion",
    title: str = "Dance study",
    introduction: str = "",
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Study:
    """Copy the videos of each system's folder under opaque names, and write the study beside them.

    Raises:
        DuendeError: the folder is taken, a system's folder or a video is missing or damaged, or in pairs the
            folders do not hold the same songs.
    """
    if mode not in MODES:
        raise DuendeError(f"--mode is {' or '.join(MODES)}, got {mode!r}")
    if not systems:
        raise DuendeError('no system is named; name each with --system "NAME=FOLDER"')
    videos = {name: _videos(source) for name, source in systems.items()}
    if mode == "pairs":
        _check_pairs(videos)
    clips = tuple(
        Clip(_opaque(), name, song, video_seconds(path))
        for name, songs in videos.items()
        for song, path in songs.items()
    )
    study = Study(_opaque(), title, introduction, mode, seed, tuple(systems), clips, _trials(clips, mode))
    with _folder_of_study(folder) as temporary:
        (temporary / VIDEOS).mkdir()
        for done, clip in enumerate(clips):
            progress(done, len(clips))
            # The content alone: times and permissions could tell which videos were made together.
            shutil.copyfile(videos[clip.system][clip.song], temporary / VIDEOS / clip.file)
        Ratings.create(temporary)
        write_study(study, temporary)
        progress(len(clips), len(clips))
    return study


def _opaque() -> str:
    # Not from the study's seed: who knows that could work out which name belongs to which system.
    return secrets.token_hex(8)


def _videos(folder: Path) -> dict[str, Path]:
    """Return the mp4 files of a folder by song, sorted."""
    if not folder.is_dir():
        raise DuendeError(f"there is no folder {folder}; give each --system the folder that holds its mp4 videos")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".mp4" or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise DuendeError(f"{path} and {found[path.stem].name} have the same name; rename one")
        found[path.stem] = path
    if not found:
        raise DuendeError(f"{folder} holds no mp4 video; make some with: duende dance SONG --formats mp4 -o {folder}")
    return found


def _check_pairs(videos: Mapping[str, Mapping[str, Path]]) -> None:
    if len(videos) < 2:
        raise DuendeError("--mode pairs compares systems, and only one is named; add another --system")
    songs = {song for names in videos.values() for song in names}
    for name, own in videos.items():
        if missing := sorted(songs - set(own)):
            raise DuendeError(
                f"{name!r} has no video {missing[0]}.mp4, which another system has; "
                "--mode pairs needs the same file names in every folder"
            )


def _trials(clips: Sequence[Clip], mode: Mode) -> tuple[Trial, ...]:
    if mode == "opinion":
        return tuple(Trial(_opaque(), (clip.id,)) for clip in clips)
    pairs = ((a, b) for a, b in combinations(clips, 2) if a.song == b.song)
    return tuple(Trial(_opaque(), (first.id, second.id)) for first, second in pairs)


@contextlib.contextmanager
def _folder_of_study(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``, which takes its place on success and goes on failure."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DuendeError(f"{folder} is there already and is not empty; name a new folder for the study")
    target = Path(os.path.normpath(folder.absolute()))
    temporary = target.parent / f".{target.name}-{_opaque()}"
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(target)
    except (OSError, sqlite3.Error) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DuendeError(f"cannot write {folder}: {reason}; free some space there or name another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
