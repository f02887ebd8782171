"""Kinetic features: how much energy each joint spends (Onuma et al., 2008, as fairmotion and AIST++'s benchmark).

Formulas and the published code's defects are described in the literature's issue trackers (mint #62, Bailando #46).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from duende.errors import DuendeError

Form = Literal["classic", "corrected"]
"""``"classic"`` repeats the published code, defects included, since published numbers contain them."""

REACH = 2
"""Frames on both sides over which finite differences are averaged."""


def kinetic_features(positions: np.ndarray, fps: float = 60.0, form: Form = "classic") -> np.ndarray:
    """Describe a dance by 72 numbers: for each joint horizontal and vertical kinetic energy and energy expenditure.

    In the classic form the frame time is 1/60 s whatever ``fps`` is, and the acceleration takes ``p - q / dt`` for
    ``(p - q) / dt``: a joint at rest one metre from the dance's first root position seems to accelerate at 3540 m/s².

    Args:
        positions: ``(T, J, 3)`` metres, Y up, world coordinates; T is 3 or more.
        fps: frames a second, used by the corrected form.
        form: which of the two.

    Returns:
        ``(3 J,)``: mean squared horizontal speed, mean squared vertical speed, mean size of the acceleration, of the
        first joint, the second, and so on.

    Raises:
        DuendeError: the array has another shape, is not finite, or is shorter than 3 frames.
    """
    centred = centred_dance(positions)
    frame_time = 1 / 60 if form == "classic" else 1 / fps
    velocity = _averaged(np.diff(centred, axis=0), len(centred) - 1) / frame_time
    before, now, after = centred[:-2], centred[1:-1], centred[2:]
    arriving = now - before / frame_time if form == "classic" else (now - before) / frame_time
    acceleration = _averaged(((after - now) / frame_time - arriving) / frame_time, len(centred) - 1)
    horizontal = (velocity[..., [0, 2]] ** 2).sum(axis=-1).mean(axis=0)
    vertical = (velocity[..., 1] ** 2).mean(axis=0)
    expenditure = np.linalg.norm(acceleration, axis=-1).mean(axis=0)
    return np.stack([horizontal, vertical, expenditure], axis=1).reshape(-1)


def centred_dance(positions: np.ndarray) -> np.ndarray:
    """Check joints ``(T, J, 3)`` and put the first root position at the origin.

    Raises:
        DuendeError: the array has another shape, is not finite, or is shorter than 3 frames.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[-1] != 3:
        raise DuendeError(f"joint positions (T, J, 3) are expected, got an array of shape {positions.shape}")
    if len(positions) < 3:
        raise DuendeError(f"a dance of 3 frames or more is expected, got {len(positions)}; leave this one out")
    if not np.isfinite(positions).all():
        frame = int(np.flatnonzero(~np.isfinite(positions).all(axis=(1, 2)))[0])
        raise DuendeError(f"joint positions hold a value that is no number, first in frame {frame}; mend or drop it")
    return positions - positions[:1, :1]


def _averaged(steps: np.ndarray, count: int) -> np.ndarray:
    """Mean of ``steps`` within :data:`REACH` of each of the frames 1 to ``count``, as far as there are any.

    ``steps[k]`` belongs to frame ``k + 1``.
    """
    total = np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])
    frames = np.arange(1, count + 1)
    low = np.clip(frames - REACH - 1, 0, len(steps))
    high = np.clip(frames + REACH, 0, len(steps))
    width = np.maximum(high - low, 1).reshape(-1, *[1] * (steps.ndim - 1))
    return np.asarray((total[high] - total[low]) / width)
