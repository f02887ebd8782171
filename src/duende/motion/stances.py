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
    """States ``(T,)`` of the least total cost, changes included (Viterbi).

    The frames are cut into as many blocks as a block has frames, and all blocks are walked through at once, from each
    state that they may begin in; then one block after the other takes the beginning that is the cheapest.
    """
    frames, states = costs.shape
    size = int(np.ceil(np.sqrt(frames)))
    blocks = np.pad(costs, ((0, -frames % size), (0, 0))).reshape(-1, size, states)
    change = CHANGE * (STATES[:, None] != STATES[None]).sum(axis=2)
    # From the state in the first frame of a block to that in the present one.
    best = np.where(np.eye(states, dtype=bool), blocks[:, 0, None], np.inf)
    origins = np.zeros((size, *best.shape), dtype=np.int8)
    for frame in range(1, size):
        reached = best[..., None] + change
        origins[frame] = reached.argmin(axis=2)
        best = reached.min(axis=2) + blocks[:, frame, None]
    begins, ends = _cheapest_ends(best, change)
    path = np.empty((len(blocks), size), dtype=int)
    path[:, -1] = ends
    for frame in range(size - 1, 0, -1):
        path[:, frame - 1] = origins[frame, np.arange(len(blocks)), begins, path[:, frame]]
    return path.reshape(-1)[:frames]


def _cheapest_ends(costs: np.ndarray, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last states ``(N,)`` of the cheapest way through blocks that cost ``(N, first state, last state)``."""
    # By the state that a block begins with, that which the one before ends with; by that which it ends with, its first.
    entered = np.zeros(costs.shape[:2], dtype=int)
    begun = np.zeros(costs.shape[:2], dtype=int)
    total = np.zeros(costs.shape[1])
    for block, cost in enumerate(costs):
        reached = total[:, None] + (change if block else 0.0)
        entered[block] = reached.argmin(axis=0)
        ways = reached.min(axis=0)[:, None] + cost
        begun[block] = ways.argmin(axis=0)
        total = ways.min(axis=0)
    begins, ends = np.zeros(len(costs), dtype=int), np.zeros(len(costs), dtype=int)
    end = int(total.argmin())
    for block in range(len(costs) - 1, -1, -1):
        ends[block], begins[block] = end, begun[block, end]
        end = int(entered[block, begins[block]])
    return begins, ends
