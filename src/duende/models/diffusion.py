"""How EDGE learns (Tseng et al., CVPR 2023, section 3): noise on dances, and what a denoised one is judged by.

A frame's channels are contacts (one for each joint of the feet), the root and six numbers for the rotation of each
joint, all brought to [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.errors import DuendeError
from duende.models.body_kinematics import joint_positions, matrices_from_six
from duende.models.denoiser import Denoiser

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

FEET = (7, 8, 10, 11)


@dataclass(frozen=True)
class DiffusionConfig:
    """Noise and loss; defaults are EDGE's but for ``metres``.

    The weight that EDGE's code can give to times of little noise is left out: with its settings it is 1 at all times.

    Attributes:
        noise_steps: times of noise, on Nichol and Dhariwal's cosine schedule (2021).
        music_dropout: share of dances in training whose music is withheld; what guidance starts from.
        reconstruction_weight: of the squared error of all channels.
        velocity_weight: of that of first differences in time of all channels but contacts.
        joints_weight: of that of the places of joints.
        contact_weight: of the squared movement of feet from one frame to the next while the network itself says that
            they stand.
        contact_threshold: of a predicted contact channel, above which the foot stands. It is compared as the network
            predicts it, between -1 and 1.
        metres: whether joints are placed by channels turned back into rotations and metres. The published code places
            them by channels between -1 and 1, which bear no skeleton: its line that turns them back is commented out.
    """

    noise_steps: int = 1000
    music_dropout: float = 0.25
    reconstruction_weight: float = 0.636
    velocity_weight: float = 2.964
    joints_weight: float = 0.646
    contact_weight: float = 10.942
    contact_threshold: float = 0.95
    metres: bool = True

    def __post_init__(self) -> None:
        if self.noise_steps < 1:
            raise DuendeError(f"noise takes at least 1 step, got noise_steps {self.noise_steps}; EDGE has 1000")
        if not 0 <= self.music_dropout <= 1:
            raise DuendeError(f"music_dropout is a share between 0 and 1, got {self.music_dropout}")


class Scaling(nn.Module):
    """Brings channels from their own range to [-1, 1] and back; its two buffers belong to what was trained with them.

    A channel that never changes has a range of 1 from its only value up, as in EDGE's.
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        """Keep the range ``(C,)`` to ``(C,)``.

        Raises:
            DuendeError: the ends of the range differ in shape, or ``high`` is below ``low`` somewhere.
        """
        super().__init__()
        low, high = low.detach().float(), high.detach().float()
        if low.ndim != 1 or low.shape != high.shape or not (high >= low).all():
            raise DuendeError(
                f"channels reach from low to high, got shapes {tuple(low.shape)} and {tuple(high.shape)}; "
                "give one of each for every channel, high not below low"
            )
        constant = high - low < 10 * torch.finfo(low.dtype).eps
        self.register_buffer("low", low.clone())
        self.register_buffer("high", torch.where(constant, low + 1, high))

    def scale(self, channels: Tensor) -> Tensor:
        """Bring ``(..., C)`` to [-1, 1]; what lies outside is clipped."""
        return (2 * (channels - self.low) / (self.high - self.low) - 1).clamp(-1, 1)

    def unscale(self, channels: Tensor) -> Tensor:
        """Bring ``(..., C)`` back from [-1, 1]; nothing is clipped, so that gradients reach what lies outside."""
        return self.low + (channels + 1) / 2 * (self.high - self.low)


class DiffusionLoss(nn.Module):
    """Noise for clean dances, and the loss of what a network makes of them."""

    offsets: Tensor
    kept: Tensor

    def __init__(
        self,
        config: DiffusionConfig,
        scaling: Scaling,
        offsets: Tensor,
        parents: Sequence[int],
        feet: Sequence[int] = FEET,
    ) -> None:
        """Prepare the noise and the body.

        Args:
            config: weights and noise.
            scaling: of the channels.
            offsets: ``(J, 3)`` metres, each joint relative to its parent at rest.
            parents: index of each joint's parent, -1 for the root.
            feet: joints that the contact channels belong to; the default is SMPL's ankles, then toes.

        Raises:
            DuendeError: the channels of ``scaling`` are not those of this body, or diffusers is missing.
        """
        super().__init__()
        channels = len(feet) + 3 + 6 * len(parents)
        if len(scaling.low) != channels:
            raise DuendeError(
                f"{len(parents)} joints and {len(feet)} contacts make {channels} channels, "
                f"but the scaling has {len(scaling.low)}; make both for one skeleton"
            )
        self.config, self.scaling = config, scaling
        self.parents, self.feet = tuple(parents), tuple(feet)
        self.register_buffer("offsets", offsets.detach().float().clone(), persistent=False)
        self.register_buffer("kept", noise_schedule(config.noise_steps).alphas_cumprod.float(), persistent=False)

    def forward(
        self, network: Denoiser, clean: Tensor, music: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add noise of random times to dances, have it taken out, and judge the result.

        Args:
            network: that is trained.
            clean: ``(B, T, C)`` channels between -1 and 1.
            music: ``(B, T, D)`` features at the same frame rate.
            generator: source of chance, on the device of ``clean``; None for torch's own.

        Returns:
            The loss, and its terms without their weights.
        """
        batch, device = len(clean), clean.device
        times = torch.randint(self.config.noise_steps, (batch,), device=device, generator=generator)
        noise = torch.randn(clean.shape, dtype=clean.dtype, device=device, generator=generator)
        withheld = torch.rand(batch, device=device, generator=generator) < self.config.music_dropout
        noisy = noised(clean, noise, self.kept[times])
        return self.judged(network(noisy, times, network.hear(music), withheld), clean)

    def judged(self, predicted: Tensor, clean: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare predicted channels ``(B, T, C)`` with clean ones: the loss, and its terms without their weights."""
        with torch.autocast(clean.device.type, enabled=False):
            predicted, clean = predicted.float(), clean.float()
            contacts = len(self.feet)
            joints, real_joints = self._joints(torch.cat([predicted, clean])).chunk(2)
            terms = {
                "reconstruction": F.mse_loss(predicted, clean),
                "velocity": F.mse_loss(predicted[..., contacts:].diff(dim=1), clean[..., contacts:].diff(dim=1)),
                "joints": F.mse_loss(joints, real_joints),
                "contact": self._sliding(joints[:, :, list(self.feet)], predicted[..., :contacts]),
            }
            weights = {name: getattr(self.config, f"{name}_weight") for name in terms}
            loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return loss, {name: term.detach() for name, term in terms.items()}

    def _joints(self, channels: Tensor) -> Tensor:
        """Places ``(B, T, J, 3)`` of joints."""
        if self.config.metres:
            channels = self.scaling.unscale(channels)
        _, root, six = channels.split([len(self.feet), 3, 6 * len(self.parents)], dim=-1)
        return joint_positions(matrices_from_six(six.unflatten(-1, (-1, 6))), root, self.offsets, self.parents)

    def _sliding(self, feet: Tensor, contacts: Tensor) -> Tensor:
        """Mean square of the movement of feet ``(B, T, F, 3)`` that stand; the last frame counts as one of rest."""
        standing = contacts[:, :-1] > self.config.contact_threshold
        return (feet.diff(dim=1) * standing[..., None]).square().sum() / feet.numel()


def noise_schedule(noise_steps: int) -> DDIMScheduler:
    """Prepare noise and its removal as EDGE has them, from the library diffusers.

    With spacing ``"trailing"`` a walk of S steps begins at the last time and ends below time 0, where all is clean; S
    has to divide ``noise_steps``.

    Raises:
        DuendeError: diffusers is missing.
    """
    try:
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    except ImportError as error:
        raise DuendeError("EDGE needs diffusers; install it with: pip install 'duende[edge]'") from error
    scheduler = DDIMScheduler(
        num_train_timesteps=noise_steps,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        clip_sample=True,
        clip_sample_range=1.0,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
    # At the last times next to nothing of a dance is left; in single precision a few long steps from there would take
    # the root of a number just below 0.
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    return scheduler


def noised(clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """Mix ``clean`` ``(B, T, C)`` with noise so that a share ``kept`` of its variance is left, ``(B,)`` or ``()``."""
    kept = kept.reshape(-1, 1, 1)
    return kept.sqrt() * clean + (1 - kept).sqrt() * noise
