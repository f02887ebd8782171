"""Music features of a song: the parts of a set, each computed by its own module, side by side.

Every part has ``ceil(7.5 * seconds)`` rows, one for each pose code.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from duende.audio.beats import track_beats
from duende.audio.feature_sets import FULL_BAND, JUKEBOX, MERT, MERT_95M, PUBLISHED, RHYTHM, present, row_count
from duende.audio.handcrafted import handcrafted_rows
from duende.audio.music import Beats, FeatureSet, MusicFeatures
from duende.audio.rhythm import rhythm_rows
from duende.audio.song import Song
from duende.audio.sources import Sources
from duende.errors import DuendeError

if TYPE_CHECKING:
    from duende.audio.mert import Mert

HANDCRAFTED = (PUBLISHED.name, FULL_BAND.name)
PRETRAINED = (MERT.name, MERT_95M.name)


def extract_features(
    song: Song, features: FeatureSet, beats: Beats | None = None, sources: Sources | None = None
) -> MusicFeatures:
    """Compute music features.

    Args:
        song: of any length and rate.
        features: which set.
        beats: exact beats where they are known; by default they are tracked.
        sources: where weights and foreign features are; needed for sets with MERT or Jukebox.

    Returns:
        ``ceil(7.5 * seconds)`` rows, at least one.

    Raises:
        DuendeError: the set is of another version, or what it needs beside the song is not at hand.
    """
    parts = parts_of(features)
    beats = track_beats(song) if beats is None else beats
    return side_by_side([part_rows(part, song, beats, sources or Sources()) for part in parts], features, beats)


def parts_of(features: FeatureSet) -> tuple[FeatureSet, ...]:
    """Return the parts of a set, of one that is not joined the set itself.

    Raises:
        DuendeError: the set is of another version than the one that is computed now.
    """
    if features.identity != present(features.identity).identity:
        raise DuendeError(f"this version computes {present(features.identity).identity}, not {features.identity}")
    return features.parts or (features,)


def side_by_side(rows: Sequence[np.ndarray], features: FeatureSet, beats: Beats) -> MusicFeatures:
    """Join the rows of the parts of a set."""
    return MusicFeatures(np.concatenate(rows, axis=1).astype(np.float32), features, beats)


def part_rows(part: FeatureSet, song: Song, beats: Beats, sources: Sources) -> np.ndarray:
    """Compute one part of a set, ``(rows, D)``."""
    rows = row_count(song.duration)
    if part.name in HANDCRAFTED:
        return handcrafted_rows(part, song, beats, rows)
    if part.name == RHYTHM.name:
        return rhythm_rows(beats, rows)
    if part.name in PRETRAINED:
        from duende.audio.mert import mert_rows

        return mert_rows(song, mert_for(part, sources))
    if part.name == JUKEBOX.name:
        from duende.audio.jukebox import jukebox_rows

        return jukebox_rows(sources.jukebox, song.name, song.duration)
    raise DuendeError(f"no music features are called {part.name!r}; see duende features --help")


@lru_cache(maxsize=1)
def _loaded(source: str, device: str, precision: str) -> Mert:
    from duende.audio.mert import load_mert

    return load_mert(source, device=device, precision=precision)


def mert_for(part: FeatureSet, sources: Sources) -> Mert:
    """Load the weights for the features ``mert`` or ``mert_95m``, once in a process.

    Raises:
        DuendeError: they are not at hand, damaged, or of another size than the features.
    """
    source = sources.weights_of(part.name)
    mert = _loaded(source, sources.device, sources.precision)
    frames = dict(part.frames)[part.name]
    if mert.width * frames != part.dimension:
        raise DuendeError(
            f"{source} gives {mert.width} numbers a frame, the features {part.name} have {part.dimension // frames}; "
            f"name weights of that size with --mert"
        )
    return mert


def weights_identity(features: FeatureSet, sources: Sources) -> str:
    """Tell apart the weights that a set depends on; empty for a set that depends on none.

    Raises:
        DuendeError: they are not at hand; or the set needs files that were computed from songs elsewhere.
    """
    if JUKEBOX in parts_of(features):
        raise DuendeError("music that is composed here has no features computed elsewhere; leave out jukebox")
    return "+".join(mert_for(part, sources).identity for part in parts_of(features) if part.name in PRETRAINED)
