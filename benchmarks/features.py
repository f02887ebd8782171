"""Seconds from the start of a fresh process to the array of handcrafted music features, beside librosa.

    python -m benchmarks.features [--seconds 60] [--runs 5]

The first run on a fresh machine: no compiled bytecode of any module, Python's own included, and no compiled functions of
numba (both are looked for in an empty folder). A later run finds both. The operating system's cache of files is not
dropped, so reading from a cold disk comes on top. Seconds are wall time, median of the runs; beside them the time of the
processor, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sounds import beating_song

SETS = ("bailando", "full_band")
OURS = """
import sys
from duende.audio import Song, extract_features, feature_set
print(extract_features(Song.read(sys.argv[1]), feature_set(sys.argv[2])).values.shape)
assert "torch" not in sys.modules
"""
LIBRARY = """
import sys
import librosa
import numpy as np
rate, octaves = {"bailando": (3840, 5), "full_band": (30720, 7)}[sys.argv[2]]
sound, _ = librosa.load(sys.argv[1], sr=rate)
harmonic, percussive = librosa.effects.hpss(sound)
mfcc = librosa.feature.mfcc(S=librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=rate), ref=np.max))
onset = librosa.onset.onset_strength(y=percussive, sr=rate, aggregate=np.median)
families = [
    mfcc,
    librosa.feature.delta(mfcc, width=3),
    librosa.feature.chroma_cqt(y=harmonic, sr=rate, n_octaves=octaves),
    onset[None],
    librosa.feature.tempogram(onset_envelope=onset, sr=rate),
]
loud, _ = librosa.load(sys.argv[1], sr=22050)
tempo, beats = librosa.beat.beat_track(y=loud, sr=22050)
print(np.concatenate(families).T.shape)
"""
PROGRAMS = {"duende": OURS, "librosa": LIBRARY}


def seconds_of(program: str, song: Path, features: str, caches: Path) -> tuple[float, float]:
    """Wall and processor seconds of a fresh process that keeps its compiled files in ``caches``."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"PYTHONPYCACHEPREFIX": str(caches / "bytecode"), "NUMBA_CACHE_DIR": str(caches / "numba")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, str(song), features], env=variables, check=True, stdout=subprocess.DEVNULL
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_runs(program: str, song: Path, features: str, runs: int) -> list[tuple[float, float]]:
    """Times of runs that find nothing compiled."""
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as caches:
            times.append(seconds_of(program, song, features, Path(caches)))
    return times


def later_runs(program: str, song: Path, features: str, runs: int) -> list[tuple[float, float]]:
    """Times of runs after one that left its compiled files."""
    with tempfile.TemporaryDirectory() as caches:
        seconds_of(program, song, features, Path(caches))
        return [seconds_of(program, song, features, Path(caches)) for _ in range(runs)]


def cells(times: list[tuple[float, float]]) -> str:
    """Median wall seconds with the processor's."""
    wall, processor = (statistics.median(values) for values in zip(*times, strict=True))
    return f"{wall:.2f} ({processor:.2f})"


def main() -> None:
    """Run and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the song")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        beating_song(options.seconds).write(song)
        print(
            f"{options.seconds:g} s of song, {os.cpu_count()} cores, {options.runs} runs each, seconds (of processor)\n"
        )
        print("| features | program | first run on a fresh machine | later run |\n|---|---|---|---|")
        for features in SETS:
            for name, program in PROGRAMS.items():
                first = cells(first_runs(program, song, features, options.runs))
                print(
                    f"| {features} | {name} | {first} | {cells(later_runs(program, song, features, options.runs))} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
