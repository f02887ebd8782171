"""The shape of MERT's network, as the published ``config.json`` files state it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from duende.configuration import from_mapping
from duende.errors import DuendeError

STRIDE = 320
"""Samples from one frame to the next."""
RECEPTIVE_FIELD = 400
"""Samples that the front end sees for one frame."""

_EXPECTED = {
    "feature_extractor_cqt": (False, None),
    "deepnorm": (False, None),
    "feat_extract_norm": ("group", None),
    "feat_proj_layer_norm": (True, None),
    "feat_extract_activation": ("gelu", None),
    "hidden_act": ("gelu", None),
    "conv_pos_batch_norm": (False, None),
    "adapter_attn_dim": (None,),
}
"""Settings that would make another network, with the values that are this one; absent means the same."""


@dataclass(frozen=True)
class MertConfig:
    """Shape of the network; fields and defaults are those of the published ``config.json``.

    Attributes:
        hidden_size: width of the features.
        num_hidden_layers: transformer layers.
        num_attention_heads: heads of each.
        intermediate_size: width inside the feed-forward parts.
        conv_dim: channels of the convolutions that turn samples into frames.
        conv_kernel: their lengths.
        conv_stride: their steps.
        conv_bias: whether they add a bias.
        num_conv_pos_embeddings: length, in frames, of the convolution that tells positions apart.
        num_conv_pos_embedding_groups: groups of its channels.
        do_stable_layer_norm: normalise before each part and once at the end (the 330M) instead of after each part
            (the 95M).
        layer_norm_eps: added to variances.
    """

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    conv_dim: tuple[int, ...] = (512, 512, 512, 512, 512, 512, 512)
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    do_stable_layer_norm: bool = False
    layer_norm_eps: float = 1e-5

    @classmethod
    def from_hub(cls, values: dict[str, Any], source: str) -> MertConfig:
        """Read what matters here from a published ``config.json``; ``source`` names the file in messages.

        Raises:
            DuendeError: it describes a network that is not MERT's, or a value has the wrong type or makes no sense.
        """
        for name, allowed in _EXPECTED.items():
            if name in values and values[name] not in allowed:
                raise DuendeError(
                    f"{source}: {name} is {values[name]!r}, but only {allowed[0]!r} is built here; use MERT-v1-330M or "
                    "MERT-v1-95M"
                )
        known = {field.name for field in fields(cls)}
        config = from_mapping(cls, {name: value for name, value in values.items() if name in known}, source)
        config.check(source)
        return config

    def check(self, source: str) -> None:
        """Raise :class:`DuendeError` where sizes do not fit each other or frames would not come 75 a second."""
        sizes = (self.hidden_size, self.num_hidden_layers, self.num_attention_heads, self.intermediate_size)
        groups = self.num_conv_pos_embedding_groups
        counts = (*sizes, groups, self.num_conv_pos_embeddings, *self.conv_dim, *self.conv_kernel, *self.conv_stride)
        if min(counts) < 1 or self.hidden_size % self.num_attention_heads or self.hidden_size % groups:
            raise DuendeError(
                f"{source}: sizes must be positive and hidden_size a multiple of num_attention_heads and of "
                "num_conv_pos_embedding_groups; copy the file again"
            )
        reach = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=False):
            reach = (reach - 1) * stride + kernel
        same = len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride)
        if not same or (math.prod(self.conv_stride), reach) != (STRIDE, RECEPTIVE_FIELD):
            raise DuendeError(
                f"{source}: convolutions that step {STRIDE} samples and see {RECEPTIVE_FIELD} are expected, got "
                f"kernels {list(self.conv_kernel)} and strides {list(self.conv_stride)}; use MERT-v1-330M"
            )
