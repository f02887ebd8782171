"""Clips of the starter set: a variant of a take that was brought onto a beat, and music for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duende.audio.feature_sets import FRAMES_IN_ROW
from duende.datasets.hearing import Hearing
from duende.datasets.retiming import Retimed
from duende.datasets.store import SCHEMA, Clip
from duende.datasets.takes import Take
from duende.motion import Motion
from duende.motion.contacts import foot_contacts
from duende.motion.feet import plant_feet
from duende.motion.representation import PoseRepresentation

REVISION = 7
"""Raised whenever the same files would give other clips; finished clips of another revision are built again."""
STRETCH = (0.85, 1.15)


@dataclass(frozen=True)
class Plan:
    """One clip to build: a take, a variant of it, and what chance decides.

    Without ``hearing`` it has no music.
    """

    take: Take
    split: str
    variant: int
    seed: int
    hearing: Hearing | None = None

    @property
    def name(self) -> str:
        """Of the clip and its file."""
        return f"{self.take.name}-{self.variant}"

    def key(self) -> str:
        """Say in a hash all that the clip depends on, the file's content included."""
        take = self.take
        facts = (REVISION, SCHEMA, take.name, take.style, take.fps, take.tempo, self.split, self.variant, self.seed)
        digest = hashlib.sha256(repr((*facts, self.hearing and self.hearing.facts)).encode())
        digest.update(take.path.read_bytes())
        return digest.hexdigest()


def stretched(retimed: Retimed, factor: float) -> tuple[Motion, float]:
    """Play dance and beat ``factor`` times as fast; return the dance and the new tempo."""
    motion = retimed.motion
    frames = int(len(motion) / factor)
    return motion.warped(np.arange(frames) * factor / motion.fps), retimed.tempo * factor


def make_clip(plan: Plan, retimed: Retimed, out: Path) -> Clip:
    """Make the clip of a plan; the sound of a held-out one is written to ``out``."""
    rng = np.random.default_rng([plan.seed, plan.variant, *plan.name.encode()])
    first = plan.variant == 0
    factor = 1.0 if first else float(rng.uniform(*STRETCH))
    motion, tempo = stretched(retimed, factor)
    # The first variant is the dance as it is, the second its mirror image, the third is only stretched, and so on.
    mirrored = plan.variant % 2 == 1
    if mirrored:
        motion = motion.mirrored()
    rows = len(motion) // FRAMES_IN_ROW
    motion = motion.cropped(0, rows * FRAMES_IN_ROW)
    motion = plant_feet(motion, foot_contacts(motion.positions, motion.fps), gentle=True)
    poses = PoseRepresentation("heading").encode(motion.positions)
    beats = np.arange(0.0, motion.duration, 60.0 / tempo)
    downbeats, music = beats[::4], None
    if plan.hearing:
        # Imported here: a set of dances alone needs no synthesiser.
        from duende.datasets.scoring import score

        scored = score(plan.take.style, tempo, motion.duration, int(rng.integers(2**31)), plan.hearing, rows)
        music, beats, downbeats = scored.features, scored.beats, scored.downbeats
        if plan.split == "test":
            scored.song.write(out / f"{plan.name}.ogg")
    return Clip(
        name=plan.name,
        take=plan.take.name,
        style=plan.take.style,
        split=plan.split,
        tempo=tempo,
        mirrored=mirrored,
        upper=poses.upper,
        lower=poses.lower,
        root=poses.root,
        music=music,
        beats=beats,
        downbeats=downbeats,
        # The networks read channels; whole motions serve evaluation, for which one variant is enough.
        motion=motion if first else None,
    )
