"""Turn a song into a dance: a video, a 3D page and motion files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from duende.audio.song import Song
from duende.cli.controls import add_control_arguments, chosen_controls
from duende.cli.excerpt import cropped_song, heard_excerpt
from duende.cli.hearing import add_hearing_arguments
from duende.cli.holding import add_holding_arguments, chosen_holding
from duende.cli.sampling import add_sampling_arguments, chosen_sampling
from duende.errors import DuendeError
from duende.formats.bvh import UNITS
from duende.formats.character import Character, read_character
from duende.formats.performance import Performance, Variant
from duende.formats.writers import FORMATS, Format, chosen_formats
from duende.motion import Motion
from duende.systems.storage import SHIPPED, from_pretrained, shipped_folder

DEMO_SONG = "demo_song.ogg"
TOGETHER = ("html", "png")
"""Formats that show several dances side by side."""
SLOW = ("mp4",)
"""Formats that several dances are written in only where somebody asks for them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende dance``."""
    parser.add_argument(
        "song", nargs="?", help="wav, mp3, ogg, flac, m4a ...; without one, a song of the project's own"
    )
    parser.add_argument("-o", "--out", default="out", help="folder for the files, named after the song")
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
    add_hearing_arguments(parser)
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
    formats = _formats(options)
    controls = chosen_controls(options)
    character = _character(options)
    out = writable_folder(Path(options.out))
    path = Path(options.song) if options.song else shipped_folder("").parent / "pretrained" / DEMO_SONG
    song = Song.read(path)
    part, _ = cropped_song(song, controls)
    dancer = from_pretrained(options.model)
    sampling = chosen_sampling(options, dancer.config.sampling)
    held = chosen_holding(options, part.duration)
    _say(f"listening to {path.name} ({part.duration:.0f} s)")
    excerpt = heard_excerpt(path, song, controls, options, dancer.config)
    _say(excerpt.said)

    def danced(seed: int) -> Motion:
        with _bar("dancing" if options.variants == 1 else f"dancing, seed {seed}") as bar:
            motion = dancer.dance(
                excerpt.heard,
                seed=seed,
                sampling=sampling,
                style=options.style,
                held=held,
                clean_up=options.clean_up,
                progress=_advance(bar),
            )
        return controls.shaped(excerpt.fitted(motion, options.clean_up), excerpt.loop_frames)

    seeds = range(options.seed, options.seed + options.variants)
    variants = tuple(Variant(f"seed {seed}", danced(seed)) for seed in seeds)
    show = partial(
        Performance,
        title=path.stem,
        song=excerpt.song,
        beats=excerpt.beats,
        character=character,
        loop=excerpt.loop_frames is not None,
        bvh_unit=options.bvh_unit,
    )
    for entry, file in _written(variants, formats, out / _file_name(path.stem), show):
        print(f"{file}  {entry.purpose}")
    if len(variants) > 1:
        print(f"for one of these {len(variants)} alone, say --seed {seeds[0]} to {seeds[-1]} in place of --variants")


def _formats(options: argparse.Namespace) -> tuple[Format, ...]:
    formats = chosen_formats(options.formats)
    if options.formats is None and options.variants > 1:
        return tuple(entry for entry in formats if entry.name not in SLOW)
    return formats


def _character(options: argparse.Namespace) -> Character | None:
    if options.character is None:
        if options.bones is not None:
            raise DuendeError(f"--bones {options.bones} needs a character whose bones it names; add --character")
        return None
    return read_character(options.character, options.bones)


def _written(
    variants: tuple[Variant, ...], formats: tuple[Format, ...], place: Path, show: Callable[..., Performance]
) -> list[tuple[Format, Path]]:
    """Write what shows several dances once, and all else once for each of them."""
    several = len(variants) > 1
    each = [show(variant.motion, variants=variants if several else ()) for variant in variants]
    files = []
    for entry in formats:
        if not several or entry.name in TOGETHER:
            files.append((entry, _write(entry, each[0], place.with_name(f"{place.name}.{entry.name}"))))
            continue
        for variant, alone in zip(variants, each, strict=True):
            name = f"{place.name}-{variant.name.replace(' ', '')}.{entry.name}"
            files.append((entry, _write(entry, alone, place.with_name(name))))
    return files


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


def _file_name(stem: str) -> str:
    """Keep letters, digits and common marks of any language; no separators or control characters."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", stem).strip(" .") or "dance"


def _write(entry: Format, performance: Performance, path: Path) -> Path:
    with _bar(f"writing {entry.name}") as bar:
        entry.write(performance, path, _advance(bar))
    return path


def _bar(label: str) -> tqdm:
    return tqdm(desc=label, file=sys.stderr, leave=False, disable=None, bar_format="{desc} {percentage:3.0f}% {bar}")


def _advance(bar: tqdm) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return advance


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
