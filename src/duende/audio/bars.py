"""The likeliest bars: which frames are beats, and which place in the bar each has.

A bar pointer (Whiteley, Cemgil and Godsill, 2006; Krebs, Böck and Widmer, 2015) that is only looked at on beats: a
state is a frame with a beat on it, the interval since the beat before, and the place in a bar of four or of three.
Tempo may change a little from beat to beat. All octaves of a tempo are weighed at once, on every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLOWEST, FASTEST = 54.0, 218.0
"""Beats a minute."""
USUAL, PREFERENCE = 115.0, 0.1
"""Beats a minute that people tap to, and what a second at an octave from it costs (natural logarithm)."""
FINENESS = 2
"""Frames here for each frame of the activation."""
CHANGE = 2
"""Intervals longer or shorter by so many steps may follow one another."""
STEADINESS = 0.025
"""How much of itself an interval usually changes by."""
BAR_LENGTHS = (4, 3)
WALTZ = 6.0
"""By how much bars of three must be likelier (natural logarithm), as they are rarer."""
SPREAD = 1.33
"""Sum of the activations of the frames around a certain beat, at least (they are trained to fall within 1.5 frames)."""
STRONGEST, LEAST = (0.97, 0.99), 0.2
"""Quantiles of the likelihood of beats and of downbeats that count as certain, and how little they can be."""
EAGERNESS = 1.0
"""What a beat is worth in itself (natural logarithm), so that a pulse goes on where little is heard."""
CARRIED = 5.0
"""What going on at a known tempo is worth for each beat's time: more than a beat where nothing is heard costs."""
FLOOR = 0.01
"""Least likelihood that a frame is or is not a beat: nothing is certain."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Beats in frames of the activation ``(N,)``, each one's place in its bar from 0 ``(N,)``, and beats in a bar."""

    frames: np.ndarray
    places: np.ndarray
    length: int


def likeliest_bars(activation: np.ndarray, frames_a_second: float, tempi: tuple[float, float] | None = None) -> Bars:
    """Find the likeliest bars.

    Args:
        activation: ``(T, 2)`` likelihood of a beat and of a downbeat on each frame.
        frames_a_second: of the activation.
        tempi: beats a minute of the slowest and the fastest beats, where they are known: bars are then laid over all
            of the song. By default all usual ones are looked for.
    """
    frames_a_minute = 60.0 * FINENESS * frames_a_second
    return _Search(finer(activation), bar_model(frames_a_minute, tempi)).found()


def bar_model(frames_a_minute: float, tempi: tuple[float, float] | None = None) -> BarModel:
    """Make the model of all usual tempi, or of those between two that are known."""
    if tempi is None:
        return BarModel(frames_a_minute, _usual_intervals(frames_a_minute))
    return BarModel(frames_a_minute, _intervals_within(frames_a_minute, *tempi), CARRIED)


def finer(activation: np.ndarray) -> np.ndarray:
    """Gather what the network spreads over a beat's frame and those beside it, on a finer grid."""
    padded = np.pad(activation, ((1, 1), (0, 0)))
    pooled = (padded[:-2] + padded[1:-1] + padded[2:]) / SPREAD
    # Music unlike that of the training is heard with less certainty: its strongest beats are the measure.
    strongest = [np.quantile(column, share) for column, share in zip(pooled.T, STRONGEST, strict=True)]
    usual = np.clip(strongest, LEAST, 1.0)
    activation = np.minimum(1.0, pooled / usual)
    at = np.arange(FINENESS * (len(activation) - 1) + 1) / FINENESS
    grid = np.arange(len(activation))
    return np.stack([np.interp(at, grid, column) for column in activation.T], axis=1)


def _usual_intervals(frames_a_minute: float) -> np.ndarray:
    """Frames between beats, all that fast tempi can have, of slow ones one in fifty."""
    intervals = [int(np.floor(frames_a_minute / FASTEST))]
    while intervals[-1] < frames_a_minute / SLOWEST:
        intervals.append(max(intervals[-1] + 1, round(intervals[-1] * 1.02)))
    return np.array(intervals)


def _intervals_within(frames_a_minute: float, slowest: float, fastest: float) -> np.ndarray:
    """All frames between beats of known tempi, at least those nearest to their middle."""
    first, last = int(np.ceil(frames_a_minute / fastest)), int(np.floor(frames_a_minute / slowest))
    middle = round(2 * frames_a_minute / (slowest + fastest))
    return np.arange(min(first, middle), max(last, middle) + 1)


class BarModel:
    """What beats are worth, and how one follows another, for beats at some intervals.

    A state is an interval since the beat before and a place in a bar, ``(intervals, places)``.
    """

    def __init__(self, frames_a_minute: float, intervals: np.ndarray, carried: float = 0.0) -> None:
        self.intervals = intervals
        self.places = np.concatenate([np.arange(length) for length in BAR_LENGTHS])
        self.before = np.concatenate(
            [
                first + (np.arange(length) - 1) % length
                for first, length in zip(np.cumsum([0, *BAR_LENGTHS[:-1]]), BAR_LENGTHS, strict=True)
            ]
        )
        self.prior = np.repeat([0.0, -WALTZ], BAR_LENGTHS).astype(np.float32)
        steps = np.arange(-CHANGE, CHANGE + 1)
        self.following = np.clip(np.arange(len(self.intervals))[:, None] + steps, 0, len(self.intervals) - 1)
        change = np.log(self.intervals[:, None] / self.intervals[self.following])
        self.cost = (-0.5 * (change / STEADINESS) ** 2).astype(np.float32)
        tempi = np.log2(frames_a_minute / self.intervals / USUAL)
        # By the second, not by the beat: else fewer beats would look better for being fewer.
        self.cost -= (PREFERENCE * 60.0 * tempi**2 * self.intervals / frames_a_minute).astype(np.float32)[:, None]
        self.cost += (carried * self.intervals / self.intervals.mean()).astype(np.float32)[:, None]
        outside = (np.arange(len(self.intervals))[:, None] + steps) != self.following
        self.cost[outside] = -np.inf

    def gain(self, activation: np.ndarray) -> np.ndarray:
        """Return what a beat on each frame of ``activation`` ``(N, 2)`` is worth at each place ``(N, places)``."""
        beat, down = np.clip(activation.T, FLOOR, 1 - FLOOR)
        rest = np.clip(beat - down, FLOOR, 1 - FLOOR)
        off = np.log(1 - beat)
        gain = np.where(self.places == 0, np.log(down)[:, None], np.log(rest)[:, None]) - off[:, None] + EAGERNESS
        return np.asarray(gain, np.float32)

    def unheard(self) -> np.ndarray:
        """Return the scores before the first frame, ``(longest interval, intervals, places)``."""
        return np.full((int(self.intervals[-1]), len(self.intervals), len(self.places)), -np.inf, np.float32)

    def advanced(self, score: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score the states of the next frames, no more of them than the shortest interval.

        Args:
            score: of the frames before, as many as the longest interval, ``(longest, intervals, places)``.
            gain: of the next frames ``(N, places)``.

        Returns:
            Their scores, and which step of the interval led to each state, -1 where its path begins with it.
        """
        at = len(score) + np.arange(len(gain))[:, None] - self.intervals
        states = score.reshape(-1, len(self.places))
        value = np.full((*at.shape, len(self.places)), -np.inf, np.float32)
        way = np.zeros(value.shape, np.int8)
        # One change of the interval after the other: all at once do not fit the processor's cache.
        for step, cost in enumerate(self.cost.T):
            reached = states.take(at * len(self.intervals) + self.following[:, step], axis=0)
            reached += cost[:, None]
            np.copyto(way, np.int8(step), where=reached > value)
            np.maximum(value, reached, out=value)
        value, way = value.take(self.before, axis=2), way.take(self.before, axis=2)
        goes_on = value > self.prior
        return np.where(goes_on, value, self.prior) + gain[:, None], np.where(goes_on, way, np.int8(-1))

    def traced(self, choice: np.ndarray, frame: int, interval: int, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Follow the choices back from a state on a frame: frames of beats and their places among all, rising."""
        frames, places = [frame], [place]
        while frame >= 0 and (way := int(choice[frame, interval, place])) >= 0:
            frame, interval, place = (
                frame - int(self.intervals[interval]),
                int(self.following[interval, way]),
                int(self.before[place]),
            )
            frames.append(frame)
            places.append(place)
        inside = np.array(frames[::-1]) >= 0
        return np.array(frames[::-1])[inside], np.array(places[::-1])[inside]


class _Search:
    """Dynamic programming over beats, a block of frames no longer than the shortest interval at a time."""

    def __init__(self, activation: np.ndarray, model: BarModel) -> None:
        self.model = model
        self.gain = model.gain(activation)

    def found(self) -> Bars:
        """Run forward and trace the best way back."""
        model, score = self.model, self.model.unheard()
        block, choices = int(model.intervals[0]), np.empty((len(self.gain), *score.shape[1:]), np.int8)
        best_end, best_score = (0, 0, 0), 0.0
        for first in range(0, len(self.gain), block):
            now, choice = model.advanced(score, self.gain[first : first + block])
            choices[first : first + block] = choice
            # Scores of the frames that are still in reach.
            score = np.concatenate([score[len(now) :], now])
            highest = int(now.argmax())
            if now.flat[highest] > best_score:
                best_score = float(now.flat[highest])
                frame, interval, place = np.unravel_index(highest, now.shape)
                best_end = (first + int(frame), int(interval), int(place))
        if best_score == 0.0:
            return Bars(np.zeros(0), np.zeros(0, int), BAR_LENGTHS[0])
        frames, places = model.traced(choices, *best_end)
        return Bars(frames / FINENESS, model.places[places], bar_length(places))


def bar_length(places: np.ndarray) -> int:
    """Tell the beats in a bar by the places among all of a model."""
    return BAR_LENGTHS[int(places[0] >= BAR_LENGTHS[0])]
