"""The cross-conditional GPT (Bailando, section 3.3; ICASSP 2024, section 2): music in, two pose codes a step out.

Two forms in one class. ``positions="learned"`` is the paper's: a learned table over a window of 29 codes,
recomputed for every code. ``positions="rotary"`` is ours: rotary positions and one causal sliding window, the same in
training and in generation, with a rolling cache of keys and values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.errors import DuendeError
from duende.models.music import DownsamplingConfig, MusicCondition
from duende.models.streams import CrossConditionalStreams


@dataclass(frozen=True)
class GPTConfig:
    """Shape of the network; defaults are Bailando's.

    Attributes:
        music_dimension: columns of the music features.
        codes: size of each codebook.
        width: of tokens.
        layers: transformer blocks.
        heads: of attention.
        window: steps that a step sees, its own included.
        dropout: of embeddings and residuals.
        attention_dropout: of attention; above 0 it is slower on a processor.
        positions: ``"rotary"`` or ``"learned"``.
        music_layers: hidden layers between music features and tokens; 0 is Bailando's single matrix.
        styles: how many styles there are to be told of.
        style_dropout: share of dances in training whose style is withheld.
        code_dropout: share of given codes in training that are replaced by random ones.
        music_dropout: share of dances in training whose music is withheld; what guidance in sampling starts from.
        rhythm_columns: runs of columns of the music features that tell where the beat is: of each run the first and the
            one after the last.
        rhythm_only: share of dances in training that hear these columns alone, so that a dance is not known by heart
            from the sound of its piece.
        downsampled: columns that hold several frames a row, such as MERT's.
    """

    music_dimension: int = 438
    codes: int = 512
    width: int = 768
    layers: int = 12
    heads: int = 12
    window: int = 29
    dropout: float = 0.1
    attention_dropout: float = 0.1
    positions: Literal["rotary", "learned"] = "rotary"
    music_layers: int = 0
    styles: int = 0
    style_dropout: float = 0.1
    code_dropout: float = 0.0
    music_dropout: float = 0.0
    rhythm_columns: tuple[int, ...] = ()
    rhythm_only: float = 0.0
    downsampled: tuple[DownsamplingConfig, ...] = ()

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise DuendeError(f"a width of {self.width} does not divide into {self.heads} heads of even size")
        if self.positions not in ("rotary", "learned"):
            raise DuendeError(f"positions are 'rotary' or 'learned', got {self.positions!r}")
        if len(self.rhythm_columns) % 2 or (self.rhythm_only and not self.rhythm_columns):
            raise DuendeError(
                f"rhythm_columns are the first and the end of each run, got {self.rhythm_columns}; give pairs"
            )


@dataclass(frozen=True)
class Logits:
    """Scores ``(B, T, codes)`` of the next upper and lower code."""

    upper: Tensor
    lower: Tensor


class Attention(nn.Module):
    """Multi-head attention, with rotary positions where steps are given."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.projection = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def keys_and_values(self, tokens: Tensor, rotation: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Project ``(B, L, width)`` to queries, keys and values ``(B, heads, L, width / heads)``."""
        batch, length, width = tokens.shape
        split = self.projection(tokens).view(batch, length, 3, self.heads, width // self.heads)
        split = split.permute(2, 0, 3, 1, 4)
        queries, keys = split[:2] if rotation is None else rotated(split[:2], rotation)
        return queries, keys, split[2]

    def turned(self, tokens: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        """Project tokens ``(B, L, width)`` of one step to turned queries, and to keys and values.

        Args:
            tokens: all of the same step.
            turn: ``(2, 3, 1, 2, width / heads / 2)`` cosines and signed sines that queries, keys and values are
                multiplied with: those of :func:`rotated` as two products, for values ones and zeros.

        Returns:
            Queries ``(B, heads, L, width / heads)``, and keys and values ``(2, B, heads, L, width / heads)``.
        """
        batch, length, width = tokens.shape
        split = self.projection(tokens).view(batch, length, 3, self.heads, 2, width // self.heads // 2).float()
        cosine, sine = turn
        both = torch.addcmul(split * cosine, split.flip(-2), sine).to(tokens.dtype)
        both = both.flatten(-2).permute(2, 0, 3, 1, 4)
        return both[0], both[1:]

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Mix ``values`` for each query and project back to ``(B, L, width)``."""
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=dropout)
        return self.output(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.hidden_norm = nn.LayerNorm(config.width)
        self.hidden = nn.Sequential(
            nn.Linear(config.width, 4 * config.width), nn.GELU(), nn.Linear(4 * config.width, config.width)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, mask: Tensor, rotation: Tensor | None) -> Tensor:
        """Map ``(B, L, width)`` to the same shape."""
        queries, keys, values = self.attention.keys_and_values(self.attention_norm(tokens), rotation)
        return self.finish(tokens, self.attention.attend(queries, keys, values, mask))

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Add what attention gave, then the hidden layers."""
        tokens = tokens + self.dropout(attended)
        return tokens + self.dropout(self.hidden(self.hidden_norm(tokens)))


class CrossConditionalGPT(nn.Module):
    """Music, upper and lower codes in; scores of the next codes out.

    Step i is given the codes i and the music *of code i + 1* and predicts code i + 1: the caller shifts the music by
    one row, which is all the look-ahead there is (133 ms).
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.stepping: Literal["plain", "recorded", "compiled"] = "plain"
        """How steps of generation run, see :mod:`duende.models.placement`."""
        self.condition = MusicCondition(config.music_dimension, config.downsampled)
        layers: list[nn.Module] = []
        dimension = self.condition.dimension
        for _ in range(config.music_layers):
            layers += [nn.Linear(dimension, config.width), nn.GELU()]
            dimension = config.width
        self.music = nn.Sequential(*layers, nn.Linear(dimension, config.width))
        self.unheard = nn.Parameter(torch.zeros(config.width)) if config.music_dropout else None
        self.upper = nn.Embedding(config.codes, config.width)
        self.lower = nn.Embedding(config.codes, config.width)
        # One more for a style that is not told.
        self.style = nn.Embedding(config.styles + 1, config.width) if config.styles else None
        self.stream = nn.Parameter(torch.zeros(3, config.width)) if config.positions == "rotary" else None
        self.table = (
            nn.Parameter(torch.zeros(1, 3 * config.window, config.width)) if config.positions == "learned" else None
        )
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.upper_scores = nn.Linear(config.width, config.codes, bias=False)
        self.lower_scores = nn.Linear(config.width, config.codes, bias=False)
        self.apply(initialise)
        if self.stream is not None:
            nn.init.normal_(self.stream, std=0.02)

    def forward(self, music: Tensor, upper: Tensor, lower: Tensor, style: Tensor | None = None) -> Logits:
        """Score the next codes at every step.

        Args:
            music: ``(B, T, D)``, row i the music of code i + 1.
            upper: ``(B, T)`` codes.
            lower: ``(B, T)`` codes.
            style: ``(B,)`` ids, or weights ``(B, styles + 1)`` of a blend; id ``config.styles``, the last weight,
                stands for a style that is not told, as does None.

        Raises:
            DuendeError: T exceeds the window of learned positions.
        """
        length = music.shape[1]
        if self.table is not None and length > self.config.window:
            raise DuendeError(f"{length} steps do not fit learned positions for {self.config.window}; give fewer")
        if self.training and self.config.code_dropout:
            upper, lower = self._disturbed(upper), self._disturbed(lower)
        heard = self.hear(self._partly(music) if self.training else music)
        return self.scores(heard, upper, lower, self.known_style(style, music))

    def scores(self, heard: Tensor, upper: Tensor, lower: Tensor, style: Tensor | None) -> Logits:
        """Score the next codes at every step from music tokens ``(B, T, width)``, codes and known styles."""
        return self.finish_scores(self.features(heard, upper, lower, style, 0), 0)

    def features(self, heard: Tensor, upper: Tensor, lower: Tensor, style: Tensor | None, blocks: int) -> Tensor:
        """Return the tokens ``(B, 3 T, width)`` after the first ``blocks`` blocks; arguments as of :meth:`scores`."""
        tokens = self.tokens(heard, upper, lower, style, torch.arange(heard.shape[1], device=heard.device))
        return through(list(self.blocks)[:blocks], self.dropout(tokens), self.config)

    def finish_scores(self, tokens: Tensor, from_block: int) -> Logits:
        """Score the next codes from the tokens ``(B, 3 T, width)`` that go into block ``from_block``."""
        length = tokens.shape[1] // 3
        tokens = self.norm(through(list(self.blocks)[from_block:], tokens, self.config))
        return Logits(self.upper_scores(tokens[:, length : 2 * length]), self.lower_scores(tokens[:, 2 * length :]))

    @staticmethod
    def loss(logits: Logits, next_upper: Tensor, next_lower: Tensor) -> Tensor:
        """Sum of the two cross-entropies; targets of -100 do not count."""
        return F.cross_entropy(logits.upper.flatten(0, 1).float(), next_upper.flatten()) + F.cross_entropy(
            logits.lower.flatten(0, 1).float(), next_lower.flatten()
        )

    def hear(self, music: Tensor) -> Tensor:
        """Turn features ``(B, T, D)`` into tokens ``(B, T, width)``, withholding some in training."""
        heard: Tensor = self.music(self.condition(music))
        if self.unheard is not None and self.training:
            withheld = torch.rand(len(music), 1, 1, device=music.device) < self.config.music_dropout
            heard = torch.where(withheld, self.unheard.to(heard.dtype), heard)
        return heard

    def _partly(self, music: Tensor) -> Tensor:
        """Leave some dances only the columns of the rhythm; the others are set to their mean."""
        if not self.config.rhythm_only:
            return music
        bounds = self.config.rhythm_columns
        rhythm = torch.zeros(music.shape[-1], dtype=torch.bool, device=music.device)
        for first, end in zip(bounds[::2], bounds[1::2], strict=True):
            rhythm[first:end] = True
        alone = torch.rand(len(music), 1, 1, device=music.device) < self.config.rhythm_only
        return torch.where(alone & ~rhythm, 0.0, music)

    def tokens(self, heard: Tensor, upper: Tensor, lower: Tensor, style: Tensor | None, steps: Tensor) -> Tensor:
        """Lay out the three streams ``(B, 3 T, width)`` one after the other; ``steps`` ``(T,)`` are their times."""
        if self.style is not None:
            assert style is not None
            heard = heard + self.told(style, heard.dtype)[:, None]
        parts = [heard, self.upper(upper), self.lower(lower)]
        if self.stream is not None:
            parts = [part + name for part, name in zip(parts, self.stream, strict=True)]
        if self.table is not None:
            places = self.table.view(3, self.config.window, -1)[:, steps]
            parts = [part + place for part, place in zip(parts, places, strict=True)]
        return torch.cat(parts, dim=1)

    def told(self, style: Tensor, dtype: torch.dtype) -> Tensor:
        """Turn known styles, ids or weights, into tokens ``(B, width)``."""
        assert self.style is not None
        token: Tensor = style.to(dtype) @ self.style.weight if style.is_floating_point() else self.style(style)
        return token

    def known_style(self, style: Tensor | None, music: Tensor) -> Tensor | None:
        """Return styles as they were given, some withheld in training; None where the network knows no styles."""
        if self.style is None:
            return None
        untold = torch.full((len(music),), self.config.styles, device=music.device)
        if style is None:
            return untold
        if style.is_floating_point():
            untold = F.one_hot(untold, self.config.styles + 1).to(style.dtype)
        if self.training and self.config.style_dropout:
            withheld = torch.rand(len(music), device=music.device) < self.config.style_dropout
            return torch.where(withheld[:, None] if style.is_floating_point() else withheld, untold, style)
        return style

    def _disturbed(self, codes: Tensor) -> Tensor:
        random = torch.randint_like(codes, self.config.codes)
        hit = torch.rand(codes.shape, device=codes.device) < self.config.code_dropout
        return torch.where(hit, random, codes)

    def rotation(self, steps: Tensor) -> Tensor | None:
        """Rotary positions of tokens at ``steps``, see :func:`rotation`."""
        return rotation(self.config, steps)


def through(blocks: Iterable[nn.Module], tokens: Tensor, config: GPTConfig) -> Tensor:
    """Pass the tokens ``(B, 3 T, width)`` of three streams through ``blocks``, under the mask of the window."""
    blocks = list(blocks)
    if not blocks:
        return tokens
    streams = CrossConditionalStreams(config.window)
    length = tokens.shape[1] // len(streams.order)
    mask, turns = streams.mask(length, tokens.device), rotation(config, streams.steps(length, tokens.device))
    for block in blocks:
        tokens = block(tokens, mask, turns)
    return tokens


def rotation(config: GPTConfig, steps: Tensor) -> Tensor | None:
    """Cosine and sine ``(2, L, head width / 2)`` of the angles of each token's step; None for learned positions."""
    if config.positions == "learned":
        return None
    half = config.width // config.heads // 2
    angles = steps[:, None] * 10_000.0 ** (-torch.arange(half, device=steps.device) / half)
    return torch.stack([angles.cos(), angles.sin()])


def rotated(vectors: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of coordinates of ``(..., L, 2 h)`` by its angle (Su et al., RoFormer, 2021).

    Args:
        vectors: queries or keys.
        rotation: ``(2, L, h)`` cosine and sine.
    """
    first, second = vectors.float().chunk(2, dim=-1)
    cosine, sine = rotation
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1).to(vectors.dtype)


def initialise(module: nn.Module) -> None:
    """Draw weights with a deviation of 0.02 and set biases to 0, as Bailando does."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
