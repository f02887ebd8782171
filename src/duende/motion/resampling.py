"""Joint positions at another frame rate."""

from __future__ import annotations

import numpy as np


def resampled_positions(positions: np.ndarray, fps: float, wanted: float) -> np.ndarray:
    """Return joints ``(T, J, 3)`` at ``wanted`` frames a second, by cubic splines through those at ``fps``."""
    if fps == wanted:
        return positions
    from scipy.interpolate import make_interp_spline

    times = np.arange(len(positions)) / fps
    count = int(times[-1] * wanted + 1e-6) + 1
    return np.asarray(make_interp_spline(times, positions, k=3)(np.minimum(np.arange(count) / wanted, times[-1])))
