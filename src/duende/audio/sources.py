"""Where music features come from that a song alone does not give: the weights of MERT, features of Jukebox."""

from __future__ import annotations

from dataclasses import dataclass

from duende.audio.feature_sets import MERT, MERT_95M

SIZES = {MERT.name: "330M", MERT_95M.name: "95M"}
"""What the hub names of :mod:`duende.audio.mert.hub` are called for short."""


@dataclass(frozen=True)
class Sources:
    """What extraction needs beside a song.

    Attributes:
        mert: folder of MERT's weights in the hub's layout, or a hub name; empty for the name that the set stands for.
        jukebox: folder of ``NAME.npy`` for the song NAME, see :mod:`duende.audio.jukebox`.
        precision: of MERT: ``"auto"`` (bf16 where the processor has it), ``"float32"`` or ``"bfloat16"``.
        device: on which MERT runs.
    """

    mert: str = ""
    jukebox: str = ""
    precision: str = "auto"
    device: str = "cpu"

    def weights_of(self, part: str) -> str:
        """Return the folder, hub name or size of the weights for the features ``mert`` or ``mert_95m``."""
        return self.mert or SIZES[part]
