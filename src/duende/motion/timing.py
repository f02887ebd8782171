"""Accents onto beats: a gentle change of speed that lands a dance on the beats of a given song.

The training dances got their steady beat in the same way (:mod:`duende.datasets.retiming`); here the grid is fixed, and
may breathe.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from duende.motion.accents import Accents, accents
from duende.motion.motion import Motion

SLOWEST, FASTEST = 0.77, 1.30
"""Bounds of the local speed: dance seconds for each second of the song."""
SMOOTHING = 0.15
"""Seconds over which the speed changes."""
DRIFT = 1.0
"""Seconds that a dance may run ahead of or behind the song it was made for."""
LONGEST_GAP = 4.0
PASSES = 3
"""A change of speed moves the minima of speed: they are found again under it, and laid anew."""
SKIP_COST, SPEED_COST, OFFBEAT_COST = 1.0, 14.0, 0.7


def land_on_beats(motion: Motion, beats: np.ndarray) -> Motion:
    """Warp the time of a dance so that its accents fall on beats and half-beats.

    Args:
        motion: of the length of the song.
        beats: seconds, rising; with fewer than four the dance is left as it is.

    Returns:
        A motion of the same length; its local speed stays within :data:`SLOWEST` and :data:`FASTEST`.
    """
    if len(beats) < 4 or motion.duration < 2.0:
        return motion
    grid, offbeat = half_beats(np.asarray(beats, dtype=np.float64), motion.duration)
    found = accents(motion)
    times = np.arange(len(motion)) / motion.fps
    source = times
    for _ in range(PASSES):
        if len(found.times) < 2:
            break
        source = _time_map(found, grid, offbeat, times)
        moved = accents(motion.warped(source))
        found = Accents(np.interp(moved.times, times, source), moved.weights)
    return motion.warped(source)


def half_beats(beats: np.ndarray, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Beats and the middles between them, the grid going on to both ends; and which of them lie off the beat."""
    first, last = beats[1] - beats[0], beats[-1] - beats[-2]
    before = beats[0] - first * np.arange(1, int(beats[0] / first) + 1)[::-1]
    after = beats[-1] + last * np.arange(1, int(max(0.0, duration - beats[-1]) / last) + 1)
    every = np.concatenate([before, beats, after])
    grid = np.empty(2 * len(every) - 1)
    grid[::2], grid[1::2] = every, (every[1:] + every[:-1]) / 2
    offbeat = np.zeros(len(grid), dtype=bool)
    offbeat[1::2] = True
    inside = (grid >= 0) & (grid < duration)
    return grid[inside], offbeat[inside]


def _time_map(found: Accents, grid: np.ndarray, offbeat: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Dance time at each of ``times`` of the song: smooth, rising, its slope within the bounds."""
    pairs = _assigned(found, grid, offbeat)
    known = np.array([0.0, *(time for time, _ in pairs)])
    wanted = np.array([0.0, *(place for _, place in pairs)])
    end = times[-1]
    tail = np.clip(end - wanted[-1], 0.0, None)
    source = np.interp(times, [*wanted, wanted[-1] + tail + 1e-6], [*known, known[-1] + tail + 1e-6])
    rate = 1.0 / (times[1] - times[0])
    pad = round(4 * SMOOTHING * rate)
    ends = np.arange(1, pad + 1) / rate
    padded = np.concatenate([source[0] - ends[::-1], source, source[-1] + ends])
    return np.asarray(gaussian_filter1d(padded, SMOOTHING * rate)[pad:-pad])


def _assigned(found: Accents, grid: np.ndarray, offbeat: np.ndarray) -> list[tuple[float, float]]:
    """Pairs of accent time and grid time, by dynamic programming over accents and the grid near each of them.

    A step costs the square of the log of the speed that it needs, times its duration, the weights of accents passed
    over, and a little for a place between beats. The start of dance and song is the first anchor.
    """
    times = np.concatenate([[0.0], found.times])
    passed = np.concatenate([[0.0, 0.0], np.cumsum(found.weights)]) * SKIP_COST
    near = [np.flatnonzero(np.abs(grid - time) <= DRIFT) for time in found.times]
    # A row for each accent at each of its places, the last accent first: of equal ways the shortest step is taken.
    counts = np.array([1, *map(len, near)])
    accent = np.repeat(np.arange(len(times))[::-1], counts[::-1])
    begin = np.cumsum(counts[::-1])[::-1] - counts
    place = np.concatenate([*(grid[places] for places in near[::-1]), [0.0]])
    extra = np.concatenate([*(np.where(offbeat[places], OFFBEAT_COST, 0.0) for places in near[::-1]), [0.0]])
    best, origin = np.full(len(place), np.inf), np.full(len(place), -1)
    best[-1] = 0.0
    for step in range(1, len(times)):
        gap = times[step] - times[:step]
        earliest = min(step - 1, int((gap > LONGEST_GAP).sum()))
        own = slice(begin[step], begin[step] + counts[step])
        before = slice(own.stop, begin[earliest] + counts[earliest])
        if not counts[step] or before.start == before.stop:
            continue
        cost = _speed_costs(gap[accent[before], None], place[None, own] - place[before, None])
        cost += best[before, None] + (passed[step] - passed[accent[before] + 1])[:, None] + extra[None, own]
        least = cost.argmin(axis=0)
        best[own] = cost[least, np.arange(counts[step])]
        origin[own] = before.start + least
    # The earliest of equal ends.
    row = len(best) - 1 - int((best + (passed[-1] - passed[accent + 1]))[::-1].argmin())
    pairs: list[tuple[float, float]] = []
    while accent[row]:
        pairs.append((float(times[accent[row]]), float(place[row])))
        row = int(origin[row])
    return pairs[::-1]


def _speed_costs(gaps: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """What it costs to dance ``gaps`` in ``spans`` of the song, both seconds; infinite beyond the bounds of speed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = gaps / spans
    allowed = (gaps > 0) & (spans > 0) & (speed > SLOWEST) & (speed < FASTEST)
    return np.where(allowed, SPEED_COST * np.log(np.where(allowed, speed, 1.0)) ** 2 * gaps, np.inf)
