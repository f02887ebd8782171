"""Tensors of a published checkpoint: read without trust, checked one by one, told apart by a digest."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from duende.audio.mert.config import MertConfig
from duende.audio.mert.hub import WEIGHTS, advice, weights_file
from duende.audio.mert.network import MertEncoder
from duende.configuration import to_mapping
from duende.errors import DuendeError

ENCODER = ("feature_extractor.", "feature_projection.", "encoder.")
"""What the names of the encoder's tensors begin with; all else (heads and masks of the pre-training) is not needed."""
POSITIONS = "encoder.pos_conv_embed.conv."
FOLDED = POSITIONS + "weight"
LENGTHS, DIRECTIONS = POSITIONS + "parametrizations.weight.original0", POSITIONS + "parametrizations.weight.original1"
OLD_NAMES = {POSITIONS + "weight_g": LENGTHS, POSITIONS + "weight_v": DIRECTIONS}
"""Weight norm as PyTorch named it before 2.0."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Named tensors of a file."""

    tensors: dict[str, Tensor]
    path: Path


def read_tensors(folder: Path) -> Checkpoint:
    """Read the weights in ``folder``.

    Raises:
        DuendeError: there are none, or the file is damaged or holds anything but named tensors.
    """
    path = weights_file(folder)
    if path is None:
        raise DuendeError(f"{folder} has neither {WEIGHTS[0]} nor {WEIGHTS[1]}; {advice()}")
    try:
        tensors = load_file(path) if path.name == WEIGHTS[0] else _unpickled(path)
    except (safetensors.SafetensorError, RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise DuendeError(f"{path} cannot be read as weights; copy or download it again") from error
    except pickle.UnpicklingError as error:
        raise DuendeError(f"{path} holds more than tensors and was not loaded; use the published file") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise DuendeError(f"{path} is not a plain list of named tensors; use the published file")
    return Checkpoint(tensors, path)


def _unpickled(path: Path) -> Any:
    # Mapped where the format allows it, so that the file and the network are not both held.
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def encoder_tensors(tensors: dict[str, Tensor], encoder: MertEncoder, path: Path) -> dict[str, Tensor]:
    """Pick the tensors of ``encoder`` in float32, the positional convolution as its weight norm's two parts.

    Raises:
        DuendeError: one is missing, has another shape or numbers that are not finite, or the encoder has one more.
    """
    present = {OLD_NAMES.get(name, name): value for name, value in tensors.items() if name.startswith(ENCODER)}
    expected = _expected(encoder)
    for name, shape in expected.items():
        if name not in present:
            raise DuendeError(f"{path} lacks the tensor {name}; use the published file")
        if present[name].shape != shape:
            raise DuendeError(
                f"{path}: {name} has shape {tuple(present[name].shape)}, but config.json asks for {tuple(shape)}; take "
                "both files from one place"
            )
    for name in present:
        if name not in expected:
            raise DuendeError(f"{path} has a tensor {name} that MERT has not; use MERT-v1-330M or MERT-v1-95M")
    picked = {name: present[name].to(torch.float32) for name in expected}
    for name, value in picked.items():
        if not bool(value.isfinite().all()):
            raise DuendeError(f"{path}: {name} holds numbers that are not finite; download the file again")
    return picked


def _expected(encoder: MertEncoder) -> dict[str, torch.Size]:
    shapes = {name: value.shape for name, value in encoder.state_dict().items()}
    directions = shapes.pop(FOLDED)
    return {**shapes, LENGTHS: torch.Size((1, 1, directions[2])), DIRECTIONS: directions}


def plain_positions(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fold the weight norm: for each tap of the kernel a direction of unit length times its length."""
    rest = {name: value for name, value in tensors.items() if name not in (LENGTHS, DIRECTIONS)}
    directions = tensors[DIRECTIONS]
    return {**rest, FOLDED: tensors[LENGTHS] * directions / directions.norm(dim=(0, 1), keepdim=True)}


def identity_of(tensors: dict[str, Tensor], config: MertConfig, normalise: bool) -> str:
    """Hexadecimal digest (BLAKE2b, 128 bits) of weights, shape of the network and normalisation."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([to_mapping(config), normalise], sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name}{list(tensors[name].shape)}".encode())
        digest.update(tensors[name].contiguous().numpy().data)
    return digest.hexdigest()
