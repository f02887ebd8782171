"""Diffusion over dances: the body in tensors, the loss, and dances out of noise beside EDGE's formulas."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from duende.errors import DuendeError
from duende.models.body_kinematics import joint_positions, matrices_from_six
from duende.models.denoiser import Denoiser, DenoiserConfig, HeardMusic
from duende.models.denoising import Held, denoise
from duende.models.diffusion import DiffusionConfig, DiffusionLoss, Scaling, noise_schedule
from duende.models.sampling import DiffusionSampling
from duende.motion import Motion
from duende.motion.kinematics import forward_kinematics

CHANNELS, MUSIC = 6, 5
# A body of three joints, the last two of which are feet: 2 contacts, 3 of the root, 18 of rotations.
PARENTS, FEET = (-1, 0, 1), (1, 2)
OFFSETS = torch.tensor([[0.0, 0.0, 0.0], [0.1, -0.4, 0.0], [0.0, -0.1, 0.2]])


class Watched(Denoiser):
    """Remembers what it was shown."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__(config)
        self.seen: list[tuple[int, Tensor]] = []

    def forward(self, noisy: Tensor, times: Tensor, heard: HeardMusic, withheld: Tensor | None = None) -> Tensor:
        self.seen.append((int(times[0]), noisy.clone()))
        return super().forward(noisy, times, heard, withheld)


def network(channels: int = CHANNELS) -> Watched:
    """A tiny network with large weights, the same at each call."""
    torch.manual_seed(4)
    config = DenoiserConfig(
        channels=channels, music_dimension=MUSIC, width=16, layers=1, heads=2, feedforward=8, music_layers=1, frames=8
    )
    denoiser = Watched(config).eval()
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return denoiser


def music(windows: int) -> Tensor:
    return torch.randn(windows, 8, MUSIC, generator=torch.Generator().manual_seed(9))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Bodies


def test_joints_are_where_the_motion_has_them(wavy_motion: Motion) -> None:
    skeleton, count = wavy_motion.skeleton, len(wavy_motion.root)
    matrices = Rotation.from_quat(wavy_motion.rotations.reshape(-1, 4)).as_matrix().reshape(2, count // 2, 24, 3, 3)
    root = torch.tensor(wavy_motion.root).reshape(2, count // 2, 3)
    ours = joint_positions(torch.tensor(matrices), root, torch.tensor(skeleton.offsets), skeleton.parents)
    expected = forward_kinematics(wavy_motion.rotations, wavy_motion.root, skeleton)
    np.testing.assert_allclose(ours.reshape(count, 24, 3).numpy(), expected, atol=1e-9)


def test_six_numbers_are_the_first_two_rows_of_a_rotation() -> None:
    matrices = torch.tensor(Rotation.random(20, random_state=1).as_matrix()).view(4, 5, 3, 3)
    six = matrices[..., :2, :].flatten(-2)
    assert torch.equal(six[2, 3], torch.cat([matrices[2, 3, 0], matrices[2, 3, 1]]))
    torch.testing.assert_close(matrices_from_six(six), matrices)


def test_any_six_numbers_make_a_rotation_that_gradients_flow_through() -> None:
    six = torch.randn(50, 6, dtype=torch.float64, generator=seeded(), requires_grad=True)
    matrices = matrices_from_six(six)
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(50, dtype=torch.float64))
    assert torch.autograd.gradcheck(matrices_from_six, (six[:3].detach().requires_grad_(),))


# Scaling and loss


def test_scaling_goes_to_the_ends_and_back() -> None:
    scaling = Scaling(torch.tensor([-3.0, 0.5]), torch.tensor([1.0, 0.5]))
    channels = torch.tensor([[-3.0, 0.5], [1.0, 0.5], [-1.0, 0.5], [9.0, 0.5]])
    scaled = scaling.scale(channels)
    assert scaled.tolist() == [[-1.0, -1.0], [1.0, -1.0], [0.0, -1.0], [1.0, -1.0]]
    assert torch.equal(scaling.unscale(scaled)[:3], channels[:3])
    assert scaling.unscale(torch.tensor([2.0, -1.0])).tolist() == [3.0, 0.5]
    with pytest.raises(DuendeError, match="high not below low"):
        Scaling(torch.ones(2), torch.zeros(2))


def scaling() -> Scaling:
    spread = torch.rand(2, 23, generator=seeded(3))
    return Scaling(-0.5 - spread[0], 0.5 + spread[1])


def judge(**changes: object) -> DiffusionLoss:
    return DiffusionLoss(DiffusionConfig(**changes), scaling(), OFFSETS, PARENTS, FEET)  # type: ignore[arg-type]


def dances(*seeds: int) -> list[Tensor]:
    return [torch.rand(2, 6, 23, generator=seeded(seed)) * 2 - 1 for seed in seeds]


def placed(channels: Tensor, metres: bool) -> np.ndarray:
    """Joints ``(B, T, 3, 3)`` from scaled channels, one by one."""
    own = scaling()
    values = ((channels + 1) / 2 * (own.high - own.low) + own.low if metres else channels).double().numpy()
    result = np.zeros((*values.shape[:2], 3, 3))
    for batch, frame in np.ndindex(values.shape[:2]):
        row, turn, place = values[batch, frame], np.eye(3), values[batch, frame, 2:5]
        for joint in range(3):
            place = place + turn @ OFFSETS[joint].double().numpy()
            first, second = row[5 + 6 * joint :][:3], row[8 + 6 * joint :][:3]
            first = first / np.linalg.norm(first)
            second = second - (first @ second) * first
            second = second / np.linalg.norm(second)
            turn = turn @ np.stack([first, second, np.cross(first, second)])
            result[batch, frame, joint] = place
    return result


@pytest.mark.parametrize("metres", [True, False])
def test_every_term_is_what_a_plain_loop_makes_it(metres: bool) -> None:
    predicted, clean = dances(1, 2)
    predicted[0, 1:3, 0] = predicted[1, 4:, 1] = 0.96
    loss, terms = judge(metres=metres).judged(predicted, clean)
    joints, real = placed(predicted, metres), placed(clean, metres)
    wrong, real_wrong = predicted.double().numpy(), clean.double().numpy()
    sums = dict.fromkeys(terms, 0.0)
    for batch in range(2):
        for frame in range(6):
            sums["reconstruction"] += ((wrong - real_wrong)[batch, frame] ** 2).sum() / (2 * 6 * 23)
            sums["joints"] += ((joints - real)[batch, frame] ** 2).sum() / (2 * 6 * 9)
            if frame == 5:
                continue
            step = (wrong - real_wrong)[batch, frame + 1, 2:] - (wrong - real_wrong)[batch, frame, 2:]
            sums["velocity"] += (step**2).sum() / (2 * 5 * 21)
            for contact, joint in enumerate(FEET):
                if wrong[batch, frame, contact] > 0.95:
                    moved = joints[batch, frame + 1, joint] - joints[batch, frame, joint]
                    sums["contact"] += (moved**2).sum() / (2 * 6 * 2 * 3)
    assert set(terms) == {"reconstruction", "velocity", "joints", "contact"}
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(sums, rel=1e-4)
    assert min(sums.values()) > 1e-3
    weighted = {"reconstruction": 0.636, "velocity": 2.964, "joints": 0.646, "contact": 10.942}
    assert loss.item() == pytest.approx(sum(weight * sums[name] for name, weight in weighted.items()), rel=1e-4)


def test_a_perfect_prediction_costs_nothing_unless_a_standing_foot_slides() -> None:
    (clean,) = dances(1)
    clean[..., :2] = -1.0
    loss, _ = judge().judged(clean, clean)
    assert loss.item() == 0.0
    clean[..., :2] = 1.0
    loss, terms = judge().judged(clean, clean)
    assert terms["contact"] > 0 and loss.item() == pytest.approx(10.942 * terms["contact"].item())
    clean[:] = clean[:, :1]
    assert judge().judged(clean, clean)[0].item() == 0.0


def test_the_gradient_reaches_every_parameter() -> None:
    denoiser, (clean,) = network(channels=23), dances(1)
    loss, terms = judge(music_dropout=0.5)(denoiser, clean.repeat(4, 1, 1), torch.randn(8, 6, MUSIC), seeded(2))
    loss.backward()
    for name, parameter in denoiser.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert not any(term.requires_grad for term in terms.values())


def test_noise_times_and_withheld_music_are_drawn_as_asked() -> None:
    (clean,) = dances(1)
    clean, sound = clean.repeat(200, 1, 1), [torch.randn(400, 6, MUSIC) for _ in range(2)]
    drawn: list[tuple[Tensor, Tensor, Tensor]] = []

    class Echo(Watched):
        def forward(self, noisy: Tensor, times: Tensor, heard: HeardMusic, withheld: Tensor | None = None) -> Tensor:
            assert withheld is not None
            drawn.append((noisy, times, withheld))
            return noisy

    echo = Echo(network(channels=23).config)
    for seed in (1, 1, 2):
        judge()(echo, clean, sound[0], seeded(seed))
    assert all(torch.equal(*pair) for pair in zip(drawn[0], drawn[1], strict=True))
    assert not torch.equal(drawn[0][0], drawn[2][0])
    noisy, times, withheld = drawn[0]
    assert 0 <= times.min() < 25 and 975 < times.max() < 1000
    assert 0.15 < withheld.float().mean() < 0.35
    kept = cumulative(1000)[times.numpy()]
    noise = (noisy.numpy() - np.sqrt(kept)[:, None, None] * clean.numpy()) / np.sqrt(1 - kept)[:, None, None]
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02


def test_the_scaling_has_to_be_of_the_same_body() -> None:
    with pytest.raises(DuendeError, match="24 joints and 4 contacts make 151 channels, but the scaling has 23"):
        DiffusionLoss(DiffusionConfig(), scaling(), torch.zeros(24, 3), [-1] + [0] * 23)


@pytest.mark.parametrize("values", [{"noise_steps": 0}, {"music_dropout": 1.5}, {"music_dropout": -0.1}])
def test_an_impossible_diffusion_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(DuendeError, match=next(iter(values))):
        DiffusionConfig(**values)  # type: ignore[arg-type]


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers.schedulers.scheduling_ddim", None)
    with pytest.raises(DuendeError, match=r"EDGE needs diffusers; install it with: pip install 'duende\[edge\]'"):
        noise_schedule(1000)


# Dances out of noise


def cumulative(count: int) -> np.ndarray:
    """Share of a dance's variance that is left at each time, by the formula of EDGE's cosine schedule."""
    angles = (np.arange(count + 1) / count + 0.008) / 1.008 * math.pi / 2
    level = np.cos(angles) ** 2
    return np.cumprod(1 - np.clip(1 - level[1:] / level[:-1], 0, 0.999))


def published(denoiser: Denoiser, sound: Tensor, steps: int, eta: float, weight: float, seed: int) -> Tensor:
    """EDGE's loop over times, for one window or for several that share half of their frames."""
    windows, frames, _ = sound.shape
    half, generator = frames // 2, seeded(seed)
    kept = torch.tensor(cumulative(1000), dtype=torch.float32)
    times = [int(time) for time in np.linspace(-1, 999, steps + 1)][::-1]
    weights = np.clip(np.linspace(0, 2 * weight, steps), None, weight) if windows > 1 else [weight] * steps
    x = torch.randn(windows, frames, CHANNELS, generator=generator)
    for time, following, guidance in zip(times[:-1], times[1:], weights, strict=True):
        now = torch.full((windows,), time)
        ways = [
            denoiser(x, now, denoiser.hear(sound), torch.full((windows,), without)).detach()
            for without in (True, False)
        ]
        start = (ways[0] + (ways[1] - ways[0]) * guidance).clamp(-1, 1)
        if following < 0:
            return start
        left = (x - kept[time].sqrt() * start) / (1 - kept[time]).sqrt()
        before, after = kept[time], kept[following]
        sigma = eta * ((1 - before / after) * (1 - after) / (1 - before)).sqrt()
        noise = torch.randn(x.shape, generator=generator)
        x = start * after.sqrt() + (1 - after - sigma**2).sqrt() * left + sigma * noise
        if windows > 1:
            x[1:, :half] = x[:-1, half:]
    raise AssertionError


@pytest.mark.parametrize(("windows", "steps", "eta"), [(1, 50, 1.0), (1, 10, 0.0), (3, 50, 1.0), (2, 20, 0.5)])
def test_a_dance_is_drawn_by_the_published_formulas(windows: int, steps: int, eta: float) -> None:
    sampling = DiffusionSampling(steps=steps, eta=eta, coupling="overwritten")
    ours = denoise(network(), music(windows), overlap=4, sampling=sampling, generator=seeded(7))
    expected = published(network(), music(windows), steps, eta, 2.0, seed=7)
    fade = torch.linspace(0, 1, 4)[:, None]
    faded = (1 - fade) * expected[:-1, 4:] + fade * expected[1:, :4]
    expected[:-1, 4:] = expected[1:, :4] = faded
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=5e-5)
    assert ours.std() > 0.1


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8, 10, 20, 25, 40])
def test_no_number_of_steps_takes_a_root_below_zero(steps: int) -> None:
    assert denoise(network(), music(1), overlap=4, sampling=DiffusionSampling(steps=steps)).isfinite().all()


def test_a_guidance_of_one_is_the_prediction_with_music_and_of_none_that_without() -> None:
    noise, last = torch.randn(1, 8, CHANNELS, generator=seeded(3)), torch.tensor([999])
    for guidance in (1.0, 0.0):
        denoiser = network()
        sampling = DiffusionSampling(steps=1, guidance=guidance)
        ours = denoise(denoiser, music(1), overlap=4, sampling=sampling, generator=seeded(3))
        assert len(denoiser.seen) == 1 and denoiser.seen[0][1].shape == noise.shape
        expected = denoiser(noise, last, denoiser.hear(music(1)), torch.tensor([guidance == 0]))
        torch.testing.assert_close(ours, expected.detach().clamp(-1, 1))


def test_the_ramp_of_guidance_ends_half_way_and_is_for_long_dances() -> None:
    sampling = DiffusionSampling(steps=5, guidance=3.0)
    assert [sampling.guidance_at(step, windows=2) for step in range(5)] == [0.0, 1.5, 3.0, 3.0, 3.0]
    assert [sampling.guidance_at(step, windows=1) for step in range(5)] == [3.0] * 5
    level = DiffusionSampling(steps=5, guidance=3.0, guidance_ramp=False)
    assert [level.guidance_at(step, windows=2) for step in range(5)] == [3.0] * 5
    assert DiffusionSampling(steps=1).guidance_at(0, windows=2) == 2.0
    assert sampling.alone() is sampling


@pytest.mark.parametrize("overlap", [4, 3, 1])
def test_windows_agree_on_frames_that_they_share(overlap: int) -> None:
    dance = denoise(network(), music(4), overlap=overlap, sampling=DiffusionSampling(steps=10), generator=seeded())
    assert torch.equal(dance[:-1, -overlap:], dance[1:, :overlap])
    assert not torch.allclose(dance[:-1, :overlap], dance[1:, :overlap], atol=1e-3)


def test_windows_that_share_nothing_are_dances_of_their_own() -> None:
    sampling = DiffusionSampling(steps=4, eta=0.0, guidance_ramp=False)
    both = denoise(network(), music(2), overlap=0, sampling=sampling, generator=seeded())
    alone = denoise(network(), music(2)[:1], overlap=0, sampling=sampling, generator=seeded())
    torch.testing.assert_close(both[:1], alone)


def held(windows: int, step: int = 4) -> Held:
    """The first channel of all frames and all of the channels of the middle ones, cut into windows."""
    frames = step * (windows - 1) + 8
    values = torch.rand(frames, CHANNELS, generator=seeded(6)) * 2 - 1
    mask = torch.zeros(frames, CHANNELS, dtype=torch.bool)
    mask[:, 0] = mask[frames // 2 - 2 : frames // 2 + 1] = True
    return Held(*(torch.stack([rows[step * i :][:8] for i in range(windows)]) for rows in (values, mask)))


@pytest.mark.parametrize("windows", [1, 3])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_held_channels_are_kept_to_the_bit_and_windows_agree_still(windows: int, eta: float) -> None:
    given, sampling = held(windows), DiffusionSampling(steps=10, eta=eta)
    dance = denoise(network(), music(windows), overlap=4, sampling=sampling, held=given, generator=seeded())
    assert torch.equal(dance[given.mask], given.values[given.mask])
    assert torch.equal(dance[:-1, 4:], dance[1:, :4])
    free = denoise(network(), music(windows), overlap=4, sampling=sampling, generator=seeded())
    assert (dance - free)[~given.mask].abs().max() > 1e-3


def test_the_network_sees_held_channels_with_the_noise_of_the_time() -> None:
    denoiser, given = network(), held(3)
    denoise(denoiser, music(3), overlap=4, held=given, generator=seeded())
    kept = cumulative(1000)
    assert [time for time, _ in denoiser.seen] == list(range(999, 0, -20))
    noises = []
    for time, noisy in denoiser.seen:
        noises.append((noisy[-3:] - math.sqrt(kept[time]) * given.values)[given.mask] / math.sqrt(1 - kept[time]))
        assert time == 999 or torch.equal(noisy[-3:-1, 4:], noisy[-2:, :4])
    noise = torch.cat(noises)
    assert 0.95 < noise.std() < 1.05 and noise.mean().abs() < 0.05
    assert abs(torch.corrcoef(torch.stack([noises[20], noises[21]]))[0, 1]) < 0.5


def test_windows_that_hold_different_things_are_refused() -> None:
    for change in ("values", "mask"):
        given = held(2)
        part = getattr(given, change)
        part[1, 0, 0] = ~part[1, 0, 0] if change == "mask" else part[1, 0, 0] + 0.1
        with pytest.raises(DuendeError, match="windows differ in what is held"):
            denoise(network(), music(2), overlap=4, held=given)
    with pytest.raises(DuendeError, match=r"what is held has the shape \(2, 8, 6\)"):
        denoise(network(), music(2), overlap=4, held=held(1))


def test_a_seed_decides_the_dance_and_batches_do_not() -> None:
    sampling = DiffusionSampling(steps=5)
    dance, same, other = (
        denoise(network(), music(5), overlap=4, sampling=sampling, generator=seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(dance, same) and not torch.allclose(dance, other, atol=1e-2)
    for batch in (1, 2):
        again = denoise(network(), music(5), overlap=4, sampling=sampling, generator=seeded(1), batch=batch)
        torch.testing.assert_close(again, dance, rtol=1e-4, atol=1e-5)


def test_no_more_windows_than_asked_are_seen_at_a_time_and_training_goes_on() -> None:
    denoiser, seen = network().train(), []
    denoise(
        denoiser,
        music(5),
        overlap=4,
        sampling=DiffusionSampling(steps=4, guidance_ramp=False),
        batch=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert denoiser.training
    assert [len(noisy) for _, noisy in denoiser.seen] == [4, 4, 2] * 4
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    "values", [{"steps": 0}, {"eta": -0.1}, {"eta": 1.5}, {"guidance": -1.0}, {"guidance": math.nan}]
)
def test_an_impossible_sampling_is_refused_with_its_value(values: dict[str, float]) -> None:
    with pytest.raises(DuendeError, match=next(iter(values))):
        DiffusionSampling(**values)  # type: ignore[arg-type]


def test_steps_and_overlaps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DuendeError, match="30 steps of denoising do not divide the 1000 of noise"):
        denoise(network(), music(1), overlap=4, sampling=DiffusionSampling(steps=30))
    for overlap in (5, -1):
        with pytest.raises(DuendeError, match=f"got an overlap of {overlap}"):
            denoise(network(), music(1), overlap=overlap)
