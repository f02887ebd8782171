"""Hearing live beside hearing the whole song: cost of a row, nearness of the features, beats told ahead.

    python -m benchmarks.live_hearing --songs FOLDER [--seconds 60] [--features full_band]

Rows are compared with those of ``extract_features`` on the same stretch of song: correlation over time (each column less
its mean), and root mean square error over the columns' own deviation. Beats are compared, within 70 ms, with those that
``track_beats`` finds in the whole stretch; they are what the listener said that far ahead of the moment. Songs are pieces
from a fifth of their length on, where they are long enough.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.beats import WITHIN, f_measure, relation
from duende.audio import extract_features, feature_set, track_beats
from duende.audio.feature_sets import ROWS_A_SECOND
from duende.audio.live import LiveListener
from duende.audio.music import Beats, MusicFeatures
from duende.audio.song import Song

AHEAD = (0.5, 1.0)
AFTER = (5.0, 10.0)
EXPECTED = (1, 3, 7)
PIECE = 1024
"""Samples that are given at a time."""
TO_LOCK, RIGHT = 4.0, 0.75
"""Beats are found when, for so many seconds, so many of those told are right and of those known are told."""


@dataclass
class Heard:
    """What a listener told of a stretch of song."""

    song: Song
    offline: MusicFeatures
    rows: np.ndarray
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    expected: dict[int, list[np.ndarray]] = field(default_factory=dict)
    told: dict[float, list[float]] = field(default_factory=dict)
    tempi: list[float] = field(default_factory=list)
    beats: Beats | None = None


def stretch(path: Path, seconds: float) -> Song:
    """Read the piece of a song that is heard."""
    song = Song.read(path)
    return song.cropped(min(0.2 * song.duration, max(0.0, song.duration - seconds)), seconds)


def heard(song: Song, features: str) -> Heard:
    """Let a listener hear a song in small pieces, and ask it after each row what comes."""
    chosen = feature_set(features)
    listener, rows = LiveListener(chosen, song.rate), []
    result = Heard(song, extract_features(song, chosen, track_beats(song)), np.zeros((0, chosen.dimension)))
    result.expected, result.told = {n: [] for n in EXPECTED}, {ahead: [] for ahead in AHEAD}
    wall = processor = 0.0
    for first in range(0, len(song.samples), PIECE):
        before, spent = time.perf_counter(), time.process_time()
        new = listener.hear(song.samples[first : first + PIECE])
        wall, processor = wall + time.perf_counter() - before, processor + time.process_time() - spent
        if len(new):
            rows.append(new)
            result.wall.append(1000 * wall)
            result.processor.append(1000 * processor)
            wall = processor = 0.0
            asked(listener, result)
    result.rows = np.concatenate(rows)
    result.beats = listener.beats(0.0)
    return result


def asked(listener: LiveListener, result: Heard) -> None:
    """Note what the listener expects now."""
    coming = listener.expected(max(EXPECTED))
    for number in EXPECTED:
        result.expected[number].append(coming[number - 1])
    now = listener.rows / ROWS_A_SECOND
    beats = listener.beats(max(AHEAD) + 1.0)
    for ahead in AHEAD:
        begin = now + ahead
        result.told[ahead] += [t for t in beats.times if begin <= t < begin + 1 / ROWS_A_SECOND]
    result.tempi.append(beats.tempo)


def nearness(live: np.ndarray, offline: np.ndarray) -> tuple[float, float]:
    """Correlation and normalised error of two tables ``(T, D)``; nan where the second one does not change."""
    steady, live_steady = offline - offline.mean(axis=0), live - live.mean(axis=0)
    scale = float(np.sqrt((steady**2).mean()))
    if scale == 0:
        return np.nan, np.nan
    product = float((steady * live_steady).mean()) / (scale * max(float(np.sqrt((live_steady**2).mean())), 1e-12))
    return product, float(np.sqrt(((live - offline) ** 2).mean())) / scale


def locked(known: np.ndarray, told: np.ndarray, seconds: float) -> float:
    """Second of the music at which beats began to be told ahead, rightly for a while; nan where they never were."""
    for first in told[told <= seconds - TO_LOCK]:
        begin = first - WITHIN
        inside = [times[(times >= begin) & (times < begin + TO_LOCK)] for times in (known, told)]
        if min(len(times) for times in inside) and f_measure(*inside) >= RIGHT:
            return float(first - AHEAD[0])
    return np.nan


def report_cost(all_heard: list[Heard]) -> None:
    """Print what a row costs."""
    print("| milliseconds a row | median | 99 % | worst | first row |\n|---|---|---|---|---|")
    for name in ("wall", "processor"):
        first = max(getattr(one, name)[0] for one in all_heard)
        later = np.concatenate([getattr(one, name)[1:] for one in all_heard])
        middle, late = np.percentile(later, (50, 99))
        print(f"| {name} | {middle:.1f} | {late:.1f} | {later.max():.1f} | {first:.1f} |")


def report_nearness(all_heard: list[Heard], features: str) -> None:
    """Print how near rows, heard and expected, come to those of the whole song."""
    print("\n| family | " + " | ".join(f"heard, after {after:g} s" for after in AFTER), end=" | ")
    print(" | ".join(f"expected {n} rows ahead" for n in EXPECTED) + " |")
    print("|---" * (1 + len(AFTER) + len(EXPECTED)) + "|")
    for family, _ in feature_set(features).columns:
        columns = feature_set(features).slice(family)
        cells = []
        for after in AFTER:
            first = round(after * ROWS_A_SECOND)
            values = [
                nearness(one.rows[first:, columns], one.offline.values[first : len(one.rows), columns])
                for one in all_heard
            ]
            cells.append("{:.2f}, {:.2f}".format(*np.nanmean(values, axis=0)))
        for number in EXPECTED:
            values = [expectation(one, number, columns) for one in all_heard]
            cells.append("{:.2f}, {:.2f}".format(*np.nanmean(values, axis=0)))
        print(f"| {family} | {' | '.join(cells)} |")


def expectation(one: Heard, number: int, columns: slice) -> tuple[float, float]:
    """Nearness of the rows that were expected ``number`` rows ahead, after 10 s."""
    first = round(AFTER[-1] * ROWS_A_SECOND)
    # After row i has been heard, the first row that is expected is row i + 1.
    table = np.array(one.expected[number])[first:, columns]
    real = one.offline.values[first + number :, columns][: len(table)]
    return nearness(table[: len(real)], real)


def report_beats(all_heard: list[Heard]) -> None:
    """Print how right the beats were that were told ahead."""
    heads = [f"F, {ahead:g} s ahead, after {after:g} s" for ahead in AHEAD for after in AFTER]
    print("\n| song | beats a minute | found after s | " + " | ".join(heads), end=" | ")
    print("downbeat F after 10 s | other octave or tempo % | median error ms |")
    print("|---" * (6 + len(heads)) + "|")
    table = []
    for one in all_heard:
        known, end = one.offline.beats, len(one.rows) / ROWS_A_SECOND
        assert one.beats is not None
        scores = []
        for ahead in AHEAD:
            for after in AFTER:
                told, right = (
                    times[(times >= after + ahead) & (times < end)]
                    for times in (np.array(one.told[ahead]), known.times)
                )
                scores.append(f_measure(right, told))
        downs = [times[(times > AFTER[-1]) & (times < end)] for times in (known.downbeats, one.beats.downbeats)]
        # The tempo that is told is that of the last 24 beats.
        kinds = [relation(tempo, known.tempo) for tempo in one.tempi[round(AFTER[0] * ROWS_A_SECOND) :]]
        other = 100 * np.mean([kind != "right" for kind in kinds]) if known.tempo else np.nan
        grid = one.beats.times[one.beats.times > AFTER[0]]
        error = (
            np.abs(grid[:, None] - known.times).min(axis=1) if len(grid) and len(known.times) else np.array([np.nan])
        )
        close = error[error < WITHIN]
        middle = 1000 * float(np.median(close)) if len(close) else np.nan
        values = [locked(known.times, np.array(one.told[AHEAD[0]]), end), *scores, f_measure(*downs), other, middle]
        table.append(values)
        print(row(one.song.name, f"{known.tempo:.0f}", values), flush=True)
    print(row("mean", "", list(np.nanmean(table, axis=0))))


def row(name: str, tempo: str, values: list[float]) -> str:
    """A line of the table of beats."""
    found, *scores, other, error = values
    return f"| {name} | {tempo} | {found:.1f} | {' | '.join(f'{v:.2f}' for v in scores)} | {other:.0f} | {error:.0f} |"


def main() -> None:
    """Run and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=Path, required=True, help="folder of songs")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each song")
    parser.add_argument("--features", default="full_band")
    options = parser.parse_args()
    paths = sorted(path for path in options.songs.iterdir() if path.is_file())
    all_heard = [heard(stretch(path, options.seconds), options.features) for path in paths]
    seconds = sum(one.song.duration for one in all_heard)
    print(f"{len(paths)} songs, {seconds:.0f} s in all, {options.features}\n")
    report_cost(all_heard)
    report_nearness(all_heard, options.features)
    report_beats(all_heard)


if __name__ == "__main__":
    main()
