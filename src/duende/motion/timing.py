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
    accent_times = np.concatenate([[0.0], found.times])
    passed = np.concatenate([[0.0, 0.0], np.cumsum(found.weights)])
    places = [np.array([0.0])]
    extra = [np.array([0.0])]
    for time in found.times:
        near = np.flatnonzero(np.abs(grid - time) <= DRIFT)
        places.append(grid[near])
        extra.append(np.where(offbeat[near], OFFBEAT_COST, 0.0))
    best = [np.zeros(1)] + [np.full(len(p), np.inf) for p in places[1:]]
    back: list[np.ndarray] = [np.full((len(p), 2), -1) for p in places]
    for j in range(1, len(places)):
        for i in range(j - 1, -1, -1):
            gap = accent_times[j] - accent_times[i]
            if gap > LONGEST_GAP and i < j - 1:
                break
            if not len(places[i]) or not len(places[j]) or gap <= 0:
                continue
            spans = places[j][None, :] - places[i][:, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                speed = gap / spans
            allowed = (spans > 0) & (speed > SLOWEST) & (speed < FASTEST)
            cost = np.full(spans.shape, np.inf)
            cost[allowed] = SPEED_COST * np.log(speed[allowed]) ** 2 * gap
            cost += best[i][:, None] + (passed[j] - passed[i + 1]) * SKIP_COST + extra[j][None, :]
            origin = cost.argmin(axis=0)
            value = cost[origin, np.arange(len(origin))]
            better = value < best[j]
            best[j][better] = value[better]
            back[j][better] = np.stack([np.full(int(better.sum()), i), origin[better]], axis=1)
    final = [b + (passed[-1] - passed[j + 1]) * SKIP_COST if len(b) else np.array([np.inf]) for j, b in enumerate(best)]
    j = int(np.argmin([float(f.min()) for f in final]))
    k = int(final[j].argmin())
    pairs: list[tuple[float, float]] = []
    while j > 0:
        pairs.append((float(accent_times[j]), float(places[j][k])))
        j, k = (int(v) for v in back[j][k])
    return pairs[::-1]
