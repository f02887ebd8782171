"""Music for a dance whose beat is known: composed, rendered, and heard as features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duende.audio.feature_sets import present
from duende.audio.features import extract_features
from duende.audio.music import Beats
from duende.audio.song import Song
from duende.datasets.composer import compose, find_soundfont, render
from duende.datasets.hearing import Hearing

__all__ = ["Scored", "find_soundfont", "score"]


@dataclass(frozen=True, eq=False)
class Scored:
    """Music of a clip: the sound, its features ``(rows, D)`` and its exact beats in seconds."""

    song: Song
    features: np.ndarray
    beats: np.ndarray
    downbeats: np.ndarray


def score(style: str, tempo: float, seconds: float, seed: int, hearing: Hearing, rows: int) -> Scored:
    """Compose ``seconds`` of music in ``style`` whose first downbeat is at 0, and hear it with exact beats."""
    piece = compose(style, tempo, int(np.ceil(seconds * tempo / 60.0)) + 1, seed=seed)
    song = render(piece, hearing.soundfont).cropped(0, seconds)
    known = Beats(piece.beats.times, piece.beats.downbeats, tempo)
    values = extract_features(song, present(hearing.features), known, hearing.sources).values[:rows]
    if len(values) < rows:
        values = np.concatenate([values, np.repeat(values[-1:], rows - len(values), axis=0)])
    return Scored(song, values, *(times[times < seconds] for times in (known.times, known.downbeats)))
