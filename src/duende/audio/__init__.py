"""Songs, what they sound like in numbers, and where their beats are.

Names are loaded when they are asked for: training reads features from a cache, and needs none of the audio libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duende.audio.beats import track_beats
    from duende.audio.feature_sets import feature_set
    from duende.audio.features import extract_features
    from duende.audio.music import Beats, FeatureSet, MusicFeatures
    from duende.audio.song import Song
    from duende.audio.sources import Sources

__all__ = ["Beats", "FeatureSet", "MusicFeatures", "Song", "Sources", "extract_features", "feature_set", "track_beats"]

_HOMES = {
    "track_beats": "beats",
    "feature_set": "feature_sets",
    "extract_features": "features",
    "Sources": "sources",
    "Beats": "music",
    "FeatureSet": "music",
    "MusicFeatures": "music",
    "Song": "song",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
