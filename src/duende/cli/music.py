"""Real songs for the commands that score a model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from duende.audio.music import FeatureSet
from duende.audio.song import Song
from duende.cli.hearing import chosen_cache, chosen_sources
from duende.evaluation.report import HeldOut


def middles_of_songs(options: argparse.Namespace, features: FeatureSet) -> list[HeldOut]:
    """Hear ``--song-seconds`` from the middle of each of ``--songs``; one without a beat there is told and left out.

    Raises:
        DuendeError: a file is missing or no song, or what the features need beside it is not at hand.
    """
    pieces = []
    for path in options.songs:
        song = Song.read(path)
        crop = (max(0.0, song.duration / 2 - options.song_seconds / 2), options.song_seconds)
        heard = chosen_cache(options).features(
            Path(path), features, chosen_sources(options), crop=crop, song=song.cropped(*crop)
        )
        if not len(heard.beats.times):
            print(f"no beat was found in the middle of {path}: left out", file=sys.stderr)
            continue
        pieces.append(HeldOut(Path(path).stem, heard.features))
    return pieces
