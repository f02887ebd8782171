"""Held-out takes as codes, with the music that the network hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duende.datasets.store import DanceSet
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training.stages import encode_clip


def held_out_codes(system: ExpressiveBailando, data: str | Path) -> list[tuple[Tensor, Tensor]]:
    """Return codes ``(T, 2)`` and normalised music ``(T, D)`` of each held-out take of a data set."""
    pieces = []
    for clip in DanceSet.open(data).clips("test"):
        if clip.music is not None:
            codes = torch.from_numpy(encode_clip(system, clip))
            music = torch.from_numpy(np.asarray(clip.music, np.float32))
            pieces.append((codes, system.normalise(music)[: len(codes)]))
    return pieces
