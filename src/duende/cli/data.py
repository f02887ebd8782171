"""Build training data: dances with music in one folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from duende.cli.hearing import (
    add_features_argument,
    add_hearing_arguments,
    add_weights_arguments,
    chosen_cache,
    chosen_sources,
)
from duende.errors import DuendeError

if TYPE_CHECKING:
    from duende.datasets.recordings import Recordings

RECIPES = {"heading": "recipes/starter.yaml", "global": "recipes/expressive_bailando.yaml"}
"""A recipe for each representation of poses."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the data sets of ``duende data``, each with its options."""
    kinds = parser.add_subparsers(title="data sets", metavar="DATASET", required=True)
    starter = _kind(kinds, "starter", "real motion capture on a steady beat, music composed to it", _starter)
    starter.add_argument("--mocap", nargs="+", required=True, help="folders of bvh, npz or AIST++ pkl files")
    starter.add_argument("--soundfont", help="General MIDI sound font (.sf2); default: the system's")
    starter.add_argument("--variants", type=int, default=6, help="pieces of music for each take")
    starter.add_argument("--seed", type=int, default=0, help="decides music, tempo and mirroring")
    add_features_argument(starter, "full_band+rhythm")
    add_weights_arguments(starter)

    aistpp = _kind(kinds, "aistpp", "AIST++ in its own layout, with its music", _aistpp)
    aistpp.add_argument("--root", required=True, help="folder that holds motions, splits and ignore_list.txt")
    _add_recorded(aistpp, "folder of mBR0.wav and so on; default: music, wav and the like in the root")

    folder = _kind(kinds, "folder", "your own dances, each with the song of its name", _folder)
    folder.add_argument("dances", help="folder of bvh, npz or AIST++ pkl files; folders in it are styles")
    folder.add_argument("--fps", type=float, help="true frame rate of bvh files whose headers are wrong")
    _add_recorded(folder, "folder of songs; those beside the dances are found without it")


def run(options: argparse.Namespace) -> None:
    """Build, and print where the data are."""
    if options.workers < 1:
        raise DuendeError(f"--workers is 1 or more, got {options.workers}")
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise DuendeError(f"{out} is a file; name a folder for the data set after --out")
    options.build(options, out)
    recipe = RECIPES[getattr(options, "representation", "heading")]
    print(f"{out}  the data set; train on it with: duende train {recipe} --data {out}")


def _kind(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    build: Callable[[argparse.Namespace, Path], None],
) -> argparse.ArgumentParser:
    """Add a data set with the options that all have."""
    parser = kinds.add_parser(
        name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("-o", "--out", default=f"cache/{name}", help="folder for the data set")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.set_defaults(build=build)
    return parser


def _add_recorded(parser: argparse.ArgumentParser, music: str) -> None:
    parser.add_argument("--music", help=music)
    parser.add_argument(
        "--representation", choices=["heading", "global"], default="heading", help="how poses become channels"
    )
    add_features_argument(parser, "full_band")
    add_hearing_arguments(parser)


def _starter(options: argparse.Namespace, out: Path) -> None:
    try:
        from duende.datasets.starter import build_starter
    except ModuleNotFoundError as error:
        raise DuendeError(f"this needs {error.name}; install it with: pip install 'duende[data]'") from error

    if options.variants < 1:
        raise DuendeError(f"--variants is 1 or more, got {options.variants}")
    with _Bar() as bar:
        build_starter(
            [Path(folder) for folder in options.mocap],
            out,
            soundfont=Path(options.soundfont) if options.soundfont else None,
            variants=options.variants,
            seed=options.seed,
            workers=options.workers,
            progress=lambda done, total: bar("clips", done, total),
            features=options.features,
            sources=chosen_sources(options),
        )


def _aistpp(options: argparse.Namespace, out: Path) -> None:
    from duende.datasets.aistpp import find_aistpp

    _record(find_aistpp(Path(options.root), _music(options)), options, out)


def _folder(options: argparse.Namespace, out: Path) -> None:
    from duende.datasets.folder import find_folder

    dances = Path(options.dances)
    if options.fps is not None and not 1 <= options.fps <= 1000:
        raise DuendeError(f"--fps is a frame rate from 1 to 1000, got {options.fps:g}")
    if dances.resolve() in (out.resolve(), *out.resolve().parents):
        raise DuendeError(
            f"{out} lies in the folder of dances, where its clips would be taken for dances; choose another"
        )
    _record(find_folder(dances, _music(options), options.fps), options, out)


def _music(options: argparse.Namespace) -> Path | None:
    return Path(options.music) if options.music else None


def _record(recordings: Recordings, options: argparse.Namespace, out: Path) -> None:
    from duende.datasets.build_report import markdown
    from duende.datasets.recorded import build_recorded

    with _Bar() as bar:
        report = build_recorded(
            recordings,
            out,
            options.representation,
            options.features,
            options.workers,
            bar,
            chosen_cache(options),
            chosen_sources(options),
        )
    print(markdown(report))
    print(f"\n{out / 'report.json'}  all of it, dance by dance")


class _Bar:
    """A progress bar for each kind of work, one after the other."""

    def __enter__(self) -> _Bar:
        self.bar: tqdm | None = None
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, work: str, done: int, total: int) -> None:
        if self.bar is None or self.bar.desc != work:
            self.__exit__()
            self.bar = tqdm(desc=work, total=total, file=sys.stderr)
            self.bar.desc = work
        self.bar.update(done - self.bar.n)
