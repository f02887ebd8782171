"""Rewards of a dance, one for each of its codes (Bailando, CVPR 2022; the reward of physics is ours).

A code is the eight frames that it decodes to: code c holds the frames 8 c to 8 c + 7, which are the seconds from
8 c / fps up to 8 (c + 1) / fps. What finetuning rewards is a choice: step i chooses code i + 1, so the reward of step i
is the one that stands here in row i + 1, and the row of the first code belongs to no step.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from duende.audio.feature_sets import FRAMES_IN_ROW
from duende.motion.accents import mean_speed, speed_minima
from duende.motion.contacts import SHORTEST, foot_contacts
from duende.motion.skeleton import SMPL24
from duende.training.reinforcement import BeatForm, RewardConfig

SIZE = 5.0
"""The best reward for beats or physics; the worst is its opposite (Bailando's released code)."""
UPRIGHT = 0.02
"""Metres: a line from one side of the body to the other that looks shorter from above does not tell where it faces."""
LIFTED = 0.025
"""Metres above its height at rest within which a foot joint is taken to bear weight."""
FULL = 2.0
"""How far beyond its limit a fault is as bad as can be, in limits."""
STILLNESS = 1.0
"""Seconds over which a body's speed is averaged before it is said to freeze: accents are moments of rest."""


def beat_reward(positions: np.ndarray, fps: float, beats: np.ndarray, form: BeatForm = "released") -> np.ndarray:
    """Reward dance beats on music beats: ``(T / 8,)``, each 5 or -5.

    A code has a music beat if one falls into its seconds, and a dance beat if the mean joint speed, smoothed by a
    Gaussian of five frames at 60 a second, has a strict local minimum there; the speed from frame t to t + 1 counts for
    frame t. Bailando looks for them in each window of training that it decodes; here the dance is decoded whole, so
    that a minimum at the edge of a window is not missed.

    Args:
        positions: ``(T, J, 3)`` metres.
        fps: frames a second.
        beats: seconds.
        form: see :class:`RewardConfig`.
    """
    codes = len(positions) // FRAMES_IN_ROW
    # The least of a frame more, since seconds such as 16 / 60 come out a little less than they are.
    heard = _flags(np.floor(np.asarray(beats, dtype=np.float64) * fps + 1e-6), codes)
    danced = _flags(np.rint(speed_minima(positions, fps) * fps), codes)
    return np.where(heard & danced if form == "released" else danced | ~heard, SIZE, -SIZE)


def consistency_reward(positions: np.ndarray) -> np.ndarray:
    """Reward hips and shoulders that face the same way: ``(T / 8,)``, -1 to 1.

    It is the cosine between the two on the ground plane, the least in the code's frames; a frame in which one of them
    faces up or down counts 1. Its weight is 0 in Bailando's released configs.

    Args:
        positions: ``(T, 24, 3)`` metres, Y up.
    """
    hips, shoulders = (
        (positions[:, SMPL24.index(f"left_{part}")] - positions[:, SMPL24.index(f"right_{part}")])[:, [0, 2]]
        for part in ("hip", "shoulder")
    )
    # Both face at a right angle to their lines from right to left: the angle between the lines is that between them.
    lengths = np.linalg.norm(hips, axis=1), np.linalg.norm(shoulders, axis=1)
    clear = np.minimum(*lengths) > UPRIGHT
    cosine = np.where(clear, (hips * shoulders).sum(axis=1) / np.where(clear, lengths[0] * lengths[1], 1.0), 1.0)
    return np.asarray(_by_code(cosine).min(axis=1))


def physics_reward(positions: np.ndarray, fps: float, pace: float, config: RewardConfig) -> np.ndarray:
    """Reward a body that could be one: ``(T / 8,)``, 5 without a fault down to -5, see :func:`faults`."""
    together = np.minimum(sum(faults(positions, fps, pace, config).values()), 1.0)
    return SIZE * (1.0 - 2.0 * together)


def faults(positions: np.ndarray, fps: float, pace: float, config: RewardConfig) -> dict[str, np.ndarray]:
    """What is wrong with a body, for each fault ``(T / 8,)`` from 0, none, to 1; means over the code's frames.

    ``sliding``: of the feet that are on the floor the one that slides more; of its two joints there the slower counts,
    so that rolling over the toes is no sliding. ``floating`` and ``sinking``: the lowest joint, over and under the
    floor. ``freezing``: the mean joint speed, averaged over a second.

    Args:
        positions: ``(T, 24, 3)`` metres, floor at 0.
        fps: frames a second.
        pace: m/s, mean joint speed of real dances.
        config: from where on each is a fault.
    """
    lowest = positions[..., 1].min(axis=1)
    speed = np.append(mean_speed(positions, fps), 0.0)
    speed[-1] = speed[-2] if len(speed) > 1 else 0.0
    usual = uniform_filter1d(speed, max(1, round(STILLNESS * fps)), mode="nearest")
    amounts = {
        "sliding": _beyond(_sliding_speed(positions, fps), config.sliding),
        "floating": _beyond(lowest, config.floating),
        "sinking": _beyond(-lowest, config.sinking),
        "freezing": np.clip(1.0 - usual / (config.freezing * pace), 0.0, 1.0),
    }
    return {name: _by_code(amount).mean(axis=1) for name, amount in amounts.items()}


def reward_parts(
    positions: np.ndarray, fps: float, beats: np.ndarray, pace: float, config: RewardConfig
) -> dict[str, np.ndarray]:
    """Return the three rewards ``(T / 8,)`` by name, not weighted.

    Args:
        positions: ``(T, 24, 3)`` metres, Y up, floor at 0.
        fps: frames a second.
        beats: seconds, of the music.
        pace: m/s, mean joint speed of real dances.
        config: what is rewarded.
    """
    return {
        "beat": beat_reward(positions, fps, beats, config.beat_form),
        "consistency": consistency_reward(positions),
        "physics": physics_reward(positions, fps, pace, config),
    }


def weighted(parts: Mapping[str, np.ndarray], config: RewardConfig) -> np.ndarray:
    """Add up rewards ``(T / 8,)`` by their weights."""
    return np.asarray(sum(getattr(config, name) * part for name, part in parts.items()))


def _sliding_speed(positions: np.ndarray, fps: float) -> np.ndarray:
    """Horizontal speed ``(T,)`` in m/s of the foot on the floor that is the faster, 0 without one."""
    low = foot_contacts(positions, fps, SMPL24, height=LIFTED, speed=float("inf"))
    feet = positions[:, list(SMPL24.feet)][..., [0, 2]]
    if len(feet) < 2:
        return np.zeros(len(feet))
    velocity = gaussian_filter1d(np.gradient(feet, axis=0) * fps, SHORTEST / 4 * fps, axis=0)
    speed = np.where(low, np.linalg.norm(velocity, axis=-1), np.inf).reshape(-1, 2, 2).min(axis=2)
    return np.where(np.isfinite(speed), speed, 0.0).max(axis=1)


def _beyond(values: np.ndarray, limit: float) -> np.ndarray:
    """Say how far values are beyond their limit, from 0 to 1."""
    return np.clip((values / limit - 1.0) / FULL, 0.0, 1.0)


def _flags(frames: np.ndarray, codes: int) -> np.ndarray:
    """Say of each code ``(codes,)`` whether one of ``frames`` is in it."""
    places = frames.astype(np.int64) // FRAMES_IN_ROW
    flags = np.zeros(codes, dtype=bool)
    flags[places[(places >= 0) & (places < codes)]] = True
    return flags


def _by_code(frames: np.ndarray) -> np.ndarray:
    """Lay out values of frames ``(T,)`` as ``(T / 8, 8)``; what does not fill a code is left out."""
    codes = len(frames) // FRAMES_IN_ROW
    return frames[: codes * FRAMES_IN_ROW].reshape(codes, FRAMES_IN_ROW)
