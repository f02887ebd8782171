"""A data set of AIST++'s shape that nobody danced: how long training takes does not depend on what is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.audio.feature_sets import FRAMES_IN_ROW, feature_set
from duende.datasets.store import INDEX, Clip, DanceSet, write_clip, write_index
from duende.motion.representation import PoseRepresentation

FPS = 60


@dataclass(frozen=True)
class Shape:
    """How large a set is.

    Attributes:
        takes: for training and for testing.
        short: seconds of most takes, from and to.
        long: seconds of the others.
        share: of takes that are long.
        representation: of poses.
        features: of the music.
    """

    takes: tuple[int, int]
    short: tuple[float, float]
    long: tuple[float, float]
    share: float
    representation: str
    features: str


SHAPES = {
    # AIST++: basic dances of 7 to 13 seconds and advanced ones of 28 to 48; so many long ones that there are 5.2 hours.
    "paper": Shape((980, 20), (7.4, 12.8), (28.0, 48.0), 0.36, "global", "bailando"),
    "starter": Shape((300, 11), (20.0, 30.0), (20.0, 30.0), 0.0, "heading", "full_band"),
}


def write_synthetic_set(folder: Path, shape: Shape, seed: int = 0) -> DanceSet:
    """Write the set unless ``folder`` holds one, and open it."""
    if not (folder / INDEX).exists():
        rng = np.random.default_rng(seed)
        names = []
        for split, count in zip(("train", "test"), shape.takes, strict=True):
            for number in range(count):
                clip = _clip(f"{split}-{number:04}", split, shape, rng)
                write_clip(clip, folder / f"{clip.name}.npz")
                names.append((clip.name, split))
        facts = {"representation": shape.representation, "music": True}
        write_index(folder, names, feature_set(shape.features).identity, facts)
    return DanceSet.open(folder)


def _clip(name: str, split: str, shape: Shape, rng: np.random.Generator) -> Clip:
    seconds = rng.uniform(*(shape.long if rng.random() < shape.share else shape.short))
    rows = round(seconds * FPS / FRAMES_IN_ROW)
    poses = PoseRepresentation(shape.representation)  # type: ignore[arg-type]
    time = np.arange(rows * FRAMES_IN_ROW)[:, None] / FPS
    upper, lower, root = (
        np.sin(2 * np.pi * rng.uniform(0.2, 3.0, width) * time + rng.uniform(0, 2 * np.pi, width)) * 0.2
        for width in (poses.upper_channels, poses.lower_channels, poses.root_channels)
    )
    music = rng.standard_normal((rows, feature_set(shape.features).dimension), dtype=np.float32)
    beats = np.arange(0.0, seconds, 0.5)
    style = f"style-{rng.integers(10)}"
    return Clip(name, name, style, split, 120.0, False, upper, lower, root, music, beats, beats[::4])
