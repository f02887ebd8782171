"""AIST++ motion files: pickles, opened by a reader that builds arrays and refuses everything else."""

from __future__ import annotations

import io
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion import Motion

FPS = 60.0
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    """Builds numpy arrays and plain containers; never imports or calls anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not part of an array")
        return super().find_class(module, name)


def load_arrays(path: Path) -> dict[str, Any]:
    """Read a pickle of a dictionary of arrays without running anything that it holds.

    Raises:
        DuendeError: the file is missing or damaged, or holds more than arrays.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DuendeError(f"no file {path}; check the name") from None
    except OSError as error:
        raise DuendeError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    return unpickle_arrays(content, path)


def unpickle_arrays(content: bytes, path: Path) -> dict[str, Any]:
    """Build the dictionary of arrays that ``content`` pickles, alone or within an object array without axes.

    Args:
        content: the pickle itself.
        path: of the file that it was found in, for messages.

    Raises:
        DuendeError: it is damaged, or holds more than arrays.
    """
    try:
        values = _ArraysOnly(io.BytesIO(content)).load()
    except Exception as error:
        raise DuendeError(f"{path} is not a pickle of arrays and was not opened ({error}); copy it again") from error
    if isinstance(values, np.ndarray) and values.shape == ():
        values = values.item()
    if not isinstance(values, dict):
        raise DuendeError(f"{path} holds a {type(values).__name__}, a dictionary of arrays is expected")
    return values


def read_aistpp(path: str | Path) -> Motion:
    """Read SMPL poses at zero shape, 60 fps, in metres (the translation is divided by the file's scale).

    Raises:
        DuendeError: the file is missing, damaged or holds code, or its poses, translation or scale are wrong.
    """
    path = Path(path)
    values = load_arrays(path)
    try:
        poses = np.asarray(values["smpl_poses"], dtype=np.float64)
        scale = np.ravel(np.asarray(values.get("smpl_scaling", 1.0), dtype=np.float64))
        root = np.asarray(values["smpl_trans"], dtype=np.float64)
    except (KeyError, ValueError, TypeError) as error:
        raise DuendeError(f"{path} needs smpl_poses (T, 72) and smpl_trans (T, 3): {error}") from error
    frames = len(poses) if poses.ndim else 0
    if frames == 0 or poses.shape not in ((frames, 72), (frames, 24, 3)) or root.shape != (frames, 3):
        shapes = f"{poses.shape} and {root.shape}"
        raise DuendeError(f"{path} needs smpl_poses (T, 72) and smpl_trans (T, 3), got {shapes}; copy it again")
    if len(scale) != 1 or not (np.isfinite(scale).all() and scale[0] > 0):
        raise DuendeError(f"{path}: smpl_scaling is {scale}, one positive number is expected; copy it again")
    if not (np.isfinite(poses).all() and np.isfinite(root).all()):
        raise DuendeError(f"{path} holds values that are not finite numbers (NaN or infinity); copy it again")
    rotations = Rotation.from_rotvec(poses.reshape(-1, 3)).as_quat().reshape(frames, 24, 4)
    return Motion(rotations, root / scale[0], FPS)


@dataclass(frozen=True)
class AistName:
    """What a sequence's name says, as in ``gBR_sBM_cAll_d04_mBR0_ch02``."""

    genre: str
    situation: str
    dancer: str
    music: str
    choreography: str

    @property
    def tempo(self) -> float:
        """Beats a minute of the music: 110 + 5 k for house, 80 + 10 k for all others, k its last digit."""
        digit = int(self.music[-1])
        return 110.0 + 5 * digit if self.genre == "HO" else 80.0 + 10 * digit


def parse_name(name: str) -> AistName | None:
    """Read a sequence's name; None where it is no AIST++ name."""
    match = re.fullmatch(r"g([A-Z]{2})_s([A-Z]{2})_c\w+_d(\d+)_m([A-Z]{2}\d)_ch(\d+)", name)
    return AistName(*match.groups()) if match else None
