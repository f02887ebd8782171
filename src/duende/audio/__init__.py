"""Songs, what they sound like in numbers, and where their beats are."""

from duende.audio.beats import track_beats
from duende.audio.features import extract_features, feature_set
from duende.audio.music import Beats, FeatureSet, MusicFeatures
from duende.audio.song import Song

__all__ = ["Beats", "FeatureSet", "MusicFeatures", "Song", "extract_features", "feature_set", "track_beats"]
