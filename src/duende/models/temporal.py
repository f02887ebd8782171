"""Convolutions along time that see both ways or only back, the latter also piece by piece.

A causal layer that is given a :data:`Memory` goes on where the piece before ended: pieces one after the other give what
the whole gives at once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Memory = dict[nn.Module, Tensor]
"""The last inputs of each layer ``(B, C, reach)``; an empty one is that of a beginning."""


class TemporalConvolution(nn.Conv1d):
    """A convolution over ``(B, C, T)`` that keeps T, its kernel odd; a causal one sees no later step."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1, causal: bool = False) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self.causal, self.reach = causal, dilation * (kernel - 1)

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:
        """Map ``(B, inputs, T)`` to ``(B, outputs, T)``."""
        if self.causal:
            features = _after_the_past(self, features, self.reach, memory)
            return F.conv1d(features, self.weight, self.bias, dilation=self.dilation)
        return F.conv1d(features, self.weight, self.bias, padding=self.reach // 2, dilation=self.dilation)


class TemporalUpsampling(nn.ConvTranspose1d):
    """A transposed convolution of stride 2 and kernel 4, from ``(B, C, T)`` to ``(B, C, 2 T)``.

    The causal one makes both of its steps from an input and the one before it.
    """

    def __init__(self, width: int, causal: bool = False) -> None:
        super().__init__(width, width, 4, 2)
        self.causal = causal

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:  # type: ignore[override]
        """Map ``(B, width, T)`` to ``(B, width, 2 T)``."""
        if not self.causal:
            return F.conv_transpose1d(features, self.weight, self.bias, stride=2, padding=1)
        features = _after_the_past(self, features, 1, memory)
        return F.conv_transpose1d(features, self.weight, self.bias, stride=2)[..., 2:-2]


def _after_the_past(layer: nn.Module, features: Tensor, reach: int, memory: Memory | None) -> Tensor:
    """Put the last inputs of a causal layer before its present ones: at the beginning zeros."""
    past = None if memory is None else memory.get(layer)
    features = F.pad(features, (reach, 0)) if past is None else torch.cat([past, features], dim=-1)
    if memory is not None:
        memory[layer] = features[..., features.shape[-1] - reach :]
    return features
