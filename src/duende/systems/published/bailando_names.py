"""Names of the tensors in Bailando's checkpoints beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from duende.models.vqvae import VQVAEConfig
from duende.systems.published.names import Names, counted, layers

CODEBOOKS = "Bailando's codebooks (sep_vqvae_root)"
GPT = "Bailando's GPT (cc_motion_gpt or actor_critic)"
UPPER, LOWER, ROOT = "vqvae_up", "vqvae_down", "vqvae_down.decoders_root.0"
ENCODER, DECODER, CODES = "encoders.0.level_blocks.0.model", "decoders.0", "bottleneck.level_blocks.0.k"


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


def depths(original: Mapping[str, Tensor]) -> tuple[int, int]:
    """Count the blocks of the base and of the head, which follow one another."""
    return counted(original, "gpt_base.blocks."), counted(original, "gpt_head.blocks.")
