"""EDGE's stage: dances with noise on them, and the dances."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from duende.audio.feature_sets import present
from duende.audio.frames import by_frame
from duende.datasets.crops import Crop, Crops, cropped
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.diffusion import DiffusionLoss, Scaling
from duende.motion.inverse_kinematics import fit_rotations
from duende.motion.representation import PoseRepresentation
from duende.motion.rotation_channels import RotationChannels
from duende.systems.edge import EDGE
from duende.training.genre import normalised_music
from duende.training.recipe import StageConfig
from duende.training.stage import Batch, RecordedStage, Terms

DATA_RATE = 60.0
_KNOWN: WeakKeyDictionary[Clip, dict[RotationChannels, np.ndarray]] = WeakKeyDictionary()
"""Rotations take minutes to fit, and tables train several networks on the same clips."""


class DenoisingLoss(nn.Module):
    """EDGE's loss on a batch of dances."""

    def __init__(self, system: EDGE) -> None:
        super().__init__()
        self.denoiser, self.scaling = system.denoiser, system.scaling
        channels = system.config.channels
        offsets = torch.from_numpy(channels.skeleton.offsets).float()
        parents = channels.skeleton.parents
        self.loss = DiffusionLoss(system.config.diffusion, self.scaling, offsets, parents, channels.feet)

    def forward(self, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss and its terms."""
        loss, terms = self.loss(self.denoiser, self.scaling.scale(batch["dance"]), batch["music"])
        return loss, terms


class DiffusionStage(RecordedStage):
    """The whole training of EDGE; crops are counted in the system's frames.

    Clips keep joints, not rotations: those are fitted here once.
    """

    def __init__(self, system: EDGE, clips: Sequence[Clip], config: StageConfig) -> None:
        self.config, self.system = config, system
        clips = [clip for clip in clips if clip.music is not None]
        if not clips:
            raise DuendeError("edge learns from music and no clip has any; build the data with music")
        channels = system.config.channels
        self.dances = [channels_of(clip, channels) for clip in clips]
        with torch.no_grad():
            self.music = [normalised_music(system, clip) for clip in clips]
        self.features = present(system.config.feature_set)
        ratio = DATA_RATE / channels.fps
        self.length = system.config.denoiser.frames
        if config.frames != round(self.length * ratio):
            raise DuendeError(
                f"the network sees {self.length} frames at {channels.fps:g} a second, the stage's crops are "
                f"{config.frames} at {DATA_RATE:g}; give frames: {round(self.length * ratio)}"
            )
        stride = max(1, round(config.stride / ratio))
        self.crops = Crops.over([len(dance) for dance in self.dances], self.length, stride, padded=True)
        self.network = DenoisingLoss(system)

    def take_ranges(self) -> None:
        """Take the range of each channel from the dances: for those that are trained on, not for those held out."""
        take_ranges(self.system.scaling, self.dances)

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect dances ``(B, T, C)`` and their music ``(B, T, D')``."""
        dances = np.stack([cropped(self.dances[clip], start, self.length) for clip, start, *_ in crops])
        music = np.stack([self._heard(self.music[clip], start) for clip, start, *_ in crops])
        return {"dance": torch.from_numpy(dances), "music": torch.from_numpy(music)}

    def _heard(self, rows: np.ndarray, start: int) -> np.ndarray:
        """Return the frames of the music from ``start`` on, made of those rows alone that they need."""
        per_row = round(8 * self.system.config.frame_rate / DATA_RATE)
        first = start // per_row
        needed = rows[first : first + -(-self.length // per_row) + 1]
        return cropped(by_frame(needed, self.features), start - first * per_row, self.length)


def channels_of(clip: Clip, channels: RotationChannels) -> np.ndarray:
    """Fit rotations to a clip's joints and return its channels ``(T, C)``; kept for as long as the clip is."""
    known = _KNOWN.setdefault(clip, {})
    if channels not in known:
        poses = PoseRepresentation("global" if clip.root.shape[1] == 3 else "heading")
        joints = poses.decode(clip.upper, clip.lower, clip.root)
        every = round(DATA_RATE / channels.fps)
        known[channels] = channels.encode(fit_rotations(joints[::every], DATA_RATE / every))
    return known[channels]


def take_ranges(scaling: Scaling, dances: Sequence[np.ndarray]) -> None:
    """Take the range of each channel from dances ``(T, C)``."""
    lows, highs = (np.stack([pick(dance, axis=0) for dance in dances]) for pick in (np.min, np.max))
    fresh = Scaling(torch.from_numpy(lows.min(axis=0)), torch.from_numpy(highs.max(axis=0)))
    scaling.load_state_dict(fresh.state_dict())
