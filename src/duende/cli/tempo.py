"""Which dances keep the tempo in their names: AIST++ files, beside takes that keep none."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from duende.datasets.takes import Take, find_takes
from duende.errors import DuendeError
from duende.evaluation.tempo import tempo_evidence
from duende.formats.load import load_mocap

STANDS_OUT = 0.05
TRIED = np.arange(80.0, 136.0, 5.0)
"""Tempi that a take without one is asked for: what chance finds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende tempo``."""
    parser.add_argument("mocap", nargs="+", help="folders of motion; AIST++ names tell the tempo, others have none")


def run(options: argparse.Namespace) -> None:
    """Print a table of the dances with a tempo, and how often chance finds one in the others."""
    takes = find_takes([Path(folder) for folder in options.mocap])
    lines = ["| dance | beats a minute | speed minima: number, beat, half-beat | foot strikes: the same | p |"]
    lines.append("|---|---|---|---|---|")
    found, chance, skipped = [], [], []
    for take in tqdm(takes, desc="dances", file=sys.stderr, leave=False):
        try:
            motion = load_mocap(take.path, take.fps)
        except DuendeError as error:
            skipped.append(str(error))
            continue
        if take.tempo is None:
            chance += [tempo_evidence(motion, float(tempo)).p_value for tempo in TRIED]
            continue
        seen = tempo_evidence(motion, take.tempo)
        found.append(seen.p_value)
        lines.append(_row(take, seen.minima, seen.strikes, seen.p_value))
    if found:
        print("\n".join(lines))
        print(f"\n{sum(p < STANDS_OUT for p in found)} of {len(found)} stand out at p < {STANDS_OUT:g}")
    if chance:
        share = float(np.mean(np.array(chance) < STANDS_OUT))
        trials = f"{share:.3f} of {len(chance)} trials"
        print(f"takes that keep no tempo, {len(TRIED)} tempi each: {trials} at p < {STANDS_OUT:g}")
    for reason in skipped:
        print(f"skipped: {reason}")


def _row(take: Take, minima: tuple[int, float, float], strikes: tuple[int, float, float], p_value: float) -> str:
    cells = " | ".join(f"{number}, {beat:.2f}, {half:.2f}" for number, beat, half in (minima, strikes))
    return f"| {take.name} | {take.tempo:g} | {cells} | {p_value:.3f} |"
