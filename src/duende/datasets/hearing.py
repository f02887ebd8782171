"""How the music of a set is made and heard."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from duende.audio.sources import Sources


@dataclass(frozen=True)
class Hearing:
    """With what music is composed and heard.

    Attributes:
        soundfont: General MIDI sound font.
        features: identity of the music features.
        weights: identity of whatever weights they depend on; empty where they depend on none.
        sources: where those weights are.
    """

    soundfont: Path
    features: str
    weights: str = ""
    sources: Sources = field(default_factory=Sources)

    @property
    def facts(self) -> tuple[str, int, str, str]:
        """All that features depend on, whatever the places of files."""
        return self.soundfont.name, self.soundfont.stat().st_size, self.features, self.weights
