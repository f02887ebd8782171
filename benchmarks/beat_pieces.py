"""Pieces to train the network on that hears beats: composed, metronomes, and sound without a pulse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from duende.audio import spectral
from duende.audio.beat_network import RATE
from duende.datasets.composer import STYLES, Composition, Style, compose, render
from duende.files import replacing

HELD_OUT = ("salsa", "jazz", "break", "pop")
SECONDS = 30.0
"""Composed for each piece."""
SLOWEST, FASTEST = 56.0, 210.0
STEPS_OF_LEVEL = 3.0
"""Steps in a decibel of the levels as they are kept, in bytes."""


@dataclass(frozen=True, eq=False)
class Heard:
    """A piece as levels ``(T, 128)`` in bytes, with its exact beats and downbeats in seconds."""

    levels: np.ndarray
    beats: np.ndarray
    downbeats: np.ndarray
    barred: bool


def mixed_style(names: list[str], rng: np.random.Generator) -> Style:
    """Drums of one style, bass of another, chords of a third, on any instruments: grammar rather than repertoire."""
    drums, bass, chords, harmony = (STYLES[str(rng.choice(names))] for _ in range(4))
    return replace(
        drums,
        bass=bass.bass,
        chords=chords.chords,
        progressions=harmony.progressions,
        scales=harmony.scales,
        basses=(int(rng.integers(32, 40)),),
        keys=(int(rng.integers(0, 32)),),
        pads=(int(rng.integers(48, 56)), int(rng.integers(88, 96))) if rng.random() < 0.6 else (),
        leads=(int(rng.integers(40, 88)),),
        swing=float(rng.choice([0.0, 0.0, 0.1, 0.2, 0.3])),
        broken=float(rng.random()),
    )


def thinned(piece: Composition, rng: np.random.Generator) -> Composition:
    """Leave out the drums, or all but them, or one part, now and then; change the balance of all."""
    draw, parts = rng.random(), piece.parts
    if draw < 0.12:
        parts = tuple(part for part in parts if part.name != "drums")
    elif draw < 0.2:
        parts = tuple(part for part in parts if part.name == "drums")
    elif draw < 0.35:
        parts = tuple(part for index, part in enumerate(parts) if index != int(draw * 1e6) % len(parts))
    return replace(
        piece, parts=tuple(replace(part, volume=int(part.volume * rng.uniform(0.55, 1.0))) for part in parts)
    )


def composed(names: list[str], seed: int) -> Heard:
    """Compose, render and hear one piece."""
    rng = np.random.default_rng([77, seed])
    name = str(rng.choice(names))
    if rng.random() < 0.45:
        STYLES[name], usual = mixed_style(names, rng), STYLES[name]
    else:
        usual = STYLES[name]
    tempo = float(np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST))))
    if rng.random() < 0.35:
        tempo = float(np.clip(112 * 2 ** rng.normal(0, 0.35), SLOWEST, FASTEST))
    try:
        beats_in_bar = 3 if rng.random() < 0.12 else 4
        piece = compose(name, tempo, int(np.ceil(SECONDS * tempo / 60)), 10_000 + seed, beats_in_bar)
    finally:
        STYLES[name] = usual
    samples = render(thinned(piece, rng), rate=RATE).cropped(0, SECONDS).samples
    return _heard(samples, piece.beats.times, piece.beats.downbeats, True)


def clicked(seed: int) -> Heard:
    """A metronome of some sound, some with louder downbeats."""
    rng = np.random.default_rng([78, seed])
    tempo, begin = float(np.exp(rng.uniform(np.log(SLOWEST), np.log(190)))), float(rng.uniform(0, 0.5))
    beats = np.arange(begin, SECONDS - 0.2, 60.0 / tempo)
    at = np.arange(round(0.15 * RATE)) / RATE
    tone = np.sin(2 * np.pi * rng.uniform(60, 3000) * at) if rng.random() < 0.5 else rng.normal(size=len(at))
    sound, barred = tone * np.exp(-at * rng.uniform(30, 250)), bool(rng.random() < 0.5)
    samples = rng.normal(size=round(SECONDS * RATE)) * 10 ** rng.uniform(-4.5, -2)
    for number, beat in enumerate(beats):
        first = round(beat * RATE)
        samples[first : first + len(at)] += sound * (0.5 if barred and number % 4 else 1.0)
    return _heard(samples, beats, beats[::4], barred)


def unpulsed(seed: int) -> Heard:
    """Noise that swells, or chords that are held: sound with no beat."""
    rng = np.random.default_rng([79, seed])
    at = np.arange(round(SECONDS * RATE)) / RATE
    slow = np.interp(at, np.arange(0, SECONDS + 2, 1.7), rng.uniform(0.2, 1, int((SECONDS + 2) / 1.7) + 1))
    sound = rng.normal(size=len(at)) if rng.random() < 0.5 else np.zeros(len(at))
    for _ in range(int(rng.integers(0, 5))):
        sound = sound + np.sin(2 * np.pi * rng.uniform(80, 1500) * at + rng.normal()) * 2
    return _heard(sound * slow, np.zeros(0), np.zeros(0), True)


def _heard(samples: np.ndarray, beats: np.ndarray, downbeats: np.ndarray, barred: bool) -> Heard:
    level = spectral.decibels(spectral.mel_power(samples.astype(np.float32), RATE))
    kept = np.round((level - level.max() + 80.0) * STEPS_OF_LEVEL).astype(np.uint8).T
    return Heard(kept, beats, downbeats, barred)


def gathered(cache: Path, names: list[str], count: int) -> list[Heard]:
    """Read ``count`` pieces from the cache, making those that are missing."""
    cache.mkdir(parents=True, exist_ok=True)
    return [
        _kept(cache / f"{'-'.join(sorted(set(STYLES) - set(names)))}-{seed}.npz", names, seed) for seed in range(count)
    ]


def _kept(path: Path, names: list[str], seed: int) -> Heard:
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            return Heard(file["levels"], file["beats"], file["downbeats"], bool(file["barred"]))
    kind = seed % 20
    heard = clicked(seed) if kind == 0 else unpulsed(seed) if kind == 1 and seed % 40 == 1 else composed(names, seed)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, levels=heard.levels, beats=heard.beats, downbeats=heard.downbeats, barred=heard.barred)
    return heard
