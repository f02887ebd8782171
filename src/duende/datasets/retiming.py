"""A steady beat for a dance that kept none: a smooth, gentle change of speed that lands its accents on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from duende.motion import Motion
from duende.motion.accents import Accents, accents, phase_locking

SLOWEST, FASTEST = 0.75, 1.33
"""Bounds of the local speed: source seconds for each second of the retimed dance."""
MARGIN = 0.02
SMOOTHING = 0.08
"""Seconds: the speed changes over about this long, never at once."""
LONGEST_GAP = 4.0
"""Seconds between two anchors at most, else the take is left as it is there."""
SKIP_COST, SPEED_COST, OFFBEAT_COST = 1.0, 14.0, 0.4


@dataclass(frozen=True, eq=False)
class Retimed:
    """A dance on a steady beat.

    Attributes:
        motion: beginning on a beat.
        beats: seconds of the beats, the first at 0.
        tempo: beats a minute.
        speed: ``(T,)`` source seconds for each second, frame by frame (1 where nothing was changed).
        kept: share of the accents, by weight, that lie on the grid.
        locking_before: resultant length in the half-beat of the accents as they were, at the best tempo and phase.
        locking_after: the same after retiming.
    """

    motion: Motion
    beats: np.ndarray
    tempo: float
    speed: np.ndarray
    kept: float
    locking_before: float
    locking_after: float


@dataclass(frozen=True, eq=False)
class Anchors:
    """Accents that the grid holds: their times, and their places counted in half-beats."""

    times: np.ndarray
    places: np.ndarray
    cost: float
    kept: float


def retime(motion: Motion, tempos: tuple[float, float] = (84.0, 130.0), found: Accents | None = None) -> Retimed | None:
    """Choose a tempo near the dance's own rate of accents and warp it onto that beat.

    Args:
        motion: a dance without a steady beat.
        tempos: lowest and highest tempo to try.
        found: its accents, by default from :func:`accents`.

    Returns:
        The retimed dance, or None where fewer than four accents can be held within the bounds of speed.
    """
    found = found or accents(motion)
    if len(found.times) < 4:
        return None
    candidates = [(tempo, anchored(found, 30.0 / tempo)) for tempo in np.arange(tempos[0], tempos[1] + 1, 2.0)]
    # A mild pull to the middle decides between tempi that serve equally well.
    costs = [a.cost / motion.duration + np.log2(tempo / 106.0) ** 2 for tempo, a in candidates]
    tempo, anchors = candidates[int(np.argmin(costs))]
    if len(anchors.times) < 4:
        return None
    return _warped(motion, found, anchors, float(tempo))


def anchored(found: Accents, half_beat: float) -> Anchors:
    """Assign accents to half-beats by dynamic programming.

    The state is an accent and whether it lies on a beat or between two; a step to a later accent, some half-beats
    on, costs the square of the log of the speed that it needs (times its duration) and the weights of accents that
    it passes over.
    """
    times, weights = found.times, found.weights
    count = len(times)
    passed = np.concatenate([[0.0], np.cumsum(weights)])
    low, high = (SLOWEST + MARGIN) * half_beat, (FASTEST - MARGIN) * half_beat
    best = np.array([[passed[i] * SKIP_COST + parity * OFFBEAT_COST for parity in (0, 1)] for i in range(count)])
    back: dict[tuple[int, int], tuple[int, int, int]] = {}
    for j in range(1, count):
        for i in range(j - 1, -1, -1):
            gap = times[j] - times[i]
            if gap > LONGEST_GAP:
                break
            skipped = (passed[j] - passed[i + 1]) * SKIP_COST
            for steps in range(int(np.ceil(gap / high)), int(gap / low) + 1):
                if steps < 1:
                    continue
                change = SPEED_COST * np.log(gap / (steps * half_beat)) ** 2 * gap
                for parity in (0, 1):
                    origin = (parity - steps) % 2
                    cost = best[i, origin] + skipped + change + parity * OFFBEAT_COST
                    if cost < best[j, parity]:
                        best[j, parity] = cost
                        back[j, parity] = (i, origin, steps)
    final = best + (passed[-1] - passed[1:])[:, None] * SKIP_COST
    end = np.unravel_index(int(final.argmin()), final.shape)
    return _traced((int(end[0]), int(end[1])), back, found, float(final.min()))


def _traced(
    state: tuple[int, int], back: dict[tuple[int, int], tuple[int, int, int]], found: Accents, cost: float
) -> Anchors:
    chosen, steps = [state[0]], []
    while state in back:
        i, parity, number = back[state]
        chosen.append(i)
        steps.append(number)
        state = (i, parity)
    order = chosen[::-1]
    places = state[1] + np.concatenate([[0], np.cumsum(steps[::-1])]).astype(int)
    kept = float(found.weights[order].sum() / found.weights.sum())
    return Anchors(found.times[order], places, cost, kept)


def _warped(motion: Motion, found: Accents, anchors: Anchors, tempo: float) -> Retimed:
    half = 30.0 / tempo
    grid = anchors.places * half
    grid = grid + anchors.times[0] - grid[0]
    # Before the first anchor and after the last the dance goes at its own speed.
    known = np.concatenate([[0.0], anchors.times, [motion.duration]])
    wanted = np.concatenate([[0.0], grid, [grid[-1] + motion.duration - anchors.times[-1]]])
    wanted, keep = np.unique(wanted, return_index=True)
    frames = int(wanted[-1] * motion.fps)
    source = np.interp(np.arange(frames) / motion.fps, wanted, known[keep])
    # Smoothing a monotone map keeps its slope within the bounds that the pieces have.
    pad = round(4 * SMOOTHING * motion.fps)
    ends = np.arange(1, pad + 1) / motion.fps
    padded = np.concatenate([source[0] - ends[::-1], source, source[-1] + ends])
    source = gaussian_filter1d(padded, SMOOTHING * motion.fps)[pad:-pad]
    warped = motion.warped(source)
    speed = np.gradient(source) * motion.fps
    beat = 60.0 / tempo
    first = (grid[0] - anchors.places[0] * half) % beat
    start = round(first * motion.fps)
    result = warped.cropped(start, frames)
    beats = np.arange(0.0, result.duration, beat)
    after = np.interp(found.times, source, np.arange(frames) / motion.fps) - start / motion.fps
    halves = np.arange(0.0, result.duration + half, half)
    return Retimed(
        motion=result,
        beats=beats,
        tempo=tempo,
        speed=speed[start:],
        kept=anchors.kept,
        locking_before=best_locking(found.times, np.arange(84.0, 137.0, 1.0)),
        locking_after=phase_locking(after, halves).resultant,
    )


def best_locking(times: np.ndarray, tempos: np.ndarray) -> float:
    """Largest resultant length in the half-beat over steady tempi, whatever the phase."""
    if len(times) == 0:
        return 0.0
    return max(float(abs(np.exp(2j * np.pi * times * tempo / 30.0).mean())) for tempo in tempos)


def on_known_tempo(motion: Motion, tempo: float) -> Retimed:
    """Find the phase of a beat whose tempo is known, and begin the dance on a beat; nothing is warped.

    The phase is that of the accents in the half-beat; of the two beats that leaves, the one with more weight on it.
    """
    found = accents(motion)
    half = 30.0 / tempo
    if len(found.times) == 0:
        phase = 0.0
    else:
        arrow = (found.weights * np.exp(2j * np.pi * found.times / half)).sum()
        phase = float(np.angle(arrow) / (2 * np.pi) * half) % half
        on_beat = np.round((found.times - phase) / half).astype(int) % 2 == 0
        if found.weights[on_beat].sum() < found.weights[~on_beat].sum():
            phase += half
    start = round(phase * motion.fps)
    result = motion.cropped(start, len(motion))
    halves = np.arange(0.0, result.duration + half, half)
    locking = phase_locking(found.times - start / motion.fps, halves).resultant
    return Retimed(
        motion=result,
        beats=np.arange(0.0, result.duration, 60.0 / tempo),
        tempo=tempo,
        speed=np.ones(len(result)),
        kept=1.0,
        locking_before=locking,
        locking_after=locking,
    )
