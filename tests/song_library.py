"""A folder of short songs, and one in it, as people keep them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050


def write_library(folder: Path, songs: Iterable[tuple[str, int, int]]) -> Path:
    """Write songs of a name, beats a minute and seconds, and one that is broken; return the folder."""
    (folder / "album").mkdir()
    for name, tempo, seconds in songs:
        at = np.arange(seconds * RATE) / RATE
        soundfile.write(folder / name, 0.5 * np.exp(-20 * (at % (60 / tempo))) * np.sin(6.28 * 220 * at), RATE)
    (folder / "album" / "broken.mp3").write_bytes(b"no sound")
    return folder
