"""The genre token network: which style a song calls for, as one token for the whole song.

GTN-Bailando (Zhuang et al., ICASSP 2023, arXiv 2304.12704) infers the genre from the music so that a long dance keeps
it; its code was never released, and no more than that is public. Ours, as the name suggests, follows global style
tokens (Wang et al., 2018): a bank of learnt tokens, one for each style, read by weights from music pooled over time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.models.music import DownsamplingConfig, MusicCondition


@dataclass(frozen=True)
class GenreTokenConfig:
    """Shape of the network that infers a style.

    Attributes:
        music_dimension: columns of the music features.
        styles: how many there are.
        width: of its layers.
        dropout: of features and layers.
        sharpness: what scores are multiplied with before they become weights; below 1 a song is a blend of styles.
        downsampled: as in :class:`duende.models.gpt.GPTConfig`.
    """

    music_dimension: int
    styles: int
    width: int = 64
    dropout: float = 0.3
    sharpness: float = 1.0
    downsampled: tuple[DownsamplingConfig, ...] = ()


class GenreTokenNetwork(nn.Module):
    """Music features in, one score for each style out."""

    def __init__(self, config: GenreTokenConfig) -> None:
        super().__init__()
        self.config = config
        self.condition = MusicCondition(config.music_dimension, config.downsampled)
        self.layers = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(self.condition.dimension, config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.width),
            nn.GELU(),
        )
        self.attention = nn.Linear(config.width, 1)
        self.scores = nn.Linear(2 * config.width, config.styles)

    def forward(self, music: Tensor) -> Tensor:
        """Score the styles ``(B, styles)`` of music features ``(B, T, D)`` of any length.

        What a moment sounds like is pooled twice: weighed by attention, and by its spread over time.
        """
        sound = self.layers(self.condition(music))
        weight = self.attention(sound).softmax(dim=1)
        mean = (weight * sound).sum(dim=1)
        spread = (weight * (sound - mean[:, None]) ** 2).sum(dim=1).clamp_min(1e-6).sqrt()
        scores: Tensor = self.scores(torch.cat([mean, spread], dim=-1))
        return scores

    def weights(self, music: Tensor) -> Tensor:
        """Weigh the styles and, last, the one that is not told: ``(B, styles + 1)``, the last being 0."""
        weights = (self.config.sharpness * self(music).float()).softmax(dim=-1)
        return F.pad(weights, (0, 1))
