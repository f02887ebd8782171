"""What every system has: music features that it checks, and brings to the mean and spread of its training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from duende.audio.feature_sets import present
from duende.audio.music import MusicFeatures
from duende.errors import DuendeError


class MusicListener(nn.Module):
    """Hears music features of one set.

    Args:
        feature_set: identity (``name@version``).
        dimension: columns of it.
        unheard: families of columns that are set to 0.
    """

    music_mean: Tensor
    music_scale: Tensor
    heard: Tensor

    def __init__(self, feature_set: str, dimension: int, unheard: Sequence[str]) -> None:
        super().__init__()
        self._feature_set = feature_set
        self.register_buffer("music_mean", torch.zeros(dimension))
        self.register_buffer("music_scale", torch.ones(dimension))
        heard = torch.ones(dimension)
        for family in unheard:
            heard[present(feature_set).slice(family)] = 0.0
        self.register_buffer("heard", heard, persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.music_mean.device

    def normalise(self, music: Tensor) -> Tensor:
        """Bring music features ``(..., D)`` to the mean and spread of training, those unheard to 0."""
        return (music - self.music_mean) / self.music_scale * self.heard

    def music(self, features: MusicFeatures) -> Tensor:
        """Check the features and return them as ``(1, T, D)``.

        Raises:
            DuendeError: they are of another set.
        """
        if features.feature_set.identity != self._feature_set:
            raise DuendeError(
                f"this model listens to features {self._feature_set}, "
                f"got {features.feature_set.identity}; extract those"
            )
        return torch.from_numpy(np.asarray(features.values, dtype=np.float32))[None].to(self.device)
