"""Score how well the styles of a model are told apart, and what asking for one costs the beat."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from duende.audio.feature_sets import present
from duende.cli.hearing import add_hearing_arguments
from duende.cli.music import middles_of_songs
from duende.cli.sampling import add_sampling_arguments, chosen_sampling
from duende.datasets.store import DanceSet
from duende.errors import DuendeError
from duende.evaluation.genre import GenreClassifier
from duende.evaluation.report import HeldOut, held_out_clip
from duende.evaluation.styles import Dancer, StyleScores, finished_dancer, judge_of, network_alone, styles_told_apart
from duende.evaluation.styletable import judge_text, scores_text, values
from duende.files import replacing
from duende.systems.storage import SHIPPED, from_pretrained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende styles``."""
    parser.add_argument("--model", default=SHIPPED, help="name or folder of a model that was told of styles")
    parser.add_argument("--data", required=True, help="folder of the data set that it was trained on")
    parser.add_argument("--songs", nargs="*", default=[], help="real songs, their beats tracked")
    parser.add_argument("--song-seconds", type=float, default=30.0, help="how much of each real song, from its middle")
    parser.add_argument("--seeds", type=int, default=3, help="dances for each piece and style")
    parser.add_argument("--network-alone", action="store_true", help="also score dances without audition and landing")
    add_sampling_arguments(parser)
    add_hearing_arguments(parser)
    parser.add_argument("-o", "--out", default="out/styles", help="folder for report.md and report.json")


def run(options: argparse.Namespace) -> None:
    """Score, write the report and print it."""
    if options.seeds < 1 or not options.song_seconds > 0:
        raise DuendeError("--seeds is 1 or more and --song-seconds above 0")
    system = from_pretrained(options.model)
    data = DanceSet.open(options.data)
    clips = data.clips("test")
    judge = judge_of(data.clips("train"), clips, system.config.styles)
    features = present(system.config.feature_set)
    sampling = chosen_sampling(options, system.config.sampling)
    if data.feature_set != features.identity:
        raise DuendeError(
            f"{options.data} holds music features {data.feature_set}, this model listens to {features.identity}; "
            "name the data set that it was trained on"
        )
    music = {
        "held-out music": [held_out_clip(clip, features) for clip in clips if clip.music is not None],
        "real songs": middles_of_songs(options, features),
    }
    if not any(music.values()):
        raise DuendeError(f"{options.data} holds no held-out music; name songs with --songs or build the set again")
    dancers = {"finished dances": finished_dancer(system, sampling)}
    if options.network_alone:
        dancers["network alone"] = network_alone(system, sampling)
    found = {
        name: {
            way: _scored(f"{name}, {way}", dancer, pieces, judge.classifier, options.seeds)
            for way, dancer in dancers.items()
        }
        for name, pieces in music.items()
        if pieces
    }
    sections = [
        f"## {name}, {way}\n\n{scores_text(scores, judge)}"
        for name, ways in found.items()
        for way, scores in ways.items()
    ]
    text = "\n".join([judge_text(judge), *sections])
    out = Path(options.out)
    with replacing(out / "report.md") as path:
        path.write_text(text, encoding="utf-8")
    with replacing(out / "report.json") as path:
        path.write_text(json.dumps(values(judge, found), indent=1), encoding="utf-8")
    print(text)


def _scored(
    name: str, dancer: Dancer, pieces: Sequence[HeldOut], classifier: GenreClassifier, seeds: int
) -> StyleScores:
    with tqdm(desc=name, file=sys.stderr, leave=False) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return styles_told_apart(dancer, pieces, classifier, range(seeds), advance)
