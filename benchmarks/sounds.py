"""Songs to measure with, made here so that no file is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from duende.audio.song import Song


def beating_song(seconds: float, rate: int = 44_100) -> Song:
    """A song-like sound with a clear beat at 120 a minute."""
    at = np.arange(int(seconds * rate)) / rate
    rng = np.random.default_rng(0)
    kick = np.exp(-18 * (at % 0.5)) * np.sin(2 * np.pi * 70 * at)
    hat = np.exp(-60 * (at % 0.25)) * rng.normal(size=len(at)) * 0.2
    chord = sum(np.sin(2 * np.pi * f * at) for f in (220.0, 277.2, 329.6)) * 0.1
    return Song((0.6 * kick + hat + chord).astype(np.float32) / 2, rate, "benchmark")


def write_mp3(path: Path, seconds: float, song: Path | None = None) -> Path:
    """Write an mp3 file of ``seconds``: of a song, played again where it ends, or of a beating one."""
    made = path.with_suffix(".wav")
    if song is None:
        beating_song(60.0).write(made)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", "-1", "-i", str(song or made)]
    command += ["-t", str(seconds), "-vn", "-ac", "2", "-ar", "44100", "-b:a", "192k", str(path)]
    subprocess.run(command, check=True)
    made.unlink(missing_ok=True)
    return path
