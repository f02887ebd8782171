"""EDGE's network (Tseng et al., "EDGE: Editable Dance Generation From Music", CVPR 2023): noise taken out of a dance.

A transformer over the frames of a noisy dance that looks at the music by cross-attention. How noisy the dance is, and
what the music is like on the whole, scale and shift what each part of a layer adds. Rotary positions turn whole tokens,
before they are split into heads, as in EDGE's published code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.errors import DuendeError

TIME_TOKENS = 2


@dataclass(frozen=True)
class DenoiserConfig:
    """Shape of the network; defaults are EDGE's.

    Attributes:
        channels: of a frame of dance: contacts, root and rotations.
        music_dimension: columns of the music features, which have the frame rate of the dance.
        width: of tokens.
        layers: over the dance.
        heads: of attention.
        feedforward: width of hidden layers.
        music_layers: over the music, before the dance looks at it.
        frames: for which there is a learnt stand-in for withheld music; longer dances repeat it.
        dropout: of attention, hidden layers and residuals.
    """

    channels: int = 151
    music_dimension: int = 4800
    width: int = 512
    layers: int = 8
    heads: int = 8
    feedforward: int = 1024
    music_layers: int = 2
    frames: int = 150
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width < 4 or self.width % 2 or self.width % self.heads:
            raise DuendeError(
                f"a width of {self.width} does not fit: give an even one of 4 or more that {self.heads} heads divide"
            )


@dataclass(frozen=True)
class HeardMusic:
    """Music as the network hears it, the same at every step of denoising.

    Attributes:
        tokens: ``(B, T, width)``, one a frame.
        pooled: ``(B, width)``, what it is like on the whole.
    """

    tokens: Tensor
    pooled: Tensor


@dataclass(frozen=True)
class Condition:
    """What a layer over the dance is told.

    Attributes:
        tokens: ``(B, M, width)`` of music and time, to be looked at.
        keys: the same, turned by their positions.
        moment: ``(B, width)`` of time and the music on the whole.
    """

    tokens: Tensor
    keys: Tensor
    moment: Tensor


class Attention(nn.Module):
    """Multi-head attention whose queries, keys and values come from tokens that may differ."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.projection = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)
        # As torch's own attention begins, which EDGE trains.
        nn.init.xavier_uniform_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        nn.init.zeros_(self.output.bias)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Mix ``values`` ``(B, M, width)``, found by ``keys`` of that shape, for each of ``queries`` ``(B, L, width)``.

        Returns:
            ``(B, L, width)``.
        """
        weights, biases = self.projection.weight.chunk(3), self.projection.bias.chunk(3)
        query, key, value = (
            F.linear(tokens, weight, bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for tokens, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return self.output(mixed.transpose(1, 2).flatten(2))


class Modulation(nn.Module):
    """Features scaled and shifted by what is known of the moment (FiLM, Perez et al., 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Mish(), nn.Linear(width, 2 * width))

    def forward(self, features: Tensor, moment: Tensor) -> Tensor:
        """Scale and shift ``(B, T, width)`` as ``moment`` ``(B, width)`` tells."""
        scale, shift = self.layers(moment)[:, None].chunk(2, dim=-1)
        return (scale + 1) * features + shift


class MusicLayer(nn.Module):
    """Pre-norm transformer layer over the music."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.hidden_norm = nn.LayerNorm(config.width)
        self.hidden = _hidden(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, rotation: Tensor) -> Tensor:
        """Map ``(B, T, width)`` to the same shape."""
        values = self.attention_norm(tokens)
        places = rotated(values, rotation)
        tokens = tokens + self.dropout(self.attention(places, places, values))
        return tokens + self.hidden(self.hidden_norm(tokens))


class DanceLayer(nn.Module):
    """Pre-norm transformer layer over the dance, which looks at itself and then at the music."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.attention_norm, self.music_norm, self.hidden_norm = (nn.LayerNorm(width) for _ in range(3))
        self.attention, self.music_attention = Attention(config), Attention(config)
        self.hidden = _hidden(config)
        self.attention_modulation, self.music_modulation, self.hidden_modulation = (Modulation(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, condition: Condition, rotation: Tensor) -> Tensor:
        """Map ``(B, T, width)`` to the same shape."""
        moment, values = condition.moment, self.attention_norm(tokens)
        places = rotated(values, rotation)
        attended = self.dropout(self.attention(places, places, values))
        tokens = tokens + self.attention_modulation(attended, moment)
        queries = rotated(self.music_norm(tokens), rotation)
        attended = self.dropout(self.music_attention(queries, condition.keys, condition.tokens))
        tokens = tokens + self.music_modulation(attended, moment)
        return tokens + self.hidden_modulation(self.hidden(self.hidden_norm(tokens)), moment)


class Denoiser(nn.Module):
    """A noisy dance, the time of its noise and the music in; the clean dance out."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.input = nn.Linear(config.channels, width)
        self.music = nn.Linear(config.music_dimension, width)
        self.music_layers = nn.ModuleList(MusicLayer(config) for _ in range(config.music_layers))
        self.music_pooled = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.unheard_tokens = nn.Parameter(torch.randn(1, config.frames, width))
        self.unheard_pooled = nn.Parameter(torch.randn(1, width))
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish())
        self.time_pooled = nn.Linear(4 * width, width)
        self.time_tokens = nn.Linear(4 * width, TIME_TOKENS * width)
        self.condition_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(DanceLayer(config) for _ in range(config.layers))
        self.output = nn.Linear(width, config.channels)

    def hear(self, music: Tensor) -> HeardMusic:
        """Hear features ``(B, T, D)`` once for all steps of denoising."""
        tokens = self.music(music)
        rotation = self._rotation(music.shape[1], music.device)
        for layer in self.music_layers:
            tokens = layer(tokens, rotation)
        return HeardMusic(tokens, self.music_pooled(tokens.mean(dim=1)))

    def forward(self, noisy: Tensor, times: Tensor, heard: HeardMusic, withheld: Tensor | None = None) -> Tensor:
        """Predict the clean channels ``(B, T, C)``.

        Args:
            noisy: ``(B, T, C)`` of any T.
            times: ``(B,)`` of the noise, 0 the least.
            heard: the music, from :meth:`hear`.
            withheld: ``(B,)`` booleans, which dances do not hear it; None for none.
        """
        length = noisy.shape[1]
        rotation = self._rotation(max(length, heard.tokens.shape[1] + TIME_TOKENS), noisy.device)
        condition = self._condition(times, heard if withheld is None else self._partly(heard, withheld), rotation)
        tokens = self.input(noisy)
        for layer in self.layers:
            tokens = layer(tokens, condition, rotation[:, :length])
        clean: Tensor = self.output(tokens)
        return clean

    def _partly(self, heard: HeardMusic, withheld: Tensor) -> HeardMusic:
        """Put the learnt stand-in in place of withheld music."""
        places = torch.arange(heard.tokens.shape[1], device=withheld.device) % self.config.frames
        tokens = self.unheard_tokens[:, places].to(heard.tokens.dtype)
        pooled = self.unheard_pooled.to(heard.pooled.dtype)
        return HeardMusic(
            torch.where(withheld[:, None, None], tokens, heard.tokens),
            torch.where(withheld[:, None], pooled, heard.pooled),
        )

    def _condition(self, times: Tensor, heard: HeardMusic, rotation: Tensor) -> Condition:
        """Join music and time; the tokens of time follow those of music."""
        time = self.time(waves(times, self.config.width))
        moment = self.time_pooled(time) + heard.pooled
        time_tokens = self.time_tokens(time).unflatten(-1, (TIME_TOKENS, self.config.width))
        tokens = self.condition_norm(torch.cat([heard.tokens, time_tokens], dim=1))
        return Condition(tokens, rotated(tokens, rotation[:, : tokens.shape[1]]), moment)

    def _rotation(self, length: int, device: torch.device) -> Tensor:
        """Cosine and sine ``(2, length, width / 2)`` of the angles of each frame."""
        half = self.config.width // 2
        speeds = 10_000.0 ** (-torch.arange(half, device=device) / half)
        angles = torch.arange(length, device=device)[:, None] * speeds
        return torch.stack([angles.cos(), angles.sin()])


def rotated(tokens: Tensor, rotation: Tensor) -> Tensor:
    """Turn each two neighbouring coordinates of ``(B, L, width)`` by their angle (Su et al., RoFormer, 2021).

    Args:
        tokens: not yet split into heads.
        rotation: ``(2, L, width / 2)`` cosine and sine.
    """
    first, second = tokens.float().unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = rotation
    turned = torch.stack([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
    return turned.flatten(-2).to(tokens.dtype)


def waves(times: Tensor, width: int) -> Tensor:
    """Describe times ``(B,)`` by sines and cosines ``(B, width)`` of wavelengths from 2π to 20 000π."""
    half = width // 2
    speeds = torch.exp(torch.arange(half, device=times.device) * (-math.log(10_000) / (half - 1)))
    angles = times[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _hidden(config: DenoiserConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(config.width, config.feedforward),
        nn.GELU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.feedforward, config.width),
        nn.Dropout(config.dropout),
    )
