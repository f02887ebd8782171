"""What is done to a dance after a network has made it."""

from __future__ import annotations

import numpy as np

from duende.motion import Motion
from duende.motion.contacts import foot_contacts
from duende.motion.feet import plant_feet
from duende.motion.timing import land_on_beats

GLIDING = 0.5
"""Metres a second under which a decoded foot on the floor was meant to stand; captured feet stand under less."""


def finished(motion: Motion, beats: np.ndarray, planted: bool = True) -> Motion:
    """Plant the feet of a decoded dance, and land its accents on ``beats`` (seconds; none leave it as it is).

    Feet first: a change of speed keeps what stands standing, while planting would move accents that have landed.
    """
    if planted:
        motion = plant_feet(motion, foot_contacts(motion.positions, motion.fps, motion.skeleton, speed=GLIDING))
    return land_on_beats(motion, beats)
