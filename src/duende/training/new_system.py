"""An untrained system from a recipe, with what the data decide filled in."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from duende.audio.feature_sets import ROWS_A_SECOND, present
from duende.audio.frames import frame_dimension
from duende.audio.music import FeatureSet
from duende.configuration import from_mapping
from duende.datasets.music_spread import MusicSpread
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.denoiser import DenoiserConfig
from duende.models.genre import GenreTokenConfig
from duende.models.gpt import GPTConfig
from duende.models.music import DownsamplingConfig
from duende.models.sampling import DiffusionSampling, Sampling
from duende.models.vqvae import VQVAEConfig
from duende.motion.representation import PoseRepresentation
from duende.motion.rotation_channels import RotationChannels
from duende.systems.configuration import SystemConfig
from duende.systems.edge import EDGE
from duende.systems.edge_configuration import EDGEConfig
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem, of_codes
from duende.systems.storage import from_pretrained
from duende.training.recipe import Recipe

NO_MUSIC = FeatureSet("", 1, ROWS_A_SECOND, (("", 1),))
"""Stands for the features of a set of dances without music, from which codebooks can be trained."""
STRIDES = {10: (2, 5), 4: (2, 2)}
"""Of convolutions, by the number of frames that they bring down to one: MERT's ten (the paper), Jukebox's four."""
WIDTHS = (512, 256)
"""Channels after each of them."""


def new_system(recipe: Recipe, clips: Sequence[Clip], feature_set: str, spread: MusicSpread | None = None) -> AnySystem:
    """Build an untrained system that fits the data, with the mean and spread of their music.

    ``spread`` is that of the clips where it is known already.
    """
    music = [clip.music for clip in clips if clip.music is not None and len(clip.music)]
    if recipe.system == "edge":
        system: AnySystem = EDGE(edge_config(recipe, present(feature_set)))
    else:
        styles = tuple(sorted({clip.style for clip in clips}))
        system = _of_codes(recipe, present(feature_set) if music else NO_MUSIC, styles)
    if music:
        spread = spread or MusicSpread.of(music)
        system.music_mean.copy_(torch.from_numpy(spread.mean))
        system.music_scale.copy_(torch.from_numpy(spread.scale))
    return system


def _of_codes(recipe: Recipe, features: FeatureSet, styles: tuple[str, ...]) -> ExpressiveBailando:
    other = of_codes(from_pretrained(recipe.codebooks), "codebooks:") if recipe.codebooks else None
    halves = (other.config.upper, other.config.lower) if other else None
    system = ExpressiveBailando(code_config(recipe, features, styles, halves))
    if other:
        _take_codebooks(system, other, recipe)
    return system


def _take_codebooks(system: ExpressiveBailando, other: ExpressiveBailando, recipe: Recipe) -> None:
    """Put the codebooks and the root decoder of ``other`` in place of untrained ones."""
    if other.config.representation != recipe.representation:
        raise DuendeError(
            f"the codebooks of {recipe.codebooks} are of poses as {other.config.representation!r}, "
            f"recipe {recipe.name} has {recipe.representation!r}; give the recipe the same"
        )
    for mine, theirs in ((system.upper, other.upper), (system.lower, other.lower), (system.root, other.root)):
        mine.load_state_dict(theirs.state_dict())


def code_config(
    recipe: Recipe,
    features: FeatureSet,
    styles: tuple[str, ...],
    halves: tuple[VQVAEConfig, VQVAEConfig] | None = None,
) -> SystemConfig:
    """Fill in what the data decide of a system of pose codes.

    Args:
        recipe: that says the rest.
        features: of the music in the data.
        styles: of the dances in the data.
        halves: upper and lower codebook where they are those of another system.
    """
    known = styles if recipe.styled else ()
    upper, lower = halves or _halves(recipe)
    shared = {
        "music_dimension": features.dimension,
        "styles": len(known),
        "downsampled": _downsampled(recipe, features),
    }
    gpt = {"codes": upper.codes, **recipe.gpt, **shared}
    if gpt.get("rhythm_only"):
        gpt.setdefault("rhythm_columns", features.rhythm_columns)
    genre = None
    if recipe.genre is not None:
        genre = from_mapping(GenreTokenConfig, {**recipe.genre, **shared}, f"recipe {recipe.name}: genre")
    return SystemConfig(
        system=recipe.system,
        feature_set=features.identity,
        representation=recipe.representation,
        frame_rate=60.0,
        upper=upper,
        lower=lower,
        gpt=from_mapping(GPTConfig, gpt, f"recipe {recipe.name}: gpt"),
        genre=genre,
        styles=known,
        unheard=recipe.unheard,
        smoothing=recipe.smoothing,
        sampling=from_mapping(Sampling, recipe.sampling, f"recipe {recipe.name}: sampling"),
    )


def edge_config(recipe: Recipe, features: FeatureSet) -> EDGEConfig:
    """Fill in what the data decide of EDGE."""
    shape = {"channels": RotationChannels().width, "music_dimension": frame_dimension(features)}
    denoiser = from_mapping(DenoiserConfig, {**recipe.denoiser, **shape}, f"recipe {recipe.name}: denoiser")
    return EDGEConfig(
        feature_set=features.identity,
        denoiser=denoiser,
        diffusion=recipe.diffusion,
        overlap=denoiser.frames // 2,
        unheard=recipe.unheard,
        sampling=from_mapping(DiffusionSampling, recipe.sampling, f"recipe {recipe.name}: sampling"),
    )


def _halves(recipe: Recipe) -> tuple[VQVAEConfig, VQVAEConfig]:
    poses = PoseRepresentation(recipe.representation)  # type: ignore[arg-type]
    upper, lower = (
        from_mapping(VQVAEConfig, {**recipe.vqvae, "channels": channels}, f"recipe {recipe.name}: vqvae")
        for channels in (poses.upper_channels, poses.lower_channels)
    )
    return upper, lower


def _downsampled(recipe: Recipe, features: FeatureSet) -> tuple[DownsamplingConfig, ...]:
    """Say how each family that has several frames a row is brought down to one."""
    configs = []
    for family, frames in features.frames:
        columns = features.slice(family)
        fields = {"strides": STRIDES.get(frames, (frames,)), **recipe.downsampling.get(family, {})}
        fields.setdefault("widths", WIDTHS[: len(fields["strides"])])
        shape = {"first": columns.start, "dimension": (columns.stop - columns.start) // frames}
        config = from_mapping(DownsamplingConfig, {**fields, **shape}, f"recipe {recipe.name}: downsampling {family}")
        if config.frames != frames:
            raise DuendeError(
                f"recipe {recipe.name}: strides {config.strides} bring {config.frames} frames down to one, "
                f"{family} has {frames}"
            )
        configs.append(config)
    return tuple(configs)
