"""The frequency part of FreqVQ-VAE (ICASSP 2024, section 2.1): complement modules and the focal frequency loss.

The loss follows Jiang et al., "Focal Frequency Loss for Image Reconstruction and Synthesis" (ICCV 2021), along time.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from duende.models.temporal import Memory, TemporalConvolution

FrequencyForm = Literal["normalised", "literal"]


def focal_frequency_loss(real: Tensor, fake: Tensor, form: FrequencyForm = "normalised") -> Tensor:
    """Weighted distance of two spectra along time, averaged over batch, channels and frequencies (equations 2, 3).

    Args:
        real: ``(B, C, T)``.
        fake: ``(B, C, T)``.
        form: ``"literal"`` is equation 3 as printed: un-normalised transform, weight ``|difference|``.
            ``"normalised"`` is the official implementation's scale: orthonormal transform, and the weight divided by
            its largest value in each channel of each sample. The literal form is cubic in the error, some hundred
            times the rest of the loss at first and near nothing later.
    """
    norm = "ortho" if form == "normalised" else "backward"
    # Real signals have mirrored spectra, so the full transform is taken for its plain average over bins.
    with torch.autocast(real.device.type, enabled=False):
        difference = torch.fft.fft(real.float() - fake.float(), dim=-1, norm=norm)
        squared = difference.real**2 + difference.imag**2
        weight = squared.detach().sqrt()
        if form == "normalised":
            weight = (weight / weight.amax(dim=-1, keepdim=True).clamp_min(1e-12)).clamp(0.0, 1.0)
        return (weight * squared).mean()


class FrameNorm(nn.Module):
    """Group normalisation of each time step by itself.

    Statistics over time, as image networks have them, would let a dance's length and end change its beginning.
    """

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``(B, C, T)`` over groups of C."""
        batch, width, frames = features.shape
        groups, norm = features.reshape(batch, self.norm.num_groups, -1, frames), self.norm
        centred = groups - groups.mean(dim=2, keepdim=True)
        scale = torch.rsqrt((centred * centred).mean(dim=2, keepdim=True) + norm.eps)
        return torch.addcmul(norm.bias[:, None], (centred * scale).view(batch, width, frames), norm.weight[:, None])


class FrequencyComplement(nn.Module):
    """Two 1-D convolutions that predict what a decoder layer's input lacks; added to it by the caller.

    The last convolution begins at zero, so that a new network starts as the plain VQ-VAE.
    """

    def __init__(self, width: int, dropout: float = 0.2, groups: int = 32, causal: bool = False) -> None:
        super().__init__()
        # A group of one channel would be normalised to nothing.
        groups = next(g for g in range(min(groups, max(1, width // 4)), 0, -1) if width % g == 0)
        last = TemporalConvolution(width, width, 3, causal=causal)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            FrameNorm(groups, width),
            nn.SiLU(),
            TemporalConvolution(width, width, 3, causal=causal),
            FrameNorm(groups, width),
            nn.SiLU(),
            nn.Dropout(dropout),
            last,
        )

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:
        """Map ``(B, width, T)`` to the complement of the same shape; a causal one may go on from ``memory``."""
        for layer in self.layers:
            features = layer(features, memory) if isinstance(layer, TemporalConvolution) else layer(features)
        return features
