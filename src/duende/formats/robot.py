"""Dances retargeted to the Unitree G1 robot (G1 Moves): link positions and orientations in ``npz``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.motion import Motion
from duende.motion.retargeting import retarget

NECK_OVER_SHOULDERS = 0.05
"""Metres: the robot has no neck joint; it is taken to lie this far above the middle of its shoulders."""


def is_robot(path: Path) -> bool:
    """Whether an ``npz`` file holds link positions rather than SMPL poses."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return "body_names" in file.files
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False


def read_g1(path: str | Path) -> Motion:
    """Read ``positions`` (T, 38, 3) metres, Y up, and lay SMPL's bones along the robot's.

    Raises:
        DuendeError: the file is missing, damaged, or of another layout.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            positions = file["positions"].astype(np.float64)
            turns = file["orientations_xyzw"].astype(np.float64)
            names = [str(name) for name in file["body_names"]]
            fps = float(file["fps"])
        joints = {name: positions[:, index] for index, name in enumerate(names)}
        up = Rotation.from_quat(turns[:, names.index("torso_link")]).apply(_torso_up(turns, names))
        shoulders = (joints["left_shoulder_pitch_link"] + joints["right_shoulder_pitch_link"]) / 2
    except FileNotFoundError:
        raise DuendeError(f"no file {path}; check the name") from None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DuendeError(f"{path} is not a file of robot links ({error}); copy it again") from error
    joints["neck"] = shoulders + NECK_OVER_SHOULDERS * up
    return retarget(joints, fps)


def _torso_up(turns: np.ndarray, names: list[str]) -> np.ndarray:
    """The torso's own axis that points up on average: files differ in how their links' axes lie."""
    torso = Rotation.from_quat(turns[:, names.index("torso_link")])
    mean = torso.inv().apply([0.0, 1.0, 0.0]).mean(axis=0)
    axis = np.zeros(3)
    axis[np.abs(mean).argmax()] = np.sign(mean[np.abs(mean).argmax()])
    return axis
