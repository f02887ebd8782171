"""A codebook learned by running means, whose unused codes come back to life.

After van den Oord et al., "Neural Discrete Representation Learning" (2017, appendix A.1), with the restarts of
Jukebox and Bailando; counts and sums are restarted together with the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Quantized:
    """What quantising gives.

    Attributes:
        vectors: ``(B, T, D)`` nearest codes, gradients passed straight through.
        codes: ``(B, T)`` their indices.
        commitment: mean squared distance of the inputs from their codes.
        perplexity: exponential of the entropy of code use in this batch.
        used: how many different codes this batch used.
    """

    vectors: Tensor
    codes: Tensor
    commitment: Tensor
    perplexity: Tensor
    used: Tensor


class Codebook(nn.Module):
    """``codes`` vectors of ``dimension`` values.

    Args:
        codes: how many.
        dimension: of each.
        decay: of the running means.
        restart_below: a code whose running count falls below this is replaced by an input of the batch.
        seed: with the number of updates it decides which input, so that a resumed run chooses alike.
    """

    vectors: Tensor
    sums: Tensor
    counts: Tensor
    updates: Tensor

    def __init__(
        self, codes: int, dimension: int, decay: float = 0.99, restart_below: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        self.decay, self.restart_below, self.seed = decay, restart_below, seed
        self.register_buffer("vectors", torch.randn(codes, dimension) / dimension**0.5)
        self.register_buffer("sums", self.vectors.clone())
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def forward(self, inputs: Tensor) -> Quantized:
        """Replace each of ``inputs`` ``(B, T, D)`` by its nearest code; in training also move the codes."""
        with torch.autocast(inputs.device.type, enabled=False):
            inputs = inputs.float()
            flat = inputs.reshape(-1, inputs.shape[-1])
            if self.training:
                with torch.no_grad():
                    if self.updates == 0:
                        self._fill(flat)
                    codes = self.nearest(flat)
                    vectors = self.vectors[codes]
                    self._update(flat, codes)
            else:
                codes = self.nearest(flat)
                vectors = self.vectors[codes]
            vectors = vectors.reshape(inputs.shape)
            share = torch.bincount(codes, minlength=len(self.vectors)).float() / len(codes)
            entropy = -(share * share.clamp_min(1e-12).log()).sum()
            return Quantized(
                vectors=inputs + (vectors - inputs).detach(),
                codes=codes.reshape(inputs.shape[:-1]),
                commitment=(inputs - vectors).square().mean(),
                perplexity=entropy.exp(),
                used=(share > 0).sum(),
            )

    def nearest(self, flat: Tensor) -> Tensor:
        """Return the index ``(N,)`` of the code nearest to each of ``flat`` ``(N, D)``, in squared distance.

        In single precision whatever the caller's: halves confuse neighbouring codes.
        """
        with torch.autocast(flat.device.type, enabled=False):
            distance = self.vectors.square().sum(dim=1) - 2 * flat.float() @ self.vectors.T
            return distance.argmin(dim=1)

    def lookup(self, codes: Tensor) -> Tensor:
        """Return the vectors ``(..., D)`` of ``codes`` ``(...)``."""
        return self.vectors[codes]

    def _fill(self, flat: Tensor) -> None:
        self.vectors.copy_(self._drawn(flat))
        self.sums.copy_(self.vectors)
        self.counts.fill_(1.0)

    def _update(self, flat: Tensor, codes: Tensor) -> None:
        counts = torch.zeros_like(self.counts).index_add_(0, codes, torch.ones_like(flat[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, codes, flat)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(counts)
            dist.all_reduce(sums)
        self.updates += 1
        self.counts.mul_(self.decay).add_(counts, alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        fresh = self._drawn(flat)
        dead = (self.counts < self.restart_below)[:, None]
        self.sums.copy_(torch.where(dead, fresh, self.sums))
        self.counts.copy_(torch.where(dead[:, 0], torch.ones_like(self.counts), self.counts))
        self.vectors.copy_(self.sums / self.counts[:, None])

    def _drawn(self, flat: Tensor) -> Tensor:
        """Draw as many inputs as there are codes, the same ones in every process."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + int(self.updates))
        count = len(self.vectors)
        order = torch.randperm(len(flat), generator=generator)
        order = order.repeat(-(-count // len(flat)))[:count].to(flat.device)
        drawn = flat[order].clone()
        if len(flat) < count:
            noise = torch.randn(drawn.shape, generator=generator).to(flat.device)
            drawn += noise * 0.01 / flat.shape[1] ** 0.5
        if dist.is_available() and dist.is_initialized():
            dist.broadcast(drawn, src=0)
        return drawn
