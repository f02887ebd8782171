"""Bailando's networks as functions of a state dict with its own names: what converted weights are held against.

Written from a description of the layers alone; nothing of duende is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    """Sizes of all networks; the defaults are small, see :data:`PUBLISHED`."""

    width: int = 16
    codes: int = 32
    stages: int = 3
    depth: int = 3
    tokens: int = 24
    heads: int = 3
    base: int = 2
    head: int = 1
    critic: int = 1
    window: int = 29
    music: int = 438


PUBLISHED = Sizes(width=512, codes=512, tokens=768, heads=12, base=6, head=6, critic=3)


class Builder:
    """Makes state dicts with random weights, or with weights on the device ``meta``, which have only shapes."""

    def __init__(self, sizes: Sizes, seed: int = 0, device: str = "cpu") -> None:
        self.sizes, self.device = sizes, device
        self.generator = torch.Generator().manual_seed(seed)
        self.state: State = {}

    def tensor(self, name: str, *shape: int, scale: float) -> None:
        if self.device == "meta":
            self.state[name] = torch.empty(shape, device="meta")
        else:
            self.state[name] = scale * torch.randn(shape, generator=self.generator)

    def layer(self, name: str, *shape: int, gain: float = 1.0, outputs: int | None = None) -> None:
        self.tensor(f"{name}.weight", *shape, scale=gain / math.sqrt(math.prod(shape[1:])))
        self.tensor(f"{name}.bias", outputs or shape[0], scale=0.3)

    def residual(self, name: str) -> None:
        width = self.sizes.width
        for block in range(self.sizes.depth):
            self.layer(f"{name}.model.{block}.model.1", width, width, 3)
            self.layer(f"{name}.model.{block}.model.3", width, width, 1, gain=0.5)

    def encoder(self, name: str, channels: int) -> None:
        width, model = self.sizes.width, f"{name}.level_blocks.0.model"
        for stage in range(self.sizes.stages):
            self.layer(f"{model}.{stage}.0", width, width if stage else channels, 4)
            self.residual(f"{model}.{stage}.1")
        self.layer(f"{model}.{self.sizes.stages}", width, width, 3)

    def decoder(self, name: str, channels: int) -> None:
        width, model = self.sizes.width, f"{name}.level_blocks.0.model"
        self.layer(f"{model}.0", width, width, 3)
        for stage in range(1, self.sizes.stages + 1):
            self.residual(f"{model}.{stage}.0")
            self.layer(f"{model}.{stage}.1", width, width, 4)
        self.layer(f"{name}.out", channels, width, 3)

    def half(self, name: str, channels: int) -> None:
        self.encoder(f"{name}.encoders.0", channels)
        self.tensor(f"{name}.bottleneck.level_blocks.0.k", self.sizes.codes, self.sizes.width, scale=1.5)
        self.decoder(f"{name}.decoders.0", channels)

    def blocks(self, name: str, number: int) -> None:
        width, positions = self.sizes.tokens, self.sizes.window
        for block in (f"{name}.blocks.{i}" for i in range(number)):
            for norm in ("ln1", "ln2"):
                self.tensor(f"{block}.{norm}.weight", width, scale=1.0)
                self.tensor(f"{block}.{norm}.bias", width, scale=0.3)
            for part in ("key", "query", "value", "proj"):
                self.layer(f"{block}.attn.{part}", width, width, gain=1.5)
            if self.device != "meta":
                self.state[f"{block}.attn.mask"] = torch.tril(torch.ones(positions, positions))[None, None]
            self.layer(f"{block}.mlp.0", 4 * width, width)
            self.layer(f"{block}.mlp.2", width, 4 * width)

    def head(self, name: str, number: int, outputs: int) -> None:
        self.blocks(name, number)
        self.tensor(f"{name}.ln_f.weight", self.sizes.tokens, scale=1.0)
        self.tensor(f"{name}.ln_f.bias", self.sizes.tokens, scale=0.3)
        for half in ("up", "down"):
            self.tensor(f"{name}.head_{half}.weight", outputs, self.sizes.tokens, scale=1.0)


def codebook_state(sizes: Sizes, seed: int = 0, device: str = "cpu", root: bool = True) -> State:
    """Both halves, and the root decoder unless it is not wanted (sep_vqvae, sep_vqvae_root)."""
    builder = Builder(sizes, seed, device)
    builder.half("vqvae_up", 45)
    builder.half("vqvae_down", 27)
    if root:
        builder.decoder("vqvae_down.decoders_root.0", 3)
    return builder.state


def gpt_state(sizes: Sizes, seed: int = 1, device: str = "cpu", critic: bool = False) -> State:
    """The GPT (cc_motion_gpt), with a critic if wanted (actor_critic)."""
    builder = Builder(sizes, seed, device)
    for half in ("up", "down"):
        builder.tensor(f"gpt_base.tok_emb_{half}.weight", sizes.codes, sizes.tokens, scale=1.0)
    builder.tensor("gpt_base.pos_emb", 1, 3 * sizes.window, sizes.tokens, scale=0.5)
    builder.layer("gpt_base.cond_emb", sizes.tokens, sizes.music, gain=2.0)
    builder.blocks("gpt_base", sizes.base)
    builder.head("gpt_head", sizes.head, sizes.codes)
    if critic:
        builder.head("critic_net", sizes.critic, 1)
    return builder.state


def count(state: State, *prefixes: str) -> int:
    """Count parameters under the prefixes; codebooks and masks are none."""
    return sum(
        value.numel()
        for name, value in state.items()
        if name.startswith(prefixes) and not name.endswith((".k", ".attn.mask"))
    )


def _conv(state: State, name: str, x: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
    return F.conv1d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, padding, dilation)


def _residual(state: State, name: str, x: Tensor, dilations: list[int]) -> Tensor:
    for block, dilation in enumerate(dilations):
        inner = _conv(state, f"{name}.model.{block}.model.1", F.relu(x), padding=dilation, dilation=dilation)
        x = x + _conv(state, f"{name}.model.{block}.model.3", F.relu(inner))
    return x


def encode(state: State, half: str, poses: Tensor, sizes: Sizes) -> Tensor:
    """Poses ``(T, C)`` to codes ``(T / 8,)``."""
    model = f"{half}.encoders.0.level_blocks.0.model"
    x = poses.T[None]
    for stage in range(sizes.stages):
        x = _conv(state, f"{model}.{stage}.0", x, stride=2, padding=1)
        x = _residual(state, f"{model}.{stage}.1", x, [3**i for i in range(sizes.depth)])
    x = _conv(state, f"{model}.{sizes.stages}", x, padding=1)
    features, vectors = x[0].T, state[f"{half}.bottleneck.level_blocks.0.k"]
    return (features[:, None] - vectors[None]).square().sum(dim=-1).argmin(dim=-1)


def decode(state: State, half: str, codes: Tensor, sizes: Sizes, decoder: str = "decoders.0") -> Tensor:
    """Codes ``(N,)`` to channels ``(8 N, C)`` by one of the half's decoders."""
    name = f"{half}.{decoder}"
    x = state[f"{half}.bottleneck.level_blocks.0.k"][codes].T[None]
    x = _conv(state, f"{name}.level_blocks.0.model.0", x, padding=1)
    for stage in range(1, sizes.stages + 1):
        block = f"{name}.level_blocks.0.model.{stage}"
        x = _residual(state, f"{block}.0", x, [3**i for i in reversed(range(sizes.depth))])
        x = F.conv_transpose1d(x, state[f"{block}.1.weight"], state[f"{block}.1.bias"], stride=2, padding=1)
    return _conv(state, f"{name}.out", x, padding=1)[0].T


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def _block(state: State, name: str, x: Tensor, heads: int, steps: int) -> Tensor:
    length, width = x.shape
    normed = _norm(state, f"{name}.ln1", x)
    query, key, value = (
        _linear(state, f"{name}.attn.{part}", normed).reshape(length, heads, width // heads).transpose(0, 1)
        for part in ("query", "key", "value")
    )
    seen = torch.tril(torch.ones(steps, steps)).repeat(3, 3).bool()
    scores = (query @ key.transpose(1, 2) / math.sqrt(width // heads)).masked_fill(~seen, -torch.inf)
    mixed = (scores.softmax(dim=-1) @ value).transpose(0, 1).reshape(length, width)
    x = x + _linear(state, f"{name}.attn.proj", mixed)
    hidden = F.gelu(_linear(state, f"{name}.mlp.0", _norm(state, f"{name}.ln2", x)))
    return x + _linear(state, f"{name}.mlp.2", hidden)


def logits(state: State, music: Tensor, upper: Tensor, lower: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Scores ``(T, codes)`` of both next codes from music ``(T, D)`` and codes ``(T,)``."""
    steps = len(music)
    streams = [
        _linear(state, "gpt_base.cond_emb", music),
        state["gpt_base.tok_emb_up.weight"][upper],
        state["gpt_base.tok_emb_down.weight"][lower],
    ]
    places = state["gpt_base.pos_emb"][0]
    x = torch.cat(
        [stream + places[i * sizes.window : i * sizes.window + steps] for i, stream in enumerate(streams)],
    )
    for part, number in (("gpt_base", sizes.base), ("gpt_head", sizes.head)):
        for block in range(number):
            x = _block(state, f"{part}.blocks.{block}", x, sizes.heads, steps)
    x = _norm(state, "gpt_head.ln_f", x)
    upper_scores = x[steps : 2 * steps] @ state["gpt_head.head_up.weight"].T
    return upper_scores, x[2 * steps :] @ state["gpt_head.head_down.weight"].T


def greedy(state: State, music: Tensor, start: tuple[int, int], sizes: Sizes, context: int = 28) -> Tensor:
    """Dance codes ``(N, 2)`` to the features ``(N, D)`` of a song: the most probable pair, one after the other.

    When the window of 29 codes is full, only the last 28 (``context``) are looked back on.
    """
    heard = music[1:]
    codes = [start]
    for step in range(len(heard)):
        first = 0 if len(codes) < sizes.window else len(codes) - context
        past = torch.tensor(codes[first:])
        upper, lower = logits(state, heard[first : step + 1], past[:, 0], past[:, 1], sizes)
        codes.append((int(upper[-1].argmax()), int(lower[-1].argmax())))
    return torch.tensor(codes)
