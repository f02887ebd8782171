"""Music scored to dances: composed on an exact beat, in a style, rendered with a General MIDI sound font."""

from duende.datasets.composer.arrange import Composition, Note, Part, compose
from duende.datasets.composer.demo import compose_demo, write_demo
from duende.datasets.composer.render import find_soundfont, render
from duende.datasets.composer.styles import STYLES, Style

__all__ = [
    "STYLES",
    "Composition",
    "Note",
    "Part",
    "Style",
    "compose",
    "compose_demo",
    "find_soundfont",
    "render",
    "write_demo",
]
