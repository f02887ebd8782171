"""Music features at 30 frames a second, four to a row, for systems that hear every frame."""

from __future__ import annotations

import numpy as np

from duende.audio.feature_sets import FRAMES_IN_ROW
from duende.audio.music import FeatureSet

FRAMES_HEARD = 4
"""Frames to a row of features: 30 a second."""


def frame_dimension(features: FeatureSet) -> int:
    """Return the columns of a frame, see :func:`by_frame`."""
    return by_frame(np.zeros((1, features.dimension), np.float32), features).shape[1]


def by_frame(rows: np.ndarray, features: FeatureSet) -> np.ndarray:
    """Turn rows ``(T, D)`` of a feature set into frames ``(4 T, D')`` float32.

    Families with several frames a row (MERT, Jukebox) give each frame its own, by linear interpolation where they are
    not four; families that keep all eight moments of a row (onsets and beats of ``full_band``) give it two. The others
    are the same in all four, and four columns more tell a frame which it is.
    """
    inner = dict(features.frames)
    parts, same = [], False
    for family, width in features.columns:
        columns = np.asarray(rows[:, features.slice(family)], np.float32)
        if family in inner:
            parts.append(_resampled(columns.reshape(len(rows), inner[family], -1)))
        elif width == FRAMES_IN_ROW:
            parts.append(columns.reshape(FRAMES_HEARD * len(rows), -1))
        else:
            parts.append(np.repeat(columns, FRAMES_HEARD, axis=0))
            same = True
    if same:
        parts.append(np.tile(np.eye(FRAMES_HEARD, dtype=np.float32), (len(rows), 1)))
    return np.concatenate(parts, axis=1)


def _resampled(frames: np.ndarray) -> np.ndarray:
    """Bring frames ``(T, n, C)`` of a row to four: ``(4 T, C)``."""
    count = frames.shape[1]
    at = np.clip((np.arange(FRAMES_HEARD) + 0.5) * count / FRAMES_HEARD - 0.5, 0, count - 1)
    before = at.astype(int)
    after = np.minimum(before + 1, count - 1)
    share = (at - before)[:, None].astype(np.float32)
    mixed = frames[:, before] * (1 - share) + frames[:, after] * share
    return np.asarray(mixed.reshape(-1, frames.shape[2]))
