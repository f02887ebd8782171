"""Dances that cost nothing, for a model to beat."""

from __future__ import annotations

import numpy as np

from duende.motion import Motion
from duende.systems.expressive_bailando import ExpressiveBailando


def repeated(clip: Motion, frames: int) -> Motion:
    """Dance a clip over and over, its root going on from where it stood."""
    rounds = -(-frames // len(clip))
    travel = clip.root[-1] - clip.root[0]
    travel[1] = 0.0
    root = np.concatenate([clip.root + turn * travel for turn in range(rounds)])
    return Motion(np.tile(clip.rotations, (rounds, 1, 1)), root, clip.fps, clip.skeleton).cropped(0, frames)


def random_codes(system: ExpressiveBailando, count: int, seed: int) -> Motion:
    """Decode codes drawn evenly from the codebooks."""
    codes = np.random.default_rng(seed).integers(0, system.config.upper.codes, (count, 2))
    return system.perform(codes)
