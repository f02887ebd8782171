"""Turn a song into a dance: a video, a 3D page and motion files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from duende.audio.feature_sets import present
from duende.audio.song import Song
from duende.cli.hearing import add_hearing_arguments, chosen_cache, chosen_sources
from duende.cli.holding import add_holding_arguments, chosen_holding
from duende.cli.sampling import add_sampling_arguments, chosen_sampling
from duende.errors import DuendeError
from duende.formats.performance import Performance
from duende.formats.writers import FORMATS, Format, chosen_formats
from duende.systems.storage import SHIPPED, from_pretrained, shipped_folder

DEMO_SONG = "demo_song.ogg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende dance``."""
    parser.add_argument(
        "song", nargs="?", help="wav, mp3, ogg, flac, m4a ...; without one, a song of the project's own"
    )
    parser.add_argument("-o", "--out", default="out", help="folder for the files, named after the song")
    parser.add_argument("--seconds", type=float, help="dance only to the first seconds of the song")
    parser.add_argument("--seed", type=int, default=0, help="another number gives another dance")
    add_sampling_arguments(parser)
    parser.add_argument("--style", help="a style that the model knows, see duende info; default: from the music")
    parser.add_argument("--model", default=SHIPPED, help="name or folder of a model")
    add_holding_arguments(parser)
    add_hearing_arguments(parser)
    parser.add_argument("--formats", default=",".join(FORMATS), help="what to write, separated by commas")


def run(options: argparse.Namespace) -> None:
    """Dance, and print where the files are."""
    formats = chosen_formats(options.formats)
    out = writable_folder(Path(options.out))
    path = Path(options.song) if options.song else shipped_folder("").parent / "pretrained" / DEMO_SONG
    song = Song.read(path)
    if options.seconds is not None:
        if not options.seconds > 0:
            raise DuendeError(f"--seconds needs a length above 0, got {options.seconds}")
        song = song.cropped(0, options.seconds)
    dancer = from_pretrained(options.model)
    sampling = chosen_sampling(options, dancer.config.sampling)
    held = chosen_holding(options, song.duration)
    _say(f"listening to {path.name} ({song.duration:.0f} s)")
    heard = chosen_cache(options).features(
        path,
        present(dancer.config.feature_set),
        chosen_sources(options),
        crop=(0, options.seconds) if options.seconds else None,
        song=song,
    )
    beats = heard.beats
    _say(f"{beats.tempo:.0f} beats a minute" if beats.tempo else "no beat found: the dance follows the sound alone")
    with _bar("dancing") as bar:
        motion = dancer.dance(
            heard.features,
            seed=options.seed,
            sampling=sampling,
            style=options.style,
            held=held,
            progress=_advance(bar),
        )
    frames = min(len(motion), max(1, round(song.duration * motion.fps)))
    performance = Performance(motion.cropped(0, frames), path.stem, song, beats)
    written = [_write(entry, performance, out / f"{_file_name(path.stem)}.{entry.name}") for entry in formats]
    for entry, file in zip(formats, written, strict=True):
        print(f"{file}  {entry.purpose}")


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
