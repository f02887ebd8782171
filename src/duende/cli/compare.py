"""Score a model on held-out takes and music, beside real dances and baselines."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from duende.audio.feature_sets import present
from duende.cli.hearing import add_hearing_arguments
from duende.cli.music import middles_of_songs
from duende.cli.sampling import add_sampling_arguments, chosen_sampling
from duende.datasets.store import DanceSet
from duende.errors import DuendeError
from duende.evaluation.reconstruction import reconstruction
from duende.evaluation.report import compare, held_out_clip, markdown
from duende.files import replacing
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.storage import SHIPPED, from_pretrained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende compare``."""
    parser.add_argument("--model", default=SHIPPED, help="name or folder of a model")
    parser.add_argument("--data", required=True, help="folder of a data set made by duende data")
    parser.add_argument("--songs", nargs="*", default=[], help="real songs, their beats tracked")
    parser.add_argument("--song-seconds", type=float, default=40.0, help="how much of each real song")
    parser.add_argument("--seeds", type=int, default=3, help="dances for each piece")
    add_sampling_arguments(parser)
    add_hearing_arguments(parser)
    parser.add_argument("-o", "--out", default="out/compare", help="folder for report.md and report.json")


def run(options: argparse.Namespace) -> None:
    """Score, write the report and print it."""
    system = from_pretrained(options.model)
    data = DanceSet.open(Path(options.data))
    clips, training = data.clips("test"), data.clips("train")
    if not clips:
        raise DuendeError(f"{options.data} holds no held-out clips; build it again with: duende data starter")
    features = present(system.config.feature_set)
    sampling = chosen_sampling(options, system.config.sampling)
    known = [held_out_clip(clip, features) for clip in clips if clip.music is not None]
    real = middles_of_songs(options, features)
    coded = asdict(reconstruction(system, clips)) if isinstance(system, ExpressiveBailando) else None
    tables = {}
    for name, music in (("held-out music", known), ("real songs", real)):
        if music:
            with tqdm(desc=name, file=sys.stderr, leave=False) as bar:

                def advance(done: int, total: int, bar: tqdm = bar) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                moves = [clip.motion for clip in training if clip.motion is not None]
                tables[name] = compare(system, music, moves, sampling, range(options.seeds), advance)
    text = "\n".join(
        ([f"reconstruction: {json.dumps(coded, indent=1)}\n"] if coded else [])
        + [f"## {name}\n\n{markdown(rows)}" for name, rows in tables.items()]
    )
    out = Path(options.out)
    with replacing(out / "report.md") as path:
        path.write_text(text, encoding="utf-8")
    with replacing(out / "report.json") as path:
        values = {"reconstruction": coded, **{k: [asdict(r) for r in v] for k, v in tables.items()}}
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")
    print(text)
