"""A recipe: everything an experiment is made of, in one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from duende.audio.feature_sets import present
from duende.configuration import from_mapping
from duende.errors import DuendeError
from duende.models.diffusion import DiffusionConfig
from duende.systems.kinds import kind_named
from duende.training.reinforcement import ActorCriticConfig

Compiled = Literal["auto", "on", "off"]

DECISIVE: dict[str, tuple[str, ...]] = {
    "vqvae": ("representation", "vqvae"),
    "root": (),
    "genre": ("genre", "styled", "unheard"),
    "gpt": ("gpt", "styled", "unheard", "inferred", "genre_weight"),
    "actor_critic": ("actor_critic",),
    "diffusion": ("denoiser", "diffusion", "unheard"),
}
"""The stages in their order, with what of a recipe decides each, beside its own settings and all that is before it."""

OF_CODES = ("vqvae", "root", "genre", "gpt", "actor_critic")
"""Stages whose crops are whole codes of eight frames."""

JITTERED = ("vqvae", "root", "gpt")
"""Stages that can draw the borders of their crops anew for each epoch."""


@dataclass(frozen=True)
class StageConfig:
    """How one stage is trained. The defaults are Bailando's for its first stage.

    Attributes:
        epochs: passes over all crops; give this or ``steps``.
        steps: optimiser steps; give this or ``epochs``.
        batch: crops in a step, over all processes.
        frames: length of a crop in frames at 60 a second.
        stride: frames from one crop's start to the next.
        jitter: crops cover each dance once an epoch, and where their borders lie is drawn anew for each epoch from seed
            and epoch; ``stride`` is ``frames`` less ``context`` then.
        context: frames at the beginning of a crop that are given and not learnt from, except where a dance begins:
            what the first code that is learnt from looks back on. For the stage ``gpt`` with ``jitter`` alone.
        learning_rate: of Adam.
        betas: of Adam.
        weight_decay: decoupled; 0 gives plain Adam.
        milestones: shares of the training (0 to 1) at which the rate falls to a tenth.
        schedule: ``"steps"`` follows ``milestones``, ``"cosine"`` falls smoothly to 2 % of the rate.
        warmup: steps over which the rate rises from 0.
        clip: largest norm of the gradient, 0 for none.
        average: decay of a running mean of the weights that is kept in their place, 0 for none.
        check_every: steps after which the loss on the held-out clips is logged as well, 0 for never.
        starts_within: crops begin within so many seconds of a dance, 0 for anywhere. Bailando's published loader of its
            third stage stops at 4 by a mistake of units.
        optimizer: ``"adamw"``, or ``"adan"`` as EDGE has it (Xie et al., 2022; needs the extra ``edge``).
    """

    epochs: float | None = None
    steps: int | None = None
    batch: int = 32
    frames: int = 240
    stride: int = 40
    jitter: bool = False
    context: int = 0
    learning_rate: float = 3e-5
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    milestones: tuple[float, ...] = ()
    schedule: str = "steps"
    warmup: int = 0
    clip: float = 0.0
    average: float = 0.0
    check_every: int = 0
    starts_within: float = 0.0
    optimizer: Literal["adamw", "adan"] = "adamw"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise DuendeError("a training stage needs either epochs or steps, and not both")
        if self.schedule not in ("steps", "cosine"):
            raise DuendeError(f"a schedule is 'steps' or 'cosine', got {self.schedule!r}")
        if min(self.frames, self.stride) < 1:
            raise DuendeError(f"frames and stride are 1 or more, got {self.frames} and {self.stride}")
        if self.context and not self.jitter:
            raise DuendeError(f"context is for crops with jitter: true, got context {self.context} without it")
        if not 0 <= self.context < self.frames:
            raise DuendeError(f"context is 0 or more and less than frames {self.frames}, got {self.context}")
        if self.jitter and self.stride != self.frames - self.context:
            raise DuendeError(
                f"with jitter each frame is learnt from once an epoch: stride is frames less context, "
                f"{self.frames - self.context}, got {self.stride}"
            )

    def total_steps(self, crops: int) -> int:
        """Optimiser steps of the whole stage, given the number of crops in the data."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, round(self.epochs * max(1, crops // self.batch)))


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Attributes:
        name: of the experiment.
        system: what is trained: ``expressive_bailando``, ``bailando``, ``gtn_bailando`` or ``edge``.
        representation: how poses become channels.
        codebooks: name or folder of a system whose codebooks and root decoder are taken as they are, in place
            of training the stages ``vqvae`` and ``root``.
        vqvae: fields of :class:`VQVAEConfig`, for both halves; ``channels`` is filled in.
        gpt: fields of :class:`GPTConfig`; ``music_dimension``, ``styles``, ``rhythm_columns`` and ``downsampled`` are
            filled in.
        downsampling: for each family of music features with several frames a row (``mert``) the fields ``strides`` and
            ``widths`` of :class:`DownsamplingConfig`.
        genre: fields of :class:`GenreTokenConfig` for a network that infers the style from the music, its
            ``music_dimension``, ``styles`` and ``downsampled`` filled in; None for none.
        inferred: share of the dances in training of the GPT that are told the style that was inferred from their music
            in place of their own.
        genre_weight: what the cross-entropy of the style counts while the genre token network is finetuned together
            with the GPT; 0 leaves it as its own stage has made it.
        actor_critic: rewards and settings of the stage ``actor_critic``.
        denoiser: fields of :class:`DenoiserConfig` for EDGE; ``channels`` and ``music_dimension`` are filled in.
        diffusion: losses of EDGE.
        styled: whether the network is told the style of a dance.
        features: name of the music features that the data must hold; empty for any.
        unheard: families of music features that the network does not hear, see :class:`SystemConfig`.
        stages: those of the system that are trained: ``vqvae``, ``root``, ``genre``, ``gpt`` and ``actor_critic``, or
            for EDGE ``diffusion``.
        smoothing: see :class:`SystemConfig`.
        sampling: how the finished system draws a dance where it is not told: fields of :class:`Sampling`, for EDGE of
            :class:`DiffusionSampling`.
        seed: of weights, crops and dropout.
        precision: ``"auto"`` (bf16 where the processor has it), ``"32-true"`` or ``"bf16-mixed"``.
        compiled: whether networks are compiled before training: ``"auto"`` (on a graphics processor that can),
            ``"on"`` or ``"off"``.
        float16_weights: store the finished weights in half the space.
    """

    name: str
    stages: dict[str, StageConfig]
    system: str = "expressive_bailando"
    representation: str = "heading"
    codebooks: str = ""
    vqvae: dict[str, Any] = field(default_factory=dict)
    gpt: dict[str, Any] = field(default_factory=dict)
    downsampling: dict[str, dict[str, Any]] = field(default_factory=dict)
    genre: dict[str, Any] | None = None
    inferred: float = 0.0
    genre_weight: float = 0.0
    actor_critic: ActorCriticConfig | None = None
    denoiser: dict[str, Any] = field(default_factory=dict)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    styled: bool = False
    features: str = ""
    unheard: tuple[str, ...] = ()
    smoothing: float = 0.0
    sampling: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    precision: str = "auto"
    compiled: Compiled = "auto"
    float16_weights: bool = False

    def __post_init__(self) -> None:
        self._check_stages()
        trained = [name for name in ("vqvae", "root") if name in self.stages]
        if self.codebooks and (trained or self.vqvae):
            raise DuendeError(
                f"recipe {self.name} takes its codebooks from {self.codebooks} and cannot shape or train its own; "
                "leave out codebooks, or vqvae and the stages vqvae and root"
            )
        if (self.genre is not None) != ("genre" in self.stages) or (self.genre is not None and not self.styled):
            raise DuendeError(
                f"recipe {self.name}: a genre token network needs both genre: and a stage genre, and styled: true"
            )
        if self.genre_weight < 0 or (self.genre_weight and self.genre is None):
            raise DuendeError(f"recipe {self.name}: genre_weight is 0 or more and needs genre, got {self.genre_weight}")
        if not 0 <= self.inferred <= 1 or (self.inferred and self.genre is None):
            raise DuendeError(
                f"recipe {self.name}: inferred is a share from 0 to 1 and needs genre, got {self.inferred}"
            )

    def _check_stages(self) -> None:
        known = kind_named(self.system).stages
        unknown = sorted(set(self.stages) - set(known))
        if unknown:
            raise DuendeError(
                f"recipe {self.name} has a stage {unknown[0]!r}; the stages of {self.system} are {', '.join(known)}"
            )
        for name in set(self.stages) & set(OF_CODES):
            stage = self.stages[name]
            if stage.frames % 8 or stage.stride % 8:
                raise DuendeError(
                    f"recipe {self.name}: frames and stride of {name} are multiples of 8, "
                    f"got {stage.frames} and {stage.stride}"
                )
        for name, stage in self.stages.items():
            self._check_jitter(name, stage)
        if ("actor_critic" in self.stages) != (self.actor_critic is not None):
            raise DuendeError(f"recipe {self.name}: finetuning needs both actor_critic: and a stage actor_critic")

    def _check_jitter(self, name: str, stage: StageConfig) -> None:
        if stage.jitter and name not in JITTERED:
            raise DuendeError(f"recipe {self.name}: jitter is for the stages {', '.join(JITTERED)}, not for {name}")
        if stage.jitter and (stage.context > 0) != (name == "gpt"):
            raise DuendeError(
                f"recipe {self.name}: with jitter the stage gpt has context and the others have none, "
                f"got {stage.context} for {name}; give gpt the frames that a code looks back on"
            )

    @property
    def ordered_stages(self) -> list[str]:
        """Names of its stages in the order of training."""
        return [name for name in DECISIVE if name in self.stages]

    def hears(self, feature_set: str) -> bool:
        """Whether the recipe is made for music features of this identity."""
        return not self.features or self.features == present(feature_set).name


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    A recipe with ``base: other.yaml`` (a path from its own folder) is that one with the values that it gives itself;
    ``null`` takes a value of the base away.

    Raises:
        DuendeError: the file is missing, is not YAML, or has an unknown key or a value of the wrong type.
    """
    return from_mapping(Recipe, _values(Path(path)), str(path))


def _values(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DuendeError(f"no recipe {path}; the repository's are in recipes/") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DuendeError(f"{path} cannot be read as YAML: {str(error).splitlines()[0]}; mend that line") from error
    if not isinstance(values, dict):
        raise DuendeError(f"{path} should be a mapping of names to values; see recipes/starter.yaml")
    base = values.pop("base", None)
    if base is None:
        return values
    if path.resolve() in above or not isinstance(base, str):
        raise DuendeError(f"{path}: base is {base!r}, the path of another recipe is expected; mend that line")
    return _changed(_values(path.parent / base, (*above, path.resolve())), values)


def _changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it, mapping by mapping; None takes a key away."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _changed(result[key], value)
        else:
            result[key] = value
    return result
