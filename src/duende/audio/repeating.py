"""The music of a loop: whole bars of a song, cut so that they can be played again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from duende.audio.music import Beats
from duende.audio.song import Song
from duende.errors import DuendeError

USUAL = 8
"""Bars, where nobody says how many."""
EARLY = 0.05
"""Seconds by which a downbeat may lie before the start that is asked for, and the last bar's end behind the song's."""
CROSSFADE = 0.005
"""Seconds at the end of a loop over which the sound goes over into what was heard before its beginning."""
ON_BEAT = 0.03
"""Seconds by which beats may lie before their bar."""
LEAST_MORE, MOST_MORE = 8.0, 16.0
"""Seconds between which a dance is longer than its loop: the more there are, the better the cut that is found."""


@dataclass(frozen=True)
class Span:
    """Whole bars of a song: from and to which second, and how many."""

    begin: float
    end: float
    bars: int


def whole_bars(
    beats: Beats, song: Song, start: float = 0.0, seconds: float | None = None, bars: int | None = None
) -> Span:
    """Find the bars of a loop: from the first downbeat at or after the start on.

    Args:
        beats: of all of the song.
        song: all of it.
        start: second at or after which the loop begins.
        seconds: how long it may last; None to the end of the song.
        bars: how many it has; None for :data:`USUAL`, or as many as there are.

    Raises:
        DuendeError: the song has no beat, or not so many bars there.
    """
    if len(beats.downbeats) < 2:
        raise DuendeError("a loop needs bars, and no beat was found in this song; tell its tempo, or make no loop")
    last = beats.downbeats[-1] + np.median(np.diff(beats.downbeats))
    lines = np.append(beats.downbeats, min(last, song.duration)) if last <= song.duration + EARLY else beats.downbeats
    latest = song.duration if seconds is None else min(start + seconds, song.duration)
    lines = lines[(lines >= start - EARLY) & (lines <= latest + EARLY)]
    count = len(lines) - 1
    if count < 1 or count < (bars or 1):
        raise DuendeError(
            f"a loop of {bars or 'any'} bars does not fit: there are {max(count, 0)} whole bars from second "
            f"{start:.1f} to second {latest:.1f}; ask for fewer, start earlier, or allow more seconds"
        )
    chosen = bars or min(USUAL, count)
    return Span(float(lines[0]), float(lines[chosen]), chosen)


def cut(song: Song, begin: float, seconds: float) -> Song:
    """Cut ``seconds`` from ``begin`` out of a song, so that no click is heard where they are repeated."""
    first, count = round(begin * song.rate), round(seconds * song.rate)
    fade = min(round(CROSSFADE * song.rate), count)
    heard = np.pad(song.samples, (fade, max(0, first + count - len(song.samples))))[first : first + fade + count]
    before, samples = heard[:fade], heard[fade:].copy()
    share = (np.arange(fade) + 0.5) / max(fade, 1)
    samples[count - fade :] = samples[count - fade :] * (1 - share) + before * share
    return replace(song, samples=samples)


def beats_within(beats: Beats, span: Span, seconds: float) -> Beats:
    """Return the beats of the bars of a loop that lasts ``seconds``, from its first downbeat on."""

    def inside(times: np.ndarray) -> np.ndarray:
        kept = times[(times >= span.begin - ON_BEAT) & (times < span.end - ON_BEAT)] - span.begin
        return np.clip(kept, 0.0, seconds)

    return Beats(inside(beats.times), inside(beats.downbeats), beats.tempo)


def repeated(song: Song, beats: Beats) -> tuple[Song, Beats]:
    """Play a loop on repeat for as long as its dance is made for: the sound, and the beats in it."""
    seconds = song.duration + float(np.clip(song.duration, LEAST_MORE, MOST_MORE))
    times = int(np.ceil(seconds / song.duration))
    samples = np.tile(song.samples, times)[: round(seconds * song.rate)]

    def again(once: np.ndarray) -> np.ndarray:
        every = (once + np.arange(times)[:, None] * song.duration).ravel()
        return every[every < seconds]

    return replace(song, samples=samples), Beats(again(beats.times), again(beats.downbeats), beats.tempo)
