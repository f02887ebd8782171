"""How many processor threads a process computes with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from duende.audio.feature_sets import present
from duende.audio.features import PRETRAINED, parts_of
from duende.cli.processes import processors
from duende.errors import DuendeError
from duende.models.placement import LARGE
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem


def whole_number(option: str, text: str, auto: int) -> int:
    """Return the number that an option says, ``auto`` where it says so.

    Raises:
        DuendeError: it is neither ``auto`` nor a whole number of 1 or more.
    """
    if text == "auto":
        return auto
    if not text.isdecimal() or int(text) == 0:
        raise DuendeError(f"{option} is auto or a whole number of 1 or more, got {text}")
    return int(text)


def add_threads_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many threads a process has."""
    parser.add_argument(
        "--threads",
        default="auto",
        metavar="N",
        help="processor threads of each process; auto: one for a small model, else its share of the processors; "
        "the same number gives the same bytes",
    )


def chosen_threads(options: argparse.Namespace, system: AnySystem, processes: int) -> int:
    """Return how many threads each of ``processes`` has that dance with ``system``.

    Sums that are split among threads are rounded in another order. A small system, which is no faster on two threads
    than on one, has one whether it dances alone or beside others: a song's files are the same bytes in both cases.

    Args:
        options: of the command.
        system: as it was loaded, before it is placed: what is packed has no parameters.
        processes: that dance at once on this machine.

    Raises:
        DuendeError: the option is no number.
    """
    share = max(1, processors() // processes)
    return whole_number("--threads", options.threads, 1 if _small(system) else share)


def _small(system: AnySystem) -> bool:
    if any(part.name in PRETRAINED for part in parts_of(present(system.config.feature_set))):
        return False
    return isinstance(system, ExpressiveBailando) and sum(each.numel() for each in system.gpt.parameters()) < LARGE


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads: networks, and sums of NumPy and SciPy."""
    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
