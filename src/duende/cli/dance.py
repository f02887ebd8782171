"""Turn songs into dances: videos, 3D pages and motion files."""

from __future__ import annotations

import argparse
from pathlib import Path

from duende.cli.controls import add_control_arguments, chosen_controls
from duende.cli.dancing import Dancing, Piece
from duende.cli.hearing import add_hearing_arguments
from duende.cli.holding import add_holding_arguments
from duende.cli.many import add_many_arguments, dance_all, file_name, found_pieces
from duende.cli.placing import add_placement_arguments, chosen_placement
from duende.cli.sampling import add_sampling_arguments
from duende.cli.threads import add_threads_argument, chosen_threads, threads
from duende.errors import DuendeError
from duende.formats.bvh import UNITS
from duende.formats.character import Character, read_character
from duende.formats.writers import FORMATS, chosen_formats
from duende.systems.storage import SHIPPED, from_pretrained, placed, shipped_folder

DEMO_SONG = "demo_song.ogg"
SLOW = ("mp4",)
"""Formats that several dances are written in only where somebody asks for them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende dance``."""
    parser.add_argument(
        "songs",
        nargs="*",
        metavar="song",
        help="wav, mp3, ogg, flac, m4a ..., and folders of them; without one, a song of the project's own",
    )
    parser.add_argument("-o", "--out", default="out", help="folder for the files, named after the songs")
    parser.add_argument("--seed", type=int, default=0, help="another number gives another dance")
    parser.add_argument("--variants", type=int, default=1, metavar="N", help="so many dances, of seeds that follow")
    add_control_arguments(parser)
    parser.add_argument(
        "--no-clean-up", dest="clean_up", action="store_false", help="leave trembling and sliding feet as decoded"
    )
    add_sampling_arguments(parser)
    parser.add_argument("--style", help="a style that the model knows, see duende info; default: from the music")
    parser.add_argument("--model", default=SHIPPED, help="name or folder of a model")
    add_holding_arguments(parser)
    add_hearing_arguments(parser, placed=True)
    add_placement_arguments(parser)
    add_threads_argument(parser)
    add_many_arguments(parser)
    parser.add_argument("--character", metavar="FILE", help="a rigged character of your own, .glb or .vrm, that dances")
    parser.add_argument(
        "--bones", metavar="YAML", help="which bone of the character is which, where its names are not known"
    )
    parser.add_argument("--bvh-unit", choices=UNITS, default="cm", help="most programs expect centimetres")
    usual = ",".join(entry.name for entry in FORMATS.values() if entry.usual)
    parser.add_argument(
        "--formats",
        help=f"what to write, of {', '.join(FORMATS)}, separated by commas; default: {usual}, of --variants no mp4",
    )


def run(options: argparse.Namespace) -> None:
    """Dance, and print where the files are."""
    if options.variants < 1:
        raise DuendeError(f"--variants {options.variants}: ask for 1 dance or more")
    dancing = Dancing(options, chosen_controls(options), _formats(options))
    placement = chosen_placement(options)
    character = _character(options)
    out = writable_folder(Path(options.out))
    pieces = found_pieces(options.songs, out) if options.songs else [_demonstration(out)]
    if len(pieces) > 1 or options.skip_existing or options.ray is not None:
        dance_all(pieces, dancing, placement)
        return
    system = from_pretrained(options.model)
    with threads(chosen_threads(options, system, 1)):
        files = dancing.dance(pieces[0], placed(system, placement), character)
    for entry, file in files:
        print(f"{file}  {entry.purpose}")
    seeds = dancing.seeds
    if len(seeds) > 1:
        print(f"for one of these {len(seeds)} alone, say --seed {seeds[0]} to {seeds[-1]} in place of --variants")


def _demonstration(out: Path) -> Piece:
    song = shipped_folder("").parent / "pretrained" / DEMO_SONG
    return Piece(song, out / file_name(song.stem))


def _formats(options: argparse.Namespace) -> tuple[str, ...]:
    names = tuple(entry.name for entry in chosen_formats(options.formats))
    if options.formats is None and options.variants > 1:
        return tuple(name for name in names if name not in SLOW)
    return names


def _character(options: argparse.Namespace) -> Character | None:
    if options.character is None:
        if options.bones is not None:
            raise DuendeError(f"--bones {options.bones} needs a character whose bones it names; add --character")
        return None
    return read_character(options.character, options.bones)


def writable_folder(folder: Path) -> Path:
    """Find out before the work starts, not after it, that the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".duende-can-write"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DuendeError(f"cannot write to {folder}: {reason}; choose another folder with --out") from error
    return folder
