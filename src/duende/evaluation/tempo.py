"""Whether a dance keeps a tempo that is known: its events' phases at that tempo, against the same at wrong tempi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duende.motion import Motion
from duende.motion.accents import foot_strikes, resultant, speed_minima

WRONG = np.arange(70.0, 140.5, 0.5)
"""Beats a minute that are tried as wrong tempi: the range of AIST++, a little beyond."""
APART = 4.0
"""Beats a minute by which a wrong tempo differs from the true one at least."""


@dataclass(frozen=True)
class TempoEvidence:
    """How much a dance speaks for a tempo.

    Attributes:
        minima: events and resultant length (0 to 1) of speed minima in the beat and in the half-beat.
        strikes: the same for foot strikes.
        p_value: share of tempi, the true one among them, with as much evidence or more. The evidence of a tempo is the
            largest Rayleigh statistic ``n R²`` of the four, so that looking four times is paid for.
    """

    minima: tuple[int, float, float]
    strikes: tuple[int, float, float]
    p_value: float


def tempo_evidence(motion: Motion, tempo: float) -> TempoEvidence:
    """Measure a dance against ``tempo`` (beats a minute); the phase is free, since only a tempo is known."""
    events = (speed_minima(motion.positions, motion.fps), foot_strikes(motion.positions, motion.fps, motion.skeleton))
    wrong = [evidence(events, other) for other in WRONG if abs(other - tempo) > APART]
    true = evidence(events, tempo)
    minima, strikes = ((len(e), resultant(e, tempo), resultant(e, 2 * tempo)) for e in events)
    return TempoEvidence(minima, strikes, float((1 + sum(value >= true for value in wrong)) / (1 + len(wrong))))


def evidence(events: Sequence[np.ndarray], tempo: float) -> float:
    """Largest Rayleigh statistic of several kinds of events (seconds) in beats and half-beats of ``tempo``."""
    return max(len(e) * resultant(e, rate) ** 2 for e in events for rate in (tempo, 2 * tempo))
