"""The stage of the genre token network: which style a stretch of music is danced in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.datasets.crops import Crop, Crops, cropped
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.genre import GenreTokenNetwork
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.listener import MusicListener
from duende.training.recipe import StageConfig
from duende.training.stage import Batch, RecordedStage, Terms


def normalised_music(system: MusicListener, clip: Clip) -> np.ndarray:
    """Return the music features ``(T, D)`` of a clip as the networks hear them."""
    music = torch.from_numpy(np.asarray(clip.music, np.float32)).to(system.device)
    return np.asarray(system.normalise(music).cpu().numpy())


def normalised(system: MusicListener, batch: Batch) -> Batch:
    """Return a batch that is where the network is, with its music as the networks hear it."""
    return {**batch, "music": system.normalise(batch["music"].float())}


@torch.no_grad()
def inferred_weights(system: ExpressiveBailando, music: np.ndarray) -> Tensor:
    """Weigh the styles ``(styles + 1,)`` by the normalised music ``(T, D)`` of a piece."""
    assert system.genre is not None
    weights: Tensor = system.genre.eval().weights(torch.from_numpy(music)[None].to(system.device))
    return weights[0].cpu()


class GenreLoss(nn.Module):
    """Cross-entropy of the style; rare styles count as much as frequent ones."""

    importance: Tensor

    def __init__(self, network: GenreTokenNetwork, importance: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("importance", importance, persistent=False)

    def forward(self, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss and the share of styles that were named rightly."""
        scores = self.network(batch["music"]).float()
        loss = F.cross_entropy(scores, batch["style"], weight=self.importance)
        right = (scores.argmax(-1) == batch["style"]).float().mean()
        return loss, {"cross_entropy": loss.detach(), "accuracy": right}


class GenreStage(RecordedStage):
    """Learns from the music of the clips alone."""

    def __init__(self, system: ExpressiveBailando, clips: Sequence[Clip], config: StageConfig) -> None:
        self.system, self.config = system, config
        styles = system.config.styles
        known = [clip for clip in clips if clip.music is not None and clip.style in styles]
        if not known or system.genre is None:
            raise DuendeError("the genre stage learns styles from music and no clip has both; leave the stage out")
        self.music = [np.asarray(clip.music) for clip in known]
        self.styles = [styles.index(clip.style) for clip in known]
        ratio = system.upper.downsampling
        self.length = config.frames // ratio
        self.crops = Crops.over(
            [len(music) for music in self.music], self.length, max(1, config.stride // ratio), padded=True
        )
        crops = np.bincount(np.asarray(self.styles)[self.crops.sequences], minlength=len(styles))
        importance = np.where(crops > 0, crops.sum() / np.maximum(crops, 1) / max(1, (crops > 0).sum()), 0.0)
        self.network = GenreLoss(system.genre, torch.from_numpy(importance.astype(np.float32)))

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect stretches of music and the styles of their clips."""
        music = np.stack([cropped(self.music[clip], start, self.length) for clip, start, *_ in crops])
        return {"music": torch.from_numpy(music), "style": torch.tensor([self.styles[clip] for clip, *_ in crops])}

    def arrived(self, batch: Batch) -> Batch:
        """Bring the music to the mean and spread of training."""
        return normalised(self.system, batch)
