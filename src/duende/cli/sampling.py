"""The options that say how the next step of a dance is drawn; what is not said, the model's config says."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

from duende.errors import DuendeError
from duende.systems.face import AnySampling

NAMES = ("temperature", "top_k", "guidance", "style_guidance", "candidates", "steps")


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of how a dance is drawn."""
    parser.add_argument(
        "--temperature", type=float, help="0: always the most probable step; higher: bolder; default: the model's"
    )
    parser.add_argument("--top-k", type=int, help="choose among so many steps; 0: among all; default: the model's")
    parser.add_argument("--guidance", type=float, help="above 1: follow the music more than the model does by itself")
    parser.add_argument("--style-guidance", type=float, help="above 1: exaggerate the style that is danced in")
    parser.add_argument(
        "--candidates", type=int, help="continuations tried of each phrase, of which the best goes on; 1: none"
    )
    parser.add_argument("--steps", type=int, help="steps from noise to a dance, in a model of EDGE")


def chosen_sampling(options: argparse.Namespace, usual: AnySampling) -> AnySampling:
    """Return ``usual`` with what the options say.

    Raises:
        DuendeError: a value is out of its range, or the model's way of drawing a dance knows no such option.
    """
    known = {field.name for field in fields(usual)}
    chosen: dict[str, Any] = {}
    for name in NAMES:
        value = getattr(options, name)
        if value is None:
            continue
        option = f"--{name.replace('_', '-')}"
        if name not in known:
            others = ", ".join(f"--{other.replace('_', '-')}" for other in NAMES if other in known)
            raise DuendeError(f"this model does not know {option}; it knows {others}")
        if not 0 <= value < float("inf"):
            raise DuendeError(f"{option} is 0 or above, got {value}")
        chosen[name] = value
    if chosen.get("top_k") == 0:
        chosen["top_k"] = None
    return replace(usual, **chosen)
