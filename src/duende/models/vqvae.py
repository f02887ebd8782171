"""FreqVQ-VAE (ICASSP 2024, equations 1 to 4) on Bailando's layers; with ``frequency`` off the plain VQ-VAE.

With a ``look_ahead`` (ours) the decoder's layers are causal: a frame depends on no more than so many codes after its
own, and a dance can be decoded while it goes on.

The decoder's layers are numbered as the paper's: the complement module before decoder layer i is guided by the encoder
output of the same shape, and the last layer, which has none, by the dance itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.errors import DuendeError
from duende.models.frequency import FrequencyComplement, FrequencyForm, focal_frequency_loss
from duende.models.quantizer import Codebook
from duende.models.temporal import Memory, TemporalConvolution, TemporalUpsampling


@dataclass(frozen=True)
class VQVAEConfig:
    """Shape and loss of one half-body's network; defaults are the paper's, and Bailando's where it is silent.

    Attributes:
        channels: pose channels.
        width: of all convolutions.
        codes: size M of the codebook.
        code_dimension: length d of a code.
        stages: halvings of the frame rate; a code stands for ``2 ** stages`` frames.
        dilations: of the residual blocks in a stage.
        look_ahead: codes after its own that a decoded frame depends on, of causal layers; None for the paper's layers,
            which see as far ahead as back.
        frequency: whether there are frequency complement modules and their losses.
        frequency_form: see :func:`focal_frequency_loss`.
        complement_dropout: in the complement modules.
        signal_weight: α₁, of the focal frequency loss on the dance.
        feature_weight: α₂, of those on the features.
        velocity_weight: of the loss on first differences.
        acceleration_weight: of the loss on second differences.
        commitment_weight: of the distance between features and codes.
        decay: of the codebook's running means.
        restart_below: running count under which a code is replaced.
    """

    channels: int
    width: int = 512
    codes: int = 512
    code_dimension: int = 512
    stages: int = 3
    dilations: tuple[int, ...] = (1, 3, 9)
    look_ahead: int | None = None
    frequency: bool = True
    frequency_form: FrequencyForm = "normalised"
    complement_dropout: float = 0.2
    signal_weight: float = 1.0
    feature_weight: float = 0.1
    velocity_weight: float = 1.0
    acceleration_weight: float = 1.0
    commitment_weight: float = 0.02
    decay: float = 0.99
    restart_below: float = 1.0

    def __post_init__(self) -> None:
        if self.look_ahead is not None and self.look_ahead < 0:
            raise DuendeError(
                f"look_ahead is a number of codes from 0 up, got {self.look_ahead}; leave it out to see both ways"
            )

    @property
    def causal(self) -> bool:
        """Whether the decoder's layers see only back."""
        return self.look_ahead is not None


@dataclass(frozen=True)
class Reconstruction:
    """What a pass through the network gives: poses ``(B, T, C)``, codes ``(B, T / 8)``, the loss and its terms."""

    poses: Tensor
    codes: Tensor
    loss: Tensor
    terms: dict[str, Tensor]
    perplexity: Tensor


class ResidualBlock(nn.Module):
    """``x + Conv1(ReLU(Conv3(ReLU(x))))`` with the dilation on the first convolution."""

    def __init__(self, width: int, dilation: int, causal: bool = False) -> None:
        super().__init__()
        self.first = TemporalConvolution(width, width, 3, dilation, causal)
        self.second = nn.Conv1d(width, width, 1)

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:
        """Map ``(B, width, T)`` to the same shape; a causal one may go on from ``memory``."""
        inner = self.first(F.relu(features), memory)
        # A convolution over one step is a matrix product, which takes half the time of one on a processor.
        weight, bias = self.second.weight[:, :, 0], self.second.bias
        assert bias is not None
        return features + (weight @ F.relu(inner) + bias[:, None])


class Encoder(nn.Module):
    """Poses to features at the rate of codes; keeps the output of every layer."""

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        stages = []
        for stage in range(config.stages):
            down = nn.Conv1d(config.channels if stage == 0 else config.width, config.width, 4, 2, 1)
            stages.append(nn.Sequential(down, *(ResidualBlock(config.width, d) for d in config.dilations)))
        self.stages = nn.ModuleList(stages)
        self.output = nn.Conv1d(config.width, config.code_dimension, 3, padding=1)

    def forward(self, poses: Tensor) -> list[Tensor]:
        """Map ``(B, C, T)`` to the outputs of all layers, the last of shape ``(B, d, T / 8)``."""
        outputs = []
        for stage in self.stages:
            poses = stage(poses)
            outputs.append(poses)
        return [*outputs, self.output(poses)]


class Decoder(nn.Module):
    """Code vectors to channels at the frame rate; with complement modules where the config wants them."""

    def __init__(self, config: VQVAEConfig, channels: int, frequency: bool) -> None:
        super().__init__()
        width, causal = config.width, config.causal
        self.delay = config.look_ahead or 0
        self.input = TemporalConvolution(config.code_dimension, width, 3, causal=causal)
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(ResidualBlock(width, dilation, causal) for dilation in reversed(config.dilations)),
                TemporalUpsampling(width, causal),
            )
            for _ in range(config.stages)
        )
        self.output = TemporalConvolution(width, channels, 3, causal=causal)
        widths = [config.code_dimension, *[width] * config.stages] if frequency else []
        self.complements = nn.ModuleList(
            FrequencyComplement(w, config.complement_dropout, causal=causal) for w in widths
        )

    def forward(self, vectors: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map ``(B, d, N)`` to ``(B, channels, 8 N)`` and the complements, the one nearest the codes first.

        After the end the last code is held for as long as the decoder looks ahead.
        """
        if not self.delay:
            return self.delayed(vectors)
        vectors = torch.cat([vectors, vectors[..., -1:].expand(-1, -1, self.delay)], dim=-1)
        outputs, complements = self.delayed(vectors)
        # The part of each that comes before the dance, at its own rate.
        early = [layer.shape[-1] * self.delay // vectors.shape[-1] for layer in (outputs, *complements)]
        outputs, *complements = (
            layer[..., first:] for layer, first in zip((outputs, *complements), early, strict=True)
        )
        return outputs, complements

    def delayed(self, vectors: Tensor, memory: Memory | None = None) -> tuple[Tensor, list[Tensor]]:
        """Decode without looking ahead: what comes out is late by ``delay`` codes.

        Args:
            vectors: ``(B, d, N)``.
            memory: of causal layers, which go on where the piece before ended.
        """
        features, complements = vectors, []
        for number in range(len(self.stages) + 1):
            if self.complements:
                complement = self.complements[number](features, memory)
                complements.append(complement)
                features = features + complement
            layers: Iterable[nn.Module] = self.stages[number - 1] if number else [self.input]  # type: ignore[assignment]
            for layer in layers:
                features = layer(features, memory)
        return self.output(features, memory), complements


class FreqVQVAE(nn.Module):
    """One half-body: poses to pose codes and back."""

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.codebook = Codebook(config.codes, config.code_dimension, config.decay, config.restart_below)
        self.decoder = Decoder(config, config.channels, config.frequency)

    @property
    def downsampling(self) -> int:
        """Frames to a code."""
        return 2**self.config.stages

    def encode(self, poses: Tensor) -> Tensor:
        """Turn poses ``(B, T, C)`` into codes ``(B, T / 8)``."""
        features = self._features(poses)[-1].transpose(1, 2)
        return self.codebook.nearest(features.flatten(0, 1)).reshape(features.shape[:2])

    def decode(self, codes: Tensor) -> Tensor:
        """Turn codes ``(B, N)`` into poses ``(B, 8 N, C)``."""
        poses, _ = self.decoder(self.codebook.lookup(codes).transpose(1, 2))
        return poses.transpose(1, 2)

    def forward(self, poses: Tensor) -> Reconstruction:
        """Encode, quantise and decode ``(B, T, C)``, with the loss of equation 4.

        Raises:
            DuendeError: T is not a multiple of the downsampling.
        """
        features = self._features(poses)
        quantized = self.codebook(features[-1].transpose(1, 2))
        decoded, complements = self.decoder(quantized.vectors.transpose(1, 2).to(features[-1].dtype))
        terms = self._terms(poses, decoded.transpose(1, 2).float())
        terms["commitment"] = quantized.commitment
        config = self.config
        loss = (
            terms["reconstruction"]
            + config.velocity_weight * terms["velocity"]
            + config.acceleration_weight * terms["acceleration"]
            + config.commitment_weight * terms["commitment"]
        )
        if config.frequency:
            form = config.frequency_form
            terms["signal_frequency"] = focal_frequency_loss(poses.transpose(1, 2), decoded, form)
            pairs = zip(reversed(features), complements, strict=True)
            terms["feature_frequency"] = torch.stack([focal_frequency_loss(a, c, form) for a, c in pairs]).sum()
            loss = (
                loss
                + config.signal_weight * terms["signal_frequency"]
                + config.feature_weight * terms["feature_frequency"]
            )
        detached = {name: value.detach() for name, value in terms.items()}
        return Reconstruction(decoded.transpose(1, 2), quantized.codes, loss, detached, quantized.perplexity)

    def _features(self, poses: Tensor) -> list[Tensor]:
        if poses.shape[1] % self.downsampling:
            raise DuendeError(
                f"{poses.shape[1]} frames do not fill whole codes; give a multiple of {self.downsampling}"
            )
        outputs: list[Tensor] = self.encoder(poses.transpose(1, 2))
        return outputs

    @staticmethod
    def _terms(real: Tensor, decoded: Tensor) -> dict[str, Tensor]:
        terms = {}
        for name in ("reconstruction", "velocity", "acceleration"):
            terms[name] = F.l1_loss(decoded, real)
            real, decoded = real.diff(dim=1), decoded.diff(dim=1)
        return terms


class RootDecoder(nn.Module):
    """A second decoder of the same shape: lower-body codes to root channels (Bailando's second step)."""

    def __init__(self, config: VQVAEConfig, root_channels: int) -> None:
        super().__init__()
        self.decoder = Decoder(config, root_channels, frequency=False)

    def forward(self, codes: Tensor, lower: FreqVQVAE) -> Tensor:
        """Turn lower-body codes ``(B, N)`` of the network ``lower`` into root channels ``(B, 8 N, R)``."""
        channels, _ = self.decoder(lower.codebook.lookup(codes).transpose(1, 2))
        return channels.transpose(1, 2)


def root_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of root channels ``(B, T, R)`` and of their first differences."""
    predicted = predicted.float()
    return F.l1_loss(predicted, target) + F.l1_loss(predicted.diff(dim=1), target.diff(dim=1))
