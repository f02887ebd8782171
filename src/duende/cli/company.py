"""One of many songs, in whichever process: what fails is told, and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from duende.audio.music import MusicFeatures
from duende.cli.dancing import Dancing, Piece
from duende.cli.threads import threads
from duende.datasets.songs import with_name
from duende.errors import DuendeError
from duende.formats.character import Character, read_character
from duende.models.placement import Placement
from duende.systems.kinds import AnySystem
from duende.systems.storage import from_pretrained

R = TypeVar("R")


@dataclass(frozen=True)
class Company:
    """Who dances; it can be sent to other processes, which load it themselves.

    Attributes:
        model: name or folder.
        placement: of its networks.
        character: file of a character, or None for the mannequin.
        bones: file that names the bones of that.
        threads: of each process.
    """

    model: str
    placement: Placement
    character: str | None
    bones: str | None
    threads: int


@dataclass(frozen=True)
class DancedSong:
    """What became of a song.

    Attributes:
        piece: which.
        files: that were written.
        failure: a sentence that says why there are none, else empty; it names the song.
    """

    piece: Piece
    files: tuple[Path, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class ChosenCodes:
    """A song whose dances are chosen, but not performed yet.

    Attributes:
        piece: which.
        codes: pose codes ``(T, 2)`` for each seed.
    """

    piece: Piece
    codes: Sequence[np.ndarray]


def longest_first(pieces: Sequence[Piece]) -> list[Piece]:
    """Begin with the songs that take longest, as far as the size of their files tells."""
    return sorted(pieces, key=lambda piece: -piece.song.stat().st_size)


def dance_song(piece: Piece, dancing: Dancing, company: Company) -> DancedSong:
    """Dance to a song."""
    return _told(piece, company, lambda system, character: _danced(piece, dancing.dance(piece, system, character)))


def perform_song(chosen: ChosenCodes, dancing: Dancing, company: Company) -> DancedSong:
    """Perform the dances that were chosen for a song."""
    piece, codes = chosen.piece, chosen.codes
    return _told(
        piece, company, lambda system, character: _danced(piece, dancing.dance(piece, system, character, codes))
    )


def hear_song(piece: Piece, dancing: Dancing, company: Company) -> MusicFeatures | DancedSong:
    """Hear what is danced to; what fails comes in its place."""
    return _told(piece, company, lambda system, _: dancing.heard(piece.song, system)[0].heard)


def forget() -> None:
    """Load anew what is loaded next: a model of the same name may be another by now."""
    _loaded.cache_clear()


def _danced(piece: Piece, files: Sequence[tuple[object, Path]]) -> DancedSong:
    return DancedSong(piece, tuple(file for _, file in files))


def _told(piece: Piece, company: Company, work: Callable[[AnySystem, Character | None], R]) -> R | DancedSong:
    try:
        with threads(company.threads):
            return work(*_loaded(company))
    except DuendeError as error:
        return DancedSong(piece, failure=with_name(piece.song, str(error)))
    except Exception as error:
        # The others are worth more than the traceback, which this song danced alone would show.
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        sentence = f"{piece.song} met a mistake in duende ({reason}); dance to it alone to see it"
        return DancedSong(piece, failure=sentence)


@lru_cache(maxsize=1)
def _loaded(company: Company) -> tuple[AnySystem, Character | None]:
    character = None if company.character is None else read_character(company.character, company.bones)
    return from_pretrained(company.model, placement=company.placement), character
