"""The options that say how the next step of a dance is drawn; what is not said, the model's config says."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from duende.errors import DuendeError
from duende.models.sampling import Sampling


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--temperature``, ``--top-k``, ``--guidance``, ``--style-guidance`` and ``--candidates``."""
    parser.add_argument(
        "--temperature", type=float, help="0: always the most probable step; higher: bolder; default: the model's"
    )
    parser.add_argument("--top-k", type=int, help="choose among so many steps; 0: among all; default: the model's")
    parser.add_argument("--guidance", type=float, help="above 1: follow the music more than the model does by itself")
    parser.add_argument("--style-guidance", type=float, help="above 1: exaggerate the style that is danced in")
    parser.add_argument(
        "--candidates", type=int, help="continuations tried of each phrase, of which the best goes on; 1: none"
    )


def chosen_sampling(options: argparse.Namespace, usual: Sampling) -> Sampling:
    """Return ``usual`` with what the options say.

    Raises:
        DuendeError: a value is out of its range.
    """
    chosen: dict[str, Any] = {}
    for name in ("temperature", "top_k", "guidance", "style_guidance", "candidates"):
        value = getattr(options, name)
        if value is None:
            continue
        if not 0 <= value < float("inf"):
            raise DuendeError(f"--{name.replace('_', '-')} is 0 or above, got {value}")
        chosen[name] = value
    if chosen.get("top_k") == 0:
        chosen["top_k"] = None
    return replace(usual, **chosen)
