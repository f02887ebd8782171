"""Networks compiled before they are trained, where that is known to work and wanted."""

from __future__ import annotations

import importlib.util
import shutil

import torch
from torch import nn

from duende.errors import DuendeError
from duende.models.quantizer import Codebook
from duende.training.recipe import Compiled


def compiled_for(network: nn.Module, wanted: Compiled, device: torch.device) -> nn.Module:
    """Return ``network``, compiled for ``device`` where ``wanted`` says so; its weights stay where they are.

    ``"auto"`` compiles for a graphics processor that Triton, which torch compiles with there, is installed for. On a
    processor the time that it takes comes back late or never.

    Raises:
        DuendeError: it is wanted and what it takes is not installed.
    """
    if wanted == "off" or (wanted == "auto" and device.type != "cuda"):
        return network
    missing = _missing(device)
    if missing and wanted == "on":
        raise DuendeError(f"compiled: on needs {missing} for {device.type}; install it, or give compiled: off")
    if missing:
        return network
    for module in network.modules():
        if isinstance(module, Codebook):
            # What it draws depends on a count that grows with each step: it would be compiled anew each time.
            module.forward = torch.compiler.disable(module.forward)  # type: ignore[method-assign]
    return torch.compile(network, dynamic=False)  # type: ignore[return-value]


def _missing(device: torch.device) -> str:
    """Name what torch's compiler lacks; nothing where it has all."""
    if device.type == "cpu":
        return "" if any(map(shutil.which, ("c++", "g++", "clang++", "cl"))) else "a C++ compiler"
    return "" if importlib.util.find_spec("triton") else "triton"
