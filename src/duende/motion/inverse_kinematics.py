"""Joint positions to rotations on a skeleton of constant bone lengths.

Trunk joints take the rotation that best carries their children (Kabsch). Arms and legs are solved as two bones to their
ends, so that hands and feet stay where they were wanted even when the given bone lengths differ. What positions
cannot tell, the twist of a bone, follows the plane in which elbow or knee bend, and the parent where they are straight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion.kinematics import continuous_quaternions, local_rotations
from duende.motion.motion import Motion
from duende.motion.quaternions import about, applied, between, cross, dots, inverse, product, shortest_turn, unit
from duende.motion.skeleton import SMPL24, Skeleton

STRAIGHT = np.radians(12.0)
"""Below this bend an elbow or knee tells nothing of its bone's twist."""
BENT = np.radians(35.0)
"""Above this bend it tells all."""
TWIST_SMOOTHING = 0.05
"""Seconds over which a twist that the bend tells is smoothed."""
REST_TRUST = 0.003
"""Weight of "no twist against the parent" beside a bend's weight of 1: it decides after about a second without one."""
OVERSTRETCHED = np.radians(28.0)
"""Below this bend a knee that seems to bend backwards is taken for a straight one, stretched too far."""
CLEAR_SIDE = 0.3
"""Cosine between knee and foot, seen along the leg, above which it is clear that the knee bends forwards."""
VAGUE = (0.3, 0.7)
"""How far off the line of a limb's ends its middle is given, of how far it must lie: below the first it tells nothing
of the plane of the bend, above the second all."""
BEND_SMOOTHING = 0.1
"""Seconds around such a frame that tell in its place."""
HINGE_TRUST = 0.5
"""The same for the second bone of a limb, which hardly twists: it counts less only where the limb is folded up."""


@dataclass(frozen=True)
class Limb:
    """An arm or leg.

    Attributes:
        names: joints, from the parent of the limb to its end.
        bend_axis: about which its middle bends at rest.
        tip_in_front: whether the middle bends to the side to which the end points: a leg's does.
    """

    names: tuple[str, str, str, str, str]
    bend_axis: tuple[float, float, float]
    tip_in_front: bool


LIMBS = tuple(
    Limb(tuple(f"{side}_{part}" for part in parts), axis, parts[-1] == "foot")  # type: ignore[arg-type]
    for parts, axes in (
        (("pelvis", "hip", "knee", "ankle", "foot"), {"left": (1.0, 0.0, 0.0), "right": (1.0, 0.0, 0.0)}),
        (("collar", "shoulder", "elbow", "wrist", "hand"), {"left": (0.0, -1.0, 0.0), "right": (0.0, 1.0, 0.0)}),
    )
    for side, axis in axes.items()
)


def fit_rotations(positions: np.ndarray, fps: float, skeleton: Skeleton = SMPL24) -> Motion:
    """Find the motion on ``skeleton`` (SMPL's 24 joints) that goes through joint positions.

    Positions that come from the skeleton are met to rounding; others as near as constant bone lengths allow, the
    pelvis and the ends of arms and legs first.

    Args:
        positions: ``(T, 24, 3)`` metres.
        fps: frames a second.
        skeleton: constant bone lengths and names.

    Raises:
        DuendeError: the positions have another shape or are not finite.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (len(skeleton), 3) or not np.isfinite(positions).all():
        raise DuendeError(f"finite joint positions (T, {len(skeleton)}, 3) are expected, got {positions.shape}")
    fit = _Fit(positions, fps, skeleton)
    fit.trunk()
    for limb in LIMBS:
        fit.limb(limb)
    local = continuous_quaternions(local_rotations(fit.world, skeleton))
    return Motion(local, fit.placed[:, 0], fps, skeleton)


class _Fit:
    """The state of one fit: world rotations and placed joints, filled from the root outwards."""

    def __init__(self, wanted: np.ndarray, fps: float, skeleton: Skeleton) -> None:
        self.wanted, self.fps, self.skeleton = wanted, fps, skeleton
        self.world = np.empty((len(wanted), len(skeleton), 4))
        self.placed = np.zeros_like(wanted)

    def trunk(self) -> None:
        """Pelvis, spine, neck, head and collars."""
        at = self.skeleton.index
        pelvis, chest = at("pelvis"), at("spine3")
        self.placed[:, pelvis] = self.wanted[:, pelvis]
        self.world[:, pelvis] = self._carrying(pelvis, ("left_hip", "right_hip", "spine1"))
        chest_turn = self._carrying(chest, ("neck", "left_collar", "right_collar"))
        parent = pelvis
        for share, name in ((1 / 3, "spine1"), (2 / 3, "spine2")):
            joint, child = at(name), at("spine2" if name == "spine1" else "spine3")
            self._place(joint, parent)
            middle = between(self.world[:, pelvis], chest_turn, share)
            self.world[:, joint] = self._swung(middle, joint, child)
            parent = joint
        self._place(chest, parent)
        self.world[:, chest] = chest_turn
        ends = (("neck", "head"), ("left_collar", "left_shoulder"), ("right_collar", "right_shoulder"))
        for name, child_name in ends:
            joint, child = at(name), at(child_name)
            self._place(joint, chest)
            self.world[:, joint] = self._swung(chest_turn, joint, child)
        head = at("head")
        self._place(head, at("neck"))
        self.world[:, head] = self.world[:, at("neck")]

    def limb(self, limb: Limb) -> None:
        """One arm or leg, its parent being placed already."""
        skeleton = self.skeleton
        first, middle, end, tip = (skeleton.index(name) for name in limb.names[1:])
        parent = skeleton.parents[first]
        self._place(first, parent)
        lengths = [float(np.linalg.norm(skeleton.offsets[joint])) for joint in (middle, end)]
        bend = _steady_bend(self.placed[:, first], self.wanted[:, middle], self.wanted[:, end], lengths, self.fps)
        knee = two_bones(self.placed[:, first], bend, self.wanted[:, end], *lengths)
        reach = self.wanted[:, end] - knee
        shin = unit(reach)
        thigh = (knee - self.placed[:, first]) / lengths[0]
        follow = _swung(self.world[:, parent], skeleton.offsets[middle], thigh)
        normal = cross(thigh, shin)
        # The sine: a fully folded limb tells as little as a straight one.
        sine = np.linalg.norm(normal, axis=1)
        sure = _smoothstep((sine - np.sin(STRAIGHT)) / (np.sin(BENT) - np.sin(STRAIGHT)))
        if limb.tip_in_front:
            side = _side_of_bend(thigh, shin, self.wanted[:, tip] - self.wanted[:, end])
            bend = np.arctan2(sine, dots(thigh, shin))
            # A knee that bends a little backwards is stretched too far, not turned about; one that bends a lot is bent.
            little = bend < OVERSTRETCHED
            normal = normal * np.where(little & (side < 0), -1.0, 1.0)[:, None]
            clear = np.where(little, _smoothstep(np.abs(side) / CLEAR_SIDE), 1.0)
            sure = sure * np.where(~little & (side < 0), _smoothstep((bend - OVERSTRETCHED) / STRAIGHT), clear)
        measured = _angle_about(thigh, applied(follow, np.array(limb.bend_axis)), normal)
        self.world[:, first] = self._steadied(follow, self.world[:, parent], thigh, measured, sure, REST_TRUST)
        self._place(middle, first)
        follow = _swung(self.world[:, first], skeleton.offsets[end], shin)
        unknown = np.zeros(len(shin))
        self.world[:, middle] = self._steadied(follow, self.world[:, first], shin, unknown, unknown, HINGE_TRUST)
        self._place(end, middle)
        self.world[:, end] = self._swung(self.world[:, middle], end, tip)
        self._place(tip, end)
        self.world[:, tip] = self.world[:, end]

    def _steadied(
        self,
        follow: np.ndarray,
        parent: np.ndarray,
        bone: np.ndarray,
        measured: np.ndarray,
        sure: np.ndarray,
        rest_trust: float,
    ) -> np.ndarray:
        """Turn ``follow`` about the ``bone`` by a twist that is steady in time as its parent sees it."""
        # "The short way from rest" itself spins about the bone as it moves, fast where the bone points away from rest.
        seen, local = applied(inverse(parent), bone), product(inverse(parent), follow)
        at_rest = applied(inverse(local), seen)
        side = cross(at_rest, np.eye(3)[np.argmin(np.abs(at_rest[0]))])
        carried = product(shortest_turn(seen[:-1], seen[1:]), local[:-1])
        spin = _angle_about(seen[1:], applied(carried, side[:-1]), applied(local[1:], side[1:]))
        trust = rest_trust * (1 + dots(at_rest, seen)) / 2
        twist = _steady_angle(measured, sure, spin, trust, (TWIST_SMOOTHING * self.fps) ** 2)
        return product(about(bone, twist), follow)

    def _place(self, joint: int, parent: int) -> None:
        self.placed[:, joint] = self.placed[:, parent] + applied(self.world[:, parent], self.skeleton.offsets[joint])

    def _swung(self, start: np.ndarray, joint: int, child: int) -> np.ndarray:
        """Turn ``start`` the short way so that the bone from ``joint`` points to where ``child`` is wanted."""
        return _swung(start, self.skeleton.offsets[child], self.wanted[:, child] - self.wanted[:, joint])

    def _carrying(self, joint: int, children: tuple[str, ...]) -> np.ndarray:
        """Best rotation of the rest offsets of ``children`` onto their wanted places about ``joint`` (Kabsch)."""
        indices = [self.skeleton.index(name) for name in children]
        rest = self.skeleton.offsets[indices]
        wanted = self.wanted[:, indices] - self.wanted[:, joint : joint + 1]
        u, _, vt = np.linalg.svd(np.einsum("ca,tcb->tab", rest, wanted))
        flip = np.ones((len(wanted), 3))
        flip[:, 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
        matrices = np.einsum("tba,tb,tcb->tac", vt, flip, u)
        return np.asarray(Rotation.from_matrix(matrices).as_quat())


def _swung(start: np.ndarray, offset: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Turn ``start`` ``(T, 4)`` the short way so that a bone at ``offset`` points in ``direction`` ``(T, 3)``."""
    return product(shortest_turn(applied(start, offset), direction), start)


def _steady_bend(
    first: np.ndarray, middle: np.ndarray, end: np.ndarray, lengths: list[float], fps: float
) -> np.ndarray:
    """Return middle joints ``(T, 3)`` that tell the plane of a limb's bend, where its own hardly do.

    In a limb that is given far too short, its middle may lie anywhere near the line of its ends. There the frames
    around tell, each by how far its middle lies off that line.
    """
    line = unit(end - first)
    off = middle - first
    off = off - dots(off, line)[:, None] * line
    size = np.sqrt(dots(off, off))
    _, needed = _triangle(np.linalg.norm(end - first, axis=1), *lengths)
    told = _smoothstep((size / np.maximum(needed, 1e-9) - VAGUE[0]) / (VAGUE[1] - VAGUE[0]))[:, None]
    around = gaussian_filter1d(off, BEND_SMOOTHING * fps, axis=0, mode="nearest")
    return np.asarray(middle + (1 - told) * (around - off))


def _triangle(distance: np.ndarray, upper: float, lower: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle of a limb lies whose ends are ``distance`` apart: along their line, and off it; metres."""
    distance = np.clip(distance, abs(upper - lower) + 1e-6, upper + lower - 1e-9)
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    return along, np.asarray(np.sqrt(np.maximum(upper**2 - along**2, 0.0)))


def two_bones(first: np.ndarray, middle: np.ndarray, end: np.ndarray, upper: float, lower: float) -> np.ndarray:
    """Place the middle joint of a two-bone limb ``(T, 3)``.

    Args:
        first: ``(T, 3)`` where the limb begins.
        middle: ``(T, 3)`` where the middle joint would like to be: it decides the plane of the bend.
        end: ``(T, 3)`` where the limb should end; out of reach, the limb points there.
        upper: metres, length of the first bone.
        lower: metres, length of the second.
    """
    line = end - first
    distance = np.linalg.norm(line, axis=1, keepdims=True)
    line = line / np.maximum(distance, 1e-9)
    along, aside = _triangle(distance, upper, lower)
    pole = middle - first
    pole = pole - dots(pole, line)[:, None] * line
    size = np.linalg.norm(pole, axis=1, keepdims=True)
    pole = np.where(size > 1e-9, pole / np.maximum(size, 1e-9), 0.0)
    return first + along * line + aside * pole


def swing(source: np.ndarray, target: np.ndarray) -> Rotation:
    """Shortest rotation that turns each of ``source`` ``(T, 3)`` to the direction of ``target`` ``(T, 3)``."""
    return Rotation.from_quat(shortest_turn(source, target))


def _side_of_bend(thigh: np.ndarray, shin: np.ndarray, foot: np.ndarray) -> np.ndarray:
    """How far, -1 to 1, the knee lies on the side of the leg to which the ``foot`` points; all ``(T, 3)``."""
    line = unit(thigh + shin)
    knee = thigh - dots(thigh, line)[:, None] * line
    front = foot - dots(foot, line)[:, None] * line
    scale = np.linalg.norm(knee, axis=1) * np.linalg.norm(front, axis=1)
    return dots(knee, front) / np.maximum(scale, 1e-9)


def _angle_about(axis: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Angles ``(T,)`` about unit ``axis`` ``(T, 3)`` that turn ``source`` to ``target``, both seen along the axis."""
    source = source - dots(source, axis)[:, None] * axis
    return np.asarray(np.arctan2(dots(cross(source, target), axis), dots(source, target)))


def _steady_angle(
    measured: np.ndarray, sure: np.ndarray, spin: np.ndarray, trust: np.ndarray, stiffness: float
) -> np.ndarray:
    """Angle ``(T,)`` that follows ``measured`` where that is ``sure`` and turns evenly where it is not.

    The least of ``sum(sure (angle - measured)^2) + sum(trust angle^2) + stiffness sum(turn^2)``, where a turn is the
    step of the angle plus ``spin`` ``(T - 1,)``, the turn of the frame in which it is told. Whole turns do not count.
    """
    frame = np.concatenate([[0.0], np.cumsum(spin)])
    seen = measured + frame
    known = np.flatnonzero(sure > 0.05)
    path = np.interp(np.arange(len(seen)), known, np.unwrap(seen[known])) if len(known) else frame
    seen, rest = (value + 2 * np.pi * np.round((path - value) / (2 * np.pi)) for value in (seen, frame))
    bands = np.zeros((2, len(seen)))
    bands[0, 1:] = -stiffness
    bands[1] = sure + trust + 1e-6
    bands[1, 1:] += stiffness
    bands[1, :-1] += stiffness
    return np.asarray(solveh_banded(bands, sure * seen + trust * rest + 1e-6 * path) - frame)


def _smoothstep(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share))
