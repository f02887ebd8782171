"""What is done for many frames at once gives what is done frame by frame and step by step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelextrema

from duende.motion import Motion, calming
from duende.motion.accents import Accents, local_minima
from duende.motion.calming import calmed
from duende.motion.feet import BLEND, FREE, HELD, _carried
from duende.motion.stances import CHANGE, STATES, _cheapest
from duende.motion.timing import (
    DRIFT,
    FASTEST,
    LONGEST_GAP,
    OFFBEAT_COST,
    SKIP_COST,
    SLOWEST,
    SPEED_COST,
    _assigned,
)


def test_trembling_is_calmed_the_same_in_stretches(wavy_motion: Motion, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rotations = np.tile(wavy_motion.rotations, (4, 1, 1)) + rng.normal(scale=0.02, size=(960, 24, 4))
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    motion = Motion(rotations, np.tile(wavy_motion.root, (4, 1)), 60.0)
    whole = calmed(motion)
    assert np.abs(whole.rotations - motion.rotations).max() > 0.01
    monkeypatch.setattr(calming, "STRETCH", 100)
    np.testing.assert_array_equal(calmed(motion).rotations, whole.rotations)


@pytest.mark.parametrize("frames", [1, 2, 3, 10, 97, 400])
def test_the_cheapest_stands_cost_as_little_as_can_be(frames: int) -> None:
    costs = np.random.default_rng(frames).gamma(0.5, size=(frames, 4)) * 3
    change = CHANGE * (STATES[:, None] != STATES[None]).sum(axis=2)
    best, origins = costs[0], []
    for cost in costs[1:]:
        reached = best[:, None] + change
        origins.append(reached.argmin(axis=0))
        best = reached.min(axis=0) + cost
    path = [int(best.argmin())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    np.testing.assert_array_equal(_cheapest(costs), path[::-1])


def test_shifts_between_stands_are_those_of_the_whole_equation() -> None:
    rng = np.random.default_rng(0)
    wanted, standing = rng.normal(size=(50, 3)), rng.random(50) < 0.4
    second = np.diff(np.eye(50), n=2, axis=0)
    weight = np.where(standing, HELD, FREE)
    matrix = np.diag(weight) + (BLEND * 60 / 3) ** 4 * second.T @ second
    expected = np.linalg.solve(matrix, weight[:, None] * wanted)
    np.testing.assert_allclose(_carried(wanted, standing, 60.0), expected, atol=1e-9)
    assert _carried(wanted[:3], standing[:3], 60.0).shape == (3, 3)


def test_minima_are_those_that_scipy_finds() -> None:
    values = np.round(gaussian_filter1d(np.random.default_rng(0).random(500), 1.0), 2)
    np.testing.assert_array_equal(local_minima(values), argrelextrema(values, np.less)[0])
    assert len(local_minima(values[:2])) == len(local_minima(values[:0])) == 0


@pytest.mark.parametrize("seed", range(6))
def test_accents_are_paired_with_places_as_cheaply_as_step_by_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 40, 60 if seed else 3))
    times[times > 12] += 5.0 * (seed % 2)
    found = Accents(times, rng.uniform(0.3, 1.5, len(times)))
    grid = np.arange(0.2, 45, 0.26)
    offbeat = np.arange(len(grid)) % 2 == 1
    pairs = _assigned(found, grid, offbeat)
    least = _least_cost(found, grid, offbeat)
    assert _cost(pairs, found, grid, offbeat) == pytest.approx(least, rel=1e-9)


def _cost(pairs: list[tuple[float, float]], found: Accents, grid: np.ndarray, offbeat: np.ndarray) -> float:
    cost, before = 0.0, (0.0, 0.0)
    for pair in pairs:
        gap, span = pair[0] - before[0], pair[1] - before[1]
        assert SLOWEST < gap / span < FASTEST
        cost += SPEED_COST * np.log(gap / span) ** 2 * gap + OFFBEAT_COST * offbeat[np.argmin(np.abs(grid - pair[1]))]
        before = pair
    used = {pair[0] for pair in pairs}
    return float(cost + SKIP_COST * sum(w for t, w in zip(found.times, found.weights, strict=True) if t not in used))


def _least_cost(found: Accents, grid: np.ndarray, offbeat: np.ndarray) -> float:
    """Step by step over every accent, every place and every accent before it."""
    times = [0.0, *found.times]
    best: list[dict[float, float]] = [{0.0: 0.0}]
    ends = [float(found.weights.sum())]
    for j in range(1, len(times)):
        ways: dict[float, float] = {}
        for place, off in zip(grid, offbeat, strict=True):
            if abs(place - times[j]) > DRIFT:
                continue
            for i in range(j - 1, -1, -1):
                gap = times[j] - times[i]
                if gap > LONGEST_GAP and i < j - 1:
                    break
                for before, cost in best[i].items():
                    if place > before and SLOWEST < gap / (place - before) < FASTEST:
                        step = SPEED_COST * np.log(gap / (place - before)) ** 2 * gap + OFFBEAT_COST * off
                        step += SKIP_COST * found.weights[i : j - 1].sum()
                        ways[place] = min(ways.get(place, np.inf), cost + step)
        best.append(ways)
        if ways:
            ends.append(min(ways.values()) + SKIP_COST * float(found.weights[j:].sum()))
    return min(ends)
