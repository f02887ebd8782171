"""Draw figures for a paper as PDF, SVG and PNG: keyframes, speed, spectrum, codebook use, training curves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from duende.audio.beats import track_beats
from duende.audio.music import Beats
from duende.audio.song import Song
from duende.datasets.store import Clip, DanceSet
from duende.errors import DuendeError
from duende.formats.load import load_mocap
from duende.motion import Motion
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import of_codes
from duende.systems.storage import from_pretrained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REAL = "real dance"
FPS = 60.0
MINIMUM = 0.5
"""Seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of ``duende figures`` with their options."""
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)

    def kind(
        name: str, summary: str, draw: Callable[[argparse.Namespace, float], Figure], width: str
    ) -> argparse.ArgumentParser:
        command = kinds.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.add_argument("-o", "--out", default="out/figures", help="folder for the files")
        command.add_argument("--name", default=name, help="name of the files, without .pdf, .svg or .png")
        command.add_argument("--width", choices=["column", "page"], default=width, help="86 or 178 mm")
        command.set_defaults(draw=draw)
        return command

    keyframes = kind("keyframes", "dances as rows of figures over time, with the beats", _keyframes, "page")
    _add_rows(keyframes)
    speed = kind("speed", "speed of a joint in a real dance and its reconstructions", _speed, "column")
    _add_models(speed, clip_needed=True)
    speed.add_argument("--joint", default="left_wrist", help="a joint of SMPL24, or all_joints")
    speed.add_argument("--start", type=_number, default=0.0, help="seconds of the clip to begin at")
    speed.add_argument("--seconds", type=_number, default=6.0, help="how much of the clip is drawn")
    spectrum = kind("spectrum", "power spectra of a joint's speed, of the same", _spectrum, "column")
    _add_models(spectrum)
    spectrum.add_argument("--joint", default="left_wrist", help="a joint of SMPL24, or all_joints")
    _add_models(kind("codebook", "how often each code is used on held-out clips", _codebook, "column"), clip=False)
    training = kind("training", "losses of trainings over their steps", _training, "page")
    training.add_argument(
        "--run",
        dest="runs",
        metavar="NAME=FOLDER",
        action="append",
        required=True,
        help="folder of a training; again with the same name: another seed, drawn as mean and deviation",
    )


def run(options: argparse.Namespace) -> None:
    """Draw, write and say where the files are."""
    try:
        from duende.figures.style import WIDTHS, save
    except ModuleNotFoundError as error:
        raise DuendeError(f"figures need {error.name}; install it with: pip install 'duende[figures]'") from error

    for path in save(options.draw(options, WIDTHS[options.width]), options.out, options.name):
        print(path)


def _add_rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--row", dest="rows", metavar="NAME=FILE", action="append", default=[], help="a dance: npz, bvh or AIST++ pkl"
    )
    parser.add_argument("--song", help="the music, its beats tracked")
    parser.add_argument("--data", help="folder of a data set, for --clip")
    parser.add_argument("--clip", help="a clip of the data set: its beats, and its dance as the first row")
    parser.add_argument("--start", type=_number, default=0.0, help="seconds to begin at")
    parser.add_argument("--seconds", type=_number, default=6.0, help="length of the time axis")
    parser.add_argument("--columns", type=int, default=8, help="figures in a row")
    parser.add_argument("--angle", type=_number, default=0.0, help="degrees about the vertical to look from")
    parser.add_argument(
        "--mark",
        dest="marks",
        metavar="NAME:FROM-TO:COLOUR",
        action="append",
        default=[],
        help="background of a part of a row, in seconds: green, red, blue, yellow or grey",
    )


def _add_models(parser: argparse.ArgumentParser, clip: bool = True, clip_needed: bool = False) -> None:
    parser.add_argument("--data", required=True, help="folder of a data set made by duende data")
    parser.add_argument(
        "--model",
        dest="models",
        metavar="NAME=FOLDER",
        action="append",
        required=True,
        help="a model and its name in the figure; may be given again",
    )
    if clip:
        usual = "" if clip_needed else "; default: the mean over all held-out clips"
        parser.add_argument("--clip", required=clip_needed, help=f"a clip of the data set{usual}")


def _keyframes(options: argparse.Namespace, width: float) -> Figure:
    from duende.figures.keyframes import keyframes_figure, parse_mark
    from duende.figures.reconstructions import find_clip

    marks = [parse_mark(text) for text in options.marks]
    rows: dict[str, Motion] = {}
    beats = None
    if options.clip is not None:
        if options.data is None:
            raise DuendeError(f"--clip {options.clip} needs the folder of its data set; name it with --data")
        clip = find_clip(DanceSet.open(options.data), options.clip)
        beats = Beats(clip.beats, clip.downbeats, clip.tempo)
        if clip.motion is not None:
            rows[REAL.capitalize()] = clip.motion
    if options.song is not None:
        beats = track_beats(Song.read(options.song))
    rows |= {name: load_mocap(path) for name, path in _named(options.rows, "--row").items()}
    return keyframes_figure(rows, options.start, options.seconds, options.columns, beats, marks, options.angle, width)


def _speed(options: argparse.Namespace, width: float) -> Figure:
    from duende.figures.reconstructions import find_clip, real_positions, reconstructed_positions
    from duende.figures.speed import speed_figure

    data, models = _data_and_models(options)
    clip = find_clip(data, options.clip)
    dances = {REAL: real_positions(data, clip)}
    dances |= {name: reconstructed_positions(system, clip) for name, system in models.items()}
    first, last = (round(time * FPS) for time in (options.start, options.start + options.seconds))
    length = len(dances[REAL])
    if not (0 <= first < last and first + MINIMUM * FPS <= min(last, length)):
        raise DuendeError(
            f"{clip.name} lasts {length / FPS:.1f} s; choose --start and --seconds for a piece of it, "
            f"{MINIMUM:g} s long or more"
        )
    pieces = {name: positions[first : last + 1] for name, positions in dances.items()}
    return speed_figure(pieces, FPS, options.joint, options.start, width)


def _spectrum(options: argparse.Namespace, width: float) -> Figure:
    from duende.figures.reconstructions import find_clip, held_out_clips, real_positions, reconstructed_positions
    from duende.figures.spectrum import spectrum_figure

    data, models = _data_and_models(options)
    clips = held_out_clips(data) if options.clip is None else [find_clip(data, options.clip)]
    dances = {REAL: [real_positions(data, clip) for clip in clips]}
    for name, system in models.items():
        dances[name] = [reconstructed_positions(system, clip) for clip in _progress(clips, name)]
    return spectrum_figure(dances, FPS, options.joint, width)


def _codebook(options: argparse.Namespace, width: float) -> Figure:
    from duende.figures.codebook import CodeUse, codebook_figure
    from duende.figures.reconstructions import held_out_clips
    from duende.training.stages import encode_clip

    data, models = _data_and_models(options)
    clips = held_out_clips(data)
    uses = [
        CodeUse(
            name,
            np.concatenate([encode_clip(system, clip) for clip in _progress(clips, name)]),
            system.config.upper.codes,
        )
        for name, system in models.items()
    ]
    return codebook_figure(uses, width)


def _training(options: argparse.Namespace, width: float) -> Figure:
    from duende.figures.logs import Log, check_same_recipe, find_logs, read_log
    from duende.figures.training import training_figure

    runs: dict[str, list[Log]] = {}
    for text in options.runs:
        name, folder = _name_and_value(text, "--run")
        runs.setdefault(name, []).extend(read_log(path) for path in find_logs(folder))
    for name, logs in runs.items():
        check_same_recipe(name, logs)
    return training_figure(runs, width)


def _data_and_models(options: argparse.Namespace) -> tuple[DanceSet, dict[str, ExpressiveBailando]]:
    from duende.figures.reconstructions import check_fits

    data = DanceSet.open(options.data)
    models = {
        name: of_codes(from_pretrained(folder), "this figure")
        for name, folder in _named(options.models, "--model").items()
    }
    if REAL in models:
        raise DuendeError(f"a model cannot be called {REAL!r}, as the recording is; give it another name")
    for name, system in models.items():
        check_fits(name, system, data)
    return data, models


def _number(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def _progress(clips: Sequence[Clip], name: str) -> tqdm:
    return tqdm(clips, desc=name, file=sys.stderr, leave=False)


def _named(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = [_name_and_value(text, option) for text in texts]
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuendeError(f"{option} is given two values with one name; give each a name of its own")
    return found


def _name_and_value(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise DuendeError(f"{option} {text!r} should be a name and a place, such as {option} 'Ours=out/ours'")
    return name.strip(), value.strip()
