"""Speed and memory of every step from song to files, in one table: ``python -m benchmarks``.

    python -m benchmarks [--quick] [--song FILE] [--model starter] [--device cuda] [--json FILE] [--only WORD ...]

Each row runs in a process of its own, whose peak memory is told. Where there is a straightforward way of doing the same,
it is timed in the same process. A second table tells how cost grows with the length of the song. What each figure means
is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.command import whole_path
from benchmarks.measuring import Figures, Setting

LENGTHS, QUICK_LENGTHS = [10.0, 60.0, 180.0, 600.0, 1800.0], [10.0, 60.0]
WHOLE_PATH = "whole path: duende dance --formats glb"
HEAD = (
    "| step | seconds | times faster than the song | first frame, s | peak MiB | plain way / ours | plain way |\n"
    "|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Measure and print two tables."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        seconds = options.seconds or (30.0 if options.quick else 180.0)
        runs = options.runs or (1 if options.quick else 3)
        setting = Setting(folder, seconds, options.model, options.device, options.data, runs)
        _say("making a song and a dance to it")
        _child(setting, "make", options.song)
        print(f"{_machine()}\n{seconds:g} s of song, model {options.model}, median of {runs}\n\n{HEAD}", flush=True)
        rows = {}
        for name, figures in _rows(setting, options.only):
            rows[name] = figures
            print(_row(name, figures), flush=True)
        lengths = [] if options.lengths is None and options.only else options.lengths
        grown = _grown(
            setting, options.song, (QUICK_LENGTHS if options.quick else LENGTHS) if lengths is None else lengths
        )
    if options.json:
        whole = {"machine": _machine(), "setting": asdict(setting), "rows": {n: asdict(f) for n, f in rows.items()}}
        text = json.dumps({**whole, "lengths": {str(n): asdict(f) for n, f in grown.items()}}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look in about a minute: 30 s of song, one run each")
    parser.add_argument("--seconds", type=float, help="length of the song; default: 180, quick 30")
    parser.add_argument("--runs", type=int, help="calls of each row, whose median counts; default: 3, quick 1")
    parser.add_argument("--song", type=Path, help="a sound file to dance to; by default one is made")
    parser.add_argument("--model", default="starter", help="name or folder of a system of pose codes")
    parser.add_argument("--device", default="cpu", help="of the networks, in the rows of single steps")
    parser.add_argument("--data", default="cache/starter", help="data set of the training step")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only rows whose names hold one of these words")
    parser.add_argument(
        "--lengths", nargs="*", type=float, metavar="S", help="seconds of the songs of the second table"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    return parser.parse_args()


def _rows(setting: Setting, only: list[str] | None) -> Iterator[tuple[str, Figures]]:
    names = [*json.loads(_child(setting, "names")), WHOLE_PATH]
    for name in names:
        if only and not any(word in name for word in only):
            continue
        _say(name)
        if name == WHOLE_PATH:
            yield name, whole_path(Path(setting.folder) / "song.mp3", setting, setting.runs)
        else:
            yield name, Figures(**json.loads(_child(setting, name).splitlines()[-1]))


def _grown(setting: Setting, song: Path | None, lengths: list[float]) -> dict[float, Figures]:
    """Dance to songs of these lengths in seconds, once each."""
    if not lengths:
        return {}
    print(f"\n{WHOLE_PATH}, by length\n")
    print("| song, s | seconds | seconds a minute of song | peak MiB |\n|---|---|---|---|", flush=True)
    found = {}
    for seconds in lengths:
        _say(f"{seconds:g} s of song")
        long = replace(setting, seconds=seconds)
        _child(long, "sound", song)
        figures = found[seconds] = whole_path(Path(setting.folder) / f"sound-{seconds:g}.mp3", long, 1)
        each = figures.seconds / seconds * 60
        print(f"| {seconds:g} | {figures.seconds:.1f} | {each:.2f} | {figures.peak:.0f} |", flush=True)
    return found


def _row(name: str, figures: Figures) -> str:
    if figures.missing:
        return f"| {name} | – | – | – | – | – | {figures.missing} |"

    def cell(value: float | None, form: str) -> str:
        return "–" if value is None else format(value, form)

    cells = (
        cell(figures.seconds or None, ".3f" if figures.seconds < 1 else ".2f"),
        cell(figures.factor, ".3g" if (figures.factor or 0) < 100 else ",.0f"),
        cell(figures.first, ".2f"),
        cell(figures.peak, ".0f"),
        cell(figures.ratio, ".3g" if (figures.ratio or 0) < 100 else ",.0f"),
        figures.against or "–",
    )
    return f"| {name} | {' | '.join(cells)} |"


def _child(setting: Setting, name: str, song: Path | None = None) -> str:
    """Run a process of :mod:`benchmarks.row`, and return what it printed."""
    command = [sys.executable, "-m", "benchmarks.row", json.dumps(asdict(setting)), name, str(song or "")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    return done.stdout


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        named = [line.partition(":")[2].strip() for line in cpus.read_text().splitlines() if "model name" in line]
        model = named[0] if named else model
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} processors{load}, Python {platform.python_version()}"


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
