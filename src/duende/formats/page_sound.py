"""The sound that a page carries: mp3, the one compressed format that every browser plays, and its loudness.

An encoder delays the sound by a part of a frame. A file can say by how much, but browsers then take it off where the
sound begins and forget it after a seek: Chromium plays on 25 ms late. So this sound has no delay to tell: silence fills
it up to a whole frame, and that frame is left out.
"""

from __future__ import annotations

import base64
import struct
import subprocess

import imageio_ffmpeg
import numpy as np

from duende.audio.song import Song
from duende.errors import DuendeError
from duende.formats.page_data import packed

SOUND_RATE, SOUND_KBITS = 48_000, 96
"""Kilobits a second of mp3 for one channel, as good as 192 for two. All frames have the same length, at this rate to
the byte, so that browsers seek to the very frame."""
FRAME_SAMPLES, FRAME_BYTES = 1152, 144 * SOUND_KBITS * 1000 // SOUND_RATE
DELAY = 576 + 529
"""Samples by which LAME and every decoder of layer III delay the sound (LAME's technical FAQ)."""
SIDE_BYTES = 17
"""What stands between the header of a frame of one channel and its data."""
LEAST_BARS, BARS_A_SECOND = 512, 24
"""Loudness values for the timeline: enough to fill a screen, and more of them for long songs, into which one zooms."""


def page_sound(song: Song, duration: float) -> dict[str, str]:
    """Encode ``duration`` seconds of a song as ``audio`` (mp3, base64) and ``loudness`` (uint8, packed).

    Args:
        song: from the dance's first frame; a shorter one is followed by silence.
        duration: seconds.

    Raises:
        DuendeError: ffmpeg is missing or fails.
    """
    song = _fitted(song, duration)
    return {
        "audio": base64.b64encode(_mp3(song)).decode("ascii"),
        "loudness": packed(_loudness(song)),
    }


def _fitted(song: Song, duration: float) -> Song:
    """Cut or fill with silence to ``duration`` seconds, at the rate that the page holds."""
    song = song.cropped(0, duration).resampled(SOUND_RATE)
    samples = np.zeros(max(1, round(duration * SOUND_RATE)), np.float32)
    heard = np.nan_to_num(song.samples[: len(samples)])
    samples[: len(heard)] = heard
    return Song(samples, SOUND_RATE, song.name)


def _loudness(song: Song) -> np.ndarray:
    """Loudness over the song as ``(N,)`` uint8 for the timeline, its loudest moment at 255."""
    count = max(LEAST_BARS, round(BARS_A_SECOND * len(song.samples) / song.rate))
    edges = np.linspace(0, len(song.samples), count + 1).astype(int)
    power = np.concatenate([[0.0], np.cumsum(song.samples.astype(np.float64) ** 2)])
    level = np.sqrt(np.maximum(np.diff(power[edges]), 0) / np.maximum(np.diff(edges), 1))
    return np.rint(255 * level / max(float(level.max()), 1e-4)).clip(0, 255).astype(np.uint8)


def _mp3(song: Song) -> bytes:
    """Encode a song of :data:`SOUND_RATE`: an ``Info`` frame that counts them, then frames from its first sample on."""
    lead, tail = np.zeros(FRAME_SAMPLES - DELAY), np.zeros(2 * FRAME_SAMPLES)
    samples = np.concatenate([lead, np.clip(song.samples, -1.0, 1.0), tail])
    stream = _encoded((samples * 32_767).astype("<i2").tobytes(), song.name)
    frames = -(-len(song.samples) // FRAME_SAMPLES)
    sound = stream[FRAME_BYTES : FRAME_BYTES * (frames + 1)]
    # Readers place a seek by these two counts: they leave the counting frame itself out.
    count = stream[:4] + bytes(SIDE_BYTES) + b"Info" + struct.pack(">III", 0b11, frames, len(sound))
    return count.ljust(FRAME_BYTES, b"\0") + sound


def _encoded(pcm: bytes, name: str) -> bytes:
    """Frames of mp3, each complete in itself, without any tag."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "s16le", "-ac", "1", "-ar", str(SOUND_RATE)]
    command += ["-i", "pipe:0", "-c:a", "libmp3lame", "-b:a", f"{SOUND_KBITS}k", "-reservoir", "0"]
    command += ["-write_xing", "0", "-id3v2_version", "0", "-f", "mp3", "pipe:1"]
    try:
        done = subprocess.run(command, input=pcm, capture_output=True, check=False)
    except OSError as error:
        raise DuendeError(f"cannot start ffmpeg ({command[0]}): {error}; reinstall imageio-ffmpeg") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise DuendeError(f"ffmpeg could not encode the song {name!r} as mp3: {said[-1]}")
    return done.stdout
