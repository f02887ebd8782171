"""Real songs for the commands that score a model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from duende.audio.beats import track_beats
from duende.audio.features import extract_features
from duende.audio.music import FeatureSet
from duende.audio.song import Song
from duende.evaluation.report import HeldOut


def middles_of_songs(paths: Sequence[str], seconds: float, features: FeatureSet) -> list[HeldOut]:
    """Read ``seconds`` from the middle of each song, and track the beats there; where there are none, leave it out.

    Raises:
        DuendeError: a file is missing or no song.
    """
    pieces = []
    for path in paths:
        song = Song.read(path)
        song = song.cropped(max(0.0, song.duration / 2 - seconds / 2), seconds)
        beats = track_beats(song)
        if not len(beats.times):
            print(f"no beat was found in the middle of {path}: left out", file=sys.stderr)
            continue
        pieces.append(HeldOut(Path(path).stem, extract_features(song, features, beats)))
    return pieces
