"""A song as samples, read from any file that people have."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile
import soxr

from duende.errors import DuendeError
from duende.files import replacing

FFMPEG_RATE = 44_100
BLOCK_SECONDS, LONGEST_FORESEEN = 10, 4 * 3600
"""Seconds read at a time, and for which room is made before they are read."""


@dataclass(frozen=True, eq=False)
class Song:
    """Mono sound.

    Attributes:
        samples: ``(N,)`` float32, full scale 1.
        rate: samples a second.
        name: of the song, for people.
    """

    samples: np.ndarray
    rate: int
    name: str = "song"

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, dtype=np.float32)
        if samples.ndim != 1 or not self.rate > 0:
            raise DuendeError(f"mono samples (N,) and a positive rate are expected, got {samples.shape}, {self.rate}")
        object.__setattr__(self, "samples", samples)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    @classmethod
    def read(cls, path: str | Path) -> Song:
        """Read wav, flac, ogg, mp3, and through ffmpeg m4a, aac and the sound of videos; channels are averaged.

        Raises:
            DuendeError: the file is missing, empty, no sound file, or damaged.
        """
        path = Path(path)
        if not path.exists():
            raise DuendeError(f"no file {path}; check the name of the song")
        if path.is_dir():
            raise DuendeError(f"{path} is a folder; name one song in it")
        try:
            if path.stat().st_size == 0:
                raise DuendeError(f"{path} is empty; copy the song again")
            samples, rate = _by_soundfile(path)
        except soundfile.LibsndfileError:
            samples, rate = _by_ffmpeg(path)
        except OSError as error:
            raise DuendeError(f"{path} cannot be read ({error}); check its permissions") from error
        if len(samples) == 0:
            raise DuendeError(f"{path} holds no sound; copy the song again")
        # Whatever is no finite number shows in one of these two.
        if not np.isfinite([samples.min(), samples.max()]).all():
            raise DuendeError(f"{path} holds samples that are not finite numbers; export the song again")
        return cls(samples, rate, path.stem)

    def resampled(self, rate: int) -> Song:
        """Return the same sound at another rate."""
        if rate == self.rate:
            return self
        return replace(self, samples=soxr.resample(self.samples, self.rate, rate), rate=rate)

    def cropped(self, start: float, seconds: float) -> Song:
        """Return ``seconds`` of the song from ``start``, less where it ends before."""
        first = max(0, round(start * self.rate))
        return replace(self, samples=self.samples[first : first + max(1, round(seconds * self.rate))])

    def write(self, path: str | Path) -> None:
        """Write as the suffix says: wav, flac or ogg.

        Raises:
            DuendeError: the format is unknown or the file cannot be written.
        """
        kind = Path(path).suffix.lower().lstrip(".")
        if kind.upper() not in soundfile.available_formats():
            raise DuendeError(f"{path}: sound is written as wav, flac or ogg")
        with replacing(path) as temporary, soundfile.SoundFile(temporary, "w", self.rate, 1) as file:
            # libsndfile's Vorbis encoder overflows its stack on very long writes.
            for first in range(0, len(self.samples), self.rate * 10):
                file.write(np.clip(self.samples[first : first + self.rate * 10], -1.0, 1.0))


def _by_soundfile(path: Path) -> tuple[np.ndarray, int]:
    with soundfile.SoundFile(path) as file:
        blocks = file.blocks(file.samplerate * BLOCK_SECONDS, dtype="float32", always_2d=True)
        # A damaged header may tell of any number.
        expected = min(file.frames, LONGEST_FORESEEN * file.samplerate)
        return _joined((block.mean(axis=1) for block in blocks), expected), int(file.samplerate)


def _by_ffmpeg(path: Path) -> tuple[np.ndarray, int]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", f"file:{path}", "-vn"]
    command += ["-ac", "1", "-ar", str(FFMPEG_RATE), "-f", "f32le", "-"]
    size = 4 * FFMPEG_RATE * BLOCK_SECONDS
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        blocks = iter(partial(process.stdout.read, size), b"")
        samples = _joined(np.frombuffer(block, "<f4", len(block) // 4).astype(np.float32) for block in blocks)
    if len(samples) == 0:
        raise DuendeError(f"{path} is not a sound file, or is damaged; give wav, mp3, ogg, flac or m4a")
    return samples, FFMPEG_RATE


def _joined(blocks: Iterable[np.ndarray], expected: int = 0) -> np.ndarray:
    """Join blocks ``(n,)`` as they come, so that half an hour of sound is not held twice where its length is known."""
    samples, count = np.empty(expected, np.float32), 0
    for block in blocks:
        end = count + len(block)
        if end > len(samples):
            samples = np.concatenate([samples[:count], np.empty(max(end, 2 * count) - count, np.float32)])
        samples[count:end] = block
        count = end
    return samples[:count]
