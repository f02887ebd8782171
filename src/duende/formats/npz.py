"""AMASS-style ``npz``: SMPL poses that existing tools read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from duende.errors import DuendeError
from duende.files import replacing
from duende.motion import SMPL24, Motion

BODY_JOINTS = 22
"""SMPL joints that SMPL-H and SMPL-X share; their files hold fingers instead of SMPL's two hand joints."""


def write_npz(motion: Motion, path: str | Path) -> None:
    """Write ``poses`` (T, 72) axis-angle, ``trans`` (T, 3) metres, ``mocap_framerate``; Y up.

    ``trans`` is the pelvis itself: AMASS subtracts a pelvis offset of the body's shape, which is zero here.

    Raises:
        DuendeError: the motion is not on SMPL's 24 joints, or the file cannot be written.
    """
    if motion.skeleton.names != SMPL24.names:
        raise DuendeError(f"npz files hold SMPL's 24 joints, this motion has {len(motion.skeleton)}; retarget it first")
    poses = Rotation.from_quat(motion.rotations.reshape(-1, 4)).as_rotvec().reshape(len(motion), 72)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            poses=poses.astype(np.float32),
            trans=motion.root.astype(np.float32),
            mocap_framerate=np.float64(motion.fps),
            betas=np.zeros(10, np.float32),
            gender=np.array("neutral"),
            up_axis=np.array("y"),
        )


def read_npz(path: str | Path, up: Literal["y", "z"] | None = None) -> Motion:
    """Read SMPL, SMPL-H or SMPL-X poses; fingers and face are left out.

    Args:
        path: of the file.
        up: the file's vertical axis; by default what it says of itself, and Z (AMASS) where it says nothing.

    Raises:
        DuendeError: the file is missing, damaged, or lacks poses, root or frame rate.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DuendeError(f"no file {path}; check the name") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DuendeError(f"{path} is not a readable npz file ({error}); copy it again") from error
    rate = values.get("mocap_framerate", values.get("mocap_frame_rate"))
    poses, root = values.get("poses"), values.get("trans")
    if poses is None or root is None or rate is None:
        raise DuendeError(f"{path} needs poses, trans and mocap_framerate; it holds {', '.join(values) or 'nothing'}")
    if poses.ndim != 2 or poses.shape[1] < 3 * BODY_JOINTS or root.shape != (len(poses), 3):
        raise DuendeError(f"{path}: poses (T, 72) and trans (T, 3) are expected, got {poses.shape}, {root.shape}")
    axis_angle = np.zeros((len(poses), 24, 3))
    body = 24 if poses.shape[1] == 72 else BODY_JOINTS
    axis_angle[:, :body] = poses[:, : 3 * body].reshape(len(poses), body, 3)
    rotations = Rotation.from_rotvec(axis_angle.reshape(-1, 3)).as_quat().reshape(len(poses), 24, 4)
    if up is None:
        up = "y" if str(values.get("up_axis", "z")) == "y" else "z"
    if up == "z":
        turn = Rotation.from_euler("x", -90, degrees=True)
        root = turn.apply(root)
        rotations[:, 0] = (turn * Rotation.from_quat(rotations[:, 0])).as_quat()
    return Motion(rotations, root, float(rate))
