"""Pretrained MERT from a folder or from the Hugging Face hub; nothing that comes with the weights is ever executed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from duende.audio.mert import hub
from duende.audio.mert.checkpoint import encoder_tensors, identity_of, plain_positions, read_tensors
from duende.audio.mert.config import MertConfig
from duende.audio.mert.network import MertEncoder
from duende.errors import DuendeError

RATE = 24_000
"""Samples a second that MERT listens to."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class Mert:
    """Pretrained MERT, ready to listen.

    Attributes:
        encoder: the network in evaluation mode, on its device.
        config: its shape.
        normalise: whether songs are brought to zero mean and unit variance first.
        identity: hexadecimal digest of the tensors, of the shape and of ``normalise``: alike for the same weights in
            another file format, different for any other weights. Precision and device are not part of it.
    """

    encoder: MertEncoder = field(repr=False)
    config: MertConfig
    normalise: bool
    identity: str

    @property
    def width(self) -> int:
        """Numbers in a frame of features."""
        return self.config.hidden_size

    @property
    def precision(self) -> torch.dtype:
        """What the linear layers compute in."""
        return self.encoder.feature_projection.projection.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.encoder.feature_projection.projection.weight.device


def load_mert(source: str | Path, device: str | torch.device = "cpu", precision: str = "auto") -> Mert:
    """Load pretrained MERT.

    Args:
        source: a folder with ``config.json``, ``model.safetensors`` or ``pytorch_model.bin``, and, if there is one,
            ``preprocessor_config.json``; or a name on the hub: ``330M`` and ``95M`` stand for ``m-a-p/MERT-v1-330M``
            and ``m-a-p/MERT-v1-95M``.
        device: where to compute.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor computes in it at speed.

    Raises:
        DuendeError: there are no such weights, a file is missing or damaged, a tensor is missing or has another shape,
            the network is not MERT's, or the device or precision is not available.
    """
    place = _device(device)
    chosen = _precision(precision, place)
    folder = hub.located(source)
    config_path = folder / "config.json"
    config = MertConfig.from_hub(_json(config_path), str(config_path))
    normalise = _normalise(folder / "preprocessor_config.json")
    weights = read_tensors(folder)
    with torch.device("meta"):
        encoder = MertEncoder(config)
    tensors = encoder_tensors(weights.tensors, encoder, weights.path)
    identity = identity_of(tensors, config, normalise)
    encoder.load_state_dict(plain_positions(tensors), strict=True, assign=True)
    encoder.requires_grad_(False).eval()
    if chosen != torch.float32:
        encoder.reduce_precision(chosen)
        # What stays float32 is a view of the file mapped into memory, all of which it would keep there.
        for parameter in encoder.parameters():
            parameter.data = parameter.data.clone()
    return Mert(encoder.to(place), config, normalise, identity)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` computes in bfloat16 at speed, rather than by conversion to and fro."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return device.type == "cpu" and any(check() for check in checks if check is not None)


def _device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DuendeError(f"device {str(device)!r} is not available here; use cpu") from error
    return place


def _precision(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if fast_bfloat16(device) else torch.float32
    if precision not in PRECISIONS:
        raise DuendeError(f"precision is auto, float32 or bfloat16, got {precision!r}")
    return PRECISIONS[precision]


def _normalise(path: Path) -> bool:
    """Read ``do_normalize``; without the file true, the value in both published ones.

    Raises:
        DuendeError: the file is damaged or asks for another rate than 24 kHz (MERT-v0 has 16 kHz).
    """
    if not path.exists():
        return True
    values = _json(path)
    rate, normalise = values.get("sampling_rate", RATE), values.get("do_normalize", True)
    if rate != RATE or not isinstance(normalise, bool):
        raise DuendeError(
            f"{path}: sampling_rate {RATE} and do_normalize true or false are expected, got {rate!r} and {normalise!r}"
            "; use MERT-v1-330M or MERT-v1-95M"
        )
    return normalise


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DuendeError(f"cannot read {path}; it belongs beside the weights: {hub.advice()}") from error
    except ValueError as error:
        raise DuendeError(f"{path} is not JSON ({error}); copy it again") from error
    if not isinstance(values, dict):
        raise DuendeError(f"{path} holds no JSON object; copy it again")
    return values
