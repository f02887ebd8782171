"""Which foot carries the body: in every frame one of them does, or the dancer is in the air.

Contacts by height and speed alone (:mod:`duende.motion.contacts`) find no standing foot where a decoder lets both
glide. Here the whole dance is explained at once: feet that stand are slow and low, nobody hangs in the air for long,
and feet do not stand and leave from one frame to the next.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label as label_spans

from duende.motion.contacts import joint_speed
from duende.motion.motion import Motion

STANDING_SPEED, FASTEST = 0.4, 3.5
"""m/s at which standing costs as much as not standing, and the most that its speed makes standing cost."""
LOW, RISING = 0.02, 0.03
"""Metres over its rest height up to which standing costs nothing, and after which again it costs 1."""
HANGING, AIRBORNE = 4.0, 0.05
"""What it costs to have no standing foot on the floor, and the height in metres over which that cost fades."""
CHANGE = 2.5
"""What it costs to put a foot down or take it up; frames cost up to 1 at :data:`RATE` a second."""
RATE = 60.0
LONGEST_FLIGHT = 0.6
"""Seconds: longer without a standing foot is no jump, whose height would be half a metre."""
BESIDE, AS_SLOW = 0.02, 0.2
"""Metres and m/s by which the second joint of a standing foot may be higher and faster than its first to stand too."""
STATES = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
"""Which of left and right foot stand."""


def standing_joints(motion: Motion) -> np.ndarray:
    """Find which foot joints carry the body: ``(T, 4)`` bool in the order of ``skeleton.feet``.

    Unlike contacts, gliding feet are among them where nothing else could carry the body.
    """
    feet = motion.positions[:, list(motion.skeleton.feet)]
    speed = joint_speed(feet * [1.0, 0.0, 1.0], motion.fps).reshape(-1, 2, 2)
    height = foot_heights(motion).reshape(-1, 2, 2)
    costs = _costs(speed.min(axis=2), np.maximum(height.min(axis=2), 0.0)) * (RATE / motion.fps)
    path = _cheapest(costs)
    hanging, count = label_spans(path == 0)
    lengths = np.bincount(hanging, minlength=count + 1)
    lengths[0] = 0
    too_long = lengths[hanging] > LONGEST_FLIGHT * motion.fps
    if too_long.any():
        costs[too_long, 0] = 1e6
        path = _cheapest(costs)
    alike = (height - height.min(axis=2, keepdims=True) < BESIDE) & (speed - speed.min(axis=2, keepdims=True) < AS_SLOW)
    slowest = speed == speed.min(axis=2, keepdims=True)
    bearing = np.where(alike.any(axis=2, keepdims=True), alike, slowest)
    return np.asarray((STATES[path][:, :, None] & bearing).reshape(-1, 4))


def foot_heights(motion: Motion) -> np.ndarray:
    """Metres ``(T, 4)`` of the foot joints over their heights in a body that stands at rest."""
    feet, skeleton = list(motion.skeleton.feet), motion.skeleton
    return np.asarray(motion.positions[:, feet, 1] - skeleton.rest_positions[feet, 1] - skeleton.rest_height)


def _costs(speed: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Cost ``(T, 4)`` of each state, from the slower speed and the lower height of each foot ``(T, 2)``."""
    standing = np.minimum((speed / STANDING_SPEED) ** 2, FASTEST) + (np.maximum(height - LOW, 0.0) / RISING) ** 2
    costs = np.stack([np.where(state, standing, 1.0).sum(axis=1) for state in STATES], axis=1)
    costs[:, 0] += HANGING * np.exp(-((height.min(axis=1) / AIRBORNE) ** 2))
    return costs


def _cheapest(costs: np.ndarray) -> np.ndarray:
    """States ``(T,)`` of the least total cost, changes included (Viterbi)."""
    change = CHANGE * (STATES[:, None] != STATES[None]).sum(axis=2)
    best = costs[0]
    origins = np.zeros(costs.shape, dtype=int)
    for frame in range(1, len(costs)):
        reached = best[:, None] + change
        origins[frame] = reached.argmin(axis=0)
        best = reached.min(axis=0) + costs[frame]
    path = np.zeros(len(costs), dtype=int)
    path[-1] = best.argmin()
    for frame in range(len(costs) - 1, 0, -1):
        path[frame - 1] = origins[frame, path[frame]]
    return path
