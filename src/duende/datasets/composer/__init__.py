"""Music scored to dances: composed on an exact beat, in a style, rendered with a General MIDI sound font."""

from duende.datasets.composer.arrange import Composition, Note, Part, compose
from duende.datasets.composer.render import find_soundfont, render
from duende.datasets.composer.styles import STYLES

__all__ = ["STYLES", "Composition", "Note", "Part", "compose", "find_soundfont", "render"]
