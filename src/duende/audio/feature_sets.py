"""The named layouts of music features, as data: whoever reads features from a cache needs no audio library."""

from __future__ import annotations

from duende.audio.music import FeatureSet
from duende.errors import DuendeError

ROWS_A_SECOND = 7.5
FRAMES_IN_ROW = 8
PUBLISHED = FeatureSet(
    "bailando",
    1,
    ROWS_A_SECOND,
    (("mfcc", 20), ("mfcc_delta", 20), ("chroma", 12), ("onset", 1), ("beat", 1), ("tempogram", 384)),
)
FULL_BAND = FeatureSet(
    "full_band",
    1,
    ROWS_A_SECOND,
    (
        ("mfcc", 20),
        ("mfcc_delta", 20),
        ("chroma", 12),
        ("onset", 8),
        ("beat", 8),
        ("downbeat", 8),
        ("phase", 4),
        ("tempogram", 384),
    ),
)
SETS = {features.name: features for features in (PUBLISHED, FULL_BAND)}


def present(identity: str) -> FeatureSet:
    """Return the set that an identity (``name@version``) names, in the version that is computed now."""
    return feature_set(identity.split("@")[0])


def feature_set(name: str) -> FeatureSet:
    """Return a feature set by name.

    Raises:
        DuendeError: there is none of that name.
    """
    if name not in SETS:
        raise DuendeError(f"no music features are called {name!r}; there are {', '.join(SETS)}")
    return SETS[name]
