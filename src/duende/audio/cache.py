"""Songs as they are heard, kept on disk: computed once, by whoever asks first, and read by all who ask after.

There is one file for the beats of a song and one for each part of a feature set, so that ``bailando+mert`` and
``full_band+mert`` share the part that takes minutes. A file is named by a hash of all that its numbers depend on:
nothing in the cache is ever out of date, and anything in it may be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from duende.audio.beats import Tempo, track_beats
from duende.audio.entry_keys import Crop, beats_key, check_sources, content_digest, entry_keys, hashed
from duende.audio.features import part_rows, parts_of, side_by_side
from duende.audio.kept_arrays import Arrays, KeptArrays
from duende.audio.music import Beats, FeatureSet, MusicFeatures
from duende.audio.song import Song
from duende.audio.sources import Sources
from duende.errors import DuendeError


@dataclass(frozen=True, eq=False)
class HeardSong:
    """A song, or a part of one, as networks hear it.

    Attributes:
        features: rows at 7.5 a second, and the beats.
        duration: seconds.
    """

    features: MusicFeatures
    duration: float

    @property
    def beats(self) -> Beats:
        """Where the beats fall."""
        return self.features.beats

    @property
    def facts(self) -> dict[str, Any]:
        """All but the features, as an index holds it."""
        beats, downbeats = (
            [round(float(time), 4) for time in times] for times in (self.beats.times, self.beats.downbeats)
        )
        return {"beats": beats, "downbeats": downbeats, "tempo": round(self.beats.tempo, 3), "duration": self.duration}

    def rows(self, start: int, count: int) -> np.ndarray:
        """Return ``count`` rows of the features from ``start``, the last repeated where the song ends before."""
        return self.features.values[np.minimum(np.arange(start, start + count), len(self.features) - 1)]


@dataclass(frozen=True)
class FeatureCache:
    """A folder of what has been heard; any number of processes may use it at once.

    Attributes:
        folder: made when it is needed.
        lenient: where nothing can be written, nothing is kept, and that is no error.
    """

    folder: Path
    lenient: bool = False

    def prepare(self, features: FeatureSet, sources: Sources | None = None) -> None:
        """Find out before long work, not after it, whether it can be done.

        Raises:
            DuendeError: weights or foreign features are not at hand, or the folder cannot be written.
        """
        if not self.lenient:
            self._kept.prepare()
        check_sources(features, sources or Sources(), self._kept)

    def features(
        self,
        path: Path,
        features: FeatureSet,
        sources: Sources | None = None,
        crop: Crop | None = None,
        song: Song | None = None,
        tempo: Tempo | None = None,
    ) -> HeardSong:
        """Return what is heard in a song: what is there is read, what is missing is computed and kept.

        Args:
            path: of the sound file; it is decoded only if something is missing.
            features: which set.
            sources: where weights and foreign features are; needed for sets with MERT or Jukebox.
            crop: start and length in seconds of what is heard; None for the whole song.
            song: what decoding ``path`` and cutting it would give, where that is at hand already.
            tempo: where somebody knows it better than the tracker.

        Raises:
            DuendeError: the file is no song, what the set needs beside it is not at hand, the set is of another
                version, or the folder cannot be written.
        """
        wanted, opened = sources or Sources(), _Opened(path, crop, song)
        key, *part_keys = entry_keys(path, features, wanted, crop, self._kept, tempo)
        beats, duration = self._beats(key, opened, tempo)
        rows = [
            self._kept.get(key, ("rows",), partial(_extracted, opened, part, beats, wanted))["rows"]
            for key, part in zip(part_keys, parts_of(features), strict=True)
        ]
        return HeardSong(side_by_side(rows, features, beats), duration)

    def beats(
        self, path: Path, crop: Crop | None = None, song: Song | None = None, tempo: Tempo | None = None
    ) -> Beats:
        """Return the beats of a song alone; arguments and errors are those of :meth:`features`."""
        return self._beats(beats_key(path, crop, tempo), _Opened(path, crop, song), tempo)[0]

    def holds(self, path: Path, features: FeatureSet, sources: Sources | None = None) -> bool:
        """Say whether all that is heard in a whole song is there."""
        return all(map(self._kept.has, entry_keys(path, features, sources or Sources(), None, self._kept)))

    def key(self, path: Path, features: FeatureSet, sources: Sources | None = None) -> str:
        """Say in a hash all that what is heard in a whole song depends on.

        Raises:
            DuendeError: the file cannot be read, or what the set needs beside it is not at hand.
        """
        return hashed(*entry_keys(path, features, sources or Sources(), None, self._kept))

    @property
    def size(self) -> int:
        """Bytes in the folder."""
        return self._kept.size

    def _beats(self, key: str, opened: _Opened, tempo: Tempo | None) -> tuple[Beats, float]:
        """Return the beats and the seconds of a song."""
        kept = self._kept.get(key, ("times", "downbeats", "numbers"), partial(_tracked, opened, tempo))
        found, duration = (float(number) for number in kept["numbers"])
        return Beats(kept["times"], kept["downbeats"], found), duration

    @property
    def _kept(self) -> KeptArrays:
        return KeptArrays(self.folder, self.lenient)


def default_folder() -> Path:
    """Return the folder of the user's cache: ``$DUENDE_CACHE``, or ``duende`` where the system keeps caches."""
    named = os.environ.get("DUENDE_CACHE")
    if named:
        return Path(named).expanduser()
    place = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    if place:
        return Path(place) / "duende"
    try:
        return Path.home() / ".cache" / "duende"
    except RuntimeError:  # A user without a home, as in some containers.
        return Path(tempfile.gettempdir()) / "duende-cache"


class _Opened:
    """A song that is decoded when it is first needed."""

    def __init__(self, path: Path, crop: Crop | None, song: Song | None) -> None:
        self._path, self._crop, self._given = path, crop, song
        self._digest = content_digest(path)

    @cached_property
    def song(self) -> Song:
        if self._given is not None:
            return self._given
        song = Song.read(self._path)
        if content_digest(self._path) != self._digest:
            # What is heard now would be kept under the old content's name.
            raise DuendeError(f"{self._path} was changed while it was read; run again when it is complete")
        return song.cropped(*self._crop) if self._crop else song


def _tracked(opened: _Opened, tempo: Tempo | None) -> Arrays:
    beats = track_beats(opened.song, tempo)
    numbers = np.array([beats.tempo, opened.song.duration])
    return {"times": np.asarray(beats.times), "downbeats": np.asarray(beats.downbeats), "numbers": numbers}


def _extracted(opened: _Opened, part: FeatureSet, beats: Beats, sources: Sources) -> Arrays:
    return {"rows": part_rows(part, opened.song, beats, sources)}
