"""Let people rate dances blindly: make a study, serve its page, read the results."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from duende.errors import DuendeError
from duende.files import replacing
from duende.study.creation import create_study, parse_systems
from duende.study.definition import MODES
from duende.study.results import Responses
from duende.study.server import StudyServer
from duende.study.tables import latex, markdown, ratings_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``new``, ``serve`` and ``results`` with their options."""
    steps = parser.add_subparsers(title="steps", metavar="STEP", required=True)
    for name, summary, add, step in (
        ("new", "Make a study from folders of videos.", _add_new, _new),
        ("serve", "Open a study to participants.", _add_serve, _serve),
        ("results", "Write the tables; works while the study is served.", _add_results, _results),
    ):
        command = steps.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.add_argument("study", metavar="STUDY_DIR", help="folder of the study")
        add(command)
        command.set_defaults(step=step)


def run(options: argparse.Namespace) -> None:
    """Run one of the steps."""
    options.step(options)


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--system", action="append", required=True, metavar="NAME=FOLDER", help="a system and its mp4 videos; repeat"
    )
    parser.add_argument("--mode", choices=MODES, default="opinion", help="rate dances 1 to 5, or compare two at a time")
    parser.add_argument("--title", default="Dance study", help="participants read it: name no system")
    parser.add_argument("--introduction", metavar="FILE", help="text that participants agree to before they start")
    parser.add_argument("--seed", type=int, default=0, help="of the order of dances, with each participant's id")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", help="folder for the files; default: results in the study's folder")
    parser.add_argument("--seed", type=int, default=0, help="of the intervals over participants")


def _new(options: argparse.Namespace) -> None:
    with tqdm(desc="copying", unit="video", file=sys.stderr, leave=False, disable=None) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        study = create_study(
            Path(options.study),
            parse_systems(options.system),
            options.mode,
            options.title,
            _introduction(options.introduction),
            options.seed,
            advance,
        )
    trials = f"{len(study.trials)} {'dances to rate' if study.mode == 'opinion' else 'pairs to compare'}"
    print(f"{options.study}  {trials}, {study.seconds / 60:.0f} minutes of video for each participant")
    print(f"open it with: duende study serve {options.study}")


def _introduction(path: str | None) -> str:
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DuendeError(f"--introduction {path} cannot be read ({error}); give a plain text file in UTF-8") from error


def _serve(options: argparse.Namespace) -> None:
    server = StudyServer(Path(options.study), options.host, options.port)
    print(f"{server.address}  the study's page; Ctrl-C ends it", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    print(f"\nstopped: {server.api.ratings.count()} ratings are stored in {options.study}")


def _results(options: argparse.Namespace) -> None:
    responses = Responses.read(Path(options.study))
    out = Path(options.out) if options.out else Path(options.study) / "results"
    text = markdown(responses, options.seed)
    for name, content in (
        ("results.md", text),
        ("results.tex", latex(responses, options.seed)),
        ("ratings.csv", ratings_table(responses)),
    ):
        with replacing(out / name) as path:
            path.write_text(content, encoding="utf-8")
    print(text)
    print(f"{out}  results.md, results.tex and ratings.csv")
