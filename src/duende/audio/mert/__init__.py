"""MERT: features of music from a pretrained network, 75 frames a second, from weights that the user brings."""

from duende.audio.mert.extraction import mert_frames, mert_rows
from duende.audio.mert.weights import Mert, load_mert

__all__ = ["Mert", "load_mert", "mert_frames", "mert_rows"]
