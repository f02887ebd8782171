"""Options of all commands that hear songs: where MERT's weights, Jukebox's features and the cache are."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from duende.audio.cache import FeatureCache, default_folder
from duende.audio.feature_sets import PARTS
from duende.audio.sources import Sources
from duende.models.placement import Placement


def add_features_argument(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option that names the music features."""
    parser.add_argument(
        "--features", default=default, help=f"music features: {', '.join(PARTS)}, or several joined by +"
    )


def add_hearing_arguments(parser: argparse.ArgumentParser, placed: bool = False) -> None:
    """Add the options of what is needed beside songs, and of the cache."""
    add_weights_arguments(parser, placed)
    add_cache_argument(parser)


def add_weights_arguments(parser: argparse.ArgumentParser, placed: bool = False) -> None:
    """Add the options of what is needed beside songs.

    Args:
        parser: of the command.
        placed: whether MERT computes as :func:`duende.cli.placing.add_placement_arguments` lets all networks be told.
    """
    parser.add_argument("--mert", help="MERT's weights: a folder, 330M or 95M; default: as the features say")
    parser.add_argument("--jukebox", help="folder of NAME.npy for the features jukebox")
    if not placed:
        parser.add_argument(
            "--precision", choices=["auto", "float32", "bfloat16"], default="auto", help="that MERT computes in"
        )


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the cache."""
    parser.add_argument("--cache", help="folder of what was heard before; default: $DUENDE_CACHE, or the user's own")


def chosen_sources(options: argparse.Namespace) -> Sources:
    """Return where the options say that weights and foreign features are."""
    # MERT has no int8, and takes what is fastest here in its place.
    precision = "auto" if options.precision == "int8" else options.precision
    device = Placement(getattr(options, "device", "cpu")).chosen_device()
    return Sources(_absolute(options.mert), _absolute(options.jukebox), precision, str(device))


def chosen_cache(options: argparse.Namespace) -> FeatureCache:
    """Return the cache that the options name.

    The user's own, which nobody named, is a help and no more: a machine where it cannot be written does without.
    """
    named = options.cache or os.environ.get("DUENDE_CACHE")
    folder = Path(options.cache).expanduser() if options.cache else default_folder()
    return FeatureCache(folder.absolute(), lenient=not named)


def _absolute(place: str | None) -> str:
    """Name a folder so that processes elsewhere find it; what is no folder may be a name on the hub."""
    folder = Path(place or "").expanduser()
    return str(folder.absolute()) if place and folder.is_dir() else place or ""
