"""A loop out of a dance to music on repeat: cut where the dance comes nearest to what it did one loop before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.ndimage import correlate1d
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.carrying import carried
from duende.motion.feet import plant_feet
from duende.motion.joining import moved
from duende.motion.kinematics import continuous_quaternions
from duende.motion.motion import Motion
from duende.motion.representation import turned

BLEND = 0.8
"""Seconds over which the end of a loop goes over into its beginning."""
SWIFTNESS = 0.1
"""Metres that a difference of 1 m/s counts as, where places and speeds are compared."""
TURNING, DRIFTING = 0.5, 0.5
"""Metres that 1 rad/s and 1 m/s count as, which are taken off all of a loop so that it closes."""
REACH = 12
"""Frames over the ends of a loop: further away they change a cubic curve by less than a millionth."""
AROUND = 4.0
"""Seconds before a loop and after it that are looked at when its feet are planted."""


def looped(motion: Motion, period: int, planted: bool = True) -> Motion:
    """Close a dance to a loop.

    The loop is cut out of the dance where its end is most like its beginning, and one goes over into the other. What
    is left over of turning and travelling is taken off evenly, and standing feet keep standing.

    Args:
        motion: a dance to music that repeats every ``period`` frames; the longer, the better the cut.
        period: frames of the loop, and of the music.
        planted: hold standing feet in place where end and beginning are blended.

    Returns:
        ``period`` frames from the beginning of the music on, which start over the origin; after the last comes the
        first.

    Raises:
        DuendeError: the dance is hardly longer than the loop.
    """
    half = _half_blend(motion, period)
    if half < 1 or len(motion) < period + 2 * half + 1:
        raise DuendeError(
            f"a loop of {period} frames needs a dance of {period + 2 * half + 1} or more, and this one has "
            f"{len(motion)}; dance longer"
        )
    start = _best_cut(motion, period, half)
    cycle = _Moves.of(motion).cycle(start, period, half).at((np.arange(period) - start) % period)
    if planted:
        around = _around(motion)
        cycle = _Moves.of(plant_feet(cycle.unrolled(around).performed(motion))).cycle(around, period, half)
    return _closed(cycle, motion, half)


def endlessly(loop: Motion, work: Callable[[Motion], Motion]) -> Motion:
    """Do to a loop what is done to dances, as to a dance that goes on before it and after it.

    Args:
        loop: after its last frame comes its first.
        work: given the frames that :func:`unrolled_frames` names; what it does to the ends of a dance does not matter.
    """
    frames, around = unrolled_frames(loop), _around(loop)
    done = work(loop.taking(frames))
    half = _half_blend(loop, len(loop))
    again = _closed(_Moves.of(done).cycle(around, len(loop), half), loop, half)
    turn = float(_headings(done)[around] - _headings(again)[0])
    return moved(again, turn, again.root[0], done.root[around])


def unrolled_frames(loop: Motion) -> np.ndarray:
    """Frames of a loop in order, with some seconds of it before its first and after its last."""
    return np.arange(-_around(loop), len(loop) + _around(loop)) % len(loop)


def _closed(cycle: _Moves, like: Motion, half: int) -> Motion:
    """Let a cycle end where it begins, its standing feet standing."""
    around = _around(like)
    before, after = cycle.unrolled(around), cycle.closed().unrolled(around)
    path = after.performed(like).root
    steady = carried(before.performed(like), path, after.headings - before.headings)
    return _Moves.of(steady).cycle(around, len(cycle.turns), half).closed().performed(like)


def _around(motion: Motion) -> int:
    return round(AROUND * motion.fps)


def _half_blend(motion: Motion, period: int) -> int:
    return min(round(BLEND * motion.fps / 2), period // 2)


def loop_at_frame_rate(loop: Motion, fps: float, frames: int) -> Motion:
    """Return a loop, after whose last frame comes its first, in ``frames`` frames at another rate."""
    if fps == loop.fps and frames == len(loop):
        return loop
    order = np.arange(-REACH, len(loop) + REACH) % len(loop)
    return replace(loop.taking(order).between_frames(REACH + np.arange(frames) * len(loop) / frames), fps=fps)


@dataclass(frozen=True, eq=False)
class _Moves:
    """What a body does from frame to frame, wherever it is and wherever it faces.

    Attributes:
        turns: ``(T,)`` radians about Y to the next frame.
        strides: ``(T, 3)`` metres to the next frame, as the body sees it; no height.
        heights: ``(T,)`` metres of the root.
        poses: ``(T, J, 4)`` rotations, the root's without its turn about Y.
    """

    turns: np.ndarray
    strides: np.ndarray
    heights: np.ndarray
    poses: np.ndarray

    @staticmethod
    def of(motion: Motion) -> _Moves:
        """Tell all frames of a motion but the last."""
        headings = _headings(motion)
        poses = motion.rotations.copy()
        poses[:, 0] = (_about_y(-headings) * Rotation.from_quat(poses[:, 0])).as_quat()
        strides = turned(np.diff(motion.root, axis=0), -headings[:-1]) * [1.0, 0.0, 1.0]
        return _Moves(np.diff(headings), strides, motion.root[:-1, 1], poses[:-1])

    @property
    def headings(self) -> np.ndarray:
        """Where the body faces, ``(T,)`` radians about Y, at first 0."""
        return np.concatenate([[0.0], np.cumsum(self.turns)[:-1]])

    def at(self, frames: np.ndarray) -> _Moves:
        """Return these frames."""
        return _Moves(*(getattr(self, field.name)[frames] for field in fields(self)))

    def unrolled(self, around: int) -> _Moves:
        """Repeat a cycle so that there are ``around`` frames before and after it."""
        return self.at(np.arange(-around, len(self.turns) + around) % len(self.turns))

    def cycle(self, start: int, period: int, half: int) -> _Moves:
        """Return ``period`` frames from ``start``, blended over ``2 half`` frames with those of the period after."""
        share = (np.arange(2 * half) + 0.5) / (2 * half)
        share = share**3 * (10 - 15 * share + 6 * share**2)
        window = start + np.arange(-half, half)
        late, early = self.at(window + period), self.at(window)
        blended = _Moves(
            _between(late.turns, early.turns, share),
            _between(late.strides, early.strides, share),
            _between(late.heights, early.heights, share),
            _turned_between(late.poses, early.poses, share),
        )
        kept = self.at(start + np.arange(half, period - half))
        parts = (blended.at(np.arange(half, 2 * half)), kept, blended.at(np.arange(half)))
        return _Moves(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(self)))

    def closed(self) -> _Moves:
        """Take off evenly what a cycle turns by, whole turns excepted, and travels by."""
        total = float(self.turns.sum())
        turns = self.turns - (total - 2 * np.pi * round(total / (2 * np.pi))) / len(self.turns)
        even = replace(self, turns=turns)
        steps = turned(self.strides, even.headings)
        return replace(even, strides=turned(steps - steps.mean(axis=0), -even.headings))

    def performed(self, like: Motion) -> Motion:
        """Do it, from the origin on, with the rate and the skeleton of ``like``."""
        headings = self.headings
        steps = turned(self.strides, headings)
        root = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)[:-1]])
        root[:, 1] = self.heights
        rotations = self.poses.copy()
        rotations[:, 0] = (_about_y(headings) * Rotation.from_quat(rotations[:, 0])).as_quat()
        return replace(like, rotations=continuous_quaternions(rotations), root=root)


def _best_cut(motion: Motion, period: int, half: int) -> int:
    """Find the frame around which the dance is most like what it is one period later."""
    headings = _headings(motion)
    flat = motion.root * [1.0, 0.0, 1.0]
    places = turned(motion.positions - flat[:, None], -headings[:, None])
    speeds = turned(np.gradient(motion.positions, axis=0) * motion.fps, -headings[:, None])
    looks = np.concatenate([places, SWIFTNESS * speeds], axis=-1)
    apart = ((looks[period:] - looks[:-period]) ** 2).sum(axis=-1).mean(axis=1)
    window = np.hanning(2 * half + 1)
    apart = correlate1d(apart, window / window.sum())
    seconds = period / motion.fps
    turn = headings[period:] - headings[:-period]
    turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
    drift = np.linalg.norm(flat[period:] - flat[:-period], axis=1)
    cost = apart + (TURNING * turn / seconds) ** 2 + (DRIFTING * drift / seconds) ** 2
    # The last frame has no step to a next one.
    return half + int(np.argmin(cost[half : len(motion) - period - half]))


def _headings(motion: Motion) -> np.ndarray:
    """Turn of the root about Y ``(T,)`` in radians, unwrapped: what is left of its rotation only tilts."""
    root = motion.rotations[:, 0]
    return np.asarray(np.unwrap(2 * np.arctan2(root[:, 1], root[:, 3])))


def _about_y(angles: np.ndarray) -> Rotation:
    return Rotation.from_rotvec(angles[:, None] * [0.0, 1.0, 0.0])


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.asarray(first + (second - first) * share.reshape(-1, *[1] * (first.ndim - 1)))


def _turned_between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go the short way from rotations ``(T, J, 4)`` to others by a ``share`` ``(T,)`` of it."""
    start, goal = (Rotation.from_quat(rotations.reshape(-1, 4)) for rotations in (first, second))
    way = (start.inv() * goal).as_rotvec() * np.repeat(share, first.shape[1])[:, None]
    return (start * Rotation.from_rotvec(way)).as_quat().reshape(first.shape)
