"""Bailando's published checkpoints (lisiyao21/Bailando) as weights of ours, by the names of their tensors.

Sizes are read off the shapes. Dilations and attention heads, which no shape tells, are Bailando's published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from duende.audio.feature_sets import feature_set
from duende.errors import DuendeError
from duende.models.gpt import CrossConditionalGPT, GPTConfig
from duende.models.vqvae import FreqVQVAE, RootDecoder, VQVAEConfig
from duende.motion.representation import PoseRepresentation
from duende.systems.configuration import SystemConfig
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.published.bailando_names import (
    CODEBOOKS,
    CODES,
    DECODER,
    ENCODER,
    GPT,
    LOWER,
    ROOT,
    UPPER,
    decoder_names,
    depths,
    encoder_names,
    gpt_names,
)
from duende.systems.published.names import Names, brought, counted, layers, shape_of, shapes_of

HEADS = 12
START = (423, 12)
"""Upper and lower code that Bailando's own demonstration begins with."""
USED = 32.0
"""Running count that each code begins with where training goes on: so many steps it can do without being used."""
FEATURES, POSES = feature_set("bailando"), PoseRepresentation("global")


def bailando_weights(checkpoint: Mapping[str, Any], source: str = "this file") -> dict[str, Tensor]:
    """Take the named tensors out of a checkpoint: its entry ``model``, without the prefix of parallel training.

    Args:
        checkpoint: as :func:`read_checkpoint` gives it, or already the named tensors.
        source: names the file in messages, here and below.

    Raises:
        DuendeError: there are no named tensors.
    """
    tensors = checkpoint.get("model", checkpoint)
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise DuendeError(f"{source} holds no named weights under 'model'; use a checkpoint that Bailando published")
    return {str(name).removeprefix("module."): value for name, value in tensors.items()}


def bailando_part(checkpoint: Mapping[str, Any], source: str = "this file") -> Literal["codebooks", "gpt"]:
    """Tell which of the two checkpoints this is.

    Raises:
        DuendeError: it is neither.
    """
    names = list(bailando_weights(checkpoint, source))
    if any(name.startswith(("gpt_base.", "gpt_head.")) for name in names):
        return "gpt"
    if any(name.startswith((f"{UPPER}.", f"{LOWER}.")) for name in names):
        return "codebooks"
    found = f"begins with {names[0]}" if names else "is empty"
    raise DuendeError(
        f"{source} is neither {CODEBOOKS} nor {GPT}: it {found}; use the checkpoints that Bailando published"
    )


def bailando_codebook_weights(original: Mapping[str, Any], source: str = "this file") -> dict[str, Tensor]:
    """Rename the weights of both halves and the root decoder to ``upper.*``, ``lower.*`` and ``root.*``.

    Raises:
        DuendeError: the root decoder or a tensor is missing, has another shape, or is not known.
    """
    original = bailando_weights(original, source)
    if not any(name.startswith(ROOT) for name in original) and bailando_part(original, source) == "codebooks":
        raise DuendeError(
            f"{source} has codebooks but no root decoder ({ROOT} is missing), without which no dance moves from its "
            "place; use the checkpoint of Bailando's second step, sep_vqvae_root"
        )
    upper, lower = _halves(original, source)
    with torch.device("meta"):
        networks = nn.ModuleDict(
            {"upper": FreqVQVAE(upper), "lower": FreqVQVAE(lower), "root": RootDecoder(lower, POSES.root_channels)}
        )
    names: Names = {}
    for ours, theirs, config in (("upper", UPPER, upper), ("lower", LOWER, lower)):
        names |= layers(encoder_names(f"{theirs}.{ENCODER}", f"{ours}.encoder", config))
        names |= layers(decoder_names(f"{theirs}.{DECODER}", f"{ours}.decoder", config))
        names[f"{ours}.codebook.vectors"] = (f"{theirs}.{CODES}",)
    names |= layers(decoder_names(ROOT, "root.decoder", lower))
    weights = brought(original, names, shapes_of(networks), CODEBOOKS, source)
    for ours in ("upper.codebook", "lower.codebook"):
        vectors = weights[f"{ours}.vectors"]
        # One past update keeps training from filling the codebook anew. With a count of 1 it would still replace, at
        # once, every code that the first batch does not use.
        weights |= {
            f"{ours}.sums": vectors * USED,
            f"{ours}.counts": torch.full((len(vectors),), USED, device=vectors.device),
            f"{ours}.updates": torch.ones((), dtype=torch.long, device=vectors.device),
        }
    return weights


def bailando_gpt_weights(original: Mapping[str, Any], source: str = "this file") -> dict[str, Tensor]:
    """Rename the weights of the GPT to ``gpt.*``; masks and the critic of an actor-critic checkpoint are left out.

    Raises:
        DuendeError: a tensor is missing, has another shape, or is not known.
    """
    original = {
        name: value
        for name, value in bailando_weights(original, source).items()
        if not name.startswith("critic_net.") and not name.endswith(".attn.mask")
    }
    # Shapes are the same for any number of heads, and of all blocks.
    config = _gpt(original, 1, source)
    shapes = shapes_of(nn.ModuleDict({"gpt": CrossConditionalGPT(replace(config, layers=1))}))
    for block in range(1, config.layers):
        shapes |= {name.replace(".blocks.0.", f".blocks.{block}."): shape for name, shape in shapes.items()}
    return brought(original, gpt_names(original), shapes, GPT, source)


def bailando_config(
    codebooks: Mapping[str, Any],
    gpt: Mapping[str, Any],
    heads: int = HEADS,
    start: tuple[int, int] = START,
    sources: tuple[str, str] = ("the codebooks", "the GPT"),
) -> SystemConfig:
    """Read the sizes of the system off its weights.

    Args:
        codebooks: checkpoint of both halves and the root decoder.
        gpt: checkpoint of the GPT.
        heads: of attention.
        start: upper and lower code that dances begin with.
        sources: name the two files in messages.

    Raises:
        DuendeError: tensors that tell a size are missing, or the two do not belong together.
    """
    upper, lower = _halves(bailando_weights(codebooks, sources[0]), sources[0])
    network = _gpt(bailando_weights(gpt, sources[1]), heads, sources[1])
    if network.codes != upper.codes:
        raise DuendeError(
            f"{sources[1]} chooses among {network.codes} codes, but {sources[0]} holds {upper.codes}; "
            "give two checkpoints of one training"
        )
    if not all(0 <= code < network.codes for code in start):
        raise DuendeError(
            f"start codes run from 0 to {network.codes - 1}, got {start[0]} and {start[1]}; choose others"
        )
    return SystemConfig(
        system="bailando",
        feature_set=FEATURES.identity,
        representation=POSES.name,
        frame_rate=POSES.fps,
        upper=upper,
        lower=lower,
        gpt=network,
        starts={"": [list(start)]},
    )


def bailando_system(
    codebooks: Mapping[str, Any],
    gpt: Mapping[str, Any],
    heads: int = HEADS,
    start: tuple[int, int] = START,
    sources: tuple[str, str] = ("the codebooks", "the GPT"),
) -> ExpressiveBailando:
    """Build the system with these weights, ready to dance; the arguments are those of :func:`bailando_config`.

    Raises:
        DuendeError: a checkpoint is of something else or damaged, or the two do not belong together.
    """
    weights = bailando_codebook_weights(codebooks, sources[0]) | bailando_gpt_weights(gpt, sources[1])
    for name, value in weights.items():
        if not bool(value.isfinite().all()):
            source = sources[1] if name.startswith("gpt.") else sources[0]
            raise DuendeError(f"{source} holds numbers that are not finite (our {name}); copy or download it again")
    system = ExpressiveBailando(bailando_config(codebooks, gpt, heads, start, sources))
    # Bailando hears its features as they are.
    heard = {"music_mean": torch.zeros(FEATURES.dimension), "music_scale": torch.ones(FEATURES.dimension)}
    system.load_state_dict(weights | heard, strict=True)
    return system.eval()


def _halves(original: Mapping[str, Tensor], source: str) -> tuple[VQVAEConfig, VQVAEConfig]:
    """Read the sizes of the upper and the lower network."""
    configs = []
    for half, channels in ((UPPER, POSES.upper_channels), (LOWER, POSES.lower_channels)):
        codes, dimension = shape_of(original, f"{half}.{CODES}", 2, CODEBOOKS, source)
        depth = counted(original, f"{half}.{ENCODER}.0.1.model.")
        config = VQVAEConfig(
            channels=channels,
            width=shape_of(original, f"{half}.{ENCODER}.0.0.weight", 3, CODEBOOKS, source)[0],
            codes=codes,
            code_dimension=dimension,
            # The last module is the convolution behind the stages.
            stages=counted(original, f"{half}.{ENCODER}.") - 1,
            dilations=tuple(3**block for block in range(depth)),
            frequency=False,
        )
        configs.append(config)
    if configs[0].codes != configs[1].codes or configs[0].stages != configs[1].stages:
        raise DuendeError(
            f"{source} is not a checkpoint of {CODEBOOKS}: the halves differ in codes or stages; use the published file"
        )
    return configs[0], configs[1]


def _gpt(original: Mapping[str, Tensor], heads: int, source: str) -> GPTConfig:
    """Read the sizes of the GPT."""
    codes, width = shape_of(original, "gpt_base.tok_emb_up.weight", 2, GPT, source)
    positions = shape_of(original, "gpt_base.pos_emb", 3, GPT, source)[1]
    if heads < 1:
        raise DuendeError(f"attention has at least 1 head, got {heads}; Bailando's has {HEADS}")
    return GPTConfig(
        music_dimension=FEATURES.dimension,
        codes=codes,
        width=width,
        layers=sum(depths(original)),
        heads=heads,
        window=positions // 3,
        positions="learned",
    )
