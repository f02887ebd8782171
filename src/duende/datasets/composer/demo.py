"""The project's own song, for people who give none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from duende.audio.song import Song
from duende.datasets.composer.arrange import Composition, compose
from duende.datasets.composer.render import render

STYLE, TEMPO, BEATS, SEED = "pop", 116.0, 128, 37
"""32 bars, 66 seconds: intro, verse, chorus, bridge, verse, chorus."""
RATE = 32_000


def compose_demo() -> Composition:
    """Return the score of the demo song."""
    return compose(STYLE, TEMPO, BEATS, SEED)


def write_demo(path: Path, soundfont: Path | None = None) -> Song:
    """Render the demo song to ``path`` (ogg, 32 kHz mono) and return it.

    Raises:
        DuendeError: FluidSynth or a sound font is missing, or the file cannot be written.
    """
    song = replace(render(compose_demo(), soundfont, RATE), name="duende_demo")
    song.write(path)
    return song
