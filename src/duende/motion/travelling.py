"""Where a dance takes place: over one spot, or on a stage of some size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from duende.motion.carrying import carried
from duende.motion.looping import endlessly, unrolled_frames
from duende.motion.motion import Motion

SWAY = 3.0
"""Seconds: what takes longer is travelling, what is quicker is sway."""
LONGEST, SHORTEST = 1000.0, 2.0
"""Seconds between which the time is looked for that parts what a stage has no room for from what it has."""
TRIES = 40
"""Halvings of the span between them."""


def in_place(motion: Motion, cyclic: bool = False) -> Motion:
    """Take travelling out and keep the sway: the body stays over the spot where it began.

    Poses, height and the way that the body faces are left as they are, so feet slide under it, as those of a walker on
    a treadmill: what plays the dance moves the character.

    Args:
        motion: any.
        cyclic: after the last frame comes the first.
    """
    root = motion.root.copy()
    flat = root[:, [0, 2]]
    root[:, [0, 2]] = flat[0] + flat - _slow(flat, SWAY, motion.fps, cyclic)
    return replace(motion, root=root)


def on_stage(motion: Motion, width: float, depth: float, cyclic: bool = False) -> Motion:
    """Keep the pelvis on a stage around the spot where the dance begins.

    A dance that fits is only moved to the middle of the stage. Of any other the slowest part of the path is taken out,
    along each side as much as must be, so that steps stay as long as can be; feet that stand keep standing, and the
    body faces where it did. Hands and feet may reach over the edge.

    Args:
        motion: whose feet stand.
        width: metres from side to side (X).
        depth: metres from front to back (Z).
        cyclic: after the last frame comes the first.
    """
    path = motion.root.copy()
    for axis, size in ((0, width), (2, depth)):
        path[:, axis] = motion.root[0, axis] + _fitting(motion.root[:, axis], size, motion.fps, cyclic)
    if not cyclic:
        return carried(motion, path)
    shifts = (path - motion.root)[unrolled_frames(motion)]
    return endlessly(motion, lambda unrolled: carried(unrolled, unrolled.root + shifts))


def _fitting(way: np.ndarray, size: float, fps: float, cyclic: bool) -> np.ndarray:
    """Bring a way ``(T,)`` along one side into ``size`` metres around 0."""
    if np.ptp(way) <= size:
        return _centred(way)
    # The logarithm of the time is halved: from minutes to seconds there are many octaves.
    fits, exceeds = np.log(SHORTEST), np.log(LONGEST)
    for _ in range(TRIES):
        middle = (fits + exceeds) / 2
        if np.ptp(way - _slow(way, np.exp(middle), fps, cyclic)) <= size:
            fits = middle
        else:
            exceeds = middle
    left = way - _slow(way, np.exp(fits), fps, cyclic)
    return _centred(left * min(1.0, size / np.ptp(left)))


def _centred(way: np.ndarray) -> np.ndarray:
    return np.asarray(way - (way.min() + way.max()) / 2)


def _slow(way: np.ndarray, seconds: float, fps: float, cyclic: bool) -> np.ndarray:
    """Return what of a way ``(T, ...)`` takes longer than ``seconds`` for its to and fro."""
    # There and back again a way has no jump where its end meets its beginning.
    closed = way if cyclic else np.concatenate([way, way[::-1]])
    waves = np.fft.rfft(closed, axis=0)
    share = 1 / (1 + (np.fft.rfftfreq(len(closed), 1 / fps) * seconds) ** 4)
    kept = waves * share.reshape(-1, *[1] * (way.ndim - 1))
    return np.asarray(np.fft.irfft(kept, len(closed), axis=0)[: len(way)])
