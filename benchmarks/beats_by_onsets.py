"""The tracker that duende used before: onsets alone, no learning. Kept to compare with.

An onset envelope, a tempo from its autocorrelation with a preference for moderate tempi, and the best sequence of beats
by dynamic programming (Ellis, "Beat Tracking by Dynamic Programming", 2007), moved to the envelope's own peaks.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from scipy.ndimage import gaussian_filter1d

from duende.audio import spectral
from duende.audio.music import Beats
from duende.audio.song import Song

RATE, HOP = 30_720, 512
FRAMES_A_SECOND = RATE / HOP
USUAL_TEMPO, TEMPO_SPREAD = 118.0, 0.55
"""Beats a minute, and octaves: people tap near two a second."""
SLOWEST, FASTEST = 55.0, 210.0
TIGHTNESS = 100.0
BEATS_IN_BAR = 4


def track_beats(song: Song) -> Beats:
    """Find the beats of a song; none in silence or where nothing pulses."""
    samples = song.resampled(RATE).samples
    mel = spectral.decibels(spectral.mel_power(samples, RATE))
    low = mel[:20]
    bass = onset_envelope(low)
    # Bright off-beat cymbals outshout the bass drum in a mean over all bands; the bass counts once more.
    return beats_from(onset_envelope(mel) + bass, bass)


def onset_envelope(mel_decibels: np.ndarray) -> np.ndarray:
    """Mean rise over bands ``(T,)`` at 60 frames a second, 0 where nothing rises."""
    rise = np.maximum(0.0, mel_decibels[:, 1:] - mel_decibels[:, :-1]).mean(axis=0)
    return np.concatenate([[0.0], rise])


def beats_from(envelope: np.ndarray, low: np.ndarray) -> Beats:
    """Find beats in an onset envelope; ``low`` is that of the bass, which tells where bars begin."""
    none = Beats(np.zeros(0), np.zeros(0), 0.0)
    if len(envelope) < 2 * FRAMES_A_SECOND or envelope.std() < 1e-3:
        return none
    tempo = estimate_tempo(envelope)
    if tempo == 0.0:
        return none
    frames = best_beats(envelope, tempo)
    if len(frames) < 4:
        return none
    times = _refined(envelope, frames) / FRAMES_A_SECOND
    tempo = 60.0 / float(np.median(np.diff(times)))
    return Beats(times, times[_bar_phase(low, frames) :: BEATS_IN_BAR], tempo)


def estimate_tempo(envelope: np.ndarray) -> float:
    """Beats a minute by autocorrelation of the whole envelope, its half and double periods joined; 0 for none."""
    local = envelope - gaussian_filter1d(envelope, 1.5 * FRAMES_A_SECOND)
    size = scipy.fft.next_fast_len(2 * len(local), real=True)
    correlation = scipy.fft.irfft(np.abs(scipy.fft.rfft(local, n=size)) ** 2, n=size)[: len(local)]
    correlation = np.maximum(correlation / max(float(correlation[0]), 1e-12), 0.0)
    tempos = np.exp(np.linspace(np.log(SLOWEST), np.log(FASTEST), 600))
    lags = 60.0 * FRAMES_A_SECOND / tempos
    at = np.arange(len(correlation))
    strength = sum(
        weight * np.interp(lags * multiple, at, correlation, right=0.0)
        for multiple, weight in ((1, 1.5), (2, 0.6), (3, 0.2), (4, 0.6))
    )
    if float(np.max(strength)) < 0.05:
        return 0.0
    preference = np.exp(-0.5 * (np.log2(tempos / USUAL_TEMPO) / TEMPO_SPREAD) ** 2)
    return float(tempos[int(np.argmax(strength * preference))])


def best_beats(envelope: np.ndarray, tempo: float) -> np.ndarray:
    """Frames of the beats: high in the envelope, and as far from each other as the tempo says."""
    period = 60.0 * FRAMES_A_SECOND / tempo
    score = gaussian_filter1d(envelope / max(float(envelope.std()), 1e-9), period / 32)
    offsets = np.arange(-round(2 * period), -round(period / 2) + 1)
    penalty = -TIGHTNESS * np.log(-offsets / period) ** 2
    total = score.copy()
    before = np.full(len(score), -1)
    started = False
    for frame in range(len(score)):
        first = frame + offsets[0]
        reach = slice(max(0, -first), len(offsets))
        candidates = np.arange(max(0, first), frame + offsets[-1] + 1)
        if len(candidates):
            values = penalty[reach][-len(candidates) :] + total[candidates]
            best = int(np.argmax(values))
            if started or values[best] > 0:
                total[frame] = score[frame] + values[best]
                before[frame] = candidates[best]
                started = True
    if not started:
        return np.zeros(0, dtype=int)
    tail = max(0, len(total) - round(period))
    frame = tail + int(np.argmax(total[tail:]))
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = int(before[frame])
    found = np.array(beats[::-1])
    # A chain runs on through silence before and after the music: those beats are let go.
    loud = score[found] > 0.1 * np.sqrt(np.mean(score[found] ** 2))
    return found[np.flatnonzero(loud)[0] : np.flatnonzero(loud)[-1] + 1] if loud.any() else found[:0]


def _refined(envelope: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Move beats to the centre of the envelope's peak near them, to a fraction of a frame.

    A rise between frames t - 1 and t belongs half-way between them, and a window sees it as it enters: the shift of
    minus half a frame centres both.
    """
    moved = []
    for frame in frames:
        first, last = max(0, frame - 2), min(len(envelope), frame + 3)
        weight = envelope[first:last] ** 2
        total = float(weight.sum())
        moved.append(float((np.arange(first, last) * weight).sum()) / total if total > 1e-9 else float(frame))
    smooth = np.array(moved) + 0.5
    return np.maximum.accumulate(smooth)


def _bar_phase(low: np.ndarray, frames: np.ndarray) -> int:
    around = np.stack([low[np.clip(frames + shift, 0, len(low) - 1)] for shift in (-1, 0, 1, 2)]).max(axis=0)
    strength = [
        float(around[phase::BEATS_IN_BAR].mean()) if len(around) > phase else 0.0 for phase in range(BEATS_IN_BAR)
    ]
    return int(np.argmax(strength))
