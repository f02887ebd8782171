"""How one dance agrees with its music: the classic score, and beside each measure what chance gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duende.evaluation.rhythm import beat_match, corrected_beat_align
from duende.motion.accents import phase_locking, speed_minima

SHIFTS = 20
"""Circular shifts of the music over which the chance of a beat match is averaged."""
GOLDEN = (5**0.5 - 1) / 2
"""Of the dance's length from one shift to the next: even shifts could all be whole beats."""


@dataclass(frozen=True)
class Agreement:
    """A dance against the beats of its music.

    Attributes:
        beat_align: the classic score.
        beat_excess: the score minus its mean over circular shifts of the music.
        beat_p_value: share of the shifts that score as much or more.
        locking: resultant length, 0 to 1, of the dance beats' phases in the beat.
        locking_chance: what as many events without relation to the music give on average.
        rayleigh_p_value: the chance of such a length.
        lag: seconds from the beat to the dance beats' mean phase.
        precision: share of the dance beats on a music beat.
        recall: share of the music beats that are danced.
        f_measure: harmonic mean of both.
        f_measure_chance: its mean over circular shifts of the music.
        dance_beats: a second.
    """

    beat_align: float
    beat_excess: float
    beat_p_value: float
    locking: float
    locking_chance: float
    rayleigh_p_value: float
    lag: float
    precision: float
    recall: float
    f_measure: float
    f_measure_chance: float
    dance_beats: float


def agreement(positions: np.ndarray, fps: float, beats: np.ndarray) -> Agreement | None:
    """Measure a dance against music; None where fewer than two beats fall in it.

    Args:
        positions: ``(T, 24, 3)`` metres, Y up.
        fps: frames a second.
        beats: seconds from the first frame, rising.

    Raises:
        DuendeError: mir_eval is not installed.
    """
    duration = len(positions) / fps
    heard = beats[(beats >= 0) & (beats < duration)]
    if len(heard) < 2:
        return None
    events = speed_minima(positions, fps)
    aligned = corrected_beat_align(events, heard, duration)
    locked = phase_locking(events, heard)
    matched = beat_match(events, heard)
    inside = int(((events >= heard[0]) & (events < heard[-1])).sum())
    return Agreement(
        beat_align=aligned.score,
        beat_excess=aligned.excess,
        beat_p_value=aligned.p_value,
        locking=locked.resultant,
        # Mean of the length of a mean of random unit arrows (Rayleigh's distribution).
        locking_chance=min(1.0, float(np.sqrt(np.pi / (4 * inside)))) if inside else 0.0,
        rayleigh_p_value=locked.p_value,
        lag=locked.lag,
        precision=matched.precision,
        recall=matched.recall,
        f_measure=matched.f_measure,
        f_measure_chance=_chance(events, heard, duration),
        dance_beats=len(events) / duration,
    )


def _chance(events: np.ndarray, beats: np.ndarray, duration: float) -> float:
    shifts = duration * (GOLDEN * np.arange(1, SHIFTS + 1) % 1)
    return float(np.mean([beat_match(events, np.sort((beats + shift) % duration)).f_measure for shift in shifts]))
