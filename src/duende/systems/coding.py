"""What choosing among candidates and holding a dance need to know of a system of pose codes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

from duende.motion import Motion
from duende.systems.configuration import SystemConfig


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
