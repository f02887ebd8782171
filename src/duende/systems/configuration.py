"""What a system is made of, as data that travels beside its weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from duende.errors import DuendeError
from duende.models.genre import GenreTokenConfig
from duende.models.gpt import GPTConfig
from duende.models.sampling import Sampling
from duende.models.vqvae import VQVAEConfig
from duende.motion.representation import PoseRepresentation

CODE_SYSTEMS = ("expressive_bailando", "bailando", "gtn_bailando")
"""Systems of pose codes, which are one class with other values: frequency modules, genre tokens, what they hear."""


@dataclass(frozen=True)
class SystemConfig:
    """Everything needed to rebuild a system of pose codes around its weights.

    Attributes:
        system: which of :data:`CODE_SYSTEMS` it is.
        feature_set: identity (``name@version``) of the music features that it listens to.
        representation: how poses become channels, see :class:`PoseRepresentation`.
        frame_rate: frames per second that the decoder makes.
        upper: network of the upper half-body.
        lower: network of the lower half-body; the root decoder has the same shape.
        gpt: network that turns music into codes.
        genre: network that infers the style from the music where none is asked for; None for a system without.
        styles: names of the styles that the network was told of, in the order of their ids.
        unheard: families of the feature set's columns that the network does not hear, for ablations.
        smoothing: seconds over which decoded channels are averaged (the deviation of a Gaussian), against the
            trembling that quantisation leaves; 0 for none, as in the paper.
        pace: m/s, mean joint speed of the dances that it was trained on.
        sampling: how codes are drawn where the caller does not say.
        starts: for each style (and ``""`` for any) pairs of codes that real dances began with.
    """

    system: str
    feature_set: str
    representation: str
    frame_rate: float
    upper: VQVAEConfig
    lower: VQVAEConfig
    gpt: GPTConfig
    genre: GenreTokenConfig | None = None
    styles: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    smoothing: float = 0.0
    pace: float = 0.5
    sampling: Sampling = field(default_factory=Sampling)
    starts: dict[str, list[list[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.system not in CODE_SYSTEMS:
            raise DuendeError(f"no system of pose codes is called {self.system!r}; they are {', '.join(CODE_SYSTEMS)}")
        if self.system != "expressive_bailando" and (self.upper.frequency or self.lower.frequency):
            raise DuendeError(f"{self.system} has no frequency modules; set frequency: false, or change the system")
        if (self.system == "gtn_bailando") and self.genre is None:
            raise DuendeError("gtn_bailando needs a genre token network; give it genre, or change the system")
        poses = self.poses
        if (self.upper.channels, self.lower.channels) != (poses.upper_channels, poses.lower_channels):
            raise DuendeError(
                f"representation {self.representation!r} has {poses.upper_channels} upper and "
                f"{poses.lower_channels} lower channels, the networks {self.upper.channels} and {self.lower.channels}"
            )
        if self.gpt.styles != len(self.styles):
            raise DuendeError(
                f"the network knows {self.gpt.styles} styles but {len(self.styles)} are named; give as many names"
            )
        if self.genre is not None and self.genre.styles != len(self.styles):
            raise DuendeError(
                f"the genre token network infers {self.genre.styles} styles but {len(self.styles)} are named; "
                "give as many names"
            )

    @property
    def poses(self) -> PoseRepresentation:
        """How poses become channels."""
        return PoseRepresentation(self.representation)  # type: ignore[arg-type]

    @property
    def code_rate(self) -> float:
        """Codes per second."""
        return self.frame_rate / 2**self.upper.stages

    def with_habits(self, starts: dict[str, list[list[int]]], pace: float) -> SystemConfig:
        """Return the same system with the start codes and the pace of the dances that it has learnt from."""
        return replace(self, starts=starts, pace=pace)
