"""The network of MERT: a HuBERT encoder that listens to music (Li et al., "MERT", 2023, arXiv 2306.00107).

Written from the papers of wav2vec 2.0, HuBERT and MERT; names of modules are those of the published checkpoints, so
that their tensors fit without renaming.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from duende.audio.mert.config import MertConfig


class ConvolutionLayer(nn.Module):
    """One convolution of the front end; the first normalises each channel over time."""

    def __init__(self, config: MertConfig, index: int) -> None:
        super().__init__()
        before = config.conv_dim[index - 1] if index else 1
        width = config.conv_dim[index]
        self.conv = nn.Conv1d(
            before, width, config.conv_kernel[index], stride=config.conv_stride[index], bias=config.conv_bias
        )
        self.layer_norm = nn.GroupNorm(width, width) if index == 0 else None

    def forward(self, sound: Tensor) -> Tensor:
        """Convolve ``(batch, channels, time)``."""
        sound = self.conv(sound.to(self.conv.weight.dtype))
        return functional.gelu(sound if self.layer_norm is None else self.layer_norm(sound))


class FeatureExtractor(nn.Module):
    """Samples ``(batch, samples)`` to frames ``(batch, channels, frames)``."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(ConvolutionLayer(config, index) for index in range(len(config.conv_dim)))

    def forward(self, samples: Tensor) -> Tensor:
        """Convolve ``(batch, samples)``."""
        sound = samples[:, None]
        for layer in self.conv_layers:
            sound = layer(sound)
        return sound


class FeatureProjection(nn.Module):
    """Frames to the width of the transformer."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=config.layer_norm_eps)
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)

    def forward(self, frames: Tensor) -> Tensor:
        """Project ``(batch, frames, channels)``."""
        normalised = self.layer_norm(frames.to(self.layer_norm.weight.dtype))
        return self.projection(normalised.to(self.projection.weight.dtype))


class PositionalConvolution(nn.Module):
    """What tells positions apart: a long grouped convolution over time, its weight norm folded into the weight."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        kernel = config.num_conv_pos_embeddings
        self.conv = nn.Conv1d(
            config.hidden_size,
            config.hidden_size,
            kernel,
            padding=kernel // 2,
            groups=config.num_conv_pos_embedding_groups,
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Return what to add to ``(batch, frames, width)``."""
        mixed = self.conv(frames.transpose(1, 2).to(self.conv.weight.dtype))
        # An even kernel padded alike on both sides gives one frame too many.
        return functional.gelu(mixed[..., : frames.shape[1]]).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention over all frames of a window."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, frames: Tensor) -> Tensor:
        """Mix ``(batch, frames, width)`` over its frames."""
        frames = frames.to(self.q_proj.weight.dtype)
        query, key, value = (
            projection(frames).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """The same two linear layers for every frame."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.output_dense = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, frames: Tensor) -> Tensor:
        """Transform ``(batch, frames, width)``, each frame alone."""
        frames = frames.to(self.intermediate_dense.weight.dtype)
        return self.output_dense(functional.gelu(self.intermediate_dense(frames)))


class EncoderLayer(nn.Module):
    """One transformer layer; sums are kept in the precision of the norms."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        self.norm_first = config.do_stable_layer_norm
        self.attention = Attention(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, frames: Tensor) -> Tensor:
        """Apply to ``(batch, frames, width)``."""
        if self.norm_first:
            frames = frames + self.attention(self.layer_norm(frames))
            return frames + self.feed_forward(self.final_layer_norm(frames))
        frames = self.layer_norm(frames + self.attention(frames))
        return self.final_layer_norm(frames + self.feed_forward(frames))


class Encoder(nn.Module):
    """Positions, transformer layers, and the norm before (post-norm) or after (pre-norm) all of them."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        self.norm_last = config.do_stable_layer_norm
        self.pos_conv_embed = PositionalConvolution(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, frames: Tensor) -> Tensor:
        """Encode ``(batch, frames, width)``."""
        frames = frames.to(self.layer_norm.weight.dtype)
        frames = frames + self.pos_conv_embed(frames)
        frames = frames if self.norm_last else self.layer_norm(frames)
        for layer in self.layers:
            frames = layer(frames)
        return self.layer_norm(frames) if self.norm_last else frames


class MertEncoder(nn.Module):
    """Samples to the features of the last layer, after the last norm; for inference: nothing is masked or dropped."""

    def __init__(self, config: MertConfig) -> None:
        super().__init__()
        self.feature_extractor = FeatureExtractor(config)
        self.feature_projection = FeatureProjection(config)
        self.encoder = Encoder(config)

    def forward(self, samples: Tensor) -> Tensor:
        """Listen.

        Args:
            samples: ``(batch, N)`` at 24 kHz, all of one length: the front end normalises over time, so that padding
                would change every frame.

        Returns:
            ``(batch, (N - 400) // 320 + 1, hidden_size)``, 75 frames a second.
        """
        return self.encoder(self.feature_projection(self.feature_extractor(samples).transpose(1, 2)))

    def reduce_precision(self, precision: torch.dtype) -> None:
        """Hold linear layers and convolutions in ``precision``; the first convolution, norms and sums stay float32."""
        first = self.feature_extractor.conv_layers[0].conv
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d)) and module is not first:
                module.to(precision)
