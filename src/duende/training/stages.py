"""The three stages of training: what a step looks at, and what it minimises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.audio.feature_sets import FRAMES_IN_ROW
from duende.datasets.crops import Crop, Crops, JitteredCrops, cropped
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.vqvae import root_loss
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training.codes import encode_clips
from duende.training.genre import inferred_weights, normalised, normalised_music
from duende.training.recipe import StageConfig
from duende.training.stage import Batch, RecordedStage, Terms

IGNORED = -100


class HalvesLoss(nn.Module):
    """Reconstruction of both half-bodies: the mean of the two losses (Bailando's first stage)."""

    def __init__(self, system: ExpressiveBailando) -> None:
        super().__init__()
        self.upper, self.lower = system.upper, system.lower

    def forward(self, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss and, for each half, its terms and codebook perplexity."""
        upper, lower = self.upper(batch["upper"]), self.lower(batch["lower"])
        terms = {
            f"{half}/{name}": value
            for half, result in (("upper", upper), ("lower", lower))
            for name, value in {**result.terms, "perplexity": result.perplexity}.items()
        }
        return (upper.loss + lower.loss) / 2, terms


class PoseStage(RecordedStage):
    """First stage: the two codebooks."""

    def __init__(self, system: ExpressiveBailando, clips: Sequence[Clip], config: StageConfig) -> None:
        self.config = config
        self.clips = clips
        self.crops = _pose_crops([len(clip.upper) for clip in clips], config)
        self.network = HalvesLoss(system)

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect root-relative poses of both halves."""
        length = self.config.frames
        return {
            half: _stacked([cropped(getattr(self.clips[i], half), start, length) for i, start, *_ in crops])
            for half in ("upper", "lower")
        }


class RootLoss(nn.Module):
    """The root path from the frozen lower-body codes (Bailando's second stage)."""

    def __init__(self, system: ExpressiveBailando) -> None:
        super().__init__()
        self.root = system.root
        # Kept out of the registered modules: it is frozen, and belongs to no optimiser or checkpoint here.
        self._frozen = [system.lower]

    def forward(self, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss on root channels and on their differences."""
        lower = self._frozen[0].eval()
        with torch.no_grad():
            codes = lower.encode(batch["lower"])
        loss = root_loss(self.root(codes, lower), batch["root"])
        return loss, {"root": loss.detach()}


class RootStage(RecordedStage):
    """Second stage: the root path."""

    def __init__(self, system: ExpressiveBailando, clips: Sequence[Clip], config: StageConfig) -> None:
        self.config = config
        self.clips = clips
        self.crops = _pose_crops([len(clip.lower) for clip in clips], config)
        self.network = RootLoss(system)

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect lower-body poses and root channels."""
        length = self.config.frames
        return {
            name: _stacked([cropped(getattr(self.clips[i], name), start, length) for i, start, *_ in crops])
            for name in ("lower", "root")
        }


class CodeLoss(nn.Module):
    """Cross-entropy of the next upper and lower code (third stage).

    With a ``genre_weight`` the genre token network is finetuned along: a dance is told what it infers from the music of
    the crop, gradients pass through that, and the cross-entropy of the dance's own style counts so much.
    """

    def __init__(self, system: ExpressiveBailando, inferred: float = 0.0, genre_weight: float = 0.0) -> None:
        super().__init__()
        self.gpt, self.inferred, self.genre_weight = system.gpt, inferred, genre_weight
        self.genre = system.genre if genre_weight else None

    def forward(self, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss, and the share of codes that were the most probable ones."""
        style, genre_loss = batch.get("style"), None
        if style is not None and self.genre is not None:
            scores = self.genre(batch["music"]).float()
            genre_loss = F.cross_entropy(scores, style[:, :-1])
            inferred = F.pad((self.genre.config.sharpness * scores).softmax(dim=-1), (0, 1))
        elif style is not None:
            inferred = batch["inferred"]
        if style is not None and self.training and self.inferred:
            chosen = torch.rand(len(style), 1, device=style.device) < self.inferred
            style = torch.where(chosen, inferred, style)
        logits = self.gpt(batch["music"], batch["upper"], batch["lower"], style)
        loss = self.gpt.loss(logits, batch["next_upper"], batch["next_lower"])
        terms = {"cross_entropy": loss.detach()}
        if genre_loss is not None:
            loss = loss + self.genre_weight * genre_loss
            terms["genre"] = genre_loss.detach()
        known = (batch["next_upper"] != IGNORED).sum()
        right = {
            f"{half}/accuracy": (getattr(logits, half).argmax(-1) == batch[f"next_{half}"]).sum() / known
            for half in ("upper", "lower")
        }
        return loss, {**terms, **right}


class CodeStage(RecordedStage):
    """Third stage: the GPT over codes, which are computed once with the frozen encoders.

    Step i is given code i and the music of code i + 1, and predicts code i + 1. A dance is told its own style or, in a
    share ``inferred`` of the dances, the one that the genre token network infers from the whole of its music.
    """

    def __init__(
        self,
        system: ExpressiveBailando,
        clips: Sequence[Clip],
        config: StageConfig,
        inferred: float = 0.0,
        genre_weight: float = 0.0,
        kept: Path | None = None,
    ) -> None:
        """Collect codes and music; ``kept`` is the file that :func:`encode_clips` keeps codes in."""
        self.system, self.config = system, config
        clips = [clip for clip in clips if clip.music is not None]
        if not clips:
            raise DuendeError("the gpt stage learns from music and no clip has any; train --until root, or add music")
        self.length = config.frames // system.upper.downsampling - 1
        self.styles = system.config.styles
        self.music = [np.asarray(clip.music) for clip in clips]
        self.codes = encode_clips(system, clips, kept)
        self.told = [style_weights(self.styles, clip.style) for clip in clips]
        self.inferred = self.told
        if system.genre is not None:
            self.inferred = [inferred_weights(system, normalised_music(system, clip)) for clip in clips]
        self.crops = self._crops()
        self.network = CodeLoss(system, inferred, genre_weight)

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect codes, the codes after them (``IGNORED`` where a crop does not learn) and the music of those."""
        rows: dict[str, list[np.ndarray]] = {
            name: [] for name in ("upper", "lower", "next_upper", "next_lower", "music")
        }
        for clip, start, first, end in crops:
            codes, music = self.codes[clip], self.music[clip]
            given = cropped(codes[:-1], start, self.length)
            following = cropped(codes[1:], start, self.length).copy()
            following[: first - start] = IGNORED
            following[min(end, len(codes) - 1) - start :] = IGNORED
            for half, name in enumerate(("upper", "lower")):
                rows[name].append(given[:, half])
                rows[f"next_{name}"].append(following[:, half])
            rows["music"].append(cropped(music[1:], start, self.length))
        batch = {name: _stacked(items) for name, items in rows.items() if name != "music"}
        batch["music"] = torch.from_numpy(np.stack(rows["music"]))
        if self.styles:
            batch["style"] = torch.stack([self.told[clip] for clip, *_ in crops])
            batch["inferred"] = torch.stack([self.inferred[clip] for clip, *_ in crops])
        return batch

    def arrived(self, batch: Batch) -> Batch:
        """Bring the music to the mean and spread of training."""
        return normalised(self.system, batch)

    def _crops(self) -> Crops | JitteredCrops:
        config, ratio = self.config, self.system.upper.downsampling
        lengths = [len(codes) - 1 for codes in self.codes]
        if config.starts_within:
            latest = int(config.starts_within * self.system.config.code_rate)
            lengths = [min(length, latest + self.length) for length in lengths]
        if config.jitter:
            # The row that predicts the first code after the context is given the last code of the context.
            return JitteredCrops.over(lengths, self.length, config.context // ratio - 1, padded=True)
        return Crops.over(lengths, self.length, max(1, config.stride // ratio), padded=True)


def style_weights(styles: Sequence[str], style: str) -> Tensor:
    """Weigh one style with 1, all others with 0; the last weight, of no style told, is 1 for a style not known."""
    weights = torch.zeros(len(styles) + 1)
    weights[styles.index(style) if style in styles else len(styles)] = 1.0
    return weights


def encode_clip(system: ExpressiveBailando, clip: Clip) -> np.ndarray:
    """Return the codes ``(T / 8, 2)`` of a whole clip, upper first."""
    return system.codes_of(clip.upper, clip.lower)


def _pose_crops(lengths: Sequence[int], config: StageConfig) -> Crops | JitteredCrops:
    if config.jitter:
        # Whole codes: a dance is encoded from its first frame on.
        return JitteredCrops.over(lengths, config.frames, unit=FRAMES_IN_ROW)
    return Crops.over(lengths, config.frames, config.stride)


def _stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    stacked = np.stack(arrays)
    return torch.from_numpy(stacked.astype(np.float32 if stacked.dtype.kind == "f" else np.int64, copy=False))
