"""The options that keep a part of another dance and dance the rest anew."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from duende.errors import DuendeError
from duende.formats.load import load_mocap
from duende.motion import SMPL24, Motion
from duende.motion.holding import HeldMotion, carried_by
from duende.motion.retargeting import on_floor

GROUPS = {
    "all": tuple(range(len(SMPL24))),
    "upper": carried_by(SMPL24, SMPL24.upper),
    "lower": carried_by(SMPL24, SMPL24.lower),
}
"""The root, its path included, belongs to each: it carries them."""


def add_holding_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--given`` and ``--hold``."""
    parser.add_argument("--given", metavar="DANCE", help="bvh, npz or pkl file of a dance that is kept in part")
    parser.add_argument(
        "--hold",
        action="append",
        metavar="WHAT[:FROM-TO]",
        help="what of it is kept, and from and to which second: upper, lower, all, or joints joined by +; may be "
        "repeated; without it, the dance goes on where the given one ends",
    )


def chosen_holding(options: argparse.Namespace, seconds: float) -> HeldMotion | None:
    """Return what is held of a dance of ``seconds``; None for nothing.

    Raises:
        DuendeError: the file holds no dance, or a wish cannot be understood, met, or contradicts another.
    """
    if options.given is None:
        if options.hold:
            raise DuendeError(f"--hold {options.hold[0]} needs a dance to hold it of; name one with --given")
        return None
    # Soles stand at height 0 in files; in dances joints of the feet do.
    given = on_floor(load_mocap(Path(options.given)))
    frames = max(1, round(seconds * given.fps))
    joints = np.zeros((frames, len(SMPL24)), dtype=bool)
    for wish in options.hold or [f"all:0-{min(given.duration, seconds):g}"]:
        _hold(wish, given, seconds, joints)
    return HeldMotion(given.lasting(frames), joints)


def _hold(wish: str, given: Motion, seconds: float, joints: np.ndarray) -> None:
    """Mark in ``joints`` ``(T, J)`` what a wish asks to be held."""
    what, _, span = wish.partition(":")
    first, last = _span(wish, span, seconds)
    if last > min(given.duration, seconds) + 0.05:
        raise DuendeError(
            f"--hold {wish} asks for {last:g} seconds, the given dance lasts {given.duration:.1f} and the song "
            f"{seconds:.1f}; hold a shorter time, such as {what}:0-{min(given.duration, seconds):.1f}"
        )
    names = what.split("+")
    chosen: set[int] = set()
    for name in names:
        if name in GROUPS:
            chosen.update(GROUPS[name])
        elif name in SMPL24.names:
            chosen.update(carried_by(SMPL24, [SMPL24.index(name)]))
        else:
            known = ", ".join([*GROUPS, *SMPL24.names])
            raise DuendeError(f"--hold {wish}: {name!r} is no part of the body; the parts are {known}")
    begin, end = round(first * given.fps), round(last * given.fps)
    joints[begin:end, sorted(chosen)] = True


def _span(wish: str, span: str, seconds: float) -> tuple[float, float]:
    if not span:
        return 0.0, seconds
    try:
        first, last = (float(part) for part in span.split("-"))
    except ValueError:
        raise DuendeError(f"--hold {wish}: {span!r} is no time; write it as FROM-TO in seconds, such as 0-4") from None
    if not 0 <= first < last:
        raise DuendeError(f"--hold {wish} ends before it begins; write the earlier second first")
    return first, last
