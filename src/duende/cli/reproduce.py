"""Make one of the paper's tables: train or load each row's system, dance, score, and write the table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from duende.errors import DuendeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende reproduce``."""
    parser.add_argument(
        "table",
        choices=["table1", "table2", "ablation", "music", "rewards"],
        help="which of the paper's tables, or of ours: music and rewards",
    )
    parser.add_argument("--scale", default="starter", help="smoke (made-up movement, a minute), starter or paper")
    parser.add_argument("--data", help="folder of a data set made by duende data; default: as the scale says")
    parser.add_argument("--recipes", default="recipes/reproduce", help="folder of scales with their recipes")
    parser.add_argument("--seeds", nargs="+", type=int, help="of training; default: as the scale says")
    parser.add_argument("--runs", help="folder for trained stages; default: runs/reproduce/SCALE")
    parser.add_argument("--devices", default="auto", help="number of processes or graphics processors")
    parser.add_argument("-o", "--out", help="folder for the table; default: out/reproduce/TABLE-SCALE")


def run(options: argparse.Namespace) -> None:
    """Make the table and print it."""
    try:
        from duende.datasets.store import DanceSet
        from duende.experiments.reproduce import Progress, reproduce
        from duende.experiments.scales import ScaleFolder
        from duende.experiments.stages import TrainedStages
        from duende.experiments.tables import named_table
    except ModuleNotFoundError as error:
        raise DuendeError(f"this needs {error.name}; install it with: pip install 'duende[train]'") from error

    if options.devices != "auto" and not options.devices.isdigit():
        raise DuendeError(f"--devices is a number or 'auto', got {options.devices!r}")
    table = named_table(options.table)
    scale = ScaleFolder.open(Path(options.recipes) / options.scale)
    runs = Path(options.runs or f"runs/reproduce/{options.scale}")
    data = Path(options.data or scale.scale.data or runs / "made_up")
    if options.data is None and scale.scale.data is None:
        from duende.experiments.made_up import write_made_up_dances

        write_made_up_dances(data)
    bars: dict[str, tqdm] = {}

    def announce(sentence: str) -> None:
        for bar in bars.values():
            bar.close()
        bars.clear()
        print(sentence, file=sys.stderr)

    def stage(name: str, done: int, steps: int, values: dict[str, float]) -> None:
        bar = bars.setdefault(name, tqdm(total=steps, desc=name, file=sys.stderr, initial=done, leave=False))
        bar.update(done - bar.n)

    path = reproduce(
        table,
        scale,
        TrainedStages(DanceSet.open(data), runs, "auto" if options.devices == "auto" else int(options.devices)),
        Path(options.out or f"out/reproduce/{options.table}-{options.scale}"),
        options.seeds,
        Progress(announce, stage),
    )
    announce("")
    print(path.read_text(encoding="utf-8"))
    print(f"{path.parent}  table.md, table.csv, table.tex and results.json")
