"""A dance out of noise, as EDGE draws it (Tseng et al., CVPR 2023, section 3): windows that agree, held channels.

A long dance is a row of windows that overlap. They are denoised side by side and come to agree step by step, in one of
two ways (:class:`DiffusionSampling`). Where shared frames are overwritten, the published code leaves the last step out,
and fades from one window to the next once they are rotations; here they fade within the last step, so that what comes
out agrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from duende.errors import DuendeError
from duende.models.denoiser import Denoiser, HeardMusic
from duende.models.diffusion import noise_schedule, noised
from duende.models.sampling import DiffusionSampling, Progress, guided


@dataclass(frozen=True)
class Held:
    """Channels that a dance is given and keeps, on the device of its music.

    Attributes:
        values: ``(K, T, C)``, between -1 and 1.
        mask: ``(K, T, C)`` booleans, which of the values are kept.
    """

    values: Tensor
    mask: Tensor


@torch.inference_mode()
def denoise(
    network: Denoiser,
    music: Tensor,
    *,
    overlap: int,
    noise_steps: int = 1000,
    sampling: DiffusionSampling | None = None,
    held: Held | None = None,
    generator: torch.Generator | None = None,
    batch: int = 32,
    progress: Progress | None = None,
) -> Tensor:
    """Draw a dance.

    Args:
        network: that takes noise out.
        music: ``(K, T, D)``, windows of T frames, each of which begins ``T - overlap`` frames after the one before.
        overlap: frames that a window shares with the next, half of its frames at the most.
        noise_steps: as in training.
        sampling: how noise is taken out.
        held: channels that are given; windows have to agree on frames that they share.
        generator: source of chance, on the processor.
        batch: windows that the network sees at a time.
        progress: called with steps done and steps in all.

    Returns:
        ``(K, T, C)`` channels between -1 and 1; windows agree on frames that they share.

    Raises:
        DuendeError: the overlap, the number of steps or what is held does not fit.
    """
    sampling = sampling or DiffusionSampling()
    shape = (*music.shape[:2], network.config.channels)
    _check(shape, overlap, noise_steps, sampling, held)
    scheduler = noise_schedule(noise_steps)
    scheduler.set_timesteps(sampling.steps)
    training = network.training
    network.eval()
    times, kept = scheduler.timesteps.tolist(), scheduler.alphas_cumprod.float().to(music.device)
    heard = _heard(network, music, batch)

    faded = sampling.coupling == "faded"

    def drawn() -> Tensor:
        # For all windows at once and on the processor, so that neither batches nor devices change a dance.
        return _noise(shape, overlap if faded else 0, generator).to(music.device)

    dance = drawn()
    for step, (time, following) in enumerate(zip(times, [*times[1:], None], strict=True)):
        predicted = _predicted(network, dance, time, heard, sampling.guidance_at(step, len(music)), batch)
        predicted = _coupled(predicted, overlap, fade=True) if faded else predicted
        noise = drawn()
        dance = scheduler.step(
            predicted,
            time,
            dance,
            eta=sampling.eta,
            # EDGE takes the noise to be what is left after its prediction is clipped.
            use_clipped_model_output=True,
            variance_noise=noise,
            return_dict=False,
        )[0]
        if held:
            # The noise of this step, of which held channels make no other use.
            given = held.values if following is None else noised(held.values, noise, kept[following])
            dance = torch.where(held.mask, given, dance)
        if not faded:
            dance = _coupled(dance, overlap, fade=following is None)
        if progress:
            progress(step + 1, len(times))
    network.train(training)
    return dance


def _noise(shape: tuple[int, int, int], shared: int, generator: torch.Generator | None) -> Tensor:
    """Draw noise for windows ``(K, T, C)``, the same where each shares so many frames with the one before."""
    windows, frames, channels = shape
    step = frames - shared
    whole = torch.randn(step * (windows - 1) + frames, channels, generator=generator) if shared else None
    if whole is None:
        return torch.randn(shape, generator=generator)
    return torch.stack([whole[number * step : number * step + frames] for number in range(windows)])


def _check(
    shape: tuple[int, int, int], overlap: int, noise_steps: int, sampling: DiffusionSampling, held: Held | None
) -> None:
    frames = shape[1]
    if not 0 <= overlap <= frames // 2:
        raise DuendeError(f"windows of {frames} frames share at most half of them, got an overlap of {overlap}")
    if noise_steps % sampling.steps:
        raise DuendeError(
            f"{sampling.steps} steps of denoising do not divide the {noise_steps} of noise; 50 do with EDGE's 1000"
        )
    if held is None:
        return
    if held.values.shape != shape or held.mask.shape != shape:
        raise DuendeError(
            f"what is held has the shape {shape} of the dance, "
            f"got values {tuple(held.values.shape)} and mask {tuple(held.mask.shape)}"
        )
    end, mask = frames - overlap, held.mask[1:, :overlap]
    alike = torch.equal(held.mask[:-1, end:], mask)
    if not alike or not torch.equal(held.values[:-1, end:][mask], held.values[1:, :overlap][mask]):
        raise DuendeError("windows differ in what is held of the frames that they share; give both the same")


def _heard(network: Denoiser, music: Tensor, batch: int) -> HeardMusic:
    parts = [network.hear(part) for part in music.split(batch)]
    return HeardMusic(torch.cat([part.tokens for part in parts]), torch.cat([part.pooled for part in parts]))


def _predicted(network: Denoiser, dance: Tensor, time: int, heard: HeardMusic, guidance: float, batch: int) -> Tensor:
    """Predict clean channels ``(K, T, C)``, each window with and without its music in one pass where both count."""
    ways = [(without, weight) for without, weight in ((True, 1 - guidance), (False, guidance)) if weight]
    parts = []
    for first in range(0, len(dance), batch):
        rows = slice(first, first + batch)
        noisy = dance[rows].repeat(len(ways), 1, 1)
        music = HeardMusic(heard.tokens[rows].repeat(len(ways), 1, 1), heard.pooled[rows].repeat(len(ways), 1))
        withheld = torch.tensor([without for without, _ in ways], device=dance.device)
        withheld = withheld.repeat_interleave(len(noisy) // len(ways))
        times = torch.full((len(noisy),), time, device=dance.device)
        parts.append(guided(network(noisy, times, music, withheld).float(), [weight for _, weight in ways]))
    return torch.cat(parts)


def _coupled(dance: Tensor, overlap: int, fade: bool) -> Tensor:
    """Make windows ``(K, T, C)`` agree: on the earlier one or, fading, more and more on the later one."""
    if not overlap or len(dance) == 1:
        return dance
    dance = dance.clone()
    shared = dance[:-1, -overlap:].clone()
    if fade:
        ramp = torch.linspace(0, 1, overlap, device=dance.device)[:, None]
        shared = shared.lerp(dance[1:, :overlap], ramp)
        dance[:-1, -overlap:] = shared
    dance[1:, :overlap] = shared
    return dance
