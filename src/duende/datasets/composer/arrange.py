"""From a style and a seed to a score whose beats are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duende.audio.music import Beats
from duende.datasets.composer.styles import CRASH, KICK, SCALES, SNARE, STYLES, TOM, Style
from duende.errors import DuendeError

STEPS = 16
LEVELS = {"X": 112, "x": 92, "o": 58}
PHRASE = 8
"""Bars to a phrase: energy and variants change there."""


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
    """

    style: str
    tempo: float
    key: int
    length: int
    parts: tuple[Part, ...]
    beats: Beats

    @property
    def seconds(self) -> float:
        """Length without the last notes' ringing."""
        return self.length * 60.0 / self.tempo


def compose(style: str, tempo: float, beats: int, seed: int) -> Composition:
    """Compose ``beats`` beats in four-four time; the same seed gives the same piece.

    Raises:
        DuendeError: the style is unknown, or tempo or length are out of bounds.
    """
    if style not in STYLES:
        raise DuendeError(f"no style {style!r} to compose in; there are {', '.join(STYLES)}")
    if not 40 <= tempo <= 240 or beats < 1:
        raise DuendeError(f"a tempo of 40 to 240 and at least one beat are needed, got {tempo} and {beats}")
    writer = _Writer(STYLES[style], beats, np.random.default_rng(seed))
    parts = writer.parts()
    times = np.arange(beats) * 60.0 / tempo
    return Composition(style, tempo, writer.key, beats, parts, Beats(times, times[::4], tempo))


class _Writer:
    """Writes one piece bar by bar; every choice comes from one generator, in a fixed order."""

    def __init__(self, style: Style, beats: int, rng: np.random.Generator) -> None:
        self.style, self.rng, self.beats = style, rng, beats
        self.bars = -(-beats // 4)
        self.key = int(rng.integers(12))
        self.scale = SCALES[str(rng.choice(style.scales))]
        self.progression = style.progressions[int(rng.integers(len(style.progressions)))]
        self.programs = {
            name: int(rng.choice(choices)) if choices else None
            for name, choices in (
                ("bass", style.basses),
                ("keys", style.keys),
                ("pad", style.pads),
                ("lead", style.leads),
            )
        }
        self.swing = style.swing * float(rng.uniform(0.7, 1.2))
        phrases = -(-self.bars // PHRASE)
        self.energy = [int(value) for value in np.clip(rng.normal(2.2, 0.7, phrases), 1, 3).round()]
        self.variants = [
            tuple(int(rng.integers(len(rows))) for rows in (style.drums, style.bass, style.chords))
            for _ in range(phrases)
        ]
        self.motif = self._motif()

    def parts(self) -> tuple[Part, ...]:
        """Write all parts, leaving out instruments that a phrase's energy does without."""
        written = [("drums", None, 110, self._drums()), ("bass", self.programs["bass"], 105, self._bass())]
        written.append(("keys", self.programs["keys"], int(self.rng.integers(75, 98)), self._keys()))
        if self.programs["pad"] is not None:
            written.append(("pad", self.programs["pad"], int(self.rng.integers(45, 68)), self._pad()))
        written.append(("lead", self.programs["lead"], int(self.rng.integers(78, 98)), self._lead()))
        if self.style.drone:
            written.append(("drone", 104, 60, self._drone()))
        return tuple(
            Part(name, program, volume, tuple(self._inside(notes))) for name, program, volume, notes in written
        )

    def _inside(self, notes: list[Note]) -> list[Note]:
        return [
            Note(n.start, min(n.length, self.beats - n.start), n.pitch, n.velocity)
            for n in notes
            if n.start < self.beats - 1e-6
        ]

    def _at(self, bar: int, step: int) -> float:
        """Beat of a step, off-beats late by the swing; beats themselves are exact."""
        late = (
            self.swing * 0.25 if step % 2 else (self.swing * 0.5 if step % 4 == 2 and self.style.swing >= 0.25 else 0.0)
        )
        return bar * 4 + step / 4 + late

    def _velocity(self, level: int) -> int:
        return int(np.clip(level + self.rng.normal(0, 5), 20, 127))

    def _drums(self) -> list[Note]:
        notes = []
        for bar in range(self.bars):
            phrase = bar // PHRASE
            rows = self.style.drums[self.variants[phrase][0]]
            # With little energy only the two rows that carry the pulse play.
            kept = list(rows)[: 2 if self.energy[phrase] == 1 else len(rows)]
            fill = bar % PHRASE == PHRASE - 1 and self.rng.random() < 0.7 and SNARE in rows
            for drum in kept:
                for step, mark in enumerate(rows[drum]):
                    if mark in LEVELS and not (fill and step >= 12 and drum != KICK):
                        notes.append(Note(self._at(bar, step), 0.2, drum, self._velocity(LEVELS[mark])))
            if fill:
                for step in range(12, STEPS):
                    if self.rng.random() < 0.8:
                        drum = int(self.rng.choice([SNARE, TOM, TOM + 2]))
                        notes.append(Note(self._at(bar, step), 0.2, drum, self._velocity(80 + 6 * (step - 12))))
            if bar % PHRASE == 0 and bar and self.energy[phrase] == 3 and KICK in rows:
                notes.append(Note(bar * 4.0, 1.0, CRASH, self._velocity(95)))
        return notes

    def _chord(self, bar: int) -> list[int]:
        """Pitches of the bar's triad, root first, in the octave below middle C."""
        degree = self.progression[bar % len(self.progression)]
        return [48 + self.key % 12 + self._step(degree + third) for third in (0, 2, 4)]

    def _step(self, degree: int) -> int:
        octave, within = divmod(degree, len(self.scale))
        return 12 * octave + self.scale[within]

    def _bass(self) -> list[Note]:
        notes = []
        for bar in range(self.bars):
            pattern = self.style.bass[self.variants[bar // PHRASE][1]]
            root, third, fifth = (pitch - 12 if pitch >= 52 else pitch for pitch in self._chord(bar))
            root -= 12 if root >= 50 else 0
            following = self._chord(bar + 1)[0] - 12
            pitches = {
                "R": root,
                "3": third,
                "5": fifth,
                "O": root + 12,
                "A": following + (1 if following < root else -1),
            }
            struck = [step for step, mark in enumerate(pattern) if mark in pitches]
            for step, until in zip(struck, [*struck[1:], STEPS], strict=True):
                length = min((until - step) / 4 * 0.9, 1.5)
                pitch = int(np.clip(pitches[pattern[step]], 28, 62))
                notes.append(Note(self._at(bar, step), length, pitch, self._velocity(100)))
        return notes

    def _keys(self) -> list[Note]:
        notes = []
        for bar in range(self.bars):
            if self.energy[bar // PHRASE] == 1 and self.style.pads and bar % 2:
                continue
            pattern = self.style.chords[self.variants[bar // PHRASE][2]]
            chord = sorted(48 + (pitch - 48) % 12 + (12 if i else 0) for i, pitch in enumerate(self._chord(bar)))
            for step, mark in enumerate(pattern):
                if mark == "x":
                    held = len(pattern[step + 1 :]) - len(pattern[step + 1 :].lstrip("-"))
                    level = self._velocity(82 if step % 4 else 92)
                    notes += [Note(self._at(bar, step), 0.22 + held / 4, pitch + 12, level) for pitch in chord]
        return notes

    def _pad(self) -> list[Note]:
        return [
            Note(bar * 4.0, 3.95, pitch + 12, self._velocity(70))
            for bar in range(self.bars)
            if self.energy[bar // PHRASE] >= 2
            for pitch in self._chord(bar)
        ]

    def _drone(self) -> list[Note]:
        tonic = 36 + self.key
        return [
            Note(beat + offset, 2.0, tonic + interval, self._velocity(62))
            for beat in range(0, self.bars * 4, 2)
            for offset, interval in ((0.0, 7), (0.5, 12), (1.0, 12), (1.5, 0))
        ]

    def _motif(self) -> list[tuple[int, int, int]]:
        """Two bars of melody: (step of 32, scale step, length in steps); strong steps more often than weak."""
        notes, degree, step = [], int(self.rng.choice([0, 2, 4])), int(self.rng.choice([0, 0, 2, 4]))
        while step < 2 * STEPS - 2:
            length = int(self.rng.choice([2, 2, 3, 4, 4, 6]))
            notes.append((step, degree, length))
            degree = int(np.clip(degree + self.rng.choice([-2, -1, -1, 0, 1, 1, 2, 3]), -3, 9))
            step += length + int(self.rng.choice([0, 0, 0, 2]))
        return notes

    def _lead(self) -> list[Note]:
        notes = []
        for bar in range(0, self.bars - 1, 2):
            if self.energy[bar // PHRASE] < 2 or ((bar // 2) % 4 == 3 and self.rng.random() < 0.5):
                continue
            root = self.progression[bar % len(self.progression)]
            turn = int(self.rng.choice([0, 0, 0, 1, -1]))
            for step, degree, length in self.motif:
                # On a beat the melody stands on the chord, between beats it moves in the scale.
                placed = root + 2 * round(degree / 2) if step % 8 == 0 else degree + turn
                pitch = int(np.clip(72 + self.key - (12 if self.key > 6 else 0) + self._step(placed), 55, 96))
                at = self._at(bar + step // STEPS, step % STEPS)
                notes.append(Note(at, length / 4 * 0.92, pitch, self._velocity(88)))
        return notes
