"""What EDGE is made of, as data that travels beside its weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from duende.audio.feature_sets import present
from duende.audio.frames import frame_dimension
from duende.errors import DuendeError
from duende.models.denoiser import DenoiserConfig
from duende.models.diffusion import DiffusionConfig
from duende.models.sampling import DiffusionSampling
from duende.motion.rotation_channels import RotationChannels


@dataclass(frozen=True)
class EDGEConfig:
    """Everything needed to rebuild EDGE around its weights.

    Attributes:
        feature_set: identity (``name@version``) of the music features that it listens to; its authors' are Jukebox's.
        denoiser: the network.
        diffusion: how it was trained.
        overlap: frames by which the windows of a long dance overlap; at most half of one.
        unheard: families of the feature set's columns that the network does not hear.
        pace: m/s, mean joint speed of the dances that it was trained on.
        sampling: how a dance is drawn where the caller does not say.
        up: which axis points up in its channels; that of the published weights is ``"z"``.
        system: ``"edge"``.
        frame_rate: of its dances.
        styles: none: it knows no styles.
    """

    feature_set: str
    denoiser: DenoiserConfig
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    overlap: int = 75
    unheard: tuple[str, ...] = ()
    pace: float = 0.5
    sampling: DiffusionSampling = field(default_factory=DiffusionSampling)
    up: Literal["y", "z"] = "y"
    system: str = "edge"
    frame_rate: float = 30.0
    styles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.system != "edge" or self.styles:
            raise DuendeError(f"this is the config of edge, which knows no styles, got {self.system!r}, {self.styles}")
        wanted = (self.channels.width, frame_dimension(present(self.feature_set)))
        if (self.denoiser.channels, self.denoiser.music_dimension) != wanted:
            raise DuendeError(
                f"dances have {wanted[0]} channels and features {self.feature_set} {wanted[1]} columns a frame, "
                f"the network {self.denoiser.channels} and {self.denoiser.music_dimension}"
            )
        if not 0 < self.overlap <= self.denoiser.frames // 2:
            raise DuendeError(
                f"windows of {self.denoiser.frames} frames overlap by 1 to {self.denoiser.frames // 2}, "
                f"got {self.overlap}"
            )

    @property
    def channels(self) -> RotationChannels:
        """How motions become channels."""
        return RotationChannels(fps=self.frame_rate, up=self.up)

    def with_pace(self, pace: float) -> EDGEConfig:
        """Return the same with the pace of the dances that it has learnt from."""
        return replace(self, pace=pace)
