"""Score dances of any system against real ones: the field's metrics, and honest ones beside them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from duende.cli.hearing import add_cache_argument, chosen_cache
from duende.datasets.store import DanceSet
from duende.errors import DuendeError
from duende.evaluation.genre import GenreCheck, checked
from duende.evaluation.matching import Library
from duende.evaluation.protocol import Dance, ScoredDance, score_dance
from duende.evaluation.remarks import remarks
from duende.evaluation.scorecard import scorecard
from duende.evaluation.scoretable import markdown, table
from duende.evaluation.yardstick import FPS, TEST, RealDance, RealDances, real_clips, real_dance
from duende.files import replacing
from duende.formats.dances import find_dances, read_dance

REAL = "real dances (test split)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende evaluate``."""
    parser.add_argument("dances", nargs="+", help="a folder of dances for each system: npy, pkl, npz or bvh")
    parser.add_argument("--reference", required=True, help="data set of real dances, made by duende data")
    parser.add_argument("--music", help="folder of audio files with the dances' names, for beats that are not known")
    add_cache_argument(parser)
    parser.add_argument("--fps", type=float, help="frames a second of npy and pkl files, which do not say")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that cannot be scored")
    parser.add_argument("--seed", type=int, default=0, help="of random halves, redrawn dances and held-out takes")
    parser.add_argument("-o", "--out", default="out/evaluation", help="folder for report.md, report.json, dances.csv")


def run(options: argparse.Namespace) -> None:
    """Score, write the report and print it."""
    if options.fps is not None and not options.fps > 0:
        raise DuendeError(f"--fps {options.fps:g} is no frame rate; give frames a second, such as 30 or 60")
    data = DanceSet.open(options.reference)
    library = Library(data, Path(options.music) if options.music else None, chosen_cache(options))
    systems, bad = _read_systems(options, library)
    namesakes = {clip for dances in systems.values() for dance in dances for clip in dance.match.namesakes}
    pool, held_out = _read_reference(data, library)
    real = RealDances(pool, namesakes, options.seed)
    if held_out:
        systems = {REAL: held_out, **systems}
    scored = {
        name: [score_dance(dance, real.classifier) for dance in _progress(dances, name)]
        for name, dances in systems.items()
    }
    text, values = _report(scored, real, checked(real.examples, options.seed), bad)
    values |= {"reference": str(options.reference), "seed": options.seed}
    _write(
        Path(options.out), {"report.md": text, "report.json": json.dumps(values, indent=1), "dances.csv": table(scored)}
    )
    print(text)


def _read_systems(options: argparse.Namespace, library: Library) -> tuple[dict[str, list[Dance]], list[str]]:
    """Read the dances of all folders, and a sentence for each file that cannot be scored."""
    systems, bad = {}, []
    for name, source in zip(_column_names(options.dances), options.dances, strict=True):
        dances, unread = _read_system(Path(source), library, options.fps, options.strict)
        if not dances:
            raise DuendeError(f"no dance in {source} can be scored; the first of {len(unread)}: {unread[0]}")
        systems[name] = dances
        bad += unread
    return systems, bad


def _read_system(source: Path, library: Library, fps: float | None, strict: bool) -> tuple[list[Dance], list[str]]:
    dances, bad = [], []
    for path in _progress(find_dances(source), source.name):
        try:
            file = read_dance(path, fps)
        except DuendeError as error:
            if strict:
                raise
            bad.append(str(error))
            continue
        match = library.match(file.name, len(file.positions) / file.fps, edge=file.layout == "EDGE")
        dances.append(Dance(file.name, file.resampled(FPS).positions, file.fps, match))
    return dances, bad


def _read_reference(data: DanceSet, library: Library) -> tuple[list[RealDance], list[Dance]]:
    """Read the pool, and the dances of its test split, which are scored like those of a system."""
    pool, held_out = [], []
    for clip, motion in _progress(real_clips(data), "real dances"):
        pool.append(real_dance(clip, motion.positions))
        if clip.split == TEST:
            held_out.append(Dance(clip.name, motion.positions, motion.fps, library.match(clip.name, motion.duration)))
    return pool, held_out


def _report(
    scored: dict[str, list[ScoredDance]], real: RealDances, check: GenreCheck | None, bad: list[str]
) -> tuple[str, dict[str, Any]]:
    """Put together what is printed, and the same as values."""
    accuracy = check.accuracy if check else None
    cards = {name: scorecard(dances, real, accuracy) for name, dances in scored.items()}
    notes = remarks({name: dances for name, dances in scored.items() if name != REAL}, real, check)
    counts = ", ".join(f"{name} {len(dances)}" for name, dances in scored.items())
    text = f"Dances: {counts}.\n\n{markdown(cards)}\n" + "".join(f"- {note}\n" for note in notes)
    if bad:
        text += "\nNot scored:\n\n" + "".join(f"- {sentence}\n" for sentence in bad)
    systems = {
        name: {"dances": len(scored[name]), "values": {key: asdict(value) for key, value in card.items()}}
        for name, card in cards.items()
    }
    check_values = asdict(check) if check else None
    return text, {"systems": systems, "genre_classifier": check_values, "notes": notes, "not_scored": bad}


def _write(out: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        with replacing(out / name) as path:
            path.write_text(content, encoding="utf-8")


def _column_names(sources: Sequence[str]) -> list[str]:
    """Name systems by their folders, with as many folders above them as tell them apart."""
    parts = [Path(source).resolve().parts for source in sources]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]).replace("|", "-") for part in parts]
        if len(set(names)) == len(names):
            return names
    raise DuendeError("a folder of dances is named twice; name each once")


def _progress(items: Any, name: str) -> tqdm:
    return tqdm(items, desc=name, file=sys.stderr, leave=False)
