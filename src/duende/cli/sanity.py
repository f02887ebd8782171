"""What each metric says of real, still, trembling and out-of-time dances of a data set."""

from __future__ import annotations

import argparse

from duende.datasets.store import DanceSet
from duende.errors import DuendeError
from duende.evaluation.pieces import pieces_of
from duende.evaluation.sanity import PIECE, at_double_rate, markdown, verdicts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende sanity``."""
    parser.add_argument("--data", required=True, help="folder of a data set made by duende data")
    parser.add_argument("--seed", type=int, default=0, help="of noise, held poses and shifts")


def run(options: argparse.Namespace) -> None:
    """Print the table: held-out dances against the training split as the reference pool."""
    data = DanceSet.open(options.data)
    reference, pieces = (pieces_of(data.clips(split), PIECE) for split in ("train", "test"))
    if min(len(reference), len(pieces)) < 4:
        raise DuendeError(
            f"{options.data} holds {len(reference)} training and {len(pieces)} held-out pieces of {PIECE:g} seconds, "
            "4 of each are needed; build a larger set with: duende data starter"
        )
    found, floors = verdicts(reference, pieces, options.seed)
    print(f"{len(pieces)} held-out pieces of {PIECE:g} s against {len(reference)} of the training split\n")
    print(markdown(found, floors))
    factors = ", ".join(f"{name} × {factor:.3f}" for name, factor in at_double_rate(pieces).items())
    print(f"The same real dances at twice the frame rate: {factors}.")
