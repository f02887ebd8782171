"""Music for a dance whose beat is known: composed, rendered, and heard as features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.audio.feature_sets import feature_set
from duende.audio.features import extract_features
from duende.audio.music import Beats
from duende.audio.song import Song
from duende.datasets.composer import compose, find_soundfont, render

__all__ = ["FEATURES", "Scored", "feature_set", "find_soundfont", "score"]

FEATURES = "full_band"


@dataclass(frozen=True, eq=False)
class Scored:
    """Music of a clip: the sound, its features ``(rows, D)`` and its exact beats in seconds."""

    song: Song
    features: np.ndarray
    beats: np.ndarray
    downbeats: np.ndarray


def score(style: str, tempo: float, seconds: float, seed: int, soundfont: Path | None, rows: int) -> Scored:
    """Compose ``seconds`` of music in ``style`` whose first downbeat is at 0, and hear it with exact beats."""
    piece = compose(style, tempo, int(np.ceil(seconds * tempo / 60.0)) + 1, seed=seed)
    song = render(piece, soundfont).cropped(0, seconds)
    known = Beats(piece.beats.times, piece.beats.downbeats, tempo)
    values = extract_features(song, feature_set(FEATURES), known).values[:rows]
    if len(values) < rows:
        values = np.concatenate([values, np.repeat(values[-1:], rows - len(values), axis=0)])
    return Scored(song, values, *(times[times < seconds] for times in (known.times, known.downbeats)))
