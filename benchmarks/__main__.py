"""Time each step from song to files, as seconds and as multiples of the song's length, in one run.

``python -m benchmarks [--seconds 60] [--model starter]``. Figures are medians of repeated runs after a warm-up; the
uncached loop stands beside the cached one so that their ratio comes from the same minutes on the same machine.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from duende.audio.beats import track_beats
from duende.audio.feature_sets import present
from duende.audio.features import extract_features
from duende.audio.song import Song
from duende.formats.performance import Performance
from duende.formats.writers import FORMATS
from duende.models.generation import generate
from duende.models.gpt import CrossConditionalGPT
from duende.systems.finishing import finished
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained


def beating_song(seconds: float, rate: int = 44_100) -> Song:
    """A song-like sound with a clear beat at 120 a minute, made here so that the benchmark needs no file."""
    at = np.arange(int(seconds * rate)) / rate
    rng = np.random.default_rng(0)
    kick = np.exp(-18 * (at % 0.5)) * np.sin(2 * np.pi * 70 * at)
    hat = np.exp(-60 * (at % 0.25)) * rng.normal(size=len(at)) * 0.2
    chord = sum(np.sin(2 * np.pi * f * at) for f in (220.0, 277.2, 329.6)) * 0.1
    return Song((0.6 * kick + hat + chord).astype(np.float32) / 2, rate, "benchmark")


def timed(call: Callable[[], object], runs: int) -> float:
    """Median seconds of ``runs`` calls."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def uncached_steps(gpt: CrossConditionalGPT, music: torch.Tensor, steps: int) -> None:
    """The straightforward loop: recompute the whole window for every code."""
    codes = torch.zeros(1, steps + 1, 2, dtype=torch.long)
    window = gpt.config.window
    for step in range(steps):
        first = max(0, step + 1 - window)
        past = codes[:, first : step + 1]
        logits = gpt(music[:, first : step + 1], past[..., 0], past[..., 1])
        codes[:, step + 1, 0] = logits.upper[:, -1].argmax(-1)
        codes[:, step + 1, 1] = logits.lower[:, -1].argmax(-1)


def main() -> None:
    """Run and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    song = beating_song(options.seconds)
    dancer = of_codes(from_pretrained(options.model), "this benchmark")
    features_of = present(dancer.config.feature_set)
    beats = track_beats(song)
    features = extract_features(song, features_of, beats)
    codes = dancer.choreograph(features)
    alone = dancer.config.sampling.alone()
    motion = dancer.perform(codes)
    performance = Performance(motion, "benchmark", song, beats)
    rows: list[tuple[str, float]] = [
        (
            "beats and music features",
            timed(lambda: extract_features(song, features_of, track_beats(song)), options.runs),
        ),
        (
            f"music to codes, {dancer.config.sampling.candidates} candidates",
            timed(lambda: dancer.choreograph(features), options.runs),
        ),
        ("codes to rotations", timed(lambda: dancer.perform(codes), options.runs)),
        ("clean-up, landing on beats", timed(lambda: finished(motion, beats.times), options.runs)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, entry in FORMATS.items():
            if not entry.usual:
                continue
            path = Path(folder) / f"dance.{name}"
            rows.append((f"writing {name}", timed(lambda e=entry, p=path: e.write(performance, p, None), options.runs)))  # type: ignore[misc]
    single = timed(lambda: dancer.choreograph(features, sampling=alone), options.runs)
    steps = min(len(features) - 1, 150)
    music = dancer.normalise(torch.from_numpy(features.values.astype(np.float32))[None, : steps + 1])
    start = torch.zeros(1, 2, dtype=torch.long)
    with torch.inference_mode():
        cached = timed(lambda: generate(dancer.gpt, music, start), options.runs)
        recomputed = timed(lambda: uncached_steps(dancer.gpt, music, steps), 1)
    print(f"{options.seconds:g} s of song, {torch.get_num_threads()} threads, model {options.model}\n")
    print("| step | seconds | times faster than the song |\n|---|---|---|")
    for name, seconds in rows:
        print(f"| {name} | {seconds:.2f} | {options.seconds / seconds:.0f} |")
    total = sum(seconds for _, seconds in rows)
    print(f"| all | {total:.2f} | {options.seconds / total:.1f} |")
    print(
        f"\n{steps} codes: recomputing loop {recomputed:.2f} s, cached {cached:.2f} s, ratio {recomputed / cached:.1f}"
    )
    network = rows[1][1] + rows[2][1]
    print(f"network part (codes and rotations): {options.seconds / network:.1f} times faster than the song, ", end="")
    print(f"with one candidate {options.seconds / (single + rows[2][1]):.1f} times")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
