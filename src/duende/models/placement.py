"""Where a network dances and in which precision, as data; and the network made ready for it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from duende.errors import DuendeError
from duende.models.gpt import CrossConditionalGPT
from duende.models.low_precision import PlainInt8Linear, Precision, packed

LARGE = 32_000_000
"""Weights above which a step on a processor takes as long as reading them from memory."""


@dataclass(frozen=True)
class Placement:
    """Where and how codes are chosen.

    Attributes:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` takes a graphics processor with CUDA where
            there is one, else the processor.
        precision: of weights; ``"auto"`` is bfloat16 with CUDA, elsewhere float32, or int8 for networks of more than
            :data:`LARGE` weights.
        compiled: ``"auto"`` records a step once and replays it with CUDA (CUDA graphs), and does nothing elsewhere;
            ``"on"`` also lets PyTorch compile it, for which it wants Triton with CUDA, else a C++ compiler; ``"off"``
            does neither.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    compiled: Literal["auto", "on", "off"] = "auto"

    def __post_init__(self) -> None:
        if self.precision not in ("auto", *get_args(Precision)):
            raise DuendeError(f"a precision is auto, float32, bfloat16 or int8, got {self.precision!r}")
        if self.compiled not in ("auto", "on", "off"):
            raise DuendeError(f"compiled is auto, on or off, got {self.compiled!r}")

    def chosen_device(self) -> torch.device:
        """Return the device that this stands for.

        Raises:
            DuendeError: there is none of that name here.
        """
        cuda = torch.cuda.is_available()
        if self.device == "auto":
            return torch.device("cuda" if cuda else "cpu")
        here = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count() if cuda else 0))]
        here += ["mps"] if torch.backends.mps.is_available() else []
        if self.device not in (*here, *(["cuda"] if cuda else [])):
            raise DuendeError(f"there is no device {self.device!r} here; choose among {', '.join(here)} and auto")
        return torch.device(self.device)

    def chosen_precision(self, network: nn.Module) -> Precision:
        """Return the precision that this stands for with that network."""
        if self.precision != "auto":
            return self.precision
        kind = self.chosen_device().type
        if kind != "cpu":
            return "bfloat16" if kind == "cuda" else "float32"
        return "int8" if sum(weights.numel() for weights in network.parameters()) > LARGE else "float32"

    def stepping(self) -> Literal["plain", "recorded", "compiled"]:
        """Return how steps run: as they are, recorded and replayed, or compiled (and recorded, with CUDA)."""
        if self.compiled == "auto":
            return "recorded" if self.chosen_device().type == "cuda" else "plain"
        return "compiled" if self.compiled == "on" else "plain"


def prepared(network: CrossConditionalGPT, placement: Placement | None = None) -> CrossConditionalGPT:
    """Return the network made ready to dance, and leave the one given as it is.

    What comes back cannot be trained or saved.

    Raises:
        DuendeError: the device is not here.
    """
    placement = placement or Placement()
    device, precision = placement.chosen_device(), placement.chosen_precision(network)
    if device.type == "cpu":
        # Weights that are not packed are shared with the original.
        shared = {id(kept): kept for kept in (*network.parameters(), *network.buffers())}
        ready = deepcopy(network, shared).eval()
        _replace_linear(ready, precision)
    else:
        ready = deepcopy(network).eval().to(device)
        if precision == "int8":
            _replace_linear(ready, precision)
        ready.to(torch.float32 if precision == "float32" else torch.bfloat16)
    ready.stepping = placement.stepping()
    return ready


def _replace_linear(network: nn.Module, precision: Precision) -> None:
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                on_processor = layer.weight.device.type == "cpu"
                setattr(module, name, packed(layer, precision) if on_processor else PlainInt8Linear(layer))
