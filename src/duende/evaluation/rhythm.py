"""Measures of movement against the beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duende.errors import DuendeError
from duende.motion.accents import nearness, phase_locking, speed_minima

BEAT_WIDTH = 3 / 60
"""Seconds: three frames at 60 a second, the tolerance of the classic score."""
MATCH = 0.07
"""Seconds within which a dance beat is a music beat: mir_eval's tolerance for beat trackers."""


def beat_align_score(dance: np.ndarray, music: np.ndarray) -> float:
    """Mean over music beats of exp(-d² / 2σ²), d the distance to the nearest dance beat, σ = 50 ms (Bailando).

    Chance lies near 0.25 at two dance beats a second, whatever the music: read it beside a wrong song's value.
    """
    return nearness(music, dance, BEAT_WIDTH)


@dataclass(frozen=True)
class CorrectedScore:
    """A beat align score beside what chance gives.

    Attributes:
        score: the classic score.
        chance: its mean over circular shifts of the music.
        excess: ``score - chance``: 0 for a dance without relation to the music.
        p_value: share of shifts, the music as it is among them, that score as much or more.
    """

    score: float
    chance: float
    excess: float
    p_value: float


def corrected_beat_align(
    dance: np.ndarray, music: np.ndarray, duration: float, shifts: int = 200, least: float = 0.5
) -> CorrectedScore:
    """Score dance beats against music beats (seconds), and against the same music turned round in time.

    A shift moves all beats by one amount and takes those that leave the end in again at the beginning, so that their
    number and spacing stay. Shifts by whole beats agree with the music again and are part of chance: with steady beats
    the score is compared with all phases.

    Args:
        dance: seconds.
        music: seconds, within ``duration``.
        duration: seconds of the dance.
        shifts: how many, evenly from ``least`` to ``duration - least``.
        least: seconds of the smallest shift either way.
    """
    inside = music[(music >= 0) & (music < duration)]
    score = beat_align_score(dance, inside)
    if duration <= 2 * least or len(inside) == 0 or len(dance) == 0:
        return CorrectedScore(score, score, 0.0, 1.0)
    moved = [
        beat_align_score(dance, np.sort((inside + shift) % duration))
        for shift in np.linspace(least, duration - least, shifts)
    ]
    chance = float(np.mean(moved))
    return CorrectedScore(score, chance, score - chance, float((1 + sum(m >= score for m in moved)) / (1 + shifts)))


@dataclass(frozen=True)
class BeatMatch:
    """How many beats of dance and music are one another's, each used once.

    Attributes:
        precision: share of the dance beats that fall on a music beat.
        recall: share of the music beats that are danced.
        f_measure: harmonic mean of both.
    """

    precision: float
    recall: float
    f_measure: float


def beat_match(dance: np.ndarray, music: np.ndarray, tolerance: float = MATCH) -> BeatMatch:
    """Match dance beats with music beats (seconds, rising) within ``tolerance`` seconds, by mir_eval.

    Unlike a beat tracker's score the first five seconds count, since dances are short.

    Raises:
        DuendeError: mir_eval is not installed.
    """
    try:
        from mir_eval import onset  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise DuendeError("beat precision and recall need mir_eval; pip install 'duende[evaluate]'") from None
    if len(dance) == 0 or len(music) == 0:
        return BeatMatch(0.0, 0.0, 0.0)
    f_measure, precision, recall = onset.f_measure(np.asarray(music), np.asarray(dance), window=tolerance)
    return BeatMatch(float(precision), float(recall), float(f_measure))


@dataclass(frozen=True)
class Rhythm:
    """How a dance keeps time.

    Attributes:
        beat_align: the classic score.
        locking: resultant length, 0 to 1, of the dance beats' phases in the beat.
        half_locking: the same in the half-beat.
        rate: dance beats a second.
    """

    beat_align: float
    locking: float
    half_locking: float
    rate: float


def rhythm(positions: np.ndarray, fps: float, beats: np.ndarray) -> Rhythm:
    """Measure a dance against beat times in seconds, as far as the dance goes."""
    duration = len(positions) / fps
    heard = beats[(beats >= 0) & (beats < duration)]
    events = speed_minima(positions, fps)
    halves = np.sort(np.concatenate([beats, (beats[1:] + beats[:-1]) / 2])) if len(beats) > 1 else beats
    enough = len(events) > 1 and len(beats) > 1
    return Rhythm(
        beat_align=beat_align_score(events, heard),
        locking=phase_locking(events, beats).resultant if enough else 0.0,
        half_locking=phase_locking(events, halves).resultant if enough else 0.0,
        rate=len(events) / duration,
    )
