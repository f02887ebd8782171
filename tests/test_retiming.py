"""Dances without a beat brought onto one, gently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duende.datasets.retiming import (
    FASTEST,
    SLOWEST,
    anchored,
    beat_phase,
    choose_tempo,
    on_known_tempo,
    retime,
    shuffled,
    time_map,
)
from duende.formats.load import load_mocap
from duende.motion import SMPL24, Motion
from duende.motion.accents import Accents, accents, phase_locking, speed_minima

FPS = 60.0


def events(times: np.ndarray) -> Accents:
    return Accents(np.asarray(times), np.ones(len(times)))


def dancer(stops: np.ndarray, seconds: float) -> Motion:
    """A body that walks and all but stops at the given times."""
    at = np.arange(round(seconds * FPS)) / FPS
    near = np.exp(-(((at[:, None] - stops[None]) / 0.08) ** 2)).sum(axis=1)
    line = np.cumsum(1 - 0.9 * np.minimum(near, 1)) / FPS
    rotations = np.tile(np.array([0.0, 0.0, 0.0, 1.0]), (len(at), 24, 1))
    return Motion(rotations, np.stack([line, np.full(len(at), 0.95), 0 * line], axis=1), FPS, SMPL24)


def uneven(seed: int, count: int = 40, beat: float = 0.55, spread: float = 0.12) -> np.ndarray:
    return 0.4 + np.cumsum(np.random.default_rng(seed).normal(beat, spread * beat, count))


def test_a_steady_dance_is_left_as_it_is() -> None:
    stops = 0.3 + np.arange(30) * 0.6
    result = retime(dancer(stops, 18.6))
    assert result is not None
    assert result.tempo == pytest.approx(100.0)
    assert np.abs(result.speed - 1).max() < 0.03
    assert result.after_beat > 0.97


def test_an_unsteady_dance_becomes_steady() -> None:
    result = retime(dancer(uneven(1), 24.0))
    assert result is not None
    assert result.before < 0.5
    assert result.after > 0.75
    assert result.p_value < 1e-6
    assert result.beats[0] == 0 and result.beats[-1] < result.motion.duration
    np.testing.assert_allclose(np.diff(result.beats), 60 / result.tempo)
    minima = speed_minima(result.motion.positions, FPS)
    assert abs(phase_locking(minima, np.arange(0, 30, 30 / result.tempo)).lag) < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_speed_stays_within_its_bounds(seed: int) -> None:
    result = retime(dancer(uneven(seed, spread=0.35), 24.0))
    assert result is not None
    assert result.speed.min() >= SLOWEST and result.speed.max() <= FASTEST
    assert len(result.speed) == len(result.motion)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(84, 130), st.integers(4, 40))
def test_any_events_give_a_rising_map_within_bounds(seed: int, tempo: float, count: int) -> None:
    times = np.sort(np.random.default_rng(seed).uniform(0, count * 0.4, count))
    half = 30 / tempo
    found = anchored(events(times), half)
    assert np.all(np.diff(found.places) >= 1)
    rates = np.diff(found.times) / (np.diff(found.places) * half)
    assert np.all((rates > SLOWEST) & (rates < FASTEST))
    source = time_map(found, half, count * 0.4 + 1, FPS)
    slope = np.diff(source) * FPS
    assert slope.min() >= SLOWEST and slope.max() <= FASTEST


def test_anchors_prefer_beats_to_half_beats() -> None:
    found = anchored(events(np.arange(20) * 0.6 + 0.3), 0.3)
    assert np.all(found.places % 2 == 0)
    assert found.kept == 1.0


def test_tempo_is_near_the_rate_of_accents() -> None:
    for beat in (0.5, 0.6, 0.7):
        tempo = choose_tempo(events(np.arange(40) * beat), 40 * beat)
        assert tempo == pytest.approx(60 / beat, abs=3)


def test_too_few_accents_are_refused() -> None:
    assert retime(dancer(np.array([1.0, 2.0, 2.9]), 4.0)) is None


def test_retiming_is_the_same_each_time() -> None:
    motion = dancer(uneven(5), 24.0)
    first, second = retime(motion), retime(motion)
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.motion.root, second.motion.root)


def test_shuffled_events_keep_their_intervals() -> None:
    found = events(uneven(2))
    mixed = shuffled(found, np.random.default_rng(0))
    np.testing.assert_allclose(np.sort(np.diff(mixed.times)), np.sort(np.diff(found.times)))
    assert not np.allclose(mixed.times, found.times)


def test_a_known_tempo_is_only_shifted() -> None:
    stops = 0.45 + np.arange(20) * 0.6
    motion = dancer(stops, 13.0)
    result = on_known_tempo(motion, 100.0)
    assert np.all(result.speed == 1)
    minima = speed_minima(result.motion.positions, FPS)
    measured = phase_locking(minima, result.beats)
    assert measured.resultant > 0.97
    assert abs(measured.lag) < 0.02


def test_the_phase_of_half_beats_is_that_of_the_heavier_beat() -> None:
    times = 0.2 + np.arange(30) * 0.3
    weights = np.where(np.arange(30) % 2 == 1, 1.2, 1.0)
    assert beat_phase(Accents(times, weights), 0.6) == pytest.approx(0.5, abs=0.01)
    assert beat_phase(events(0.2 + np.arange(20) * 0.6), 0.6) == pytest.approx(0.2, abs=0.01)


@pytest.mark.shared_data
def test_real_dances_lock_better_than_chance(shared_data: Path) -> None:
    motion = load_mocap(shared_data / "mocap" / "salsa" / "04.bvh", 60.0)
    result = retime(motion)
    chance = retime(motion, found=shuffled(accents(motion), np.random.default_rng(0)))
    assert result is not None and chance is not None
    assert result.after > 0.4 > chance.after
    assert result.speed.min() >= SLOWEST and result.speed.max() <= FASTEST
