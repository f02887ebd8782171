"""Songs at another pace and the same pitch, and how exact that pace is."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import numpy as np

from duende.audio.song import Song


def stretched(song: Song, ratio: float) -> Song:
    """Play ``ratio`` times as fast at the same pitch, by ffmpeg's ``atempo``."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "f32le", "-ar", str(song.rate), "-ac", "1"]
    command += ["-i", "-", "-filter:a", f"atempo={ratio}", "-f", "f32le", "-"]
    done = subprocess.run(command, input=song.samples.astype("<f4").tobytes(), capture_output=True, check=True)
    return Song(np.frombuffer(done.stdout, "<f4"), song.rate, f"{song.name} x {ratio:g}")


def stretch_error(ratio: float) -> tuple[float, float]:
    """Relative error of the pace of a stretched metronome, and the largest misplacement of a click in seconds."""
    rate, gap = 44_100, 0.5
    sound = np.zeros(round(40 * rate), np.float32)
    burst = np.random.default_rng(0).normal(size=400) * np.exp(-np.arange(400) / 80)
    for click in np.arange(0.25, 39.5, gap):
        first = round(click * rate)
        sound[first : first + len(burst)] = 0.2 * burst
    out = stretched(Song(sound, rate), ratio).samples
    wanted = np.arange(0.25, 39.5, gap) / ratio
    half = gap / ratio / 2
    heard = [
        max(0.0, at - half) + float(np.argmax(np.abs(part) > 0.3 * np.abs(part).max())) / rate
        for at in wanted
        if len(part := out[round(max(0.0, at - half) * rate) : round((at + half) * rate)])
    ]
    slope, offset = np.polyfit(wanted[: len(heard)], heard, 1)
    return float(slope - 1), float(np.abs(np.array(heard) - offset - slope * wanted[: len(heard)]).max())
