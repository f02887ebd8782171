"""Beat trackers on music whose beats are exactly known, and on real songs played at known other paces.

    python -m benchmarks.beats [--songs FOLDER] [--cache FOLDER] [--quick] [--trackers ours librosa]

Composed music: every style at 60, 70, ..., 200 beats a minute, 25 s each. Real songs have no exact beats, but stretched by a
known ratio their beats must move by it: tempi must keep the ratio, and beats scaled back must fall on those of the
original. Needs FluidSynth with a General MIDI sound font; librosa and mir_eval are in the ``dev`` set.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import librosa
import mir_eval
import numpy as np

from benchmarks import beats_by_onsets
from benchmarks.beat_pieces import HELD_OUT
from benchmarks.stretching import stretch_error, stretched
from duende.audio.beats import track_beats
from duende.audio.music import Beats
from duende.audio.song import Song
from duende.datasets.composer import STYLES, compose, render

TEMPI = tuple(range(60, 201, 10))
BANDS = ((60, 84), (85, 130), (131, 200))
SECONDS, SEED = 25.0, 7
RATIOS = (0.8, 0.9, 1.1, 1.25)
SONG_SECONDS = 90.0
WITHIN = 0.07
RELATIONS = {"right": 1.0, "half": 0.5, "double": 2.0}

Tracker = Callable[[Song], Beats]


def by_librosa(song: Song) -> Beats:
    """librosa's tracker with its defaults, at 22,050 Hz; it has no downbeats."""
    tempo, times = librosa.beat.beat_track(y=song.resampled(22_050).samples, sr=22_050, units="time")
    return Beats(np.asarray(times), np.zeros(0), float(np.atleast_1d(tempo)[0]))


TRACKERS: dict[str, Tracker] = {"ours": track_beats, "onsets": beats_by_onsets.track_beats, "librosa": by_librosa}


@dataclass(frozen=True, eq=False)
class Known:
    """A song and its exact beats."""

    style: str
    song: Song
    beats: Beats


@dataclass(frozen=True)
class Outcome:
    """What a tracker made of one piece."""

    style: str
    tempo: float
    beat: float
    tolerant: float
    relation: str
    phase_error: float
    downbeat: float
    bar_right: bool


def f_measure(known: np.ndarray, found: np.ndarray) -> float:
    """F-measure within 70 ms, 0 where there is nothing to compare."""
    return float(mir_eval.beat.f_measure(known, found, WITHIN)) if len(known) and len(found) else 0.0


def relation(found: float, known: float) -> str:
    """Name of the ratio of two tempi, each within 4 %."""
    if found <= 0:
        return "none"
    return next((name for name, ratio in RELATIONS.items() if abs(found / known / ratio - 1) <= 0.04), "other")


def judged(piece: Known, found: Beats) -> Outcome:
    """Compare ``found`` with what is known."""
    known = piece.beats
    times, downs = (t[t < known.times[-1] + WITHIN] for t in (found.times, found.downbeats))
    middles = (times[1:] + times[:-1]) / 2
    readings = (times, times[::2], times[1::2], np.sort(np.concatenate([times, middles])))
    name = relation(found.tempo, known.tempo)
    nearest = np.abs(known.times[:, None] - times).min(axis=1) if len(times) else np.zeros(1)
    hits = np.abs(downs[:, None] - known.downbeats).min(axis=1) < WITHIN if len(downs) else np.zeros(1)
    return Outcome(
        piece.style,
        known.tempo,
        f_measure(known.times, times),
        max(f_measure(known.times, reading) for reading in readings),
        name,
        1000 * float(np.median(nearest)) if name == "right" else np.nan,
        f_measure(known.downbeats, downs),
        name == "right" and bool(hits.mean() > 0.75),
    )


def composed(style: str, tempo: float, cache: Path, seed: int = SEED, beats_in_bar: int = 4) -> Known:
    """Compose and render a piece, or read it from the cache."""
    piece = compose(style, tempo, int(SECONDS * tempo / 60), seed, beats_in_bar)
    path = cache / f"{style}-{tempo:g}-{seed}{'' if beats_in_bar == 4 else '-waltz'}.flac"
    if not path.exists():
        render(piece).cropped(0, piece.seconds).write(path)
    return Known(style, Song.read(path), piece.beats)


def row(name: str, outcomes: list[Outcome]) -> str:
    """Summarise outcomes in one line of a table."""

    def share(kind: str) -> str:
        return f"{100 * np.mean([o.relation == kind for o in outcomes]):.0f}"

    rest = 100 * np.mean([o.relation in ("other", "none") for o in outcomes])
    errors = [o.phase_error for o in outcomes if np.isfinite(o.phase_error)]
    numbers = [np.mean([getattr(o, key) for o in outcomes]) for key in ("beat", "tolerant", "downbeat", "bar_right")]
    return (
        f"| {name} | {numbers[0]:.3f} | {numbers[1]:.3f} | {share('right')} | {share('half')} | {share('double')} | "
        f"{rest:.0f} | {np.median(errors) if errors else np.nan:.0f} | {numbers[2]:.3f} | {100 * numbers[3]:.0f} |"
    )


HEAD = (
    "| {} | beat F | F, octave forgiven | tempo right % | half % | double % | other % | phase error ms | downbeat F | "
    "bars right % |\n|---|---|---|---|---|---|---|---|---|---|"
)


def report_composed(name: str, tracker: Tracker, pieces: Iterable[Known], by_style: bool) -> None:
    """Print the table of one tracker on composed pieces."""
    outcomes, spent, length = [], 0.0, 0.0
    for piece in pieces:
        start = time.perf_counter()
        found = tracker(piece.song)
        spent, length = spent + time.perf_counter() - start, length + piece.song.duration
        outcomes.append(judged(piece, found))
    print(HEAD.format(f"{name}, composed"))
    print(row("all", outcomes))
    for low, high in BANDS:
        print(row(f"{low} to {high}", [o for o in outcomes if low <= o.tempo <= high]))
    groups = {"styles held out": HELD_OUT, "other styles": tuple(s for s in STYLES if s not in HELD_OUT)}
    groups |= {style: (style,) for style in STYLES} if by_style else {}
    for group, styles in groups.items():
        if chosen := [o for o in outcomes if o.style in styles]:
            print(row(group, chosen))
    print(f"\n{60 * spent / length:.2f} s a minute of song\n", flush=True)


def report_stretched(name: str, tracker: Tracker, songs: list[Song]) -> None:
    """Print how well a tracker keeps to itself when real songs are played at other paces."""
    print(f"| {name}, stretched songs | tempo | tempi found / (ratio x tempo) | F with the original's beats |")
    print("|---|---|---|---|")
    kept, jumped, scores, downs = 0, 0, [], []
    for song in songs:
        first = tracker(song)
        ratios, agreed = [], []
        for ratio in RATIOS:
            other = tracker(stretched(song, ratio))
            change = other.tempo / (first.tempo * ratio) if first.tempo else 0.0
            kept += abs(change - 1) <= 0.04
            jumped += abs(change / 2 - 1) <= 0.04 or abs(change * 2 - 1) <= 0.04
            ratios.append(change)
            agreed.append(f_measure(first.times, other.times * ratio))
            downs.append(f_measure(first.downbeats, other.downbeats * ratio))
        scores += agreed
        print(
            f"| {song.name} | {first.tempo:.1f} | {' '.join(f'{r:.2f}' for r in ratios)} | "
            f"{' '.join(f'{f:.2f}' for f in agreed)} |"
        )
    total = len(songs) * len(RATIOS)
    print(
        f"\nof {total}: tempo kept {kept}, octave jumps {jumped}, other {total - kept - jumped}; "
        f"beats agree {np.mean(scores):.3f}, downbeats {np.mean(downs):.3f}\n",
        flush=True,
    )


def report_bar_lengths(name: str, tracker: Tracker, cache: Path, seed: int) -> None:
    """Print how often bars of three and of four are told apart, in all styles at 90, 120 and 150."""
    for length in (3, 4):
        pieces = (composed(style, tempo, cache, seed, length) for style in STYLES for tempo in (90.0, 120.0, 150.0))
        found = [tracker(piece.song) for piece in pieces]
        right = [len(b.downbeats) > 1 and round(len(b.times) / len(b.downbeats)) == length for b in found]
        print(f"{name}: bars of {length} recognised in {sum(right)} of {len(right)} pieces", flush=True)


def main() -> None:
    """Run and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=Path, help="folder of real songs")
    parser.add_argument("--cache", type=Path, help="folder that keeps rendered pieces")
    parser.add_argument("--quick", action="store_true", help="every fourth piece, four songs")
    parser.add_argument("--seed", type=int, default=SEED, help="of the composed pieces")
    parser.add_argument("--by-style", action="store_true")
    parser.add_argument("--trackers", nargs="+", choices=TRACKERS, default=list(TRACKERS))
    options = parser.parse_args()
    wanted = [(style, float(tempo)) for style in STYLES for tempo in TEMPI][:: 4 if options.quick else 1]
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        for name in options.trackers:
            pieces = (composed(style, tempo, cache, options.seed) for style, tempo in wanted)
            report_composed(name, TRACKERS[name], pieces, options.by_style)
            if not options.quick:
                report_bar_lengths(name, TRACKERS[name], cache, options.seed)
    if options.songs is None:
        return
    for ratio in RATIOS:
        pace, worst = stretch_error(ratio)
        print(f"a metronome played {ratio:g} times as fast: pace wrong by {pace:.1e}, clicks by {1000 * worst:.0f} ms")
    paths = sorted(path for path in options.songs.iterdir() if path.is_file())[: 4 if options.quick else None]
    songs = [Song.read(path).cropped(0, SONG_SECONDS) for path in paths]
    for name in options.trackers:
        report_stretched(name, TRACKERS[name], songs)


if __name__ == "__main__":
    main()
