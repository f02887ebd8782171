"""What is done to a dance after a network has made it."""

from __future__ import annotations

import numpy as np

from duende.motion import Motion
from duende.motion.feet import plant_feet
from duende.motion.timing import land_on_beats


def finished(motion: Motion, beats: np.ndarray, planted: bool = True) -> Motion:
    """Plant the feet of a decoded dance, and land its accents on ``beats`` (seconds; none leave it as it is).

    Feet first: a change of speed keeps what stands standing, while planting would move accents that have landed.
    """
    return land_on_beats(plant_feet(motion) if planted else motion, beats)
