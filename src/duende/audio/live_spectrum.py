"""Spectra of sound that is still going on: mel levels, harmonic and percussive sound, up to the last sample heard.

Frames are those of :mod:`duende.audio.spectral`. Of the last two some sound is still to come; it is taken to be that
which was just heard, mirrored, and what is made of them is made anew when the sound has come.
"""

from __future__ import annotations

import numpy as np

from duende.audio import spectral
from duende.audio.spectral import HOP, MEDIAN, WINDOW

SIDE = MEDIAN // 2
OVERLAP = WINDOW // HOP


class LiveSpectrum:
    """Hears blocks of a whole number of hops.

    Attributes:
        end: number of the frame at the end of the sound.
        power: mel power ``(128, T)`` of the last frames up to and with that one, at least two rows' worth.
        harmonic: sound ``(N,)`` of the last seconds, without beats.
        percussive: sound of the last frames that may have changed, without tones; begins at frame ``changed``.
        changed: frame where sound, harmonic and percussive, is now other than it was.

    Args:
        rate: samples a second.
        hops: of a block.
        seconds: of harmonic sound that are kept.
    """

    def __init__(self, rate: int, hops: int, seconds: float) -> None:
        self.rate, self.hops = rate, hops
        self.end = 0
        self.power = np.zeros((spectral.MEL_BANDS, 0), np.float32)
        self.harmonic = np.zeros(0, np.float32)
        self.percussive = np.zeros(0, np.float32)
        self.changed = 0
        self._kept = round(seconds * rate / HOP)
        self._sound = np.zeros(0, np.float32)
        self._spectrum = np.zeros((WINDOW // 2 + 1, 0), np.complex64)

    def hear(self, block: np.ndarray) -> None:
        """Hear the next ``hops * 512`` samples."""
        before, self.end = self.end, self.end + self.hops
        # Two frames were not heard whole the time before: the last one, and the one at its end.
        first = max(0, before - 1)
        new = self._new_frames(block, first)
        kept = self._spectrum[:, : self._spectrum.shape[1] - (before + 1 - first)] if before else self._spectrum
        self._spectrum = np.concatenate([kept, new], axis=1)[:, -(self.hops + 2 * SIDE + 6) :]
        power = spectral.mel_filters(self.rate) @ np.abs(new) ** 2
        earlier = self.power[:, : self.power.shape[1] - (before + 1 - first)] if before else self.power
        self.power = np.concatenate([earlier, power], axis=1)[:, -(2 * self.hops + 2) :]

    def _new_frames(self, block: np.ndarray, first: int) -> np.ndarray:
        sound = np.concatenate([self._sound, block])
        hops = len(sound) // HOP
        begin = self.end - hops
        self._sound = sound[-(OVERLAP + 2) * HOP :]
        mirrored = np.concatenate([sound, sound[::-1][: WINDOW // 2]])
        return spectral.spectrum(mirrored, part=(first - begin, hops + 1))

    def separate(self) -> None:
        """Split what was heard into harmonic and percussive sound; to be called after each block, or never."""
        frames = self._spectrum.shape[1]
        begin = self.end + 1 - frames
        parts = spectral.harmonic_percussive(self._spectrum)
        # Medians of earlier frames are as they were; a frame's sound reaches into its neighbours'.
        skipped = max(0, self.end - self.hops - SIDE - OVERLAP - begin)
        length = (frames - 1 - skipped) * HOP
        harmonic, percussive = (spectral.inverse(part[:, skipped:], length) for part in parts)
        margin = 1 if begin + skipped else 0
        self.changed = begin + skipped + margin
        self.percussive = percussive[margin * HOP :]
        kept = self.harmonic[: len(self.harmonic) - (self.end - self.hops - self.changed) * HOP]
        self.harmonic = np.concatenate([kept, harmonic[margin * HOP :]])[-self._kept * HOP :]
