"""Geometric features: 32 questions about poses, answered in every frame (Müller et al., 2005; fairmotion's "manual").

Each question is written as data; its answer is the share of frames in which it is true.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from duende.evaluation.kinetic import Form, centred_dance
from duende.motion import SMPL24

HUMERUS, SHOULDERS, HIPS = 0.2568, 0.3908, 0.1192
"""Metres: upper arm, shoulder width and hip width of the fixed template that thresholds are told in."""
NAMES = {
    "root": "pelvis",
    "belly": "spine1",
    "chest": "spine3",
    "neck": "neck",
    **{
        f"{side[0]}{part}": f"{side}_{part}"
        for side in ("left", "right")
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    },
    "ltoes": "left_foot",
    "rtoes": "right_foot",
}
Answer = Callable[["_Poses"], np.ndarray]


class _Poses:
    """Joints by name from frame 1 on, with their velocities; ``floor`` is the lowest joint's height."""

    def __init__(self, positions: np.ndarray, frame_time: float) -> None:
        joints = {name: positions[:, SMPL24.index(ours)] for name, ours in NAMES.items()}
        self.place = {name: joint[1:] for name, joint in joints.items()}
        self.velocity = {name: np.diff(joint, axis=0) / frame_time for name, joint in joints.items()}
        up = np.zeros_like(self.place["root"])
        up[:, 1] = positions[1:, :, 1].min(axis=1)
        self.place |= {"floor": up, "zero": np.zeros_like(up), "up": np.tile([0.0, 1.0, 0.0], (len(up), 1))}
        self.place["down"] = -self.place["up"]


def _along(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    length = np.maximum(np.linalg.norm(direction, axis=1), 1e-12)
    return np.asarray((vectors * direction).sum(axis=1) / length)


def _normal(poses: _Poses, a: str, b: str, c: str) -> np.ndarray:
    at = poses.place
    return np.cross(at[c] - at[a], at[b] - at[a])


def _beyond_plane(a: str, b: str, c: str, point: str, limit: float) -> Answer:
    return lambda poses: _along(poses.place[point] - poses.place[a], _normal(poses, a, b, c)) > limit


def _beyond(a: str, b: str, origin: str, point: str, limit: float) -> Answer:
    return lambda poses: _along(poses.place[point] - poses.place[origin], poses.place[b] - poses.place[a]) > limit


def _moving(a: str, b: str, point: str, limit: float) -> Answer:
    return lambda poses: _along(poses.velocity[point] - poses.velocity[a], poses.place[b] - poses.place[a]) > limit


def _moving_off_plane(a: str, b: str, c: str, point: str, limit: float) -> Answer:
    return lambda poses: _along(poses.velocity[point] - poses.velocity[a], _normal(poses, a, b, c)) > limit


def _angle(a: str, b: str, c: str, d: str, low: float, high: float) -> Answer:
    def answer(poses: _Poses) -> np.ndarray:
        first, second = poses.place[b] - poses.place[a], poses.place[d] - poses.place[c]
        cosine = _along(first, second) / np.maximum(np.linalg.norm(first, axis=1), 1e-12)
        angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        return (angle > low) & (angle < high)

    return answer


def _fast(point: str, limit: float) -> Answer:
    return lambda poses: np.linalg.norm(poses.velocity[point], axis=1) > limit


def _questions(form: Form) -> list[Answer]:
    """All 32 in their published order. The classic form asks twice what was meant for the two wrists."""
    corrected = form == "corrected"
    return [
        _moving_off_plane("neck", "rhip", "lhip", "rwrist", 1.8 * HUMERUS),
        _moving_off_plane("neck", "lhip", "rhip", "lwrist", 1.8 * HUMERUS),
        _beyond("chest", "neck", "neck", "rwrist", 0.2 * HUMERUS),
        _beyond("chest", "neck", "neck", "lwrist", 0.2 * HUMERUS),
        _moving("belly", "chest", "rwrist" if corrected else "chest", 1.8 * HUMERUS),
        _moving("belly", "chest", "lwrist" if corrected else "chest", 1.8 * HUMERUS),
        _angle("relbow", "rshoulder", "relbow", "rwrist", 0, 110),
        _angle("lelbow", "lshoulder", "lelbow", "lwrist", 0, 110),
        _beyond("lshoulder", "rshoulder", "lwrist", "rwrist", 2.5 * SHOULDERS),
        _moving("lwrist", "rwrist", "rwrist", 1.4 * HUMERUS),
        _moving("rwrist", "root", "lwrist", 1.4 * HUMERUS),
        _moving("lwrist", "root", "rwrist", 1.4 * HUMERUS),
        _fast("rwrist", 2.5 * HUMERUS),
        _fast("lwrist", 2.5 * HUMERUS),
        _beyond_plane("root", "lhip", "ltoes", "rankle", 0.38 * HUMERUS),
        _beyond_plane("root", "rhip", "rtoes", "lankle", 0.38 * HUMERUS),
        _beyond("zero", "up", "floor", "rankle", 1.2 * HUMERUS),
        _beyond("zero", "up", "floor", "lankle", 1.2 * HUMERUS),
        _beyond("lhip", "rhip", "lankle", "rankle", 2.1 * HIPS),
        _angle("rknee", "rhip", "rknee", "rankle", 0, 110),
        _angle("lknee", "lhip", "lknee", "lankle", 0, 110),
        _fast("rankle", 2.5 * HUMERUS),
        _fast("lankle", 2.5 * HUMERUS),
        _angle("neck", "root", "rshoulder", "relbow", 25, 180),
        _angle("neck", "root", "lshoulder", "lelbow", 25, 180),
        _angle("neck", "root", "rhip", "rknee", 50, 180),
        _angle("neck", "root", "lhip", "lknee", 50, 180),
        _beyond_plane("rankle", "neck", "lankle", "root", 0.5 * HUMERUS),
        _angle("neck", "root", "zero", "up", 70, 110),
        _beyond("zero", "down", "floor", "rwrist", -1.2 * HUMERUS),
        _beyond("zero", "down", "floor", "lwrist", -1.2 * HUMERUS),
        _fast("root", 2.3 * HUMERUS),
    ]


def geometric_features(positions: np.ndarray, fps: float = 60.0, form: Form = "classic") -> np.ndarray:
    """Describe a dance by 32 shares of frames, 0 to 1.

    The classic form takes 1/120 s for a frame whatever ``fps`` is, so that speeds at 60 frames a second count twice,
    and asks its fifth and sixth question about the chest instead of the wrists.

    Args:
        positions: ``(T, 24, 3)`` metres, Y up, SMPL's joints; T is 3 or more.
        fps: frames a second, used by the corrected form.
        form: which of the two.

    Raises:
        DuendeError: the array has another shape, is not finite, or is shorter than 3 frames.
    """
    centred = centred_dance(positions)
    poses = _Poses(centred, 1 / 120 if form == "classic" else 1 / fps)
    return np.array([answer(poses).mean() for answer in _questions(form)])
