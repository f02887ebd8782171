"""What choosing among candidates, holding a dance and dancing live need to know of a system of pose codes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from duende.models.gpt import CrossConditionalGPT
from duende.models.vqvae import FreqVQVAE, RootDecoder
from duende.motion import Motion
from duende.systems.configuration import SystemConfig

HELD = 2
"""Codes for which the first and the last are held outside a dance."""


class CodingSystem(Protocol):
    """Turns dances into pose codes and back."""

    @property
    def config(self) -> SystemConfig:
        """What it is made of."""

    def codes_of(self, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Return the codes ``(T / 8, 2)`` of the channels ``(T, C)`` of a whole dance, upper first."""

    def perform(self, codes: np.ndarray, known: dict[str, np.ndarray] | None = None) -> Motion:
        """Decode codes ``(T, 2)``, taking ``known`` channels in place of decoded ones."""

    def poses(self, codes: Tensor) -> list[np.ndarray]:
        """Decode codes ``(B, T, 2)`` to joints ``(8 T, 24, 3)`` in metres."""


class StreamingSystem(CodingSystem, Protocol):
    """Its networks, for a dance that is made piece by piece."""

    upper: FreqVQVAE
    lower: FreqVQVAE
    root: RootDecoder
    gpt: CrossConditionalGPT

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    def normalise(self, music: Tensor) -> Tensor:
        """Bring music features ``(..., D)`` to the mean and spread of training."""

    def embodied(self, channels: dict[str, np.ndarray]) -> Motion:
        """Turn channels ``upper``, ``lower`` and ``root`` ``(T, C)`` into a motion that begins over the origin."""
