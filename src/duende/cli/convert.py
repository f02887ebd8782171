"""Turn the published weights of another project into a model folder that dances here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from duende.errors import DuendeError
from duende.systems.published.bailando import HEADS, START, bailando_part, bailando_system
from duende.systems.published.checkpoint import read_checkpoint
from duende.systems.published.edge import edge_system
from duende.systems.storage import save_pretrained

BAILANDO_CARD = """# Bailando

Weights of [Bailando](https://github.com/lisiyao21/Bailando) (Siyao et al., CVPR 2022), renamed and stored in another
format, their values as they were.

**Licence: S-Lab License 1.0 (S-Lab, Nanyang Technological University): non-commercial use only.** Ask the authors of
Bailando for any commercial use. The licence of duende does not cover these weights; keep this card with them.

Made by `duende convert bailando` from

- codebooks of both halves of the body and root decoder: `{codebooks}`
- GPT: `{gpt}`

It listens to the music features `{features}` and begins at pose codes {start}. Only what dances was
taken over: the critic of an actor-critic checkpoint and the state of the optimiser were left out.
"""


EDGE_CARD = """# EDGE

Weights of [EDGE](https://github.com/Stanford-TML/EDGE) (Tseng et al., CVPR 2023), renamed and stored in another format,
their values as they were.

**Licence: MIT, of EDGE's authors.** The data that they were trained on, AIST++, has terms of its own.

Made by `duende convert edge` from `{file}`: the running mean of the weights, and the ranges of its channels. It listens
to the music features `{features}`, which duende reads from files: `duende dance SONG --jukebox FOLDER`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``duende convert``."""
    parser.add_argument("kind", choices=sorted(KINDS), help="project that published the weights")
    parser.add_argument(
        "files",
        nargs="+",
        help="its checkpoints; bailando: sep_vqvae_root, and cc_motion_gpt or actor_critic; edge: the one file",
    )
    parser.add_argument("-o", "--out", required=True, help="folder for the model")
    parser.add_argument(
        "--start",
        nargs=2,
        type=int,
        default=START,
        metavar=("UPPER", "LOWER"),
        help="bailando: codes to begin with",
    )
    parser.add_argument("--heads", type=int, default=HEADS, help="bailando: heads of attention")


def run(options: argparse.Namespace) -> None:
    """Convert and tell what to do next."""
    KINDS[options.kind]([Path(file) for file in options.files], options)
    print(f"{options.out}  the model; dance with: duende dance SONG --model {options.out}")


def _bailando(files: list[Path], options: argparse.Namespace) -> None:
    """Write a model folder from codebooks and GPT, given in either order."""
    if len(files) != 2:
        raise DuendeError(f"bailando is made of 2 files, the codebooks and the GPT, got {len(files)}; give both")
    checkpoints: dict[str, dict[str, Any]] = {}
    paths: dict[str, Path] = {}
    for file in files:
        checkpoint = read_checkpoint(file)
        part = bailando_part(checkpoint, str(file))
        if part in paths:
            raise DuendeError(
                f"{paths[part]} and {file} both hold the {part} of Bailando; give the codebooks and the GPT"
            )
        checkpoints[part], paths[part] = checkpoint, file
    sources = (str(paths["codebooks"]), str(paths["gpt"]))
    system = bailando_system(checkpoints["codebooks"], checkpoints["gpt"], options.heads, tuple(options.start), sources)
    card = BAILANDO_CARD.format(
        codebooks=paths["codebooks"].name,
        gpt=paths["gpt"].name,
        features=system.config.feature_set,
        start="{} (upper) and {} (lower)".format(*options.start),
    )
    save_pretrained(system, options.out, card)


def _edge(files: list[Path], options: argparse.Namespace) -> None:
    """Write a model folder from EDGE's one checkpoint."""
    if len(files) != 1:
        raise DuendeError(f"edge is 1 file, got {len(files)}; give the one checkpoint")
    system = edge_system(read_checkpoint(files[0]), str(files[0]))
    save_pretrained(system, options.out, EDGE_CARD.format(file=files[0].name, features=system.config.feature_set))


KINDS: dict[str, Callable[[list[Path], argparse.Namespace], None]] = {"bailando": _bailando, "edge": _edge}
"""What writes a model folder from the files of each kind."""
