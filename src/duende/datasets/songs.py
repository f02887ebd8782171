"""Songs as files: of recorded dances, found by name, and of a whole library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from duende.audio.cache import FeatureCache, HeardSong
from duende.audio.music import FeatureSet
from duende.audio.sources import Sources
from duende.errors import DuendeError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a")
"""Of several files of one name the first of these is taken."""


def with_name(song: Path, failure: str) -> str:
    """Return the sentence of a failure, which names the song in any case."""
    return failure if song.name in failure else f"{song}: {failure}"


@dataclass(frozen=True)
class SongFile:
    """A song as a file.

    Attributes:
        name: what the set calls it.
        path: of the file.
        digest: hash of its content.
    """

    name: str
    path: Path
    digest: str


@dataclass(frozen=True)
class SongHearing:
    """How songs are heard: in which features, where these are kept, and what they need beside the song."""

    features: FeatureSet
    cache: FeatureCache
    sources: Sources = field(default_factory=Sources)

    def check(self) -> None:
        """Find out before long work, not after it, whether it can be done.

        Raises:
            DuendeError: weights or foreign features are not at hand, or the cache cannot be written.
        """
        self.cache.prepare(self.features, self.sources)

    def hear(self, song: Path) -> HeardSong:
        """Hear a song, or read what was heard.

        Raises:
            DuendeError: as :meth:`FeatureCache.features` does.
        """
        return self.cache.features(song, self.features, self.sources)

    def knows(self, song: Path) -> bool:
        """Say whether a song has been heard; one that cannot be has not."""
        try:
            return self.cache.holds(song, self.features, self.sources)
        except DuendeError:
            return False

    def key(self, song: Path) -> str:
        """Say in a hash all that what is heard in a song depends on."""
        return self.cache.key(song, self.features, self.sources)


def find_songs(folders: Sequence[Path]) -> dict[str, Path]:
    """Find the songs in ``folders`` by their stems, folders within them left alone.

    Raises:
        DuendeError: there is no such folder.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise DuendeError(f"no folder {folder}; name a folder of songs ({', '.join(SUFFIXES)})")
        files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
        for path in sorted(files, key=lambda path: (SUFFIXES.index(path.suffix.lower()), path.name)):
            found.setdefault(path.stem, path)
    return found


def find_library(places: Sequence[Path]) -> list[Path]:
    """Find the songs of a library, each once.

    Args:
        places: files, of any name, and folders, in which songs are looked for, in the folders within them too.

    Raises:
        DuendeError: a place does not exist, or there is no song at all.
    """
    found: dict[Path, Path] = {}
    for place in places:
        if not place.exists():
            raise DuendeError(f"no file or folder {place}; name songs, or folders of songs")
        for path in _songs_below(place) if place.is_dir() else [place]:
            found.setdefault(path.resolve(), path)
    if not found:
        raise DuendeError(
            f"{', '.join(map(str, places))} holds no songs; name {', '.join(SUFFIXES)} files or folders of them"
        )
    return list(found.values())


def _songs_below(folder: Path) -> Iterator[Path]:
    inside = sorted(path for path in folder.rglob("*") if path.is_dir())
    for place in [folder, *inside]:
        # macOS leaves hidden companions of files, under their suffixes, on foreign disks.
        yield from (path for stem, path in sorted(find_songs([place]).items()) if not stem.startswith("."))
