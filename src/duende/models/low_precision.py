"""Linear layers in the form in which a processor multiplies them fastest with the few rows of one step.

Activations go in and come out in single precision; what changes is how weights are kept. PyTorch's own product reads
them at a third of the memory's speed with so few rows.
"""

from __future__ import annotations

import warnings
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16", "int8"]
ENGINES = ("x86", "onednn")
"""Engines of PyTorch's quantised products that know a scale for each output, the faster one first."""


def packed(layer: nn.Linear, precision: Precision) -> nn.Module:
    """Return the layer with its weights in that precision, in the form that this processor likes best."""
    if precision == "int8":
        engine = next((engine for engine in ENGINES if engine in torch.backends.quantized.supported_engines), None)
        return PlainInt8Linear(layer) if engine is None else Int8Linear(layer, engine)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return PackedLinear(layer, dtype) if can_pack() else CastLinear(layer, dtype)


def can_pack() -> bool:
    """Whether oneDNN is there, which keeps weights in blocks."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class CastLinear(nn.Module):
    """Weights of another type, products in it."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight.detach().to(dtype), _bias(layer, dtype)

    def forward(self, rows: Tensor) -> Tensor:
        """Map ``(..., in)`` to ``(..., out)``."""
        return F.linear(rows.to(self.weight.dtype), self.weight, self.bias).to(rows.dtype)


class PackedLinear(nn.Module):
    """Weights in oneDNN's blocks; PyTorch has no public call for these but its compiler."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype, self.bias = dtype, _bias(layer, dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach().to(dtype).contiguous())

    def forward(self, rows: Tensor) -> Tensor:
        """Map ``(..., in)`` to ``(..., out)``."""
        given = rows.to(self.dtype)
        mapped: Tensor = torch.ops.mkldnn._linear_pointwise(given, self.weight, self.bias, "none", [], "")
        return mapped.to(rows.dtype)


class Int8Linear(nn.Module):
    """Weights of 8 bits with a scale for each output; rows are brought to 8 bits as they come.

    Each row is brought to a largest value of 1 first, so that one scale serves all.
    """

    def __init__(self, layer: nn.Linear, engine: str) -> None:
        super().__init__()
        self.bias = _bias(layer, torch.float32)
        weight, scale = quantized(layer.weight)
        zeros = torch.zeros(len(scale), dtype=torch.long)
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = engine
        try:
            with warnings.catch_warnings():
                # PyTorch announces that a release after those we allow will lack these.
                warnings.simplefilter("ignore", UserWarning)
                per_output = torch.quantize_per_channel(weight * scale, scale[:, 0].double(), zeros, 0, torch.qint8)
            self.packed = torch.ops.quantized.linear_prepack(per_output, None)
        finally:
            torch.backends.quantized.engine = before

    def forward(self, rows: Tensor) -> Tensor:
        """Map ``(..., in)`` to ``(..., out)``."""
        largest = rows.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12)
        # With 7 bits no processor's sums of products overflow.
        mapped: Tensor = torch.ops.quantized.linear_dynamic(rows / largest, self.packed, reduce_range=True)
        return mapped * largest if self.bias is None else torch.addcmul(self.bias, mapped, largest)


class PlainInt8Linear(nn.Module):
    """The same weights where there is no quantised product: small, not fast."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight, scale = quantized(layer.weight)
        self.register_buffer("weight", weight.to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())

    def forward(self, rows: Tensor) -> Tensor:
        """Map ``(..., in)`` to ``(..., out)``."""
        mapped = F.linear(rows, self.weight.to(rows.dtype)) * self.scale[:, 0].to(rows.dtype)
        return mapped if self.bias is None else mapped + self.bias.to(rows.dtype)


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return whole numbers from -127 to 127 ``(out, in)`` and the scale ``(out, 1)`` of each row."""
    weight = weight.detach().float()
    scale = weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
    return (weight / scale).round(), scale


def _bias(layer: nn.Linear, dtype: torch.dtype) -> Tensor | None:
    return None if layer.bias is None else layer.bias.detach().to(dtype)
