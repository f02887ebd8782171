"""Chords of a progression in a scale, and pitches brought into an instrument's range."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Harmony:
    """A progression in a key.

    Attributes:
        key: pitch class of the tonic.
        scale: semitones of its degrees above the tonic.
        progression: degree of the root, from 0, for each bar; repeated.
        voices: notes of a chord, stacked in thirds: 3 for triads, 4 with sevenths.
    """

    key: int
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    voices: int = 3

    def root(self, bar: int) -> int:
        """Degree of the root in a bar."""
        return self.progression[bar % len(self.progression)]

    def semitones(self, degree: int) -> int:
        """Semitones of a degree of any octave above the tonic."""
        octave, within = divmod(degree, len(self.scale))
        return 12 * octave + self.scale[within]

    def chord(self, bar: int) -> list[int]:
        """MIDI pitches of a bar's chord in root position, about the octave below middle C."""
        return [48 + self.key + self.semitones(self.root(bar) + 2 * third) for third in range(self.voices)]

    def voiced(self, bar: int, bounds: tuple[int, int]) -> list[int]:
        """Pitches of a bar's chord, rising, each in the octave ``bounds``: neighbouring chords lie close together."""
        return sorted({folded(pitch, bounds) for pitch in self.chord(bar)})


def folded(pitch: int, bounds: tuple[int, int]) -> int:
    """Move a pitch by octaves between ``bounds`` (both included, at least an octave apart)."""
    low, high = bounds
    if pitch < low:
        return pitch + 12 * -(-(low - pitch) // 12)
    if pitch > high:
        return pitch - 12 * -(-(pitch - high) // 12)
    return pitch
