"""Movement and music that nobody made, so that every command can be tried in a minute on any machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from duende.audio.feature_sets import FRAMES_IN_ROW, feature_set
from duende.datasets.store import INDEX, Clip, write_clip, write_index
from duende.motion import SMPL24, Motion
from duende.motion.representation import PoseRepresentation

SECONDS = 16
TEMPO = 120.0
FEATURES = feature_set("full_band+rhythm")
STYLES = ("up_and_down", "to_and_fro")
TAKES = {"train": 8, "test": 4}


def write_made_up_dances(folder: Path, seed: int = 0) -> None:
    """Write a data set of swaying figures in two styles, unless ``folder`` holds one: its scores mean nothing."""
    if (folder / INDEX).exists():
        return
    names = []
    for split, count in TAKES.items():
        for number in range(count):
            clip = _clip(f"made_up-{split}-{number}", split, STYLES[number % 2], seed)
            write_clip(clip, folder / f"{clip.name}.npz")
            names.append((clip.name, split))
    write_index(folder, names, FEATURES.identity, {"seed": seed, "representation": "heading", "music": True})


def _clip(name: str, split: str, style: str, seed: int) -> Clip:
    rng = np.random.default_rng([seed, *name.encode()])
    motion = _swaying(rng, style)
    poses = PoseRepresentation("heading").encode(motion.positions)
    rows = len(motion) // FRAMES_IN_ROW
    beats = np.arange(0.0, motion.duration, 60.0 / TEMPO)
    music = gaussian_filter1d(rng.normal(size=(rows, FEATURES.dimension)), 2.0, axis=0)
    return Clip(
        name=name,
        take=name,
        style=style,
        split=split,
        tempo=TEMPO,
        mirrored=False,
        upper=poses.upper,
        lower=poses.lower,
        root=poses.root,
        music=music.astype(np.float32),
        beats=beats,
        downbeats=beats[::4],
        motion=motion,
    )


def _swaying(rng: np.random.Generator, style: str, fps: float = 60.0) -> Motion:
    """Turn every joint to and fro in the beat, more about one axis in each style."""
    seconds = np.arange(round(SECONDS * fps)) / fps
    joints = len(SMPL24)
    size = rng.uniform(0.05, 0.3, (joints, 3)) * ([2.0, 0.5, 1.0] if style == STYLES[0] else [0.5, 1.0, 2.0])
    phase = rng.uniform(0, 2 * np.pi, (joints, 3))
    pace = TEMPO / 60 / rng.choice([1, 2, 4], (joints, 3))
    turns = size * np.sin(phase + 2 * np.pi * pace * seconds[:, None, None])
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(len(seconds), joints, 4)
    root = np.stack([0.2 * np.sin(seconds), 0.95 + 0.02 * np.cos(4 * np.pi * seconds), 0.2 * np.cos(seconds)], axis=1)
    return Motion(rotations, root, fps)
