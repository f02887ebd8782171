"""The form of a piece: sections of bars that differ in energy, and come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INTRO, VERSE, CHORUS, BRIDGE = "intro", "verse", "chorus", "bridge"
ENERGY = {INTRO: 1, VERSE: 2, CHORUS: 3, BRIDGE: 1}
"""1 thin, 2 without some colours, 3 full."""
CYCLES = (
    ((VERSE, 8), (CHORUS, 8)),
    ((VERSE, 8), (CHORUS, 8), (VERSE, 8), (CHORUS, 8), (BRIDGE, 4), (CHORUS, 8)),
    ((VERSE, 4), (CHORUS, 8), (BRIDGE, 4)),
    ((VERSE, 16), (CHORUS, 8)),
)


@dataclass(frozen=True)
class Section:
    """``bars`` bars from bar ``first``; ``name`` says which material is played."""

    name: str
    first: int
    bars: int

    @property
    def energy(self) -> int:
        """How full it is, 1 to 3."""
        return ENERGY[self.name]


def plan_form(bars: int, rng: np.random.Generator) -> tuple[Section, ...]:
    """Divide a piece of ``bars`` bars into sections; the last one ends where the piece does.

    A piece shorter than twelve bars has no intro, so that a short clip sounds like the middle of a song.
    """
    cycle = CYCLES[int(rng.integers(len(CYCLES)))]
    turn = int(rng.integers(2))
    sections = []
    first = 0
    if bars >= 12 and rng.random() < 0.7:
        sections.append(Section(INTRO, 0, 4))
        first, turn = 4, 0
    while first < bars:
        name, length = cycle[turn % len(cycle)]
        sections.append(Section(name, first, min(length, bars - first)))
        first += length
        turn += 1
    return tuple(sections)
