"""A dance made while the song is heard, beside the dance of the whole song: rhythm, feet, speed.

    python -m benchmarks.streaming SONGS [--model starter] [--seeds 2] [--seconds 30] [--lead 7 --phrase 7]

The middle of each song. Beats are those of the whole-song tracker; the first seconds, in which live hearing finds the
beat, count too. A live dance has no change of speed that lands accents on beats: "not landed" is the whole-song dance
without it. Intervals are Student's t over songs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.feet import Scores, printed, scored
from duende.audio.beats import track_beats
from duende.audio.feature_sets import present
from duende.audio.features import extract_features
from duende.audio.song import Song
from duende.motion.chunks import gathered
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained
from duende.systems.streaming import LiveTiming

PIECE = 1024
"""Samples that are heard at a time."""


def middle(path: Path, seconds: float) -> Song:
    song = Song.read(path)
    return song.cropped(max(0.0, (song.duration - seconds) / 2), seconds)


def dances(system: ExpressiveBailando, song: Song, seed: int, timing: LiveTiming) -> dict[str, Scores]:
    """Score one dance of each kind to a song; empty where no beat is found in it."""
    beats = track_beats(song)
    if not len(beats.times):
        return {}
    features = extract_features(song, present(system.config.feature_set), beats)
    pieces = np.array_split(song.samples, max(1, len(song.samples) // PIECE))
    live = gathered(system.stream(pieces, song.rate, seed=seed, timing=timing)).cropped(0, round(60 * song.duration))
    motions = {
        "whole song": system.dance(features, seed=seed),
        "whole song, not landed": system.dance(features, seed=seed, on_beat=False),
        "live": live,
        "live, from the tenth second on": live.cropped(600, len(live)),
    }
    late = beats.times[beats.times >= 10.0] - 10.0
    return {name: scored(motion, late if name.endswith("on") else beats.times) for name, motion in motions.items()}


def main() -> None:
    """Dance, score and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("songs", nargs="+", type=Path)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--lead", type=int, default=LiveTiming.lead)
    parser.add_argument("--phrase", type=int, default=LiveTiming.phrase)
    parser.add_argument("--settle", type=float, default=LiveTiming.settle)
    options = parser.parse_args()
    system = of_codes(from_pretrained(options.model), "this benchmark")
    timing = LiveTiming(options.phrase, options.lead, options.settle)
    rows: dict[str, list[Scores]] = {}
    for path in tqdm(options.songs):
        each = [dances(system, middle(path, options.seconds), seed, timing) for seed in range(options.seeds)]
        for name in each[0]:
            scores = [dance[name] for dance in each]
            rows.setdefault(name, []).append({key: float(np.mean([s[key] for s in scores])) for key in scores[0]})
    printed(rows)


if __name__ == "__main__":
    main()
