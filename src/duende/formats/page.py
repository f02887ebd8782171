"""The dance as one web page: the dancer in 3D with the music, in a single file that opens offline by double-click.

Everything is inside: the viewer (web/viewer.bundle.js, three.js), the body, the movement and the music as mp3, the one
compressed format that every browser plays.
"""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from duende.audio.music import Beats
from duende.audio.song import Song
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.body import Body, load_body
from duende.formats.renderer import standing_floor
from duende.motion import SMPL24, Motion

MOST_FPS = 60.0
SOUND_RATE = 44_100
SOUND_KBITS = 96
"""Kilobits a second of mp3 for one channel, as good as 192 for two; constant, so that every browser seeks rightly."""
LOUDNESS_BARS = 512
STEPS = 32_767
"""Steps of a packed quaternion's number over its range of plus or minus the root of one half."""


def write_page(
    motion: Motion,
    path: str | Path,
    song: Song | None = None,
    beats: Beats | None = None,
    title: str = "dance",
) -> None:
    """Write a dance as a self-contained web page.

    Args:
        motion: on SMPL24; more than 60 frames a second are reduced to 60.
        path: of the ``.html`` file.
        song: what it dances to, from its first frame; cut or filled with silence to the length of the motion.
        beats: of the song, marked on the timeline.
        title: shown as it is, markup and all.

    Raises:
        DuendeError: the motion is on another skeleton, the sound cannot be encoded, or the file cannot be written.
    """
    if motion.skeleton.names != SMPL24.names:
        raise DuendeError(
            f"the page shows dances on the {len(SMPL24)} SMPL joints, and this motion has {len(motion.skeleton)} "
            "others; retarget it to SMPL24 first"
        )
    motion = motion.resampled(min(motion.fps, MOST_FPS))
    title = " ".join(title.split()) or "dance"
    parts = {
        "title": html.escape(title),
        "style": _web("style.css"),
        "viewer": _web("viewer.bundle.js"),
        "data": _for_script(_dance(motion, song, beats)),
    }
    # One pass: what a title or a song holds is never taken for a place to fill.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match.group(1)], _web("page.html"))
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def _web(name: str) -> str:
    return resources.files("duende.formats").joinpath("web").joinpath(name).read_text(encoding="utf-8")


def _for_script(values: dict[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _dance(motion: Motion, song: Song | None, beats: Beats | None) -> dict[str, Any]:
    body = load_body()
    heard = beats or Beats(np.zeros(0), np.zeros(0), 0.0)
    values: dict[str, Any] = {
        "fps": motion.fps,
        "duration": motion.duration,
        "floor": round(standing_floor(motion, body), 4),
        "facing": round(_facing(motion), 4),
        "names": motion.skeleton.names,
        "parents": motion.skeleton.parents,
        "offsets": motion.skeleton.offsets.tolist(),
        "turns": _base64(pack_quaternions(motion.rotations).astype("<u2")),
        "root": _base64(motion.root.astype("<f4")),
        "body": _body(body),
        "beats": _within(heard.times, motion.duration),
        "downbeats": _within(heard.downbeats, motion.duration),
        "tempo": float(heard.tempo),
    }
    if song is not None:
        song = _fitted(song, motion.duration)
        values["audio"] = base64.b64encode(_mp3(song)).decode("ascii")
        values["loudness"] = _base64(_loudness(song))
    return values


def pack_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Pack unit quaternions ``(..., 4)`` into ``(..., 3)`` uint16.

    The largest of the four numbers follows from the others and is left out; those take 15 bits each, and the top bits
    of the first two words say which one is missing. A joint errs by less than 0.01 degrees.
    """
    quaternions = rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)
    largest = np.argmax(np.abs(quaternions), axis=-1)
    sign = np.where(np.take_along_axis(quaternions, largest[..., None], axis=-1) < 0, -1.0, 1.0)
    kept = np.array([[i for i in range(4) if i != missing] for missing in range(4)])[largest]
    smaller = np.take_along_axis(quaternions * sign, kept, axis=-1)
    words = np.clip(np.rint((smaller * np.sqrt(0.5) + 0.5) * STEPS), 0, STEPS).astype(np.uint16)
    words[..., 0] |= ((largest & 1) << 15).astype(np.uint16)
    words[..., 1] |= ((largest >> 1) << 15).astype(np.uint16)
    return np.asarray(words)


def _body(body: Body) -> dict[str, str]:
    return {
        "vertices": _base64(body.vertices.astype("<f4")),
        "normals": _base64(np.rint(body.normals * 127).astype(np.int8)),
        "triangles": _base64(body.triangles.astype("<u2")),
        "joints": _base64(body.joints.astype(np.uint8)),
        "weights": _base64(np.rint(body.weights * 255).astype(np.uint8)),
        "colours": _base64(body.colours.astype(np.uint8)),
    }


def _facing(motion: Motion) -> float:
    """Direction in radians about the vertical in which the pelvis mostly looks, 0 where it has no favourite."""
    x, y, z, w = motion.rotations[:, 0].T
    ahead = np.stack([2 * (x * z + w * y), 1 - 2 * (x * x + y * y)], axis=1).mean(axis=0)
    return float(np.arctan2(*ahead)) if np.linalg.norm(ahead) > 0.3 else 0.0


def _within(times: np.ndarray, duration: float) -> list[float]:
    return [round(float(time), 3) for time in times if 0 <= time < duration]


def _fitted(song: Song, duration: float) -> Song:
    """Cut or fill with silence to ``duration`` seconds, at the rate that the page holds."""
    song = song.cropped(0, duration).resampled(SOUND_RATE)
    samples = np.zeros(max(1, round(duration * SOUND_RATE)), np.float32)
    heard = np.nan_to_num(song.samples[: len(samples)])
    samples[: len(heard)] = heard
    return Song(samples, SOUND_RATE, song.name)


def _loudness(song: Song) -> np.ndarray:
    """Loudness over the song ``(LOUDNESS_BARS,)`` uint8 for the timeline, its loudest moment at 255."""
    edges = np.linspace(0, len(song.samples), LOUDNESS_BARS + 1).astype(int)
    power = np.concatenate([[0.0], np.cumsum(song.samples.astype(np.float64) ** 2)])
    level = np.sqrt(np.maximum(np.diff(power[edges]), 0) / np.maximum(np.diff(edges), 1))
    return np.rint(255 * level / max(float(level.max()), 1e-4)).clip(0, 255).astype(np.uint8)


def _mp3(song: Song) -> bytes:
    pcm = (np.clip(song.samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "s16le", "-ac", "1"]
    command += ["-ar", str(song.rate), "-i", "pipe:0", "-c:a", "libmp3lame", "-b:a", f"{SOUND_KBITS}k"]
    # A file rather than a pipe: only there can ffmpeg go back and write how much the encoder delays the sound.
    with tempfile.TemporaryDirectory(prefix="duende-") as folder:
        target = Path(folder) / "song.mp3"
        try:
            done = subprocess.run([*command, "-y", str(target)], input=pcm, capture_output=True, check=False)
        except OSError as error:
            raise DuendeError(f"cannot start ffmpeg ({command[0]}): {error}; reinstall imageio-ffmpeg") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise DuendeError(f"ffmpeg could not encode the song {song.name!r} as mp3: {said[-1]}")
        return target.read_bytes()


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
