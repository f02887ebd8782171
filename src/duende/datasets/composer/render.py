"""A composition as sound, by FluidSynth and a General MIDI sound font."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile

from duende.audio.song import Song
from duende.datasets.composer.arrange import Composition, Part
from duende.errors import DuendeError

RATE = 44_100
TICKS = 960
TAIL = 1.5
"""Seconds that the last notes ring."""
LATENCY = 0.002
"""Seconds that FluidSynth is late, measured with the sharpest drums; cut off, so that beats are where they are said."""
PEAK = 0.89
"""About -1 dB of full scale."""
SOUNDFONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2",
    "/opt/homebrew/share/soundfonts/default.sf2",
)


def find_soundfont(path: Path | None = None) -> Path:
    """Return ``path``, or the first sound font in the usual places.

    Raises:
        DuendeError: there is none.
    """
    if path is not None:
        if not path.is_file():
            raise DuendeError(f"no sound font {path}; give a General MIDI .sf2 file")
        return path
    for place in SOUNDFONTS:
        if Path(place).is_file():
            return Path(place)
    raise DuendeError("no sound font found; install one (Debian: fluid-soundfont-gm) or name one with --soundfont")


def render(piece: Composition, soundfont: Path | None = None, rate: int = RATE) -> Song:
    """Play a piece into mono samples, the first beat at 0, with a short tail; the loudest sample is at -1 dB.

    Args:
        piece: what to play.
        soundfont: General MIDI sound font; by default the system's.
        rate: samples a second.

    Raises:
        DuendeError: FluidSynth or a sound font is missing, or it fails.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise DuendeError("the program fluidsynth is missing; install it (Debian: apt install fluidsynth)")
    font = find_soundfont(soundfont)
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        to_midi(piece).save(score)
        # No MIDI input, no shell; gain low enough not to clip; a little reverb, no chorus.
        command = [program, "-ni", "-q", "-g", "0.35", "-R", "1", "-C", "0", "-r", str(rate)]
        # Floats, so that nothing clips before the level is set.
        command += ["-o", "synth.dynamic-sample-loading=1", "-O", "float", "-F", str(sound)]
        done = subprocess.run([*command, str(font), str(score)], capture_output=True, text=True, check=False)
        if done.returncode or not sound.exists():
            raise DuendeError(f"fluidsynth failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
        samples, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    return _finished(samples.mean(axis=1)[round(LATENCY * rate) :], rate, piece)


def to_midi(piece: Composition) -> mido.MidiFile:
    """Write a piece as a MIDI file, one track for each part."""
    file = mido.MidiFile(ticks_per_beat=TICKS)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=round(60e6 / piece.tempo), time=0))
    file.tracks.append(head)
    channels = iter(channel for channel in range(16) if channel != 9)
    for part in piece.parts:
        file.tracks.append(_track(part, 9 if part.program is None else next(channels)))
    return file


def _track(part: Part, channel: int) -> mido.MidiTrack:
    track = mido.MidiTrack()
    track.append(mido.Message("control_change", channel=channel, control=7, value=part.volume, time=0))
    if part.program is not None:
        track.append(mido.Message("program_change", channel=channel, program=part.program, time=0))
    events = []
    for note in part.notes:
        start, end = round(note.start * TICKS), round((note.start + note.length) * TICKS)
        # Ends sort before beginnings at the same tick, so that a repeated note sounds again.
        events.append((start, 1, mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)))
        events.append((max(end, start + 1), 0, mido.Message("note_off", channel=channel, note=note.pitch)))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _finished(samples: np.ndarray, rate: int, piece: Composition) -> Song:
    length = round((piece.seconds + TAIL) * rate)
    samples = np.pad(samples[:length], (0, max(0, length - len(samples))))
    fade = round(0.5 * TAIL * rate)
    samples[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    loudest = float(np.abs(samples).max())
    if loudest > 0:
        samples = samples * np.float32(PEAK / loudest)
    return Song(samples, rate, f"{piece.style} {piece.tempo:.0f}")
