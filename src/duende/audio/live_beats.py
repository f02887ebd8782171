"""Beats of music that is still going on: those that were heard, and those that will probably come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duende.audio import beat_network
from duende.audio.bars import FINENESS, Bars, finer
from duende.audio.beat_network import FRAMES_A_SECOND
from duende.audio.beats import FEWEST, KNOWN, LEAST_CERTAIN, SHORTEST, Tempo, certainty, refined
from duende.audio.live_bars import LiveBars
from duende.audio.live_meter import LiveMeter
from duende.audio.music import Beats

HEARD = 20.0
"""Seconds of sound that the beat network hears."""
UNSURE = 2
"""Frames at the end of the sound on which the network's word is not yet taken."""
PACE, AGING = 12, 0.8
"""Beats that tell the tempo that is to come, and the weight of each one's error beside the next one's."""
MATURE = 1.0
"""Seconds after which it is told how likely a beat began a bar."""
EARLY, CERTAIN_EARLY, CERTAIN = 6.0, 0.36, 0.23
"""Seconds in which little was heard, and how certain beats must be to begin then and later: in noise up to 0.35 and
0.21 were seen. Once they are found they go on as those of a whole song do, see :data:`LEAST_CERTAIN`."""
AUDIBLE = 0.1
"""Least mean activation on the last few beats; it is under 0.05 in silence."""
APART = 0.6
"""Least part of a beat's time between a beat that is settled and the next one, wherever the music has gone."""
PATIENCE = 4.0
"""Seconds for which beats go on where none are heard."""
REMEMBERED = 60.0
"""Seconds of beats that are kept."""
RANGE = 80.0
"""Decibels under the loudest that are heard."""


@dataclass(frozen=True)
class _Beat:
    """A beat at some second, its number among all, its place in a pair of bars, and how many beats a bar has."""

    time: float
    number: int
    place: int
    length: int


@dataclass(frozen=True)
class _Pulse:
    """Beats as they look now, ``(N,)`` seconds, and the seconds between those to come."""

    times: np.ndarray
    period: float

    def between(self, after: float, until: float) -> np.ndarray:
        """Times of beats after one moment and until another, going on where they end."""
        count = max(0, int((until - self.times[-1]) / self.period))
        times = np.concatenate([self.times, self.times[-1] + self.period * np.arange(1, count + 1)])
        return times[(times > after) & (times <= until)]


class LiveBeats:
    """Hears levels row by row and tells beats.

    Args:
        tempo: as in :func:`duende.audio.beats.track_beats`.
        settled: seconds ahead for which a beat that was told stays where it is.
    """

    def __init__(self, tempo: Tempo | None = None, settled: float = 0.2) -> None:
        self._reading = tempo if isinstance(tempo, str) else ""
        known = tempo if isinstance(tempo, int | float) else None
        self._known = known is not None
        self._bars = LiveBars(None if known is None else (known * (1 - KNOWN), known * (1 + KNOWN)))
        self._ahead = settled
        self._levels = np.zeros((0, beat_network.BANDS), np.float32)
        self._loudest = -np.inf
        self._end = 0
        self._settled: list[_Beat] = []
        self._meter, self._judged = LiveMeter(), -1
        self._pulse: _Pulse | None = None
        self._sure = -np.inf

    @property
    def now(self) -> float:
        """Seconds that were heard."""
        return self._end / FRAMES_A_SECOND

    def hear(self, levels: np.ndarray, end: int) -> None:
        """Hear mel levels ``(T, 128)`` in decibels of frames before ``end``; frames that were there are replaced."""
        before = self._levels[: len(self._levels) - (self._end - (end - len(levels)))]
        self._levels = np.concatenate([before, levels])[-round(HEARD * FRAMES_A_SECOND) :]
        self._end = end
        self._loudest = max(self._loudest, float(levels.max()))
        if len(self._levels) > UNSURE:
            heard = np.maximum(self._levels, self._loudest - RANGE)
            activation = beat_network.activations_of(heard)[:-UNSURE]
            self._listen(activation, self._bars.hear(activation, end - UNSURE))
        self._settle()

    @property
    def bar(self) -> float:
        """Seconds of a bar, 0 where none is known."""
        return self._pulse.period * self._meter.length if self._pulse and self._coming(PATIENCE) else 0.0

    def beats(self, ahead: float, back: float = REMEMBERED) -> Beats:
        """Return the beats of the last seconds, at least ``back`` of them, and of those ``ahead``.

        They begin with a pair of bars, so that pairs of beats stay the same pairs; there are none before any are found.
        """
        beats = _since(self._settled, self.now - back) + self._coming(max(ahead, self._ahead))
        return _read(beats, self._reading)

    def _listen(self, activation: np.ndarray, bars: Bars) -> None:
        if self.now < SHORTEST or len(bars.frames) < FEWEST:
            return
        first = self._end - UNSURE - len(activation)
        frames = bars.frames[bars.frames >= first] - first
        if len(frames) < FEWEST or not (self._known or self._certain(activation, frames)):
            return
        self._pulse = _continued((refined(activation[:, 0], frames) + first) / FRAMES_A_SECOND)
        self._sure = self.now
        if not self._settled:
            self._settled = self._coming(-MATURE)
            self._judge(activation, first)
            self._settled = [self._placed(beat.time, beat.number) for beat in self._settled]
        self._judge(activation, first)

    def _certain(self, activation: np.ndarray, frames: np.ndarray) -> bool:
        """Tell whether beats are heard, and in the last moments too."""
        if self._pulse and self.now - self._sure <= PATIENCE:
            least = LEAST_CERTAIN
        else:
            least = CERTAIN_EARLY if self.now < EARLY else CERTAIN
        return certainty(activation, frames[-PACE:]) >= least and certainty(activation, frames[-FEWEST:]) >= AUDIBLE

    def _judge(self, activation: np.ndarray, first: int) -> None:
        """Hear which of the beats that are some time ago began bars."""
        fine = finer(activation)
        for beat in self._settled:
            if self._judged < beat.number and beat.time <= self.now - MATURE:
                at = round(FINENESS * (beat.time * FRAMES_A_SECOND - first))
                near = fine[max(0, at - FINENESS) : max(0, at + FINENESS + 1)]
                if len(near):
                    self._meter.hear(beat.number, *near[near[:, 0].argmax()])
                self._judged = beat.number
        self._meter.decide()

    def _settle(self) -> None:
        # A beat put between two stays where it is if the later one does.
        more = self._pulse.period if self._pulse and self._reading == "double" else 0.0
        self._settled += self._coming(self._ahead + more)
        if self._settled and self._settled[0].time < self.now - 2 * REMEMBERED:
            self._settled = _since(self._settled, self.now - REMEMBERED)

    def _coming(self, ahead: float) -> list[_Beat]:
        pulse = self._pulse
        if pulse is None or self.now - self._sure > PATIENCE:
            return []
        after, number = -np.inf, 0
        if self._settled:
            after, number = self._settled[-1].time + APART * pulse.period, self._settled[-1].number + 1
        times = pulse.between(after, self.now + ahead)
        return [self._placed(float(time), number + count) for count, time in enumerate(times)]

    def _placed(self, time: float, number: int) -> _Beat:
        return _Beat(time, number, self._meter.place(number), self._meter.length)


def _since(beats: list[_Beat], time: float) -> list[_Beat]:
    """Leave out beats before the last pair of bars that begins at or before ``time``, none where there is no such."""
    first = [n for n, beat in enumerate(beats) if beat.place == 0 and beat.time <= time]
    return beats[first[-1] :] if first else beats


def _continued(times: np.ndarray) -> _Pulse:
    """Lay a straight line through the last beats, the later the nearer; it tells the next ones."""
    recent = times[-PACE:]
    number = np.arange(len(recent)) - (len(recent) - 1.0)
    period, end = np.polyfit(number, recent, 1, w=AGING**-number)
    return _Pulse(np.append(times[:-1], max(end, times[-2] + 1e-3)), float(period))


def _read(beats: list[_Beat], reading: str) -> Beats:
    """Beats with their downbeats, of ``half`` every second one, of ``double`` one more between any two.

    Bars have as many beats as before.
    """
    if reading == "half":
        beats = [beat for beat in beats if beat.place % 2 == 0]
    if len(beats) < 2:
        return Beats(np.zeros(0), np.zeros(0), 0.0)
    times, places, lengths = (np.array([getattr(b, key) for b in beats]) for key in ("time", "place", "length"))
    if reading == "half":
        places = places // 2
    if reading == "double":
        fine = np.arange(2 * len(times) - 1)
        times, lengths = np.interp(fine / 2, np.arange(len(times)), times), lengths[fine // 2]
        places = 2 * places[fine // 2] + fine % 2
    return Beats(times, times[places % lengths == 0], 60.0 / float(np.median(np.diff(times[-2 * PACE :]))))
