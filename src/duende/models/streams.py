"""The order and mask of music, upper-body and lower-body tokens, as one object."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CrossConditionalStreams:
    """Three streams one after the other, each position seeing the past of all three (Bailando, section 3.3).

    Attributes:
        window: how many steps back a position sees, its own included; None for all.
    """

    window: int | None = None
    order: tuple[str, ...] = ("music", "upper", "lower")

    def steps(self, length: int, device: torch.device | None = None) -> Tensor:
        """Return the time step of each of ``3 * length`` tokens."""
        return torch.arange(length, device=device).repeat(len(self.order))

    def mask(self, length: int, device: torch.device | None = None) -> Tensor:
        """Return ``(3 length, 3 length)``: whether the row's token sees the column's."""
        steps = self.steps(length, device)
        age = steps[:, None] - steps[None, :]
        seen = age >= 0
        return seen if self.window is None else seen & (age < self.window)

    def describe(self, length: int = 4) -> str:
        """Draw the mask: a row for each token, ``x`` where it sees the column's token."""
        names = [f"{name[0]}{step}" for name in self.order for step in range(length)]
        lines = ["    " + " ".join(names)]
        for name, row in zip(names, self.mask(length).tolist(), strict=True):
            lines.append(f"{name}  " + "  ".join("x" if seen else "." for seen in row))
        return "\n".join(lines)
