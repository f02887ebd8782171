"""Handcrafted music features of music that is still going on, row by row, from what was heard alone."""

from __future__ import annotations

import numpy as np

from duende.audio import spectral
from duende.audio.chroma import chromagram
from duende.audio.feature_sets import PUBLISHED, ROWS_A_SECOND
from duende.audio.handcrafted import OCTAVES, RATES, SCALES
from duende.audio.live_spectrum import LiveSpectrum
from duende.audio.live_tempo import LiveTempogram
from duende.audio.live_tuning import LiveTuning
from duende.audio.music import FeatureSet
from duende.audio.spectral import HOP, WINDOW

LONGEST = 1.6
"""Seconds of the longest wavelet of the chromagram."""
USUAL, FADING = 32.0, 0.3
"""Decibels of mel power that a song's loudest frame usually has, and how many of them are taken off each second: until
the music has been loud, it is taken to be a quiet beginning."""
RANGE = 80.0
ONSET_LAG = 1 + WINDOW // (2 * HOP)
"""Frames by which the onset strength is late, see :func:`spectral.onset_strength`."""


class LiveFeatures:
    """The families of ``full_band`` or ``bailando`` that are heard, not those that follow from the beats.

    Attributes:
        spectrum: what they are computed from.
        frames: of a row.
    """

    def __init__(self, part: FeatureSet) -> None:
        self.part, self.rate = part, RATES[part.name]
        self.frames = round(self.rate / HOP / ROWS_A_SECOND)
        self.spectrum = LiveSpectrum(self.rate, self.frames, LONGEST)
        self._tempogram = LiveTempogram(self.frames)
        self._tuning = LiveTuning(self.rate)
        self._octaves = OCTAVES[part.name]
        self._loudest, self._loudest_percussion = 1e-10, 1e-10

    def row(self, bar: float) -> dict[str, np.ndarray]:
        """Return the families of the row that the spectrum heard last, scaled as the set has them.

        Args:
            bar: seconds of a bar, 0 where none is known.
        """
        self.spectrum.separate()
        onset = self._onset()
        families = {
            **self._timbre(),
            "chroma": self._chroma(),
            "onset": onset,
            "tempogram": self._tempogram.hear(onset, bar * self.rate / HOP),
        }
        if self.part.name == PUBLISHED.name:
            return families
        return {name: values * SCALES.get(name, 1.0) for name, values in families.items()}

    def _timbre(self) -> dict[str, np.ndarray]:
        # The frame at the end is half heard, and left out; before the row one frame is needed.
        power = self.spectrum.power[:, -self.frames - 2 : -1]
        self._loudest = max(self._loudest, float(power.max()))
        usual = 10.0 ** ((USUAL - FADING * self.spectrum.end * HOP / self.rate) / 10.0)
        level = 10.0 * np.log10(np.maximum(power, 1e-10) / max(self._loudest, usual))
        cepstrum = spectral.mfcc(np.maximum(level, -RANGE))
        slopes = np.pad(np.diff(cepstrum, axis=1), ((0, 0), (1, 1)), mode="constant")
        first = cepstrum.shape[1] - self.frames
        slope = (slopes[:, first:-1] + slopes[:, first + 1 :]) / 2
        return {"mfcc": cepstrum[:, first:].mean(axis=1), "mfcc_delta": slope.mean(axis=1)}

    def _onset(self) -> np.ndarray:
        spectrum = self.spectrum
        first = max(spectrum.end - self.frames - ONSET_LAG, 0) - spectrum.changed
        last = spectrum.end - ONSET_LAG + 1 - spectrum.changed
        sound = np.concatenate([spectrum.percussive, spectrum.percussive[::-1][: WINDOW // 2]])
        if last - first < 2:
            return np.zeros(self.frames, np.float32)
        frames = spectral.spectrum(sound, part=(first, last))
        power = spectral.mel_filters(self.rate) @ np.abs(frames) ** 2
        self._loudest_percussion = max(self._loudest_percussion, float(power.max()))
        level = 10.0 * np.log10(np.maximum(power, 1e-10))
        level = np.maximum(level, 10.0 * np.log10(self._loudest_percussion) - RANGE)
        rise = np.median(np.maximum(0.0, np.diff(level, axis=1)), axis=0)
        return np.pad(rise, (self.frames - len(rise), 0)).astype(np.float32)

    def _chroma(self) -> np.ndarray:
        sound = self.spectrum.harmonic
        tuning = self._tuning.hear(sound[-(self.frames + WINDOW // HOP) * HOP :])
        chroma = chromagram(sound, self.rate, self._octaves, tuning=tuning)
        return chroma[:, -self.frames - 1 : -1].mean(axis=1)
