"""``duende``: one command with a subcommand for each thing that a user wants to do."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from duende import __version__
from duende.cli import (
    compare,
    convert,
    dance,
    data,
    evaluate,
    features,
    figures,
    info,
    live,
    reproduce,
    sanity,
    study,
    styles,
    tempo,
    train,
)
from duende.errors import DuendeError

COMMANDS = (
    dance,
    live,
    train,
    data,
    features,
    convert,
    compare,
    evaluate,
    reproduce,
    figures,
    study,
    sanity,
    styles,
    tempo,
    info,
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End in one sentence, as every other mistake does."""
        raise DuendeError(f"{message}; see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Build the parser of all subcommands."""
    root = _Parser(prog="duende", description="Turn a song into an expressive 3D dance.")
    root.add_argument("--version", action="version", version=f"duende {__version__}")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rsplit(".", 1)[-1]
        summary = (module.__doc__ or "").strip().splitlines()[0]
        command = commands.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after a mistake that the user can mend."""
    try:
        options = parser().parse_args(arguments)
        options.run(options)
    except DuendeError as error:
        print(f"duende: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("duende: stopped; what was finished is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone: nothing is left to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
