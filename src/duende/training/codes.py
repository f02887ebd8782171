"""The pose codes of whole dances, computed once with the frozen encoders and kept in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from duende.datasets.store import DAMAGE, Clip
from duende.files import replacing
from duende.systems.expressive_bailando import ExpressiveBailando


def encode_clips(system: ExpressiveBailando, clips: Sequence[Clip], path: Path | None = None) -> list[np.ndarray]:
    """Return the codes ``(T / 8, 2)`` of all clips, upper first.

    Args:
        system: whose encoders and codebooks are as they will stay.
        clips: dances.
        path: an ``.npz`` file; codes are read from it where they are of the same encoders and dances, and those that it
            lacks are written to it. None keeps nothing.
    """
    encoders = _encoders(system)
    known = _read(path, encoders) if path else {}
    dances = [_dance(clip) for clip in clips]
    missing = [number for number, dance in enumerate(dances) if dance not in known]
    for number in missing:
        known[dances[number]] = system.codes_of(clips[number].upper, clips[number].lower)
    if path and missing:
        _write(path, encoders, known)
    return [known[dance] for dance in dances]


def _read(path: Path, encoders: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["encoders"]) != encoders:
                return {}
            return dict(zip(file["dances"].tolist(), np.split(file["codes"], file["ends"][:-1]), strict=True))
    except DAMAGE:
        return {}


def _write(path: Path, encoders: str, known: dict[str, np.ndarray]) -> None:
    ends = np.cumsum([len(codes) for codes in known.values()])
    codes = np.concatenate(list(known.values()))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, encoders=np.array(encoders), dances=np.array(list(known)), codes=codes, ends=ends)


def _encoders(system: ExpressiveBailando) -> str:
    """Tell encoders by their weights."""
    digest = hashlib.sha256()
    for network in (system.upper, system.lower):
        for name, value in sorted(network.state_dict().items()):
            digest.update(name.encode() + value.detach().reshape(-1).cpu().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _dance(clip: Clip) -> str:
    """Tell dances by their names, lengths and some of their frames."""
    digest = hashlib.sha256(f"{clip.name} {len(clip.upper)}".encode())
    for channels in (clip.upper, clip.lower):
        digest.update(np.ascontiguousarray(channels[:: max(1, len(channels) // 4)]).tobytes())
    return digest.hexdigest()
