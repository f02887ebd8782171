"""Pieces of dances, all of one length, so that length does not tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duende.datasets.store import Clip


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of a dance, joints ``(T, 24, 3)``, with the beats of its music in seconds, both from time 0."""

    positions: np.ndarray
    fps: float
    beats: np.ndarray


def cut(positions: np.ndarray, fps: float, beats: np.ndarray, seconds: float) -> list[Piece]:
    """Cut a dance ``(T, 24, 3)`` into pieces of ``seconds``; what is left over at its end is dropped."""
    length = round(seconds * fps)
    pieces = []
    for start in range(0, len(positions) - length + 1, length):
        inside = np.asarray(beats) - start / fps
        heard = inside[(inside >= 0) & (inside < seconds)]
        pieces.append(Piece(positions[start : start + length], fps, heard))
    return pieces


def pieces_of(clips: Sequence[Clip], seconds: float) -> list[Piece]:
    """Cut the dances of ``clips``, those that keep their motion."""
    return [
        piece
        for clip in clips
        if clip.motion is not None
        for piece in cut(clip.motion.positions, clip.motion.fps, clip.beats, seconds)
    ]
