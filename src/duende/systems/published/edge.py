"""EDGE's published weights (github.com/Stanford-TML/EDGE, MIT licence) under our names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from duende.audio.feature_sets import feature_set
from duende.audio.frames import frame_dimension
from duende.errors import DuendeError
from duende.models.denoiser import Denoiser, DenoiserConfig
from duende.models.diffusion import Scaling
from duende.systems.edge import EDGE
from duende.systems.edge_configuration import EDGEConfig
from duende.systems.published.names import brought, counted, not_of, shape_of, shapes_of

WHAT = "EDGE"
HEADS = 8
MUSIC_LAYERS = "cond_encoder"
DANCE_LAYERS = "seqTransDecoder.stack"
WRAPPED = "module."
# Angles of the rotary positions, which follow from the width; every layer has a copy.
ANGLES = "rotary.freqs"

PARTS = {
    "input": "input_projection",
    "music": "cond_projection",
    "music_pooled.0": "non_attn_cond_projection.0",
    "music_pooled.1": "non_attn_cond_projection.1",
    "music_pooled.3": "non_attn_cond_projection.3",
    "unheard_tokens": "null_cond_embed",
    "unheard_pooled": "null_cond_hidden",
    "time.0": "time_mlp.1",
    "time_pooled": "to_time_cond.0",
    "time_tokens": "to_time_tokens.0",
    "condition_norm": "norm_cond",
    "output": "final_layer",
}
MUSIC_LAYER = {
    "attention_norm": "norm1",
    "attention": "self_attn",
    "hidden_norm": "norm2",
    "hidden.0": "linear1",
    "hidden.3": "linear2",
}
DANCE_LAYER = {
    **MUSIC_LAYER,
    "music_norm": "norm2",
    "music_attention": "multihead_attn",
    "hidden_norm": "norm3",
    "attention_modulation.layers.1": "film1.block.1",
    "music_modulation.layers.1": "film2.block.1",
    "hidden_modulation.layers.1": "film3.block.1",
}
ATTENTION = {
    "projection.weight": "in_proj_weight",
    "projection.bias": "in_proj_bias",
    "output.weight": "out_proj.weight",
    "output.bias": "out_proj.bias",
}


def edge_denoiser_config(original: Mapping[str, Tensor], source: str = "this file") -> DenoiserConfig:
    """Read the shape of the network off its weights; the number of heads, which they do not tell, is EDGE's.

    Args:
        original: state of its ``DanceDecoder``, wrapped in a ``module.`` or not.
        source: what a message calls it.

    Raises:
        DuendeError: a weight that the shape is read off is missing.
    """
    weights = _unwrapped(original)
    width, channels = shape_of(weights, "input_projection.weight", 2, WHAT, source)
    _, music_dimension = shape_of(weights, "cond_projection.weight", 2, WHAT, source)
    feedforward, _ = shape_of(weights, f"{DANCE_LAYERS}.0.linear1.weight", 2, WHAT, source)
    _, frames, _ = shape_of(weights, "null_cond_embed", 3, WHAT, source)
    return DenoiserConfig(
        channels=channels,
        music_dimension=music_dimension,
        width=width,
        layers=counted(weights, f"{DANCE_LAYERS}."),
        heads=HEADS,
        feedforward=feedforward,
        music_layers=counted(weights, f"{MUSIC_LAYERS}."),
        frames=frames,
    )


def edge_denoiser_weights(original: Mapping[str, Tensor], source: str = "this file") -> dict[str, Tensor]:
    """Give the weights of EDGE's ``DanceDecoder`` the names that :class:`duende.models.denoiser.Denoiser` has.

    Args:
        original: its state, wrapped in a ``module.`` or not.
        source: what a message calls it.

    Raises:
        DuendeError: a weight is missing, unknown or of another shape; the message names the first.
    """
    weights = _unwrapped(original)
    config = edge_denoiser_config(weights, source)
    with torch.device("meta"):
        expected = shapes_of(Denoiser(config))
    theirs = {name: weight for name, weight in weights.items() if not name.endswith(ANGLES)}
    return brought(theirs, {name: (edge_name(name),) for name in expected}, expected, WHAT, source)


def edge_scaling(original: Any, source: str = "this file") -> Scaling:
    """Read the ranges of channels off EDGE's ``Normalizer``, or off the ``MinMaxScaler`` within.

    Args:
        original: anything with these attributes.
        source: what a message calls it.

    Raises:
        DuendeError: it lacks one of them, or scales to another range than [-1, 1].
    """
    scaler = getattr(original, "scaler", original)
    ends = tuple(getattr(scaler, "feature_range", (-1, 1)))
    if ends != (-1, 1):
        raise not_of(source, WHAT, f"its channels are scaled to {ends} in place of (-1, 1)")
    factor, shift = getattr(scaler, "scale_", None), getattr(scaler, "min_", None)
    if factor is None or shift is None:
        raise not_of(source, WHAT, "its normalizer has no scale_ and min_")
    factor, shift = torch.as_tensor(factor).double(), torch.as_tensor(shift).double()
    return Scaling((-1 - shift) / factor, (1 - shift) / factor)


def edge_system(checkpoint: Mapping[str, Any], source: str = "this file") -> EDGE:
    """Build EDGE with its published weights, the running mean of them, ready to dance.

    Args:
        checkpoint: as its training writes it: ``ema_state_dict`` and ``normalizer``.
        source: what a message calls it.

    Raises:
        DuendeError: it is of something else or damaged, or hears other music features than Jukebox's.
    """
    weights = checkpoint.get("ema_state_dict")
    if not isinstance(weights, Mapping) or "normalizer" not in checkpoint:
        raise not_of(source, WHAT, "it has no ema_state_dict and normalizer")
    denoiser = edge_denoiser_config(weights, source)
    features = feature_set("jukebox")
    if denoiser.music_dimension != frame_dimension(features):
        raise DuendeError(
            f"{source} hears {denoiser.music_dimension} numbers a frame, only EDGE on Jukebox's "
            f"{frame_dimension(features)} is known here; use that checkpoint"
        )
    system = EDGE(EDGEConfig(feature_set=features.identity, denoiser=denoiser, overlap=denoiser.frames // 2, up="z"))
    system.denoiser.load_state_dict(edge_denoiser_weights(weights, source))
    system.scaling.load_state_dict(edge_scaling(checkpoint["normalizer"], source).state_dict())
    if not all(bool(value.isfinite().all()) for value in system.state_dict().values()):
        raise DuendeError(f"{source} holds numbers that are not finite; copy or download it again")
    return system.eval()


def edge_name(name: str) -> str:
    """Return what EDGE calls a weight of our :class:`Denoiser`."""
    kind, _, rest = name.partition(".")
    if kind not in ("layers", "music_layers"):
        part = next(part for part in PARTS if name == part or name.startswith(part + "."))
        return PARTS[part] + name.removeprefix(part)
    stack, table = (DANCE_LAYERS, DANCE_LAYER) if kind == "layers" else (MUSIC_LAYERS, MUSIC_LAYER)
    number, _, inner = rest.partition(".")
    part = next(part for part in table if inner.startswith(part + "."))
    end = inner.removeprefix(part + ".")
    return f"{stack}.{number}.{table[part]}.{ATTENTION.get(end, end)}"


def _unwrapped(original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(WRAPPED): weight for name, weight in original.items()}
