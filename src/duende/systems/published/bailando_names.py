"""Names of the tensors in Bailando's checkpoints beside ours, and what brings the ones to the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

import torch
from torch import Tensor

from duende.errors import DuendeError
from duende.models.vqvae import VQVAEConfig

CODEBOOKS = "Bailando's codebooks (sep_vqvae_root)"
GPT = "Bailando's GPT (cc_motion_gpt or actor_critic)"
UPPER, LOWER, ROOT = "vqvae_up", "vqvae_down", "vqvae_down.decoders_root.0"
ENCODER, DECODER, CODES = "encoders.0.level_blocks.0.model", "decoders.0", "bottleneck.level_blocks.0.k"

Names = dict[str, tuple[str, ...]]
"""For each tensor of ours the one of theirs, or those that it joins one below the other."""


def encoder_names(theirs: str, ours: str, config: VQVAEConfig) -> Iterator[tuple[str, str]]:
    """Pair the layers of an encoder, theirs and ours."""
    for stage in range(config.stages):
        yield f"{theirs}.{stage}.0", f"{ours}.stages.{stage}.0"
        for block in range(len(config.dilations)):
            yield f"{theirs}.{stage}.1.model.{block}.model.1", f"{ours}.stages.{stage}.{block + 1}.first"
            yield f"{theirs}.{stage}.1.model.{block}.model.3", f"{ours}.stages.{stage}.{block + 1}.second"
    yield f"{theirs}.{config.stages}", f"{ours}.output"


def decoder_names(theirs: str, ours: str, config: VQVAEConfig) -> Iterator[tuple[str, str]]:
    """Pair the layers of a decoder, theirs and ours; in both the first residual block has the widest dilation."""
    model, depth = f"{theirs}.level_blocks.0.model", len(config.dilations)
    yield f"{model}.0", f"{ours}.input"
    for stage in range(config.stages):
        for block in range(depth):
            yield f"{model}.{stage + 1}.0.model.{block}.model.1", f"{ours}.stages.{stage}.{block}.first"
            yield f"{model}.{stage + 1}.0.model.{block}.model.3", f"{ours}.stages.{stage}.{block}.second"
        yield f"{model}.{stage + 1}.1", f"{ours}.stages.{stage}.{depth}"
    yield f"{theirs}.out", f"{ours}.output"


def gpt_names(original: Mapping[str, Tensor]) -> Names:
    """Name all tensors of the GPT, the blocks of its base before those of its head."""
    names: Names = {"gpt.table": ("gpt_base.pos_emb",)}
    for theirs, ours in (
        ("gpt_base.tok_emb_up", "upper"),
        ("gpt_base.tok_emb_down", "lower"),
        ("gpt_head.head_up", "upper_scores"),
        ("gpt_head.head_down", "lower_scores"),
    ):
        names[f"gpt.{ours}.weight"] = (f"{theirs}.weight",)
    names |= layers([("gpt_base.cond_emb", "gpt.music.0"), ("gpt_head.ln_f", "gpt.norm")])
    base, head = depths(original)
    blocks = [f"gpt_base.blocks.{i}" for i in range(base)] + [f"gpt_head.blocks.{i}" for i in range(head)]
    for number, theirs in enumerate(blocks):
        names |= _block_names(theirs, f"gpt.blocks.{number}")
    return names


def _block_names(theirs: str, ours: str) -> Names:
    names = layers(
        [
            (f"{theirs}.ln1", f"{ours}.attention_norm"),
            (f"{theirs}.attn.proj", f"{ours}.attention.output"),
            (f"{theirs}.ln2", f"{ours}.hidden_norm"),
            (f"{theirs}.mlp.0", f"{ours}.hidden.0"),
            (f"{theirs}.mlp.2", f"{ours}.hidden.2"),
        ]
    )
    for kind in ("weight", "bias"):
        parts = tuple(f"{theirs}.attn.{part}.{kind}" for part in ("query", "key", "value"))
        names[f"{ours}.attention.projection.{kind}"] = parts
    return names


def layers(pairs: Iterable[tuple[str, str]]) -> Names:
    """Name weight and bias of layers given as theirs and ours."""
    return {f"{ours}.{kind}": (f"{theirs}.{kind}",) for theirs, ours in pairs for kind in ("weight", "bias")}


def brought(
    original: Mapping[str, Tensor], names: Names, expected: Mapping[str, torch.Size], what: str, source: str
) -> dict[str, Tensor]:
    """Give tensors our names, each once and all of them, in the shapes that are ``expected`` of these.

    Raises:
        DuendeError: one is missing, has another shape, or is not known.
    """
    wanted = [part for parts in names.values() for part in parts]
    for part in wanted:
        if part not in original:
            raise not_of(source, what, f"{part} is missing")
    unknown = sorted(set(original) - set(wanted))
    if unknown:
        raise not_of(source, what, f"{unknown[0]} is not one of its weights ({len(unknown)} such tensors)")
    for name, parts in names.items():
        shape = (expected[name][0] // len(parts), *expected[name][1:])
        for part in parts:
            if original[part].shape != shape:
                raise not_of(source, what, f"{part} has shape {tuple(original[part].shape)}, expected {shape}")
    tensors = {name: [original[part].float() for part in parts] for name, parts in names.items()}
    return {name: parts[0] if len(parts) == 1 else torch.cat(parts) for name, parts in tensors.items()}


def depths(original: Mapping[str, Tensor]) -> tuple[int, int]:
    """Count the blocks of the base and of the head, which follow one another."""
    return counted(original, "gpt_base.blocks."), counted(original, "gpt_head.blocks.")


def counted(original: Iterable[str], prefix: str) -> int:
    """Count the modules numbered 0, 1, 2, ... behind ``prefix``."""
    numbers = {name.removeprefix(prefix).split(".")[0] for name in original if name.startswith(prefix)}
    return next(number for number in count() if str(number) not in numbers)


def shape_of(original: Mapping[str, Tensor], name: str, axes: int, what: str, source: str) -> torch.Size:
    """Return the shape of a tensor that tells a size.

    Raises:
        DuendeError: it is missing, or has not so many axes.
    """
    if name not in original:
        raise not_of(source, what, f"{name} is missing")
    shape = original[name].shape
    if len(shape) != axes or 0 in shape:
        raise not_of(source, what, f"{name} has shape {tuple(shape)}, {axes} axes that are not empty are expected")
    return shape


def not_of(source: str, what: str, reason: str) -> DuendeError:
    """Say why the file ``source`` is not what was expected."""
    return DuendeError(f"{source} is not a checkpoint of {what}: {reason}; use the published file")
