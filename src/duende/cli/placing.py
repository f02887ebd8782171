"""The options that say where networks compute, in which precision, and whether they are compiled."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import get_args

from duende.models.low_precision import Precision
from duende.models.placement import Placement


def add_placement_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of where and how networks compute."""
    parser.add_argument(
        "--device",
        default="auto",
        help="where networks compute: cpu, cuda, cuda:1, mps; auto: with CUDA where there is a graphics processor "
        "for it, else the processor",
    )
    parser.add_argument(
        "--precision",
        choices=["auto", *get_args(Precision)],
        default="auto",
        help="that networks compute in; MERT, which knows no int8, takes its own choice then",
    )
    parser.add_argument(
        "--compile",
        choices=["auto", "on", "off"],
        default="auto",
        help="record a step of the network once and replay it; auto: with CUDA",
    )


def chosen_placement(options: argparse.Namespace) -> Placement:
    """Return what the options say, the device by its name.

    Raises:
        DuendeError: there is no such device here.
    """
    placement = Placement(options.device, options.precision, options.compile)
    return replace(placement, device=str(placement.chosen_device()))
