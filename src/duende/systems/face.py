"""The one face of all systems: music features in, a motion out."""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch

from duende.audio.music import MusicFeatures
from duende.models.sampling import DiffusionSampling, Progress, Sampling
from duende.motion import Motion
from duende.motion.holding import HeldMotion

AnySampling = Sampling | DiffusionSampling


class AnyConfig(Protocol):
    """What the config of every system tells."""

    @property
    def system(self) -> str:
        """Its name."""

    @property
    def feature_set(self) -> str:
        """Identity (``name@version``) of the music features that it listens to."""

    @property
    def frame_rate(self) -> float:
        """Frames a second of its dances."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles that can be asked for."""

    @property
    def pace(self) -> float:
        """m/s, mean joint speed of the dances that it was trained on."""

    @property
    def sampling(self) -> AnySampling:
        """How it draws a dance where the caller does not say."""


class System(Protocol):
    """A system that dances; ``stages`` names the stages of its training in their order."""

    stages: ClassVar[tuple[str, ...]]

    @property
    def config(self) -> AnyConfig:
        """What it is made of."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    def parts(self) -> dict[str, torch.nn.Module]:
        """Its networks by what they do."""

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
        """Dance to a song.

        Args:
            features: of the set that the config names.
            seed: another number gives another dance.
            sampling: how the dance is drawn; by default as the config says.
            style: one of the config's styles; by default the music decides.
            held: what of another dance is kept as it is; nothing is planted or moved onto beats then.
            on_beat: change the speed a little, here and there, so that accents land on the song's beats.
            clean_up: take trembling out and plant the feet.
            progress: called with steps done and steps in all.

        Returns:
            A motion at the config's frame rate, as long as the features.

        Raises:
            DuendeError: the features are of another set, the style is unknown, or what is held cannot be held.
        """
