"""Build training data: dances with music in one folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from duende.errors import DuendeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende data``."""
    parser.add_argument("dataset", choices=["starter"], help="starter: real motion capture, music composed to it")
    parser.add_argument("--mocap", nargs="+", required=True, help="folders of bvh, npz or AIST++ pkl files")
    parser.add_argument("-o", "--out", default="cache/starter", help="folder for the data set")
    parser.add_argument("--soundfont", help="General MIDI sound font (.sf2); default: the system's")
    parser.add_argument("--variants", type=int, default=6, help="pieces of music for each take")
    parser.add_argument("--seed", type=int, default=0, help="decides music, tempo and mirroring")
    parser.add_argument("--workers", type=int, default=2, help="processes")


def run(options: argparse.Namespace) -> None:
    """Build, and print where the data are."""
    try:
        from duende.datasets.starter import build_starter
    except ModuleNotFoundError as error:
        raise DuendeError(f"this needs {error.name}; install it with: pip install 'duende[data]'") from error

    if options.variants < 1 or options.workers < 1:
        raise DuendeError("--variants and --workers are 1 or more")
    with tqdm(desc="clips", file=sys.stderr) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        build_starter(
            [Path(folder) for folder in options.mocap],
            Path(options.out),
            soundfont=Path(options.soundfont) if options.soundfont else None,
            variants=options.variants,
            seed=options.seed,
            workers=options.workers,
            progress=advance,
        )
    print(f"{options.out}  the data set; train on it with: duende train recipes/starter.yaml --data {options.out}")
