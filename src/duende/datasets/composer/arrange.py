"""From a style and a seed to a score whose beats are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from duende.audio.music import Beats
from duende.datasets.composer.form import BRIDGE, CHORUS, INTRO, VERSE, Section, plan_form
from duende.datasets.composer.harmony import Harmony, folded
from duende.datasets.composer.styles import CRASH, KICK, SCALES, STYLES, Style
from duende.errors import DuendeError

LEVELS = {"X": 112, "x": 92, "o": 58}
LOUDNESS = {1: -12, 2: -4, 3: 3}
"""Added to velocities by a section's energy."""
BASS_RANGE, CHORD_RANGE, LEAD_RANGE = (29, 40), (55, 66), (62, 86)
"""MIDI pitches between which roots, chord notes and melodies are folded."""
SLOWEST, FASTEST = 40.0, 240.0


@dataclass(frozen=True)
class Note:
    """A note: start and length in beats, MIDI pitch and velocity."""

    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """An instrument's notes; ``program`` is None for drums."""

    name: str
    program: int | None
    volume: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, eq=False)
class Composition:
    """A piece.

    Attributes:
        style: its name.
        tempo: beats a minute, exact.
        key: pitch class of the tonic, 0 for C.
        length: in beats.
        parts: instruments.
        beats: exact beat times, the first downbeat at 0.
        seed: it was composed from.
    """

    style: str
    tempo: float
    key: int
    length: int
    parts: tuple[Part, ...]
    beats: Beats
    seed: int = 0

    @property
    def seconds(self) -> float:
        """Length without the last notes' ringing."""
        return self.length * 60.0 / self.tempo


def compose(style: str, tempo: float, beats: int, seed: int, beats_per_bar: int = 4) -> Composition:
    """Compose a piece; the same arguments give the same piece.

    Args:
        style: one of :data:`STYLES`.
        tempo: beats a minute, 40 to 240.
        beats: length, at least 1; the last bar may be incomplete.
        seed: 0 or more; decides all that the style leaves open.
        beats_per_bar: 4, or 3 for a waltz.

    Raises:
        DuendeError: the style is unknown, or a number is out of bounds.
    """
    if style not in STYLES:
        raise DuendeError(f"no style {style!r} to compose in; there are {', '.join(STYLES)}")
    if not SLOWEST <= tempo <= FASTEST or beats < 1:
        raise DuendeError(f"a tempo of 40 to 240 and at least one beat are needed, got {tempo} and {beats}")
    if beats_per_bar not in (3, 4):
        raise DuendeError(f"bars of 3 or 4 beats can be composed, got {beats_per_bar}")
    if seed < 0:
        raise DuendeError(f"a seed of 0 or more is needed, got {seed}")
    # With the style in it, so that a seed does not mean the same key in all styles.
    writer = _Writer(STYLES[style], beats, beats_per_bar, np.random.default_rng([seed, *style.encode()]))
    parts = writer.parts()
    times = np.arange(beats) * 60.0 / tempo
    return Composition(style, tempo, writer.key, beats, parts, Beats(times, times[::beats_per_bar], tempo), seed)


@dataclass(frozen=True)
class _Material:
    """What a kind of section plays whenever it comes back."""

    drums: dict[int, str]
    bass: str
    chords: str
    harmony: Harmony
    motif: tuple[tuple[int, int, int], ...]
    broken: bool


_WriteBar = Callable[[int, Section, _Material], list[Note]]


class _Writer:
    """Writes one piece bar by bar; every choice comes from one generator, in a fixed order."""

    def __init__(self, style: Style, beats: int, beats_per_bar: int, rng: np.random.Generator) -> None:
        self.style, self.rng, self.beats, self.beats_per_bar = style, rng, beats, beats_per_bar
        self.steps = 4 * beats_per_bar
        self.bars = -(-beats // beats_per_bar)
        self.key = int(rng.integers(12))
        self.scale = SCALES[str(rng.choice(style.scales))]
        self.basses, self.keys, self.pads, self.leads = (
            int(rng.choice(choices)) if choices else None
            for choices in (style.basses, style.keys, style.pads, style.leads)
        )
        self.swing = style.swing * float(rng.uniform(0.7, 1.2))
        self.material = {name: self._new_material() for name in (VERSE, CHORUS, BRIDGE)}
        # The intro announces the chorus.
        self.material[INTRO] = self.material[CHORUS]
        self.sections = plan_form(self.bars, rng)

    def parts(self) -> tuple[Part, ...]:
        """Write all parts, leaving out what a section's energy does without."""
        volume = self.rng.integers([75, 45, 78], [98, 68, 98])
        written: list[tuple[str, int | None, int, list[Note]]] = [
            ("drums", None, 110, self._each(self._drums)),
            ("bass", self.basses, 105, self._each(self._bass)),
            ("keys", self.keys, int(volume[0]), self._each(self._chords)),
            ("lead", self.leads, int(volume[2]), self._each(self._lead)),
        ]
        if self.pads is not None:
            written.append(("pad", self.pads, int(volume[1]), self._each(self._pad)))
        if self.style.drone:
            written.append(("drone", 104, 60, self._drone()))
        return tuple(Part(name, program, level, self._inside(notes)) for name, program, level, notes in written)

    def _new_material(self) -> _Material:
        style, rng = self.style, self.rng
        progression = style.progressions[int(rng.integers(len(style.progressions)))]
        return _Material(
            drums=style.drums[int(rng.integers(len(style.drums)))],
            bass=style.bass[int(rng.integers(len(style.bass)))],
            chords=style.chords[int(rng.integers(len(style.chords)))],
            harmony=Harmony(self.key, self.scale, progression, 4 if style.sevenths else 3),
            motif=self._motif(),
            broken=bool(rng.random() < style.broken),
        )

    def _motif(self) -> tuple[tuple[int, int, int], ...]:
        """Two bars of melody: step, scale degree, length in steps."""
        rng, notes = self.rng, []
        degree, step = int(rng.choice([0, 2, 4])), int(rng.choice([0, 0, 2, 4]))
        while step < 2 * self.steps - 2:
            length = int(rng.choice([2, 2, 3, 4, 4, 6]))
            notes.append((step, degree, min(length, 2 * self.steps - step)))
            degree = int(np.clip(degree + rng.choice([-2, -1, -1, 0, 1, 1, 2, 3]), -3, 9))
            step += length + int(rng.choice([0, 0, 0, 2]))
        return tuple(notes)

    def _each(self, write: _WriteBar) -> list[Note]:
        notes: list[Note] = []
        for section in self.sections:
            for bar in range(section.first, section.first + section.bars):
                notes += write(bar, section, self.material[section.name])
        return notes

    def _inside(self, notes: list[Note]) -> tuple[Note, ...]:
        return tuple(
            Note(n.start, min(n.length, self.beats - n.start), n.pitch, n.velocity)
            for n in notes
            if n.start < self.beats - 1e-6
        )

    def _at(self, bar: int, step: int) -> float:
        """Beat of a step, off-beats late by the swing; beats themselves are exact."""
        late = 0.0
        if step % 2:
            late = self.swing * 0.25
        elif step % 4 == 2 and self.style.swing >= 0.25:
            late = self.swing * 0.5
        return bar * self.beats_per_bar + step / 4 + late

    def _velocity(self, level: float) -> int:
        return int(np.clip(level + self.rng.normal(0, 5), 20, 127))

    def _pattern(self, pattern: str, bar: int) -> str:
        """Steps of one bar of a pattern that may last several; a bar of three beats leaves out the third of four."""
        of = bar % (len(pattern) // 16)
        steps = pattern[16 * of : 16 * of + 16]
        return steps if self.beats_per_bar == 4 else steps[:8] + steps[12:]

    def _drums(self, bar: int, section: Section, material: _Material) -> list[Note]:
        notes: list[Note] = []
        # With little energy only the two rows that carry the pulse play.
        rows = list(material.drums)[: 2 if section.energy == 1 else len(material.drums)]
        since = bar - section.first + 1
        filled = 4 if since == section.bars and self.rng.random() < 0.75 else 2 if since % 4 == 0 else 0
        filled = filled if self.style.fill and section.energy > 1 and self.rng.random() < 0.9 else 0
        loudness = LOUDNESS[section.energy]
        for drum in rows:
            for step, mark in enumerate(self._pattern(material.drums[drum], bar)):
                if mark in LEVELS and not (step >= self.steps - filled and step % 4 and drum != KICK):
                    notes.append(Note(self._at(bar, step), 0.2, drum, self._velocity(LEVELS[mark] + loudness)))
        for step in range(self.steps - filled, self.steps):
            if self.rng.random() < 0.8:
                drum = int(self.rng.choice(self.style.fill))
                level = self._velocity(78 + 8 * (step - self.steps + 4))
                notes.append(Note(self._at(bar, step), 0.2, drum, level))
        if bar and bar == section.first and section.energy == 3 and KICK in material.drums:
            notes.append(Note(self._at(bar, 0), 1.0, CRASH, self._velocity(95)))
        return notes

    def _bass(self, bar: int, section: Section, material: _Material) -> list[Note]:
        if section.name == INTRO and self.style.drums_alone:
            return []
        pattern = self._pattern(material.bass, bar)
        chord = material.harmony.chord(bar)
        root = folded(chord[0], BASS_RANGE)
        following = folded(material.harmony.chord(bar + 1)[0], BASS_RANGE)
        approach = following + (1 if following < root else -1)
        pitches = {
            "R": root,
            "3": root + chord[1] - chord[0],
            "5": root + chord[2] - chord[0],
            "O": root + 12,
            "A": approach,
        }
        struck = [step for step, mark in enumerate(pattern) if mark in pitches]
        notes = []
        for step, until in zip(struck, [*struck[1:], self.steps], strict=False):
            length = min((until - step) / 4 * 0.9, 1.5)
            level = self._velocity(98 + LOUDNESS[section.energy])
            notes.append(Note(self._at(bar, step), length, pitches[pattern[step]], level))
        return notes

    def _chords(self, bar: int, section: Section, material: _Material) -> list[Note]:
        pattern = self._pattern(material.chords, bar)
        voices = material.harmony.voiced(bar, CHORD_RANGE)
        notes, struck = [], 0
        for step, mark in enumerate(pattern):
            if mark != "x" or (section.energy == 1 and struck >= 2 and not material.broken):
                continue
            held = len(pattern[step + 1 :]) - len(pattern[step + 1 :].lstrip("-"))
            level = self._velocity((82 if step % 4 else 92) + LOUDNESS[section.energy])
            sounding = voices
            if material.broken:
                # Octaves that walk up and down the chord, as a montuno or an accompaniment in arpeggios does.
                turning = [*voices, *voices[-2:0:-1]]
                pitch = turning[struck % len(turning)]
                sounding = [pitch, pitch + 12]
            notes += [Note(self._at(bar, step), 0.22 + held / 4, pitch, level) for pitch in sounding]
            struck += 1
        return notes

    def _pad(self, bar: int, section: Section, material: _Material) -> list[Note]:
        if section.name == VERSE and self.style.drums_alone:
            return []
        return [
            Note(self._at(bar, 0), self.beats_per_bar - 0.05, pitch, self._velocity(70))
            for pitch in material.harmony.voiced(bar, CHORD_RANGE)
        ]

    def _lead(self, bar: int, section: Section, material: _Material) -> list[Note]:
        since = bar - section.first
        # Two bars of melody begin on even bars; every fourth time the other instruments answer alone.
        if section.energy == 1 or since % 2 or since + 2 > section.bars:
            return []
        if since % 8 == 6 and self.rng.random() < 0.5:
            return []
        turn = int(self.rng.choice([0, 0, 0, 1, -1]))
        notes = []
        for step, degree, length in material.motif:
            at, within = bar + step // self.steps, step % self.steps
            # On strong beats the melody stands on the chord, between them it moves in the scale.
            placed = material.harmony.root(at) + 2 * round(degree / 2) if within % 8 == 0 else degree + turn
            pitch = folded(72 + self.key + material.harmony.semitones(placed), LEAD_RANGE)
            level = self._velocity((92 if within % 4 == 0 else 86) + LOUDNESS[section.energy])
            notes.append(Note(self._at(at, within), length / 4 * 0.92, pitch, level))
        return notes

    def _drone(self) -> list[Note]:
        tonic = folded(self.key, (36, 47))
        return [
            Note(beat + offset, 2.0, tonic + interval, self._velocity(62))
            for beat in range(0, self.bars * self.beats_per_bar, 2)
            for offset, interval in ((0.0, 7), (0.5, 12), (1.0, 12), (1.5, 0))
        ]
