"""Any motion file that we know, as a motion on SMPL's 24 joints at 60 frames a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duende.errors import DuendeError
from duende.formats.aistpp import read_aistpp
from duende.formats.bvh import read_bvh
from duende.formats.npz import read_npz
from duende.formats.robot import is_robot, read_g1
from duende.motion import SMPL24, Motion
from duende.motion.retargeting import on_floor, retarget

FPS = 60.0
SUFFIXES = (".bvh", ".npz", ".pkl")


SETTLING = 0.1
"""Seconds after a T-pose in which a capture's filter still feels it."""


def load_mocap(path: str | Path, fps: float | None = None, skip_first: bool = True) -> Motion:
    """Read a ``.bvh``, ``.npz`` (AMASS-style, or the G1 robot's) or ``.pkl`` (AIST++) file, feet on the floor.

    Args:
        path: of the file.
        fps: true frame rate of a BVH file whose header is wrong.
        skip_first: leave out the first frame of a BVH file where it is a T-pose apart from what follows.

    Raises:
        DuendeError: the file cannot be read, or its skeleton is not known.
    """
    return load_recording(path, fps, skip_first)[0]


def load_recording(path: str | Path, fps: float | None = None, skip_first: bool = True) -> tuple[Motion, float]:
    """Read a file as :func:`load_mocap` does; return too how many seconds were left out at its start.

    Raises:
        DuendeError: the file cannot be read, or its skeleton is not known.
    """
    path = Path(path)
    try:
        motion, skipped = _read(path, fps, skip_first)
    except DuendeError as error:
        raise error if str(path) in str(error) else DuendeError(f"{path}: {error}") from error
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise DuendeError(f"{path} holds no motion that can be read ({error}); export it again") from error
    return motion.resampled(FPS), skipped


def _read(path: Path, fps: float | None, skip_first: bool) -> tuple[Motion, float]:
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        return _from_bvh(path, fps, skip_first)
    if suffix == ".npz":
        return (read_g1(path) if is_robot(path) else on_floor(read_npz(path))), 0.0
    if suffix == ".pkl":
        return on_floor(read_aistpp(path)), 0.0
    raise DuendeError(f"{path}: motion is read from {', '.join(SUFFIXES)}; convert it to one of these")


def _from_bvh(path: Path, fps: float | None, skip_first: bool) -> tuple[Motion, float]:
    source = read_bvh(path, fps, ends=True)
    if set(SMPL24.names) <= set(source.skeleton.names):
        return _ours(source), 0.0
    names = source.skeleton.names
    skipped = 0
    if skip_first and len(source) > 2 and _apart(source):
        # What follows the T-pose still swings out of it.
        skipped = 1 + round(SETTLING * source.fps)
        source = source.cropped(skipped, len(source))
    positions = source.positions
    joints = {name: positions[:, index] for index, name in enumerate(names)}
    return retarget(joints, source.fps), skipped / source.fps


def _ours(source: Motion) -> Motion:
    """A file that we wrote: centimetres, our joints, perhaps in another order."""
    order = [source.skeleton.index(name) for name in SMPL24.names]
    knee = source.skeleton.index("left_knee")
    scale = np.linalg.norm(SMPL24.offsets[SMPL24.index("left_knee")]) / np.linalg.norm(source.skeleton.offsets[knee])
    return Motion(source.rotations[:, order], source.root * float(scale), source.fps)


def _apart(source: Motion) -> bool:
    """Whether the first frame is a pose of its own: further from the second than any other two neighbours."""
    steps = np.linalg.norm(np.diff(source.positions[:200], axis=0), axis=-1).mean(axis=1)
    return bool(steps[0] > 3 * np.median(steps[1:]) and steps[0] >= steps[1:].max())
