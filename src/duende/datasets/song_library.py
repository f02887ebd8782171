"""The songs of a whole library, heard one by one: one that cannot be heard does not stop the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.audio.cache import HeardSong
from duende.audio.features import PRETRAINED, parts_of
from duende.datasets.songs import SongHearing
from duende.errors import DuendeError
from duende.files import replacing


@dataclass(frozen=True)
class HeardFile:
    """What became of a song.

    Attributes:
        path: of its file.
        rows: of features.
        seconds: of sound.
        known: whether it had been heard before.
        failure: a sentence that says why it could not be heard, else empty.
    """

    path: Path
    rows: int = 0
    seconds: float = 0.0
    known: bool = False
    failure: str = ""


def hear_file(song: Path, hearing: SongHearing, out: Path | None = None, threads: int = 0) -> HeardFile:
    """Hear a song of a library.

    Args:
        song: the file.
        hearing: how, and where it is kept.
        out: folder for ``NAME.npz``, see :func:`write_heard`; None for none.
        threads: of this process, where networks are needed; 0 for as many as they choose.
    """
    try:
        if threads and any(part.name in PRETRAINED for part in parts_of(hearing.features)):
            import torch

            torch.set_num_threads(threads)
        known = hearing.knows(song)
        heard = hearing.hear(song)
        if out is not None:
            write_heard(heard, out / f"{song.stem}.npz")
        return HeardFile(song, len(heard.features), heard.duration, known)
    except DuendeError as error:
        return HeardFile(song, failure=str(error))


def write_heard(heard: HeardSong, path: Path) -> None:
    """Write what is heard in a song as one ``npz`` that NumPy alone can read.

    It holds ``features`` ``(T, D)`` float32 at 7.5 rows a second, ``beats`` and ``downbeats`` in seconds, ``tempo`` in
    beats a minute, ``duration`` in seconds, ``feature_set`` (name and version) and ``columns``: JSON that gives for
    each family of columns the first and the one after the last.

    Raises:
        DuendeError: the file cannot be written.
    """
    features, beats = heard.features.feature_set, heard.beats
    spans = {family: (features.slice(family).start, features.slice(family).stop) for family, _ in features.columns}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            features=heard.features.values,
            beats=beats.times,
            downbeats=beats.downbeats,
            tempo=beats.tempo,
            duration=heard.duration,
            feature_set=features.identity,
            columns=json.dumps(spans),
        )


def check_names(songs: Sequence[Path]) -> None:
    """Raise :class:`DuendeError` where two songs would be written to one file."""
    twice = [stem for stem, count in Counter(song.stem for song in songs).items() if count > 1]
    if twice:
        first, second, *_ = [song for song in songs if song.stem == twice[0]]
        raise DuendeError(f"{first} and {second} would both become {twice[0]}.npz; rename one of them")
