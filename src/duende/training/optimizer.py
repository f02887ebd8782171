"""What turns gradients into weights: the optimiser, its rate, and a running mean of what it finds."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from duende.errors import DuendeError
from duende.training.recipe import StageConfig

FUSED = ("cuda",)
"""Devices where all weights are updated in one go. On a processor that gains 2 % of a step, and rounds otherwise."""


def new_optimizer(parameters: list[nn.Parameter], config: StageConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a stage for ``parameters`` that are where they will be trained.

    Raises:
        DuendeError: it needs a package that is missing.
    """
    if config.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters,
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=all(parameter.device.type in FUSED for parameter in parameters),
        )
    try:
        from adan_pytorch import Adan
    except ModuleNotFoundError:
        raise DuendeError("Adan needs adan-pytorch; install it with: pip install 'duende[edge]'") from None
    return Adan(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def set_rate(optimizer: torch.optim.Optimizer, config: StageConfig, step: int, steps: int) -> None:
    """Set the learning rate of a step."""
    done = step / steps
    if config.schedule == "cosine":
        factor = 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2
    else:
        factor = 0.1 ** sum(done >= milestone for milestone in config.milestones)
    if config.warmup:
        factor *= min(1.0, (step + 1) / config.warmup)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * factor


class RunningAverage:
    """A running mean of the trained weights, which often dances better than the last step's.

    Attributes:
        values: by the names of the weights; none where ``decay`` is 0.
        steps: that it is a mean of.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {n: p.detach().clone() for n, p in network.named_parameters()} if decay else {}
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the present weights, faster while there have been few steps."""
        if not self.decay:
            return
        self.steps += 1
        parameters = dict(network.named_parameters())
        self.values = {name: value.to(parameters[name].device) for name, value in self.values.items()}
        average = get_ema_multi_avg_fn(min(self.decay, self.steps / (self.steps + 10)))
        average(list(self.values.values()), [parameters[name] for name in self.values], self.steps)

    def put_in_place(self, network: nn.Module) -> None:
        """Give the network these weights."""
        for name, parameter in network.named_parameters():
            if name in self.values:
                parameter.data.copy_(self.values[name])
