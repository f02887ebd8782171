"""Accents of a dance and their place in the beat."""

from __future__ import annotations

import numpy as np
import pytest

from duende.motion import Motion
from duende.motion.accents import accents, foot_strikes, phase_locking, speed_minima

FPS = 60.0


def pulsing(stops: np.ndarray, seconds: float) -> np.ndarray:
    """A body that moves along a line and all but stops at the given times."""
    at = np.arange(round(seconds * FPS)) / FPS
    near = np.exp(-(((at[:, None] - stops[None]) / 0.08) ** 2)).sum(axis=1)
    line = np.cumsum(1 - 0.9 * np.minimum(near, 1)) / FPS
    return np.repeat((line[:, None] * [1.0, 0.0, 0.0])[:, None], 24, axis=1)


def test_speed_minima_are_where_the_body_stops() -> None:
    stops = np.array([0.9, 1.7, 2.2, 3.3, 4.1])
    found = speed_minima(pulsing(stops, 5.0), FPS)
    assert len(found) == len(stops)
    assert np.abs(found - stops).max() < 0.02


def test_speed_minima_are_the_same_seconds_at_another_frame_rate() -> None:
    positions = pulsing(np.array([0.9, 1.7, 2.5, 3.3]), 4.0)
    np.testing.assert_allclose(speed_minima(positions[::2], FPS / 2), speed_minima(positions, FPS), atol=0.04)


def test_foot_strikes_are_where_a_step_ends() -> None:
    positions = np.zeros((300, 24, 3))
    step = np.clip((np.arange(300) - 60) / 30, 0, 1) + np.clip((np.arange(300) - 180) / 30, 0, 1)
    positions[:, [7, 10], 0] = 0.5 * step[:, None]
    found = foot_strikes(positions, FPS)
    assert len(found) == 2
    np.testing.assert_allclose(found, [1.5, 3.5], atol=0.06)


def test_deeper_minima_weigh_more(wavy_motion: Motion) -> None:
    found = accents(wavy_motion)
    assert len(found.times) == len(found.weights) > 3
    assert found.weights.mean() == pytest.approx(1.0)
    assert np.all(np.diff(found.times) > 0)


def test_a_body_that_never_moves_has_no_accents(wavy_motion: Motion) -> None:
    still = Motion(np.repeat(wavy_motion.rotations[:1], 120, axis=0), np.repeat(wavy_motion.root[:1], 120, axis=0), FPS)
    assert len(accents(still).times) == 0
    assert len(accents(still.cropped(0, 2)).times) == 0


def test_rounding_at_constant_speed_makes_no_accents() -> None:
    at = np.arange(300) / FPS
    rotations = np.tile(np.array([0.0, 0.0, 0.0, 1.0]), (300, 24, 1))
    gliding = Motion(rotations, np.stack([0.7 * at, 0.95 + 0 * at, 0.3 * at], axis=1), FPS)
    assert len(accents(gliding).times) == 0


def test_events_on_the_beat_lock_and_tell_their_lag() -> None:
    beats = np.arange(0, 30, 0.5)
    locked = phase_locking(beats[:-1] + 0.1, beats)
    assert locked.resultant == pytest.approx(1.0)
    assert locked.lag == pytest.approx(0.1, abs=1e-6)
    assert locked.p_value < 1e-6
    early = phase_locking(beats[1:] - 0.05, beats)
    assert early.lag == pytest.approx(-0.05, abs=1e-6)


def test_random_events_do_not_lock() -> None:
    rng = np.random.default_rng(0)
    beats = np.arange(0, 200, 0.5)
    measured = [phase_locking(np.sort(rng.uniform(0, 199, 100)), beats) for _ in range(200)]
    # Rayleigh: the p-value of random events is uniform.
    assert np.mean([m.p_value < 0.05 for m in measured]) < 0.1
    assert np.mean([m.resultant for m in measured]) == pytest.approx(np.sqrt(np.pi / 400), abs=0.02)


def test_phases_follow_a_beat_that_is_not_even() -> None:
    beats = np.cumsum(np.linspace(0.4, 0.8, 40))
    assert phase_locking(beats[:-1], beats).resultant == pytest.approx(1.0)


def test_no_events_are_no_relation() -> None:
    assert phase_locking(np.zeros(0), np.arange(5.0)).p_value == 1.0
