"""A system of under 1 MB with weights from a seed: for tests, notebooks and pages, not for looks."""

from __future__ import annotations

import torch
from torch import nn

from duende.audio.feature_sets import feature_set
from duende.models.gpt import GPTConfig
from duende.models.sampling import Sampling
from duende.models.vqvae import VQVAEConfig
from duende.motion import SMPL24
from duende.motion.representation import PoseRepresentation
from duende.systems.configuration import SystemConfig
from duende.systems.expressive_bailando import ExpressiveBailando


def debug_config() -> SystemConfig:
    """Return the smallest config that still has every part."""
    poses = PoseRepresentation("heading")
    features = feature_set("full_band")
    half = {"width": 16, "codes": 16, "code_dimension": 16, "dilations": (1, 3), "look_ahead": 1}
    return SystemConfig(
        system="expressive_bailando",
        feature_set=features.identity,
        representation=poses.name,
        frame_rate=60.0,
        upper=VQVAEConfig(channels=poses.upper_channels, **half),  # type: ignore[arg-type]
        lower=VQVAEConfig(channels=poses.lower_channels, **half),  # type: ignore[arg-type]
        gpt=GPTConfig(music_dimension=features.dimension, codes=16, width=32, layers=2, heads=2, window=16, styles=2),
        styles=("calm", "lively"),
        sampling=Sampling(temperature=1.0, candidates=2),
    )


def debug_system(seed: int = 0) -> ExpressiveBailando:
    """Build the debug system: a standing figure that sways, the same for the same ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        system = ExpressiveBailando(debug_config())
        with torch.no_grad():
            rest = torch.from_numpy(SMPL24.rest_positions).float()
            for half, joints in ((system.upper, SMPL24.upper), (system.lower, SMPL24.lower)):
                half.codebook.vectors.normal_()
                _centre(half.decoder.output, 0.2, rest[list(joints)].reshape(-1))
            _centre(system.root.decoder.output, 0.05, torch.tensor([0.0, 0.0, SMPL24.rest_height, 0.0]))
    return system.eval()


def _centre(layer: nn.Conv1d, spread: float, centre: torch.Tensor) -> None:
    layer.weight.mul_(spread)
    assert layer.bias is not None
    layer.bias.copy_(centre)
