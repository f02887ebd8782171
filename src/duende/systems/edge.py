"""EDGE: a dance denoised as a whole, window by window (Tseng et al., CVPR 2023).

Anything can be held in it: one half of the body, single joints, a beginning, the two ends of a gap.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from duende.audio.feature_sets import present
from duende.audio.frames import by_frame
from duende.audio.music import MusicFeatures
from duende.errors import DuendeError
from duende.models.denoiser import Denoiser
from duende.models.denoising import Held, denoise
from duende.models.diffusion import Scaling
from duende.models.sampling import DiffusionSampling, Progress
from duende.motion import Motion
from duende.motion.holding import HeldMotion
from duende.motion.joining import eased, facing, moved
from duende.systems.edge_configuration import EDGEConfig
from duende.systems.face import AnySampling
from duende.systems.finishing import finished
from duende.systems.listener import MusicListener

ORIGIN = np.zeros(3)


class EDGE(MusicListener):
    """Music features in, a :class:`Motion` at 30 frames a second out."""

    stages: ClassVar[tuple[str, ...]] = ("diffusion",)

    def __init__(self, config: EDGEConfig) -> None:
        super().__init__(config.feature_set, present(config.feature_set).dimension, config.unheard)
        self.config = config
        self.denoiser = Denoiser(config.denoiser)
        width = config.denoiser.channels
        self.scaling = Scaling(-torch.ones(width), torch.ones(width))

    def parts(self) -> dict[str, nn.Module]:
        """Its networks by what they do."""
        return {"noise to dance": self.denoiser}

    def heard_frames(self, rows: Tensor) -> np.ndarray:
        """Turn features ``(T, D)`` into what the network hears, ``(4 T, D')`` at 30 frames a second."""
        return by_frame(self.normalise(rows).cpu().numpy(), present(self.config.feature_set))

    def dance(
        self,
        features: MusicFeatures,
        *,
        seed: int = 0,
        sampling: AnySampling | None = None,
        style: str | None = None,
        held: HeldMotion | None = None,
        on_beat: bool = True,
        clean_up: bool = True,
        progress: Progress | None = None,
    ) -> Motion:
        """Dance to a song, as :class:`duende.systems.face.System` says.

        What is held stays where it is to rounding. Held joints whose root is held too are where the given dance has
        them in the world.

        Raises:
            DuendeError: the features are of another set, a style is asked for, or diffusers is missing.
        """
        if style is not None:
            raise DuendeError(f"unknown style {style!r}; edge knows no styles and follows the music: leave it out")
        sampling = sampling or self.config.sampling
        if not isinstance(sampling, DiffusionSampling):
            raise DuendeError(f"edge draws dances out of noise and knows no {type(sampling).__name__}")
        music = torch.from_numpy(self.heard_frames(self.music(features)[0]))
        if held is not None:
            held = held.at_rate(self.config.frame_rate).fitted(len(music))
            return self._with_held(music, held, sampling, seed, progress)
        motion = self.config.channels.decode(self._denoised(music, None, sampling, seed, progress))
        start = motion.root[0] * [1.0, 0.0, 1.0]
        motion = moved(motion, 0.0, start, ORIGIN)
        return finished(motion, features.beats.times if on_beat else np.zeros(0), clean_up)

    def _with_held(
        self, music: Tensor, held: HeldMotion, sampling: DiffusionSampling, seed: int, progress: Progress | None
    ) -> Motion:
        """Hold a dance where those of the training stood, at the origin facing +Z, and bring all back to its place."""
        rooted = np.flatnonzero(held.joints[:, 0])
        if not len(rooted):
            dance = self.config.channels.decode(self._denoised(music, held, sampling, seed, progress))
            return eased(held.put_into(dance), held.joints)
        first = int(rooted[0])
        turn, place = facing(held.motion, first), held.motion.root[first] * [1.0, 0.0, 1.0]
        central = HeldMotion(moved(held.motion, -turn, place, ORIGIN), held.joints)
        dance = self.config.channels.decode(self._denoised(music, central, sampling, seed, progress))
        return eased(held.put_into(moved(dance, turn, ORIGIN, place)), held.joints)

    @torch.inference_mode()
    def _denoised(
        self,
        music: Tensor,
        held: HeldMotion | None,
        sampling: DiffusionSampling,
        seed: int,
        progress: Progress | None,
    ) -> np.ndarray:
        """Return channels ``(T, C)``, unscaled, for music ``(T, D')``."""
        self.eval()
        given = None
        if held is not None:
            channels = self.config.channels
            values = self.scaling.scale(torch.from_numpy(channels.encode(held.motion)).to(self.device))
            mask = torch.from_numpy(channels.held(held.joints)).to(self.device)
            given = Held(self._windows(values), self._windows(mask, repeated=False))
        windows = denoise(
            self.denoiser,
            self._windows(music.to(self.device)),
            overlap=self.config.overlap,
            noise_steps=self.config.diffusion.noise_steps,
            sampling=sampling,
            held=given,
            generator=torch.Generator().manual_seed(seed),
            progress=progress,
        )
        # Windows agree where they overlap: each gives what the one before has not.
        whole = torch.cat([windows[0], *windows[1:, self.config.overlap :]])[: len(music)]
        return self.scaling.unscale(whole).cpu().numpy()

    def _windows(self, frames: Tensor, repeated: bool = True) -> Tensor:
        """Cut ``(T, ...)`` into overlapping windows ``(K, frames, ...)``; past the end is the last frame, or zeros."""
        length, step = self.config.denoiser.frames, self.config.denoiser.frames - self.config.overlap
        count = 1 + max(0, -(-(len(frames) - length) // step))
        missing = length + step * (count - 1) - len(frames)
        last = frames[-1:] if repeated else torch.zeros_like(frames[-1:])
        padded = torch.cat([frames, last.expand(missing, *frames.shape[1:])])
        return torch.stack([padded[number * step : number * step + length] for number in range(count)])
