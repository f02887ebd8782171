"""The field's protocol for one dance: its features as Bailando's scripts take them, and what it is worth by itself.

Features are of a dance's first 1,200 frames, those of real dances of all frames; everything else is of the whole dance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from duende.evaluation.agreement import agreement
from duende.evaluation.contact import physical_foot_contact, physical_foot_contact_si
from duende.evaluation.genre import GenreClassifier, windows_of
from duende.evaluation.matching import Match
from duende.evaluation.movement import frozen_share, mean_jerk, mean_speed, speed_deviation, speed_spectrum
from duende.evaluation.yardstick import FPS, features_of
from duende.motion.contacts import foot_height, penetration_depth, skate_ratio, standing_floor

CROP = 1200
"""Frames of a dance that features are of: 20 seconds."""


@dataclass(frozen=True, eq=False)
class Dance:
    """A dance to be scored.

    Attributes:
        name: of its file or clip.
        positions: ``(T, 24, 3)`` metres, Y up, 60 frames a second.
        source_fps: frames a second that it came with.
        match: what its name tells of music, song and genre.
    """

    name: str
    positions: np.ndarray
    source_fps: float
    match: Match


@dataclass(frozen=True, eq=False)
class ScoredDance:
    """A dance with its own values, by the keys of ``evaluation.scoretable``; those that are not known are absent."""

    dance: Dance
    features: dict[str, np.ndarray]
    found_genre: str | None
    values: dict[str, float]


def score_dance(dance: Dance, classifier: GenreClassifier | None = None) -> ScoredDance:
    """Measure one dance by itself and against its music, as far as that is known.

    Raises:
        DuendeError: mir_eval is needed and not installed.
    """
    positions = dance.positions - [0.0, standing_floor(dance.positions), 0.0]
    values = {key: float(measure(positions)) for key, measure in MEASURES.items()}
    values |= {f"deviation_{name}": value for name, value in speed_deviation(positions, FPS).items()}
    music = dance.match.music
    heard = agreement(positions[: max(0, round(music.duration * FPS))], FPS, music.beats) if music else None
    if heard:
        values |= asdict(heard)
    found = classifier(windows_of(positions, FPS)) if classifier else None
    return ScoredDance(dance, features_of(positions[:CROP]), found, values)


def _edge_contact(positions: np.ndarray) -> float:
    """Score every second frame: EDGE's script is for 30 frames a second."""
    return physical_foot_contact(positions[::2])


def _trembling(positions: np.ndarray) -> float:
    return float(speed_spectrum(positions, FPS)[-1])


MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "foot_contact": _edge_contact,
    "foot_contact_si": partial(physical_foot_contact_si, fps=FPS),
    "skate": partial(skate_ratio, fps=FPS),
    "foot_height": foot_height,
    "penetration": penetration_depth,
    "speed": partial(mean_speed, fps=FPS),
    "frozen": partial(frozen_share, fps=FPS),
    "jerk": partial(mean_jerk, fps=FPS),
    "trembling": _trembling,
}
"""Measures of one dance's joints at 60 frames a second, floor at 0."""
