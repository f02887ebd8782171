"""Held dances in systems of pose codes: a beginning that is gone on from, or one half of the body.

What is held is coded, its codes are given to the network in place of its own, and the dance that comes out gets the
held movement itself back. Other constraints (a middle between two dances, single joints) need a system that makes all
of a dance at once, such as EDGE.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from duende.errors import DuendeError
from duende.motion import Motion
from duende.motion.holding import HeldMotion
from duende.motion.joining import continued
from duende.systems.coding import CodingSystem


class Choreograph(Protocol):
    """Chooses codes ``(T, 2)``, with some of them given."""

    def __call__(self, *, given: np.ndarray) -> np.ndarray:
        """Choose those that are -1."""


def danced_with_held(system: CodingSystem, held: HeldMotion, rows: int, choreograph: Choreograph) -> Motion:
    """Dance ``rows`` codes with what is ``held``, at the system's frame rate.

    A held beginning is in the dance as it is. A held half-body keeps its poses as the dancer sees them; the path, and
    where it faces, are those of the lower body: its own where that is held, else the network's.

    Raises:
        DuendeError: something else is held, or a beginning shorter than one code.
    """
    ratio, half, beginning = 2**system.config.upper.stages, held.half, held.beginning
    if half is None and beginning is None:
        raise DuendeError(
            f"{system.config.system} can hold the beginning of a dance or one half of the body all the time; "
            "hold one of these, or use a model of EDGE, which holds anything"
        )
    encoded = system.config.poses.encode(held.fitted(rows * ratio).motion.positions)
    codes = system.codes_of(encoded.upper, encoded.lower)
    given = np.full((rows, 2), -1)
    if half is not None:
        column = ("upper", "lower").index(half)
        given[:, column] = codes[:, column]
        known = {"upper": encoded.upper} if half == "upper" else {"lower": encoded.lower, "root": encoded.root}
        return system.perform(choreograph(given=given), known)
    assert beginning is not None
    if beginning < ratio:
        seconds = ratio / system.config.frame_rate
        raise DuendeError(f"a beginning of under {seconds:.2f} seconds is shorter than one pose code; hold more of it")
    given[: beginning // ratio] = codes[: beginning // ratio]
    dance = system.perform(choreograph(given=given))
    return continued(held.fitted(len(dance)).motion, dance, beginning)
