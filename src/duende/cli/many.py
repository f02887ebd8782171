"""Many songs in one call: in several processes, on a cluster, or their dances in batches on one accelerator."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from duende.audio.feature_sets import present
from duende.cli.batches import danced_in_batches
from duende.cli.company import Company, DancedSong, dance_song, forget, longest_first
from duende.cli.dancing import Dancing, Piece
from duende.cli.hearing import chosen_cache, chosen_sources
from duende.cli.processes import add_ray_argument, as_finished, crew, processors
from duende.cli.threads import chosen_threads, whole_number
from duende.datasets.cluster import on_ray
from duende.datasets.songs import SongHearing, find_library
from duende.errors import DuendeError
from duende.models.placement import Placement
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem, of_codes
from duende.systems.storage import from_pretrained, is_shipped, placed

USUAL_BATCH = 32
"""Dances at once on a graphics processor."""


def add_many_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of several songs."""
    parser.add_argument("--jobs", default="1", metavar="N", help="processes for several songs; auto: one a processor")
    parser.add_argument(
        "--batch",
        default="auto",
        metavar="N",
        help=f"dances to several songs made at once; auto: {USUAL_BATCH} on a graphics processor, else 1",
    )
    parser.add_argument(
        "--skip-existing", action="store_true", help="leave out songs whose files are all there, whatever their options"
    )
    add_ray_argument(parser)


def found_pieces(places: Sequence[str], out: Path) -> list[Piece]:
    """Find songs, and give each its place in ``out``: songs of a folder keep the folders that they are in.

    Raises:
        DuendeError: a place does not exist, or holds no song.
    """
    pieces: dict[Path, Piece] = {}
    for place in map(Path, places):
        for song in find_library([place]):
            inside = song.relative_to(place).parent if place.is_dir() else Path()
            pieces.setdefault(song.resolve(), Piece(song, out / inside / file_name(song.stem)))
    return list(pieces.values())


def file_name(stem: str) -> str:
    """Keep letters, digits and common marks of any language; no separators or control characters."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", stem).strip(" .") or "dance"


def dance_all(pieces: Sequence[Piece], dancing: Dancing, placement: Placement) -> None:
    """Dance to songs one by one, and print the files of each; one that fails does not stop the others.

    Raises:
        DuendeError: two songs would be written to one file, the options do not fit the model or several songs, or, when
            all others are finished, a song could not be danced to.
    """
    _check_options(pieces, dancing.options)
    if dancing.options.ray is not None:
        pieces = [Piece(piece.song.absolute(), piece.place.absolute()) for piece in pieces]
        dancing = replace(dancing, options=_as_elsewhere(dancing.options))
        placement = replace(placement, device="cpu")
    options = dancing.options
    _check_places(pieces, dancing)
    rest = [piece for piece in pieces if not (options.skip_existing and _is_there(piece, dancing))]
    if len(rest) < len(pieces):
        print(f"{len(pieces) - len(rest)} of {len(pieces)} songs have their files already", file=sys.stderr)
    if not rest:
        return
    jobs = min(whole_number("--jobs", options.jobs, processors()), len(rest))
    system = from_pretrained(options.model)
    _check_system(dancing, system)
    # A cluster gives each process one processor.
    count = chosen_threads(options, system, jobs if options.ray is None else processors())
    company = Company(options.model, placement, options.character, options.bones, count)
    forget()
    size = _batch(options, placement, system)
    if size == 1:
        danced = _danced(rest, replace(dancing, quiet=True), company, jobs)
    else:
        chooser = of_codes(placed(system, placement), "--batch")
        danced = danced_in_batches(rest, replace(dancing, quiet=True), company, chooser, jobs, size)
    _tell(danced, len(rest))


def _tell(danced: Generator[DancedSong, None, None], count: int) -> None:
    """Print the files of each song as it is finished, and at the end what failed."""
    failed = []
    with closing(danced), tqdm(desc="songs", total=count, file=sys.stderr) as bar:
        for song in danced:
            bar.update()
            if song.failure:
                failed.append(song)
            else:
                tqdm.write(f"{song.piece.song.name}  {'  '.join(map(str, song.files))}", file=sys.stdout)
    for song in failed:
        print(f"duende: {song.failure}", file=sys.stderr)
    if failed:
        raise DuendeError(
            f"{len(failed)} of {count} songs could not be danced to, as said above; when that is mended, run again "
            "with --skip-existing"
        )


def _danced(rest: Sequence[Piece], dancing: Dancing, company: Company, jobs: int) -> Generator[DancedSong, None, None]:
    """Yield songs as they are finished."""
    work = partial(dance_song, dancing=dancing, company=company)
    if dancing.options.ray is not None:
        yield from on_ray(work, longest_first(rest), dancing.options.ray, workers=jobs)
    elif jobs == 1:
        yield from map(work, rest)
    else:
        with crew(jobs) as others:
            yield from as_finished([others.begin(work, piece) for piece in longest_first(rest)])


def _as_elsewhere(options: argparse.Namespace) -> argparse.Namespace:
    """Say the same to processes of other machines: with whole paths, and on the processor that a cluster gives them."""
    places = {name: getattr(options, name) for name in ("character", "bones", "mert", "jukebox", "cache")}
    places["model"] = None if is_shipped(options.model) else options.model
    whole = {name: str(Path(place).absolute()) for name, place in places.items() if place and Path(place).exists()}
    if "DUENDE_CACHE" in os.environ and options.cache is None:
        whole["cache"] = str(Path(os.environ["DUENDE_CACHE"]).expanduser().absolute())
    return argparse.Namespace(**{**vars(options), **whole, "device": "cpu"})


def _batch(options: argparse.Namespace, placement: Placement, system: AnySystem) -> int:
    """Return how many dances are made at once.

    Raises:
        DuendeError: it is no number, or several are asked of what makes one at a time.
    """
    pays = placement.chosen_device().type != "cpu" and isinstance(system, ExpressiveBailando) and options.ray is None
    size = whole_number("--batch", options.batch, USUAL_BATCH if pays else 1)
    if size > 1 and options.ray is not None:
        raise DuendeError(f"--batch {size} is of one machine, and --ray of many; leave one of the two out")
    return size


def _check_options(pieces: Sequence[Piece], options: argparse.Namespace) -> None:
    if options.given is not None and len(pieces) > 1:
        raise DuendeError(f"--given {options.given} belongs to one song, not to {len(pieces)}; dance to it alone")
    if options.ray is not None and options.device not in ("auto", "cpu"):
        raise DuendeError(f"--ray works on processors, not on {options.device}; leave one of the two out")


def _check_places(pieces: Sequence[Piece], dancing: Dancing) -> None:
    """Raise :class:`DuendeError` where two songs would be written to one file."""
    known: dict[str, Piece] = {}
    for piece in pieces:
        for _, file in dancing.files(piece.place):
            # Many disks take large and small letters for the same.
            other = known.setdefault(str(file).casefold(), piece)
            if other is not piece:
                raise DuendeError(
                    f"{other.song} and {piece.song} would both be written to {file}; rename one of them, or name the "
                    "folder that both are in"
                )


def _is_there(piece: Piece, dancing: Dancing) -> bool:
    return all(file.exists() for _, file in dancing.files(piece.place))


def _check_system(dancing: Dancing, system: AnySystem) -> None:
    """Find out before the work starts what would stop every song."""
    style, config = dancing.options.style, system.config
    if style is not None and style not in config.styles:
        known = ", ".join(config.styles) or "none"
        raise DuendeError(f"unknown style {style!r}; the styles of this model are: {known}")
    dancing.sampling(system)
    cache, sources = chosen_cache(dancing.options), chosen_sources(dancing.options)
    SongHearing(present(config.feature_set), cache, sources).check()
