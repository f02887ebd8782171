"""What is done to a dance after a network has made it."""

from __future__ import annotations

import numpy as np

from duende.motion import Motion
from duende.motion.calming import calmed
from duende.motion.feet import plant_feet
from duende.motion.timing import land_on_beats


def finished(motion: Motion, beats: np.ndarray, clean_up: bool = True) -> Motion:
    """Take trembling out of a decoded dance, plant its feet, and land its accents on ``beats``.

    Feet before beats: a change of speed keeps what stands standing, while planting would move accents that have landed.

    Args:
        motion: as it was decoded.
        beats: seconds; none leave the accents where they are.
        clean_up: whether anything is done but for the beats.
    """
    return land_on_beats(plant_feet(calmed(motion)) if clean_up else motion, beats)
