"""Hear songs or a whole library once, and keep the music features for all that need them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from duende.audio.feature_sets import feature_set
from duende.cli.dance import writable_folder
from duende.cli.hearing import add_features_argument, add_hearing_arguments, chosen_cache, chosen_sources
from duende.cli.processes import add_ray_argument, processors
from duende.datasets.building import in_processes
from duende.datasets.cluster import on_ray
from duende.datasets.song_library import HeardFile, check_names, hear_file
from duende.datasets.songs import SongHearing, find_library, with_name
from duende.errors import DuendeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende features``."""
    parser.add_argument("songs", nargs="+", help="songs, and folders that are searched for songs")
    add_features_argument(parser, "full_band+rhythm")
    add_hearing_arguments(parser)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    add_ray_argument(parser)
    parser.add_argument("-o", "--out", help="folder for an npz of each song, for work outside this project")


def run(options: argparse.Namespace) -> None:
    """Hear what has not been heard, and print how much there is."""
    if options.workers < 1:
        raise DuendeError(f"--workers is 1 or more, got {options.workers}")
    songs = find_library([Path(place).absolute() for place in options.songs])
    out = None
    if options.out:
        check_names(songs)
        out = writable_folder(Path(options.out)).absolute()
    # To keep what was heard is all that this command is for.
    cache = replace(chosen_cache(options), lenient=False)
    hearing = SongHearing(feature_set(options.features), cache, chosen_sources(options))
    hearing.check()
    heard = _heard(songs, hearing, out, options)
    print(_summary(heard, hearing, out))
    failed = [song for song in heard if song.failure]
    for song in failed:
        print(f"duende: {with_name(song.path, song.failure)}", file=sys.stderr)
    if failed:
        raise DuendeError(
            f"{len(failed)} of {len(heard)} songs could not be heard, as said above; run again when that is mended"
        )


def _heard(
    songs: Sequence[Path], hearing: SongHearing, out: Path | None, options: argparse.Namespace
) -> list[HeardFile]:
    work = partial(hear_file, hearing=hearing, out=out, threads=_threads(options))
    # To look for what is there a cluster is as good; here it is done before processes are started for the rest.
    known = [] if options.ray is not None else [song for song in songs if hearing.knows(song)]
    rest = sorted(set(songs) - set(known), key=lambda song: -song.stat().st_size)
    with tqdm(desc="songs", total=len(songs), file=sys.stderr) as bar:
        heard = []
        for song in known:
            heard.append(work(song))
            bar.update()

        def advance(done: int, total: int) -> None:
            bar.update(len(known) + done - bar.n)

        if options.ray is None:
            heard += in_processes(work, rest, options.workers, advance)
        else:
            heard += on_ray(work, rest, options.ray, advance, options.workers)
    return sorted(heard, key=lambda song: song.path)


def _threads(options: argparse.Namespace) -> int:
    """Return how many threads a process may have for networks; 0 for as many as they choose."""
    if options.ray is not None:
        # A cluster gives each process one processor.
        return 1
    return max(1, processors() // options.workers) if options.workers > 1 else 0


def _summary(heard: Sequence[HeardFile], hearing: SongHearing, out: Path | None) -> str:
    good = [song for song in heard if not song.failure]
    known = sum(song.known for song in good)
    minutes = sum(song.seconds for song in good) / 60
    counts = (len(heard), len(good) - known, known, len(heard) - len(good), sum(song.rows for song in good))
    name, columns = hearing.features.identity, hearing.features.dimension
    lines = [
        "| features | songs | heard now | before | failed | rows | columns | minutes |",
        "|---|---|---|---|---|---|---|---|",
        f"| {name} | {' | '.join(map(str, counts))} | {columns} | {minutes:.1f} |",
        "",
        f"{hearing.cache.folder}  the cache, {hearing.cache.size / 1e6:.1f} MB",
    ]
    return "\n".join(lines + ([f"{out}  an npz of each song"] if out else []))
