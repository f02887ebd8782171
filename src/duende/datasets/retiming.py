"""A steady beat for a dance that kept none: a smooth, gentle change of speed that lands its accents on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from duende.motion import Motion
from duende.motion.accents import Accents, accents, phase_locking, resultant, speed_minima

SLOWEST, FASTEST = 0.75, 1.33
"""Bounds of the local speed: source seconds for each second of the retimed dance."""
MARGIN = 0.02
LEAST_ACCENTS = 4
SMOOTHING = 0.2
"""Seconds: the speed changes over about this long, never at once."""
LONGEST_GAP = 4.0
"""Seconds between two anchors at most."""
SKIP_COST, SPEED_COST, OFFBEAT_COST = 1.0, 14.0, 0.7
PASSES = 3
"""A change of speed moves the minima of speed: they are found again under it, and the grid laid anew."""
TEMPOS = (84.0, 130.0)


@dataclass(frozen=True, eq=False)
class Retimed:
    """A dance on a steady beat.

    The lengths of mean phase arrows (0 no relation, 1 one phase) are of the minima of mean joint speed, found again in
    the finished movement, not of the accents that the grid was laid on.

    Attributes:
        motion: beginning on a beat.
        beats: seconds of the beats, the first at 0.
        tempo: beats a minute.
        speed: ``(T,)`` source seconds for each second, frame by frame (1 where nothing was changed).
        kept: share of the accents, by weight, that the grid holds.
        before: arrow in the half-beat of the dance as it was, at the best steady tempo and phase.
        after: arrow in the half-beat of the retimed dance.
        after_beat: its arrow in the beat.
        p_value: chance of ``after`` for events without relation (Rayleigh).
    """

    motion: Motion
    beats: np.ndarray
    tempo: float
    speed: np.ndarray
    kept: float
    before: float
    after: float
    after_beat: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Anchors:
    """Accents that the grid holds: their times, and their places counted in half-beats."""

    times: np.ndarray
    places: np.ndarray
    cost: float
    kept: float


def retime(motion: Motion, tempos: tuple[float, float] = TEMPOS, found: Accents | None = None) -> Retimed | None:
    """Choose a tempo near the dance's own rate of accents and warp it onto that beat.

    Args:
        motion: a dance without a steady beat.
        tempos: lowest and highest tempo to try.
        found: accents to lay the grid on, taken as they are; by default the dance's own, found again after each pass.

    Returns:
        The retimed dance, or None where fewer than four accents can be held within the bounds of speed.
    """
    events = found or accents(motion)
    if len(events.times) < LEAST_ACCENTS:
        return None
    tempo = choose_tempo(events, motion.duration, tempos)
    best: Retimed | None = None
    for _ in range(1 if found else PASSES):
        anchors = anchored(events, 30.0 / tempo)
        if len(anchors.times) < LEAST_ACCENTS:
            break
        source = time_map(anchors, 30.0 / tempo, motion.duration, motion.fps)
        result = _on_grid(motion, source, anchors, tempo)
        if best is None or result.after + result.after_beat > best.after + best.after_beat:
            best = result
        moved = accents(motion.warped(source))
        if len(moved.times) < LEAST_ACCENTS:
            break
        events = Accents(np.interp(moved.times, np.arange(len(source)) / motion.fps, source), moved.weights)
    return best


def choose_tempo(found: Accents, duration: float, tempos: tuple[float, float] = TEMPOS) -> float:
    """Choose the tempo whose half-beats hold the accents at the least cost; ``duration`` in seconds.

    A mild pull to the middle decides between tempi that serve equally well.
    """
    middle = float(np.sqrt(tempos[0] * tempos[1]))
    candidates = np.arange(tempos[0], tempos[1] + 1, 2.0)
    costs = [anchored(found, 30.0 / t).cost / duration + np.log2(t / middle) ** 2 for t in candidates]
    return float(candidates[int(np.argmin(costs))])


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


def time_map(anchors: Anchors, half_beat: float, duration: float, fps: float) -> np.ndarray:
    """Source time (seconds) of each frame of the retimed dance: smooth, rising, its slope within the bounds.

    Before the first anchor and after the last the dance goes at its own speed.
    """
    grid = anchors.places * half_beat
    grid = grid - grid[0] + anchors.times[0]
    known = np.concatenate([[0.0], anchors.times, [duration]])
    wanted = np.concatenate([[0.0], grid, [grid[-1] + duration - anchors.times[-1]]])
    wanted, keep = np.unique(wanted, return_index=True)
    source = np.interp(np.arange(int(wanted[-1] * fps)) / fps, wanted, known[keep])
    # Smoothing a monotone map keeps its slope within the bounds that the pieces have.
    pad = round(4 * SMOOTHING * fps)
    ends = np.arange(1, pad + 1) / fps
    padded = np.concatenate([source[0] - ends[::-1], source, source[-1] + ends])
    return np.asarray(gaussian_filter1d(padded, SMOOTHING * fps)[pad:-pad])


def _on_grid(motion: Motion, source: np.ndarray, anchors: Anchors, tempo: float) -> Retimed:
    beat = 60.0 / tempo
    first = (anchors.times[0] - anchors.places[0] * beat / 2) % beat
    frames = np.arange(len(source))
    at = np.arange(first * motion.fps, len(source) - 1)
    result = motion.warped(np.interp(at, frames, source))
    speed = np.interp(at, frames, np.gradient(source) * motion.fps)
    return _measured(motion, result, tempo, speed, anchors.kept)


def _measured(source: Motion, result: Motion, tempo: float, speed: np.ndarray, kept: float) -> Retimed:
    beat = 60.0 / tempo
    grid = np.arange(0.0, result.duration + beat, beat / 2)
    minima = speed_minima(result.positions, result.fps)
    halves, beats = phase_locking(minima, grid), phase_locking(minima, grid[::2])
    return Retimed(
        motion=result,
        beats=np.arange(0.0, result.duration, beat),
        tempo=tempo,
        speed=speed,
        kept=kept,
        before=best_locking(speed_minima(source.positions, source.fps)),
        after=halves.resultant,
        after_beat=beats.resultant,
        p_value=halves.p_value,
    )


def best_locking(times: np.ndarray, tempos: tuple[float, float] = TEMPOS) -> float:
    """Largest arrow in the half-beat over steady tempi, whatever the phase: high by choice, also for random events."""
    return max(resultant(times, 2 * float(tempo)) for tempo in np.arange(tempos[0], tempos[1] + 1))


def shuffled(found: Accents, rng: np.random.Generator) -> Accents:
    """Events of the same rate and spread of intervals as ``found`` but without its order: what chance would do."""
    gaps = rng.permutation(np.diff(found.times))
    return Accents(found.times[0] + np.concatenate([[0.0], np.cumsum(gaps)]), rng.permutation(found.weights))


def on_known_tempo(motion: Motion, tempo: float) -> Retimed:
    """Find the phase of a beat whose tempo is known, and begin the dance on a beat; nothing is warped."""
    phase = beat_phase(accents(motion), 60.0 / tempo)
    result = motion.warped(np.arange(phase * motion.fps, len(motion) - 1) / motion.fps)
    return _measured(motion, result, tempo, np.ones(len(result)), 1.0)


def beat_phase(found: Accents, beat: float) -> float:
    """Time of the first beat, 0 to ``beat`` seconds, from where the accents fall.

    Where they fall on half-beats rather than beats the half-beat tells the phase more surely; of the two beats that
    leaves, the one with more weight on it is taken.
    """
    if len(found.times) == 0:
        return 0.0
    turns = 2j * np.pi * found.times / beat
    whole, half = ((found.weights * np.exp(turns * factor)).sum() for factor in (1, 2))
    if abs(whole) >= abs(half):
        return float(np.angle(whole) / (2 * np.pi) * beat % beat)
    phase = float(np.angle(half) / (4 * np.pi) * beat % (beat / 2))
    on_beat = np.round((found.times - phase) / (beat / 2)).astype(int) % 2 == 0
    return phase if found.weights[on_beat].sum() >= found.weights[~on_beat].sum() else phase + beat / 2
