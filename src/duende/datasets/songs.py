"""Songs of recorded dances: found by name, and each heard once, whatever the number of its dances."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duende.audio.beats import track_beats
from duende.audio.feature_sets import feature_set
from duende.audio.features import extract_features
from duende.audio.song import Song
from duende.errors import DuendeError
from duende.files import replacing

REVISION = 1
"""Raised whenever the same song would be heard otherwise, the features' own version apart."""
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a")
"""Of several files of one name the first of these is taken."""


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

    def key(self, features: str) -> str:
        """Say in a hash all that what is heard depends on; ``features`` names their set."""
        facts = (REVISION, feature_set(features).identity, self.digest)
        return hashlib.sha256(repr(facts).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class HeardSong:
    """A whole song as networks hear it.

    Attributes:
        features: ``(T, D)`` rows at 7.5 a second.
        beats: tracked, seconds.
        downbeats: seconds.
        tempo: beats a minute, 0 where nothing pulses.
        duration: seconds.
    """

    features: np.ndarray
    beats: np.ndarray
    downbeats: np.ndarray
    tempo: float
    duration: float

    @property
    def facts(self) -> dict[str, Any]:
        """All but the features, as an index holds it."""
        beats, downbeats = ([round(float(time), 4) for time in times] for times in (self.beats, self.downbeats))
        return {"beats": beats, "downbeats": downbeats, "tempo": round(self.tempo, 3), "duration": self.duration}

    def rows(self, start: int, count: int) -> np.ndarray:
        """Return ``count`` rows of the features from ``start``, the last repeated where the song ends before."""
        return self.features[np.minimum(np.arange(start, start + count), len(self.features) - 1)]


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


def content_digest(path: Path) -> str:
    """Return a hash of a file's content.

    Raises:
        DuendeError: the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DuendeError(f"{path} cannot be read ({reason}); check its permissions") from error


def hear(song: SongFile, features: str, folder: Path) -> HeardSong:
    """Track the beats of a song and extract its features, or read both from ``folder``, where they are kept.

    Raises:
        DuendeError: the file is no song.
    """
    kept = folder / f"{song.key(features)}.npz"
    try:
        with np.load(kept, allow_pickle=False) as file:
            return HeardSong(
                *(file[name] for name in ("features", "beats", "downbeats")), *(float(v) for v in file["numbers"])
            )
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        heard = _heard(song.path, features)
    numbers = np.array([heard.tempo, heard.duration])
    with replacing(kept) as path, path.open("wb") as file:
        np.savez(file, features=heard.features, beats=heard.beats, downbeats=heard.downbeats, numbers=numbers)
    return heard


def _heard(path: Path, features: str) -> HeardSong:
    song = Song.read(path)
    beats = track_beats(song)
    values = extract_features(song, feature_set(features), beats).values
    return HeardSong(values, beats.times, beats.downbeats, float(beats.tempo), song.duration)
