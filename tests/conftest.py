"""What several tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from duende.models.gpt import CrossConditionalGPT, GPTConfig
from duende.motion import SMPL24, Motion

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes with several threads each wait for one another.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real motion capture and music beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs real motion capture and music in ../shared/data, which is not part of the project")
    return folder


@pytest.fixture(scope="session", autouse=True)
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests hear out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUENDE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def good(songs: Path, tmp_path: Path) -> Path:
    """The library of a module's ``songs`` without the broken one."""
    folder = tmp_path / "good"
    shutil.copytree(songs, folder, ignore=shutil.ignore_patterns("broken*"))
    return folder


@pytest.fixture
def wavy_motion() -> Motion:
    """Four seconds of smooth movement of every joint, made from a seed."""
    rng = np.random.default_rng(3)
    seconds = np.arange(240) / 60.0
    phase, rate = rng.uniform(0, 6.28, (24, 3)), rng.uniform(0.5, 1.5, (24, 3))
    turns = 0.35 * np.sin(phase[None] + 6.28 * rate[None] * seconds[:, None, None])
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(240, 24, 4)
    root = np.stack([0.3 * np.sin(seconds), 0.95 + 0.03 * np.sin(6 * seconds), 0.2 * np.cos(seconds)], axis=1)
    return Motion(rotations, root, 60.0, SMPL24)


def network(**changes: object) -> CrossConditionalGPT:
    """A tiny GPT with large weights, the same at each call."""
    torch.manual_seed(1)
    shape = {"music_dimension": 5, "codes": 7, "width": 16, "layers": 2, "heads": 2, "window": 6, **changes}
    gpt = CrossConditionalGPT(GPTConfig(**shape)).eval()  # type: ignore[arg-type]
    for parameter in gpt.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return gpt
