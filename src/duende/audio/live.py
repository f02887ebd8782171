"""Music features of music that is still going on: rows come as soon as their sound was heard."""

from __future__ import annotations

from collections import deque

import numpy as np

from duende.audio.beat_network import RATE
from duende.audio.beats import Tempo
from duende.audio.feature_sets import FULL_BAND, PUBLISHED, RHYTHM, ROWS_A_SECOND
from duende.audio.features import HANDCRAFTED, parts_of
from duende.audio.handcrafted import families_of_beats
from duende.audio.live_beats import LiveBeats
from duende.audio.live_features import LiveFeatures
from duende.audio.live_memory import LiveMemory
from duende.audio.live_sound import LiveSound, checked
from duende.audio.live_spectrum import LiveSpectrum
from duende.audio.music import Beats, FeatureSet
from duende.audio.rhythm import rhythm_rows
from duende.audio.spectral import HOP
from duende.errors import DuendeError

SETTLED = 0.2
"""Seconds ahead for which a beat that was told stays where it is."""
AHEAD = 4.0
"""Seconds of coming beats that a row's columns are told by."""


class LiveListener:
    """The incremental counterpart of :func:`duende.audio.features.extract_features`.

    Row i describes the sound from ``i / 7.5`` to ``(i + 1) / 7.5`` seconds and is told when that was heard; nothing
    after it is waited for. Memory and the work for a row do not grow with the music, and the rows are the same however
    the sound is cut into pieces. Where the features of a whole song know what comes later, live ones differ: the
    loudest moment is the loudest so far, filters see mirrored sound or silence beyond the present, and beats are those
    of the last 20 s.

    Args:
        features: ``full_band``, ``bailando``, ``rhythm``, or some of them joined.
        rate: samples a second of the sound.
        tempo: as in :func:`duende.audio.beats.track_beats`.
        settled: seconds ahead for which a beat that was told stays where it is.

    Raises:
        DuendeError: the set has features that need the whole song, or the rate is no rate.
    """

    look_ahead = 0.0
    """Seconds of sound after a row that are waited for before it is told."""

    def __init__(self, features: FeatureSet, rate: int, tempo: Tempo | None = None, settled: float = SETTLED) -> None:
        if rate <= 0:
            raise DuendeError(f"{rate} samples a second are no rate of sound; give the rate of the live sound")
        self.features, self._parts = features, parts_of(features)
        for part in self._parts:
            if part.name not in (*HANDCRAFTED, RHYTHM.name):
                raise DuendeError(
                    f"the features {part.name} cannot be heard live; choose a model that hears "
                    f"{FULL_BAND.name}, {PUBLISHED.name} or {RHYTHM.name}"
                )
        self._beats = LiveBeats(tempo, settled)
        self._ears = {part.name: LiveFeatures(part) for part in self._parts if part.name in HANDCRAFTED}
        # Beats are heard in the full band, whatever the set has.
        self._band = self._ears[FULL_BAND.name].spectrum if FULL_BAND.name in self._ears else LiveSpectrum(RATE, 8, 0.0)
        spectra = {id(s): s for s in (self._band, *(ear.spectrum for ear in self._ears.values()))}
        self._spectra = list(spectra.values())
        self._sounds = [LiveSound(rate, spectrum.rate, spectrum.hops * HOP) for spectrum in self._spectra]
        self._blocks: list[deque[np.ndarray]] = [deque() for _ in self._sounds]
        self._memory = LiveMemory(features)
        self._rows = 0
        self._finished = False

    @property
    def rows(self) -> int:
        """Rows that were told."""
        return self._rows

    @property
    def tempo(self) -> float:
        """Beats a minute as they are now, 0 where there are none."""
        return self.beats().tempo

    def beats(self, ahead: float = AHEAD) -> Beats:
        """Return the beats of the last minute and those that will probably come in the next ``ahead`` seconds.

        A beat that is less than ``settled`` seconds ahead stays where it is from then on; later ones may still move.
        """
        return self._beats.beats(ahead)

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """Hear the next samples ``(n,)``, mono, full scale 1, and return the rows ``(rows, D)`` that became complete.

        Raises:
            DuendeError: the samples are not mono or not finite, or the end was told before.
        """
        if self._finished:
            raise DuendeError("this listener was told that the music has ended; make a new one for the next song")
        sound = checked(samples)
        for source, blocks in zip(self._sounds, self._blocks, strict=True):
            blocks.extend(source.hear(sound))
        return self._told()

    def finish(self) -> np.ndarray:
        """Tell the end: return the rows ``(rows, D)`` that are left, the last one filled up with silence."""
        if self._finished:
            return np.zeros((0, self.features.dimension), np.float32)
        self._finished = True
        for source, blocks in zip(self._sounds, self._blocks, strict=True):
            blocks.extend(source.finish())
        return self._told()

    def expected(self, count: int) -> np.ndarray:
        """Return how the next rows ``(count, D)`` will probably look, were the music to go on as it does."""
        table = self._memory.expected(count, self._beats.bar * ROWS_A_SECOND)
        known = self._of_beats(self._rows, count, AHEAD + count / ROWS_A_SECOND)
        for family, columns in known.items():
            table[:, self.features.slice(family)] = columns
        return table

    def _told(self) -> np.ndarray:
        rows = [self._row() for _ in range(min(len(blocks) for blocks in self._blocks))]
        return np.stack(rows) if rows else np.zeros((0, self.features.dimension), np.float32)

    def _row(self) -> np.ndarray:
        for spectrum, blocks in zip(self._spectra, self._blocks, strict=True):
            spectrum.hear(blocks.popleft())
        power = self._band.power[:, -self._band.hops - 2 : -1]
        self._beats.hear(10.0 * np.log10(np.maximum(power, 1e-10)).T, self._band.end)
        row = np.zeros(self.features.dimension, np.float32)
        known = self._of_beats(self._rows, 1, AHEAD)
        for ear in self._ears.values():
            known = {**ear.row(self._beats.bar), **known}
        for family, columns in known.items():
            row[self.features.slice(family)] = np.ravel(columns)
        self._rows += 1
        self._memory.keep(row)
        return row

    def _of_beats(self, first: int, count: int, ahead: float) -> dict[str, np.ndarray]:
        """Return the families that follow from the beats, of rows from ``first`` on."""
        beats, begin = self._beats.beats(ahead, back=1.0), first / ROWS_A_SECOND
        beats = Beats(beats.times - begin, beats.downbeats - begin, beats.tempo)
        known: dict[str, np.ndarray] = {}
        for part in self._parts:
            if part.name == RHYTHM.name:
                rows = rhythm_rows(beats, count)
                known |= {family: rows[:, RHYTHM.slice(family)] for family, _ in RHYTHM.columns}
            else:
                known |= families_of_beats(part, beats, count)
        return known
