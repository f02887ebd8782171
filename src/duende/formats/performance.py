"""A dance with what it was made for: what every format is given."""

from __future__ import annotations

from dataclasses import dataclass

from duende.audio.music import Beats
from duende.audio.song import Song
from duende.motion import Motion


@dataclass(frozen=True, eq=False)
class Variant:
    """One of several dances to the same song."""

    name: str
    motion: Motion


@dataclass(frozen=True, eq=False)
class Performance:
    """A dance with what it was made for.

    Attributes:
        motion: the dance.
        title: shown as it is.
        song: what it dances to, from its first frame.
        beats: of the song.
        variants: other dances to the song, to choose from, as long as ``motion`` and at its rate; empty for none.
    """

    motion: Motion
    title: str
    song: Song | None = None
    beats: Beats | None = None
    variants: tuple[Variant, ...] = ()
