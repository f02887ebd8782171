"""Several dancers audition for each phrase, the one that is on the beat and moves goes on.

Bailando finetunes its network with a reward for being on the beat; here nothing is trained, the reward chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from duende.models.generation import Audition
from duende.motion.accents import local_minima, nearness, smooth_speed
from duende.motion.timing import half_beats
from duende.systems.coding import StreamingSystem
from duende.systems.decoding import poses_of_candidates

PHRASE = 7
"""Codes that candidates dance before one is chosen: 0.93 seconds."""
CONTEXT = 4
"""Codes before a phrase that are decoded with it: fewer than a decoder sees, but enough to judge by."""
TOLERANCE = 0.06
"""Seconds (a deviation) by which an accent may miss its beat."""
EDGE = 0.15
"""Seconds before the end of a phrase in which a minimum of speed cannot be told from its end."""
LIVELINESS = 1.0
"""What moving as fast as real dances counts, against 1 for being on the beat."""


def audition(system: StreamingSystem, candidates: int, beats: np.ndarray, duration: float) -> Audition:
    """Make the choice among ``candidates`` for music with ``beats`` (seconds) and of ``duration`` seconds."""
    return auditions(system, candidates, [beats], [duration])


def auditions(
    system: StreamingSystem, candidates: int, beats: Sequence[np.ndarray], durations: Sequence[float]
) -> Audition:
    """Make the choice for several dances at once, each with its own beats and duration (seconds).

    What is danced past the end of its music is not judged.
    """
    rate = system.config.code_rate
    pulses = [
        half_beats(np.asarray(times, dtype=np.float64), duration)[0] if len(times) > 3 else np.zeros(0)
        for times, duration in zip(beats, durations, strict=True)
    ]

    def best(positions: Sequence[np.ndarray], dance: int, first: int, end: int) -> int:
        begin, span = max(0, first - CONTEXT) / rate, (first / rate - EDGE, end / rate - EDGE)
        heard, pulse, config = beats[dance], pulses[dance], system.config
        marks = [phrase_mark(each, config.frame_rate, begin, span, heard, pulse, config.pace) for each in positions]
        return int(np.argmax(marks))

    @torch.inference_mode()
    def judge(codes: Tensor, first: int) -> list[int]:
        ends = [min(codes.shape[2], round(duration * rate)) for duration in durations]
        chosen = [0] * len(codes)
        for end in sorted({end for end in ends if end > first}):
            dances = [dance for dance, last in enumerate(ends) if last == end]
            begin = max(0, first - CONTEXT)
            positions = poses_of_candidates(system, codes[dances, :, begin:end], first - begin)
            for number, dance in enumerate(dances):
                chosen[dance] = best(positions[number * candidates : (number + 1) * candidates], dance, first, end)
        return chosen

    return Audition(candidates, PHRASE, judge)


def phrase_mark(
    positions: np.ndarray,
    fps: float,
    begin: float,
    span: tuple[float, float],
    beats: np.ndarray,
    pulse: np.ndarray,
    pace: float,
) -> float:
    """How good a phrase is: on the beat (0 to 1), plus how near its speed comes to ``pace`` (0 to 1).

    Being on the beat is the mean of two: how near the beats have an accent, and how near the accents have a beat or
    half-beat. An accent is a minimum of the mean joint speed.

    Args:
        positions: ``(T, J, 3)`` metres, from ``begin`` on.
        fps: frames a second.
        begin: seconds, time of the first frame.
        span: seconds, from and to where the phrase is judged.
        beats: seconds.
        pulse: seconds, beats and half-beats.
        pace: m/s, mean joint speed of real dances.
    """
    speed = smooth_speed(positions, fps)
    times = begin + np.arange(len(speed)) / fps
    inside = (times >= span[0]) & (times < span[1])
    lively = min(1.0, float(speed[inside].mean()) / pace) if inside.any() else 0.0
    minima = times[local_minima(speed)]
    heard = beats[(beats >= span[0]) & (beats < span[1])]
    struck = minima[(minima >= span[0]) & (minima < span[1])]
    if not len(pulse):
        return LIVELINESS * lively
    return (nearness(heard, minima, TOLERANCE) + nearness(struck, pulse, TOLERANCE)) / 2 + LIVELINESS * lively
