"""The named layouts of music features, as data: whoever reads features from a cache needs no audio library.

A set is one of the parts below, or several joined by ``+``: ``bailando+mert`` is the paper's music condition.
"""

from __future__ import annotations

import math
from collections import Counter

from duende.audio.music import FeatureSet
from duende.errors import DuendeError

ROWS_A_SECOND = 7.5
FRAMES_IN_ROW = 8
PUBLISHED = FeatureSet(
    "bailando",
    2,
    ROWS_A_SECOND,
    (("mfcc", 20), ("mfcc_delta", 20), ("chroma", 12), ("onset", 1), ("beat", 1), ("tempogram", 384)),
)
FULL_BAND = FeatureSet(
    "full_band",
    2,
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
RHYTHM = FeatureSet(
    "rhythm",
    1,
    ROWS_A_SECOND,
    (("beat_phase", 2), ("bar_phase", 2), ("next_beat", 1), ("next_downbeat", 1), ("pace", 1)),
)
MERT = FeatureSet("mert", 1, ROWS_A_SECOND, (("mert", 10 * 1024),), (("mert", 10),))
MERT_95M = FeatureSet("mert_95m", 1, ROWS_A_SECOND, (("mert_95m", 10 * 768),), (("mert_95m", 10),))
JUKEBOX = FeatureSet("jukebox", 1, ROWS_A_SECOND, (("jukebox", 4 * 4800),), (("jukebox", 4),))
PARTS = {part.name: part for part in (PUBLISHED, FULL_BAND, RHYTHM, MERT, MERT_95M, JUKEBOX)}


def row_count(seconds: float) -> int:
    """Rows of the features of a song: whole ones, at least one."""
    return max(1, math.ceil(seconds * ROWS_A_SECOND - 1e-6))


def present(identity: str) -> FeatureSet:
    """Return the set that an identity (``name@version``) names, in the version that is computed now."""
    return feature_set("+".join(part.split("@")[0] for part in identity.split("+")))


def feature_set(name: str) -> FeatureSet:
    """Return a feature set by name, such as ``full_band`` or ``bailando+mert``.

    Raises:
        DuendeError: a part is of no known name, or two parts have columns of the same name.
    """
    names = name.split("+")
    for part in names:
        if part not in PARTS:
            raise DuendeError(f"no music features are called {part!r}; there are {', '.join(PARTS)}, joined by +")
    return joined([PARTS[part] for part in names])


def joined(parts: list[FeatureSet]) -> FeatureSet:
    """Join parts side by side; a single one is returned as it is.

    Raises:
        DuendeError: two of them have columns of the same name.
    """
    if len(parts) == 1:
        return parts[0]
    families = Counter(family for part in parts for family, _ in part.columns)
    twice = [family for family, count in families.items() if count > 1]
    name = "+".join(part.name for part in parts)
    if twice:
        raise DuendeError(f"{name}: the columns {twice[0]!r} would be there twice; join parts that differ")
    return FeatureSet(
        name,
        1,
        ROWS_A_SECOND,
        tuple(column for part in parts for column in part.columns),
        tuple(entry for part in parts for entry in part.frames),
        tuple(parts),
    )
