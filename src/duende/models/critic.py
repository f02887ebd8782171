"""The critic of actor-critic finetuning: how much reward a dance is going to earn (Bailando, CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from duende.errors import DuendeError
from duende.models.gpt import Block, GPTConfig, initialise, through


@dataclass(frozen=True)
class CriticConfig:
    """Shape of the critic; width, heads, window and positions are those of the GPT. The default is Bailando's.

    Attributes:
        layers: transformer blocks.
    """

    layers: int = 3

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise DuendeError(f"a critic has 1 layer or more, got {self.layers}")


class Critic(nn.Module):
    """Tokens after the base blocks of a GPT in, the value of each step out.

    The value is the sum of two numbers, one from the upper and one from the lower token of the step. Nothing is dropped
    out, and all is in single precision: what the critic and the actor learn from are small differences of values.
    """

    def __init__(self, config: CriticConfig, gpt: GPTConfig) -> None:
        super().__init__()
        self.config, self.gpt = config, replace(gpt, dropout=0.0, attention_dropout=0.0)
        self.blocks = nn.ModuleList(Block(self.gpt) for _ in range(config.layers))
        self.norm = nn.LayerNorm(gpt.width)
        self.upper_value = nn.Linear(gpt.width, 1, bias=False)
        self.lower_value = nn.Linear(gpt.width, 1, bias=False)
        self.apply(initialise)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens ``(B, 3 T, width)`` of the three streams to values ``(B, T)``."""
        length = tokens.shape[1] // 3
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = self.norm(through(self.blocks, tokens.float(), self.gpt))
            upper, lower = tokens[:, length : 2 * length], tokens[:, 2 * length :]
            values: Tensor = self.upper_value(upper) + self.lower_value(lower)
        return values[..., 0]
