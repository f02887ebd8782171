"""What a dance's name tells: the music that it was danced to, the song, and the genre that was wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.audio.cache import FeatureCache
from duende.audio.feature_sets import RHYTHM
from duende.datasets.store import Clip, DanceSet, read_clip
from duende.datasets.takes import GENRES
from duende.errors import DuendeError

EDGE_STRIDE = 0.5
"""Seconds between the slices that EDGE cuts its data into (``data/slice.py``)."""
LACKING = 0.5
"""Seconds of a dance that music may leave without sound and still be that of the whole dance."""
EDGE_STEP = 2.5
"""Seconds between the slices that EDGE's test script lays end to end; it begins at a random one of them."""


FRAME_RATE = 60.0
"""Rows of a clip's channels a second."""


@dataclass(frozen=True)
class DanceName:
    """A dance's name, taken apart.

    Attributes:
        plain: without EDGE's ``test_``, ``{epoch}_{number}_`` and ``_slice{n}``, and without ``_seed{n}``.
        start: seconds of the music at which the dance begins; None where the name does not tell.
        music: AIST++'s name of the music (``mBR0``), None where it is not in the name.
    """

    plain: str
    start: float | None
    music: str | None


@dataclass(frozen=True, eq=False)
class Music:
    """The music of a dance.

    Attributes:
        beats: seconds from the dance's first frame.
        duration: seconds from there to the music's end: what is danced after it is not scored against beats.
        source: ``"clip"``, ``"song"`` or ``"audio"``.
    """

    beats: np.ndarray
    duration: float
    source: str


@dataclass(frozen=True, eq=False)
class Match:
    """What is known of a dance by its name.

    Attributes:
        music: its beats, None where they are not known.
        song: dances of one song bear the same.
        genre: that was wanted, None where it is not known.
        start_unknown: whether the song is known, but not where in it the dance begins.
        namesakes: clips of the reference whose take it may be, by its name.
    """

    music: Music | None
    song: str
    genre: str | None
    start_unknown: bool = False
    namesakes: tuple[str, ...] = ()


def parse_dance_name(name: str, edge: bool = False) -> DanceName:
    """Take a name apart; EDGE's additions are looked for in EDGE's files only."""
    start: float | None = 0.0
    if edge:
        if name.startswith("test_"):
            name, start = name.removeprefix("test_"), None
        name = re.sub(r"^\d+_\d+_(?=.)", "", name)
        found = re.search(r"_slice(\d+)$", name)
        if found:
            name, start = name[: found.start()], EDGE_STRIDE * int(found.group(1))
    name = re.sub(r"(?<=.)[-_. ]seed[-_ ]?\d+$", "", name, flags=re.IGNORECASE)
    music = re.search(r"(?:^|_)(m[A-Z]{2}\d)(?:_|$)", name)
    return DanceName(name, start, music.group(1) if music else None)


class Library:
    """The music that dances may belong to: that of a set's clips, its songs, and a folder of audio."""

    def __init__(self, data: DanceSet, audio: Path | None, cache: FeatureCache) -> None:
        """Look into ``audio`` for songs whose stems are dances' names or AIST++'s names of music.

        Args:
            data: the set.
            audio: folder of songs, None for none.
            cache: of what is heard in them.

        Raises:
            DuendeError: there is no folder ``audio``.
        """
        if audio is not None and not audio.is_dir():
            raise DuendeError(f"no folder {audio}; name a folder of songs after --music")
        self._data = data
        self._cache = cache
        self._audio = {path.stem: path for path in sorted(audio.iterdir()) if path.is_file()} if audio else {}
        self._clips: dict[str, Clip] = {}
        self._tracked: dict[str, Music] = {}

    def match(self, name: str, seconds: float, edge: bool = False) -> Match:
        """Say what is known of a dance called ``name`` that lasts ``seconds``.

        Raises:
            DuendeError: a clip or a song cannot be read.
        """
        parsed = parse_dance_name(name, edge)
        like = next((clip for clip in (name, parsed.plain) if clip in self._data.index["clips"]), None)
        clip = self._clip(like) if like else None
        song = self._data.song_of.get(like or "") or parsed.music or parsed.plain
        genre = clip.style if clip else GENRES.get(parsed.music[1:3]) if parsed.music else None
        found = self._music(parsed, clip, song, seconds)
        namesakes = self._namesakes(parsed.plain, name)
        if found is None:
            return Match(None, song, genre, namesakes=namesakes)
        start = parsed.start
        if start is None and seconds - LACKING <= found.duration < seconds + EDGE_STEP:
            start = 0.0
        if start is None:
            return Match(None, song, genre, start_unknown=True, namesakes=namesakes)
        music = Music(found.beats - start, found.duration - start, found.source)
        return Match(music, song, genre, namesakes=namesakes)

    def _namesakes(self, *names: str) -> tuple[str, ...]:
        """Find clips called so, perhaps after a folder and before the number of a variant, as ``duende data`` does."""
        wanted = re.compile(rf"(?:^|-)(?:{'|'.join(map(re.escape, names))})(?:-\d+)?$")
        return tuple(clip for clip in self._data.names if wanted.search(clip))

    def _clip(self, name: str) -> Clip:
        if name not in self._clips:
            self._clips[name] = read_clip(self._data.folder / f"{name}.npz")
        return self._clips[name]

    def _music(self, parsed: DanceName, clip: Clip | None, song: str, seconds: float) -> Music | None:
        """Take the first music that lasts as long as the dance, else what lasts longest; None without beats."""
        longest: Music | None = None
        for music in self._candidates(parsed, clip, song):
            if len(music.beats) < 2:
                continue
            if music.duration + LACKING >= (parsed.start or 0.0) + seconds:
                return music
            if longest is None or music.duration > longest.duration:
                longest = music
        return longest

    def _candidates(self, parsed: DanceName, clip: Clip | None, song: str) -> Iterator[Music]:
        """Yield the music of the clip, of the song, and that tracked in audio, each as it is asked for."""
        if clip is not None:
            yield Music(np.asarray(clip.beats, dtype=np.float64), len(clip.upper) / FRAME_RATE, "clip")
        if song in self._data.songs:
            known = self._data.songs[song]
            beats = np.asarray(known["beats"], dtype=np.float64)
            yield Music(beats, float(known.get("duration", beats[-1] if len(beats) else 0.0)), "song")
        stem = next((stem for stem in (parsed.plain, song) if stem in self._audio), None)
        if stem is not None:
            if stem not in self._tracked:
                heard = self._cache.features(self._audio[stem], RHYTHM)
                self._tracked[stem] = Music(heard.beats.times, heard.duration, "audio")
            yield self._tracked[stem]
