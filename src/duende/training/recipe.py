"""A recipe: everything an experiment is made of, in one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from duende.audio.feature_sets import present
from duende.configuration import from_mapping
from duende.errors import DuendeError
from duende.models.gpt import GPTConfig
from duende.models.sampling import Sampling
from duende.models.vqvae import VQVAEConfig
from duende.motion.representation import PoseRepresentation
from duende.systems.configuration import SystemConfig

DECISIVE: dict[str, tuple[str, ...]] = {
    "vqvae": ("representation", "vqvae"),
    "root": (),
    "gpt": ("gpt", "styled", "unheard"),
}
"""The stages in their order, with what of a recipe decides each, beside its own settings and all that is before it."""


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
        vqvae: fields of :class:`VQVAEConfig`, for both halves; ``channels`` is filled in.
        gpt: fields of :class:`GPTConfig`; ``music_dimension``, ``styles`` and ``rhythm_columns`` are filled in.
        styled: whether the network is told the style of a dance.
        features: name of the music features that the data must hold; empty for any.
        unheard: families of music features that the network does not hear, see :class:`SystemConfig`.
        stages: ``vqvae``, ``root`` and ``gpt``.
        smoothing: see :class:`SystemConfig`.
        sampling: how the finished system draws codes where it is not told.
        seed: of weights, crops and dropout.
        precision: ``"auto"`` (bf16 where the processor has it), ``"32-true"`` or ``"bf16-mixed"``.
        float16_weights: store the finished weights in half the space.
    """

    name: str
    stages: dict[str, StageConfig]
    representation: str = "heading"
    vqvae: dict[str, Any] = field(default_factory=dict)
    gpt: dict[str, Any] = field(default_factory=dict)
    styled: bool = False
    features: str = ""
    unheard: tuple[str, ...] = ()
    smoothing: float = 0.0
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    precision: str = "auto"
    float16_weights: bool = False

    @property
    def ordered_stages(self) -> list[str]:
        """Names of its stages in the order of training."""
        return [name for name in DECISIVE if name in self.stages]

    def hears(self, feature_set: str) -> bool:
        """Whether the recipe is made for music features of this identity."""
        return not self.features or self.features == feature_set.split("@")[0]

    def system_config(self, feature_set: str, dimension: int, styles: tuple[str, ...]) -> SystemConfig:
        """Fill in what the data decide."""
        poses = PoseRepresentation(self.representation)  # type: ignore[arg-type]
        known = styles if self.styled else ()

        def half(channels: int) -> VQVAEConfig:
            return from_mapping(VQVAEConfig, {**self.vqvae, "channels": channels}, f"recipe {self.name}: vqvae")

        gpt = {**self.gpt, "music_dimension": dimension, "styles": len(known)}
        gpt.setdefault("codes", half(1).codes)
        if gpt.get("rhythm_only"):
            gpt.setdefault("rhythm_columns", present(feature_set).rhythm_columns)
        return SystemConfig(
            system="expressive_bailando",
            feature_set=feature_set,
            representation=self.representation,
            frame_rate=60.0,
            upper=half(poses.upper_channels),
            lower=half(poses.lower_channels),
            gpt=from_mapping(GPTConfig, gpt, f"recipe {self.name}: gpt"),
            styles=known,
            unheard=self.unheard,
            smoothing=self.smoothing,
            sampling=self.sampling,
        )


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
