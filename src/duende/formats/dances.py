"""Dances of any system as joints: the files that Bailando, EDGE, AIST++, AMASS and duende write.

Layouts as lisiyao21/Bailando (``utils/functional.py``) and Stanford-TML/EDGE (``model/diffusion.py``) write them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from duende.errors import DuendeError
from duende.formats.aistpp import FPS, load_arrays, read_aistpp, unpickle_arrays
from duende.formats.load import load_mocap
from duende.formats.npz import read_npz
from duende.formats.robot import is_robot, read_g1
from duende.motion import SMPL24
from duende.motion.resampling import resampled_positions

SUFFIXES = (".npz", ".pkl", ".npy", ".bvh")
"""Where a folder holds one dance in several formats, the first of these is read."""
EDGE_FPS = 30.0
SHORTEST = 0.5
"""Seconds: less has no accelerations to speak of."""
THIGH = (0.15, 1.0)
"""Metres between which the length of a thigh must lie: other units are told from metres by it."""


@dataclass(frozen=True, eq=False)
class DanceFile:
    """A dance as its file tells it.

    Attributes:
        name: of the file, without its suffixes.
        positions: ``(T, 24, 3)`` metres, Y up, SMPL's joints.
        fps: frames a second.
        layout: whose file it is: ``"Bailando"``, ``"EDGE"``, ``"AIST++"``, ``"npz"``, ``"bvh"``, ``"array"``.
    """

    name: str
    positions: np.ndarray
    fps: float
    layout: str

    def resampled(self, fps: float) -> DanceFile:
        """Return the dance at another frame rate, its joints interpolated by cubic splines."""
        return replace(self, positions=resampled_positions(self.positions, self.fps, fps), fps=fps)


def find_dances(source: Path) -> list[Path]:
    """List the dance files of a folder, one for each dance; subfolders are left alone.

    Raises:
        DuendeError: there is no such file or folder, or it holds no dance.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DuendeError(f"no file or folder {source}; name a folder of dances ({', '.join(SUFFIXES)})")
    files = [path for path in source.iterdir() if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise DuendeError(f"{source} is an empty folder; name a folder of dances ({', '.join(SUFFIXES)})")
    dances: dict[str, Path] = {}
    for path in sorted(files, key=_rank):
        if path.suffix.lower() in SUFFIXES:
            dances.setdefault(dance_name(path), path)
    if not dances:
        raise DuendeError(f"{source} holds no dance files; they end in {', '.join(SUFFIXES)}")
    return sorted(dances.values())


def dance_name(path: Path) -> str:
    """Return the name of a file without its suffixes: Bailando's end in ``.pkl.npy``."""
    name = path.name
    while Path(name).suffix.lower() in SUFFIXES:
        name = Path(name).stem
    return name


def read_dance(path: str | Path, fps: float | None = None) -> DanceFile:
    """Read one dance.

    Bailando's files are taken to be at 60 frames a second and EDGE's at 30 with Z up, as those systems write them;
    arrays without more are taken to be at 60 with Y up. BVH files come at 60, resampled by rotations.

    Args:
        path: of the file.
        fps: frames a second of a ``.pkl`` or ``.npy`` file, which do not say.

    Raises:
        DuendeError: the file is missing or damaged, holds code, or is no dance of 24 joints in metres with Y up.
    """
    path = Path(path)
    try:
        found = _read(path, fps)
        _check(found)
    except DuendeError as error:
        raise error if str(path) in str(error) else DuendeError(f"{path}: {error}") from error
    return found


def _rank(path: Path) -> tuple[int, str]:
    suffix = path.suffix.lower()
    return (SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES), path.name)


def _read(path: Path, fps: float | None) -> DanceFile:
    name, suffix = dance_name(path), path.suffix.lower()
    if suffix == ".bvh":
        motion = load_mocap(path)
        return DanceFile(name, motion.positions, motion.fps, "bvh")
    if suffix == ".npz":
        motion = read_g1(path) if is_robot(path) else read_npz(path)
        return DanceFile(name, motion.positions, motion.fps, "npz")
    if suffix not in SUFFIXES:
        raise DuendeError(f"{path}: dances are read from {', '.join(SUFFIXES)}; convert it to one of these")
    values = _npy(path) if _is_npy(path) else load_arrays(path)
    if "full_pose" in values:
        return DanceFile(name, _upright(_joints(values, "full_pose")), fps or EDGE_FPS, "EDGE")
    if "pred_position" in values:
        return DanceFile(name, _joints(values, "pred_position"), fps or FPS, "Bailando")
    if "positions" in values:
        return DanceFile(name, _joints(values, "positions"), fps or FPS, "array")
    if "smpl_poses" in values:
        return DanceFile(name, read_aistpp(path).positions, fps or FPS, "AIST++")
    known = "pred_position (Bailando), full_pose (EDGE) or smpl_poses (AIST++)"
    raise DuendeError(f"{path} needs {known}; it holds {', '.join(map(str, values)) or 'nothing'}")


def _is_npy(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DuendeError(f"{path} cannot be read ({reason}); check its name and permissions") from error


def _npy(path: Path) -> Mapping[str, Any]:
    """Read an ``npy`` file: an array of joints, or a pickled dictionary, which builds arrays and nothing else."""
    file = io.BytesIO(path.read_bytes())
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        _, _, dtype = header(file)
        if not dtype.hasobject:
            file.seek(0)
            return {"positions": npy.read_array(file, allow_pickle=False)}
    except (ValueError, EOFError, OSError) as error:
        raise DuendeError(f"{path} is a damaged npy file ({error}); copy it again") from error
    return unpickle_arrays(file.read(), path)


def _joints(values: Mapping[str, Any], key: str) -> np.ndarray:
    """Take joints ``(T, 24, 3)`` from an array of that shape or ``(T, 72)``."""
    try:
        array = np.asarray(values[key], dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DuendeError(f"{key} is no array of numbers ({error}); write the file again") from error
    if array.ndim == 2 and array.shape[1] % 3 == 0:
        array = array.reshape(len(array), -1, 3)
    if array.ndim != 3 or array.shape[2] != 3:
        raise DuendeError(f"{key} has shape {array.shape}, joints (T, 24, 3) or (T, 72) are expected")
    if array.shape[1] != len(SMPL24):
        raise DuendeError(f"{key} has {array.shape[1]} joints, SMPL's 24 are expected; bring it to these")
    return array


def _upright(positions: np.ndarray) -> np.ndarray:
    """Turn joints with Z up so that Y is up."""
    return np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)


def _check(dance: DanceFile) -> None:
    positions, fps = dance.positions, dance.fps
    if len(positions) < SHORTEST * fps:
        raise DuendeError(
            f"it lasts {len(positions)} frame{'s' * (len(positions) != 1)} at {fps:g} a second, "
            f"{SHORTEST:g} seconds or more are expected; leave it out"
        )
    if not np.isfinite(positions).all():
        frame = int(np.flatnonzero(~np.isfinite(positions).all(axis=(1, 2)))[0])
        raise DuendeError(f"its joints hold a value that is no number, first in frame {frame}; make the dance again")
    knee, hip = SMPL24.index("left_knee"), SMPL24.index("left_hip")
    thigh = float(np.median(np.linalg.norm(positions[:, knee] - positions[:, hip], axis=1)))
    if not THIGH[0] < thigh < THIGH[1]:
        raise DuendeError(f"its thigh is {thigh:.3g} long, metres are expected; scale the dance, or check its joints")
    head = np.median(positions[:, SMPL24.index("head")] - positions[:, list(SMPL24.feet)].mean(axis=1), axis=0)
    if head[2] > 1.0 and head[1] < 0.5:
        raise DuendeError("it stands along Z, Y up is expected; turn the dance")
