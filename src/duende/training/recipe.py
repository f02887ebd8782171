"""A recipe: everything an experiment is made of, in one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from duende.audio.feature_sets import present
from duende.audio.music import FeatureSet
from duende.configuration import from_mapping
from duende.errors import DuendeError
from duende.models.genre import GenreTokenConfig
from duende.models.gpt import GPTConfig
from duende.models.music import DownsamplingConfig
from duende.models.sampling import Sampling
from duende.models.vqvae import VQVAEConfig
from duende.motion.representation import PoseRepresentation
from duende.systems.configuration import SystemConfig

DECISIVE: dict[str, tuple[str, ...]] = {
    "vqvae": ("representation", "vqvae"),
    "root": (),
    "genre": ("genre", "styled", "unheard"),
    "gpt": ("gpt", "styled", "unheard", "inferred"),
}
"""The stages in their order, with what of a recipe decides each, beside its own settings and all that is before it."""

STRIDES = {10: (2, 5), 4: (2, 2)}
"""Of convolutions, by the number of frames that they bring down to one: MERT's ten (the paper), Jukebox's four."""
WIDTHS = (512, 256)
"""Channels after each of them."""


@dataclass(frozen=True)
class StageConfig:
    """How one stage is trained. The defaults are Bailando's for its first stage.

    Attributes:
        epochs: passes over all crops; give this or ``steps``.
        steps: optimiser steps; give this or ``epochs``.
        batch: crops in a step, over all processes.
        frames: length of a crop in frames at 60 a second.
        stride: frames from one crop's start to the next.
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
            third stage stops at 4.14 by a mistake of units.
        optimizer: ``"adamw"``, or ``"adan"`` as EDGE has it (Xie et al., 2022; needs the extra ``edge``).
    """

    epochs: float | None = None
    steps: int | None = None
    batch: int = 32
    frames: int = 240
    stride: int = 40
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
        if self.frames % 8 or self.stride % 8:
            raise DuendeError(f"frames and stride are multiples of 8, got {self.frames} and {self.stride}")

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
        styled: whether the network is told the style of a dance.
        features: name of the music features that the data must hold; empty for any.
        unheard: families of music features that the network does not hear, see :class:`SystemConfig`.
        stages: ``vqvae``, ``root``, ``genre`` and ``gpt``, those that are trained.
        smoothing: see :class:`SystemConfig`.
        sampling: how the finished system draws codes where it is not told.
        seed: of weights, crops and dropout.
        precision: ``"auto"`` (bf16 where the processor has it), ``"32-true"`` or ``"bf16-mixed"``.
        float16_weights: store the finished weights in half the space.
    """

    name: str
    stages: dict[str, StageConfig]
    representation: str = "heading"
    codebooks: str = ""
    vqvae: dict[str, Any] = field(default_factory=dict)
    gpt: dict[str, Any] = field(default_factory=dict)
    downsampling: dict[str, dict[str, Any]] = field(default_factory=dict)
    genre: dict[str, Any] | None = None
    inferred: float = 0.0
    styled: bool = False
    features: str = ""
    unheard: tuple[str, ...] = ()
    smoothing: float = 0.0
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    precision: str = "auto"
    float16_weights: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.stages) - set(DECISIVE))
        if unknown:
            raise DuendeError(f"recipe {self.name} has a stage {unknown[0]!r}; the stages are {', '.join(DECISIVE)}")
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
        if not 0 <= self.inferred <= 1 or (self.inferred and self.genre is None):
            raise DuendeError(
                f"recipe {self.name}: inferred is a share from 0 to 1 and needs genre, got {self.inferred}"
            )

    @property
    def ordered_stages(self) -> list[str]:
        """Names of its stages in the order of training."""
        return [name for name in DECISIVE if name in self.stages]

    def hears(self, feature_set: str) -> bool:
        """Whether the recipe is made for music features of this identity."""
        return not self.features or self.features == present(feature_set).name

    def system_config(
        self, features: FeatureSet, styles: tuple[str, ...], halves: tuple[VQVAEConfig, VQVAEConfig] | None = None
    ) -> SystemConfig:
        """Fill in what the data decide.

        Args:
            features: of the music in the data.
            styles: of the dances in the data.
            halves: upper and lower codebook where they are those of another system.
        """
        known = styles if self.styled else ()
        upper, lower = halves or self._halves()
        shared = {
            "music_dimension": features.dimension,
            "styles": len(known),
            "downsampled": self._downsampled(features),
        }
        gpt = {"codes": upper.codes, **self.gpt, **shared}
        if gpt.get("rhythm_only"):
            gpt.setdefault("rhythm_columns", features.rhythm_columns)
        genre = None
        if self.genre is not None:
            genre = from_mapping(GenreTokenConfig, {**self.genre, **shared}, f"recipe {self.name}: genre")
        return SystemConfig(
            system="expressive_bailando",
            feature_set=features.identity,
            representation=self.representation,
            frame_rate=60.0,
            upper=upper,
            lower=lower,
            gpt=from_mapping(GPTConfig, gpt, f"recipe {self.name}: gpt"),
            genre=genre,
            styles=known,
            unheard=self.unheard,
            smoothing=self.smoothing,
            sampling=self.sampling,
        )

    def _halves(self) -> tuple[VQVAEConfig, VQVAEConfig]:
        poses = PoseRepresentation(self.representation)  # type: ignore[arg-type]
        upper, lower = (
            from_mapping(VQVAEConfig, {**self.vqvae, "channels": channels}, f"recipe {self.name}: vqvae")
            for channels in (poses.upper_channels, poses.lower_channels)
        )
        return upper, lower

    def _downsampled(self, features: FeatureSet) -> tuple[DownsamplingConfig, ...]:
        """Say how each family that has several frames a row is brought down to one."""
        configs = []
        for family, frames in features.frames:
            columns = features.slice(family)
            fields = {"strides": STRIDES.get(frames, (frames,)), **self.downsampling.get(family, {})}
            fields.setdefault("widths", WIDTHS[: len(fields["strides"])])
            shape = {"first": columns.start, "dimension": (columns.stop - columns.start) // frames}
            config = from_mapping(DownsamplingConfig, {**fields, **shape}, f"recipe {self.name}: downsampling {family}")
            if config.frames != frames:
                raise DuendeError(
                    f"recipe {self.name}: strides {config.strides} bring {config.frames} frames down to one, "
                    f"{family} has {frames}"
                )
            configs.append(config)
        return tuple(configs)


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
