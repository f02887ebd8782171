"""A motion at another frame rate, as smooth as it was.

Between two frames a movement goes on in a curve. Drawn straight it would change its speed on every old frame: at twice
the rate, all of the change in every second frame and none in the others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import make_interp_spline

from duende.motion.kinematics import continuous_quaternions
from duende.motion.motion import Motion

REACH = 12
"""Frames over the ends of a loop: further away they change a cubic spline by less than a millionth."""


def at_frame_rate(motion: Motion, fps: float) -> Motion:
    """Return the same movement at another rate, by cubic splines through roots and quaternions.

    At its own rate it is returned as it is.
    """
    if fps == motion.fps:
        return motion
    count = max(1, round(motion.duration * fps))
    at = np.minimum(np.arange(count) * motion.fps / fps, len(motion) - 1)
    return replace(_between_frames(motion, at), fps=fps)


def loop_at_frame_rate(loop: Motion, fps: float, frames: int) -> Motion:
    """Return a loop, after whose last frame comes its first, in ``frames`` frames at another rate."""
    if fps == loop.fps and frames == len(loop):
        return loop
    order = np.arange(-REACH, len(loop) + REACH) % len(loop)
    unrolled = replace(loop, rotations=loop.rotations[order], root=loop.root[order])
    return replace(_between_frames(unrolled, REACH + np.arange(frames) * len(loop) / frames), fps=fps)


def _between_frames(motion: Motion, at: np.ndarray) -> Motion:
    """Return the motion at fractional frames ``at`` ``(N,)``."""
    if len(motion) < 4:
        return motion.warped(at / motion.fps)
    quaternions = continuous_quaternions(motion.rotations).reshape(len(motion), -1)
    curve = make_interp_spline(np.arange(len(motion)), np.concatenate([motion.root, quaternions], axis=1), k=3)
    values = curve(at)
    rotations = values[:, 3:].reshape(len(at), -1, 4)
    # Neighbouring quaternions lie so near to each other that a straight curve between them, brought to length 1, is one
    # on the sphere.
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    return replace(motion, rotations=rotations, root=values[:, :3])
