"""A dance with what it was made for: what every format is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from duende.audio.music import Beats
from duende.audio.song import Song
from duende.formats.body import load_body
from duende.formats.character import Character
from duende.motion import Motion


@dataclass(frozen=True, eq=False)
class Variant:
    """One of several dances to the same song."""

    name: str
    motion: Motion


@dataclass(frozen=True, eq=False)
class Performance:
    """A dance with what it was made for.

    Attributes:
        motion: the dance.
        title: shown as it is.
        song: what it dances to, from its first frame.
        beats: of the song.
        variants: dances to the song to choose from, ``motion`` one of them, as long as it and at its rate; empty for
            none. Formats that show a single dance leave them alone.
        character: who dances; None for the project's own mannequin.
        loop: whether the first frame comes after the last.
        bvh_unit: ``"cm"`` or ``"m"``, what BVH files are in, which do not say.
    """

    motion: Motion
    title: str
    song: Song | None = None
    beats: Beats | None = None
    variants: tuple[Variant, ...] = ()
    character: Character | None = None
    loop: bool = False
    bvh_unit: str = "cm"

    @cached_property
    def on_character(self) -> Motion:
        """The dance at the proportions of the character, its feet standing at the character's own leg length."""
        return self.motion if self.character is None else self.character.dance(self.motion, cyclic=self.loop)

    @cached_property
    def mannequin(self) -> Motion:
        """The dance of the project's own figure, soles at height 0 as files have it: in dances, joints of feet are."""
        return raised(self.motion, load_body().sole)

    @cached_property
    def figure(self) -> Motion:
        """The dance of the character, or of the mannequin where there is none, soles at height 0."""
        if self.character is None:
            return self.mannequin
        return raised(self.on_character, self.character.soles.depth)


def raised(motion: Motion, height: float) -> Motion:
    """Lift a dance by ``height`` metres."""
    return replace(motion, root=motion.root + np.array([0.0, height, 0.0]))
