"""Actor-critic finetuning: what is rewarded, which steps are learnt from, and what is left as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import network
from lightning_fabric import Fabric
from scipy.ndimage import gaussian_filter1d

from duende.audio.feature_sets import feature_set
from duende.configuration import from_mapping
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.critic import Critic, CriticConfig
from duende.models.generation import generate
from duende.models.genre import GenreTokenConfig
from duende.models.gpt import CrossConditionalGPT, GPTConfig, Logits
from duende.motion import SMPL24
from duende.systems.debug import debug_config, debug_system
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training import actor_critic, loop
from duende.training.actor_critic import ActorCriticStage, counted_steps, shortest_context
from duende.training.actor_critic_loss import (
    LOGGED,
    ActorCriticLoss,
    entropies,
    mean_over,
    surprises,
    td_errors,
    traced,
)
from duende.training.loop import run_stage
from duende.training.recipe import StageConfig
from duende.training.reinforcement import ActorCriticConfig, RewardConfig
from duende.training.rewards import (
    beat_reward,
    consistency_reward,
    faults,
    physics_reward,
    reward_parts,
    weighted,
)

FPS = 60.0
PACE = 0.5
STAGE = StageConfig(steps=12, batch=4, frames=160, stride=16, learning_rate=1e-2)
SETTINGS = ActorCriticConfig(actor_layers=1, critic_layers=1, turns=2, temperature=1.0, renew_every=4, discount=0.9)


def songs(*lengths: int, seed: int = 0) -> list[Clip]:
    """Clips whose dances hold nothing: they are not looked at."""
    rng, features = np.random.default_rng(seed), feature_set("full_band")
    nothing = np.full((8, 1), np.nan, np.float32)
    return [
        Clip(
            name=f"song {number}",
            take=f"song {number}",
            style="calm",
            split="test",
            tempo=120.0,
            mirrored=False,
            upper=nothing,
            lower=nothing,
            root=nothing,
            music=rng.normal(size=(length, features.dimension)).astype(np.float32),
            beats=np.arange(0.1, length / 7.5, 0.5),
            downbeats=np.zeros(0),
        )
        for number, length in enumerate(lengths)
    ]


def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision="32-true")


def raised(positions: np.ndarray, height: float) -> np.ndarray:
    return positions + np.array([0.0, height, 0.0])


def standing(seconds: float = 4.0) -> np.ndarray:
    """A body on the floor at rest but for its arms, which swing at a steady speed."""
    times = np.arange(round(seconds * FPS)) / FPS
    positions = np.repeat(raised(SMPL24.rest_positions, SMPL24.rest_height)[None], len(times), axis=0)
    arms = [SMPL24.index(f"{side}_{part}") for side in ("left", "right") for part in ("elbow", "wrist", "hand")]
    circle = np.stack([np.cos(9 * times), np.sin(9 * times), 0 * times], axis=1)
    positions[:, arms] += 0.3 * circle[:, None]
    return positions


def bowing(stops: np.ndarray, seconds: float = 4.0) -> np.ndarray:
    """A body that moves at half a metre a second and slows down for a moment around each of ``stops`` (seconds)."""
    times = np.arange(round(seconds * FPS)) / FPS
    speed = 0.5 - 0.4 * np.exp(-(((times[:, None] - stops[None]) / 0.06) ** 2)).sum(axis=1)
    positions = np.repeat(standing(seconds)[:1], len(times), axis=0)
    positions[..., 0] += (np.cumsum(speed) / FPS)[:, None]
    return positions


# Rewards


def test_the_beat_reward_is_that_of_a_plain_loop(wavy_motion) -> None:  # type: ignore[no-untyped-def]
    positions, beats = wavy_motion.positions, np.array([0.0, 16 / 60, 0.5, 0.99, 1.4, 3.99, 7.0])
    velocity = [np.linalg.norm(positions[t + 1] - positions[t], axis=-1).mean() for t in range(len(positions) - 1)]
    smooth = gaussian_filter1d(np.array(velocity) * 60, 5)
    released, paper = [], []
    for code in range(len(positions) // 8):
        heard = any(8 * code <= beat * 60 + 1e-6 < 8 * code + 8 for beat in beats)
        danced = any(
            smooth[t] < smooth[t - 1] and smooth[t] < smooth[t + 1]
            for t in range(max(1, 8 * code), min(8 * code + 8, len(smooth) - 1))
        )
        released.append((2 * heard * danced - 1) * 5)
        paper.append(5 if not heard or danced else -5)
    assert sum(np.array(paper) < 0) + sum(np.array(released) > 0) > 3 and 5 in released
    np.testing.assert_array_equal(beat_reward(positions, FPS, beats), released)
    np.testing.assert_array_equal(beat_reward(positions, FPS, beats, "paper"), paper)
    assert len(beat_reward(positions[:100], FPS, beats)) == 12
    # 984 / 60 * 60 is less than 984, which is the first frame of a code.
    missed = beat_reward(np.zeros((1000, 24, 3)), FPS, np.array([984 / FPS]), "paper") < 0
    assert np.flatnonzero(missed).tolist() == [123]


def test_a_dancer_on_the_beat_is_rewarded_at_the_beats_and_nowhere_else() -> None:
    beats = (8 * np.arange(3, 28, 4) + 4) / FPS
    on, off = bowing(beats), bowing(beats + 16 / FPS)
    codes = np.arange(30)
    at_beats = (codes >= 3) & (codes < 28) & ((codes - 3) % 4 == 0)
    np.testing.assert_array_equal(beat_reward(on, FPS, beats), np.where(at_beats, 5.0, -5.0))
    np.testing.assert_array_equal(beat_reward(on, FPS, beats, "paper"), np.full(30, 5.0))
    np.testing.assert_array_equal(beat_reward(off, FPS, beats), np.full(30, -5.0))
    np.testing.assert_array_equal(beat_reward(off, FPS, beats, "paper"), np.where(at_beats, -5.0, 5.0))
    assert (beat_reward(on, FPS, np.zeros(0), "paper") == 5).all()


def test_hips_and_shoulders_that_face_the_same_way_are_rewarded_by_their_worst_frame() -> None:
    positions = standing(0.4)
    upper = [SMPL24.index(name) for name in ("left_shoulder", "right_shoulder")]
    angles = np.zeros(24)
    angles[8:16] = np.radians(np.linspace(0, 70, 8))
    angles[20] = np.radians(180)
    expected = []
    for frame, angle in enumerate(angles):
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        positions[frame, upper] = positions[frame, upper] @ turn.T
        hips = positions[frame, SMPL24.index("left_hip")] - positions[frame, SMPL24.index("right_hip")]
        shoulders = positions[frame, upper[0]] - positions[frame, upper[1]]
        flat = hips[[0, 2]] @ shoulders[[0, 2]]
        expected.append(flat / np.linalg.norm(hips[[0, 2]]) / np.linalg.norm(shoulders[[0, 2]]))
    reward = consistency_reward(positions)
    np.testing.assert_allclose(reward, np.array(expected).reshape(3, 8).min(axis=1), atol=1e-12)
    assert reward[0] > 0.95 and 0.2 < reward[1] < 0.5 and reward[2] < -0.95
    # A body that lies on its side has hips one above the other.
    lying = standing(0.4)[..., [1, 0, 2]]
    assert (consistency_reward(lying) == 1.0).all()


def sliding() -> np.ndarray:
    positions = standing()
    for joint in SMPL24.feet[:2]:
        positions[:, joint, 2] += 0.5 * np.arange(len(positions)) / FPS
    return positions


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("sliding", sliding()),
        ("floating", raised(standing(), 0.2)),
        ("sinking", raised(standing(), -0.06)),
        ("freezing", np.repeat(standing()[:1], 240, axis=0)),
    ],
)
def test_each_fault_lowers_the_reward_of_physics_alone(name: str, body: np.ndarray) -> None:
    config, silence = RewardConfig(physics=1.0), np.zeros(0)
    found = faults(body, FPS, PACE, config)
    assert {fault for fault, amount in found.items() if amount.max() > 0} == {name}
    assert found[name].shape == (30,) and found[name].min() > 0.9 and found[name].max() <= 1
    before, after = (reward_parts(positions, FPS, silence, PACE, config) for positions in (standing(), body))
    np.testing.assert_array_equal(before["physics"], np.full(30, 5.0))
    assert after["physics"].max() < -4
    for other in ("beat", "consistency"):
        np.testing.assert_array_equal(before[other], after[other])


def test_faults_grow_from_their_limits_and_add_up() -> None:
    config = RewardConfig(physics=1.0, sinking=0.1)
    for depth, amount in ((0.09, 0.0), (0.2, 0.5), (0.3, 1.0), (0.9, 1.0)):
        found = faults(raised(standing(), -depth), FPS, PACE, config)["sinking"]
        np.testing.assert_allclose(found, amount, atol=1e-9)
        frozen = raised(np.repeat(standing()[:1], 240, axis=0), -depth)
        assert (physics_reward(frozen, FPS, PACE, config) == -5.0).all()
    half = physics_reward(raised(standing(), -0.2), FPS, PACE, config)
    np.testing.assert_allclose(half, 0.0, atol=1e-9)


def test_a_moment_of_rest_is_no_freezing() -> None:
    assert faults(bowing(np.array([2.0])), FPS, PACE, RewardConfig(physics=1.0))["freezing"].max() == 0.0


def test_the_reward_is_the_weighted_sum_of_its_parts(wavy_motion) -> None:  # type: ignore[no-untyped-def]
    config = RewardConfig(beat=2.0, beat_form="paper", consistency=0.5, physics=3.0)
    positions, beats = wavy_motion.positions, np.arange(0, 4, 0.5)
    expected = (
        2.0 * beat_reward(positions, FPS, beats, "paper")
        + 0.5 * consistency_reward(positions)
        + 3.0 * physics_reward(positions, FPS, PACE, config)
    )
    np.testing.assert_allclose(weighted(reward_parts(positions, FPS, beats, PACE, config), config), expected)


# Networks


def test_actor_and_critic_have_together_the_parameters_of_bailando(monkeypatch: pytest.MonkeyPatch) -> None:
    # Which columns of the music are downsampled is looked up in a buffer: none are.
    monkeypatch.setattr("torch.fx.experimental._config.meta_nonzero_assume_all_nonzero", True)
    with torch.device("meta"):
        gpt = CrossConditionalGPT(GPTConfig(positions="learned"))
        critic = Critic(CriticConfig(), gpt.config)
    count = sum(p.numel() for part in (gpt, critic) for p in part.parameters())
    assert round(count / 1e6, 1) == 108.3


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_features_and_the_rest_of_the_blocks_make_the_scores(positions: str) -> None:
    gpt = network(positions=positions)
    music, codes = torch.randn(2, 5, 5), torch.randint(7, (2, 5, 2))
    whole = gpt(music, codes[..., 0], codes[..., 1])
    for blocks in (0, 1, 2):
        tokens = gpt.features(gpt.hear(music), codes[..., 0], codes[..., 1], None, blocks)
        assert tokens.shape == (2, 15, 16)
        logits = gpt.finish_scores(tokens, blocks)
        torch.testing.assert_close(logits.upper, whole.upper)
        torch.testing.assert_close(logits.lower, whole.lower)


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_the_value_of_a_step_hears_what_the_step_hears(positions: str) -> None:
    gpt = network(positions=positions, layers=1)
    critic = Critic(CriticConfig(1), gpt.config)
    tokens = torch.randn(2, 18, 16, requires_grad=True)
    values = critic(tokens)
    assert values.shape == (2, 6)
    values[0, 3].backward()
    assert tokens.grad is not None
    touched = tokens.grad[0].abs().sum(dim=-1).view(3, 6) > 0
    assert touched[:, :4].all() and not touched[:, 4:].any() and not tokens.grad[1].any()


def test_td_errors_are_those_of_a_plain_loop() -> None:
    rewards, values = torch.randn(3, 5), torch.randn(3, 6, requires_grad=True)
    errors = td_errors(rewards, values, 0.9)
    for row in range(3):
        for step in range(5):
            expected = rewards[row, step] + 0.9 * values[row, step + 1] - values[row, step]
            torch.testing.assert_close(errors[row, step], expected)
    errors[0, 2].backward()
    assert values.grad is not None and values.grad.nonzero().tolist() == [[0, 2]]


def test_surprise_and_entropy_are_of_both_halves() -> None:
    logits = Logits(torch.randn(2, 3, 7), torch.randn(2, 3, 7))
    upper, lower = torch.randint(7, (2, 3)), torch.randint(7, (2, 3))
    chance = [half.softmax(-1) for half in (logits.upper, logits.lower)]
    cost = surprises(logits, upper, lower)
    assert cost.shape == (2, 3)
    expected = -chance[0][1, 2, upper[1, 2]].log() - chance[1][1, 2, lower[1, 2]].log()
    torch.testing.assert_close(cost[1, 2], expected)
    torch.testing.assert_close(entropies(logits), -sum((p * p.log()).sum(-1) for p in chance))
    assert mean_over(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True])) == 3.5
    assert mean_over(torch.tensor([1.0]), torch.tensor([False])) == 0.0


# Steps


def test_steps_count_that_see_as_much_as_in_generation() -> None:
    learned = shortest_context(GPTConfig(positions="learned"))
    assert counted_steps(0, 300, 29, learned).tolist() == [True] * 28
    assert counted_steps(8, 300, 29, learned).tolist() == [False] * 27 + [True]
    rotary = shortest_context(GPTConfig(positions="rotary", window=6))
    assert counted_steps(0, 300, 11, rotary).tolist() == [True] * 10
    assert counted_steps(2, 300, 11, rotary).tolist() == [False] * 5 + [True] * 5
    # A song of 7 codes has 6 steps, the last of which has no next.
    assert counted_steps(0, 7, 11, rotary).tolist() == [True] * 5 + [False] * 5


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_step_that_counts_scores_what_chose_its_code(positions: str) -> None:
    # One block, so that the context of rotary positions is the whole of it.
    gpt = network(positions=positions, layers=1)
    music = torch.randn(1, 20, 5)
    codes = generate(gpt, music, torch.tensor([[1, 2]])).clone()
    states = 6 if positions == "learned" else 9
    for start in (0, 4, 11):
        part, heard = codes[:, start : start + states], music[:, start : start + states]
        logits = gpt(heard, part[..., 0], part[..., 1])
        counts = counted_steps(start, 20, states, shortest_context(gpt.config))
        assert counts.any()
        for step in np.flatnonzero(counts):
            assert logits.upper[0, step].argmax() == codes[0, start + step + 1, 0]
            assert logits.lower[0, step].argmax() == codes[0, start + step + 1, 1]


# The stage


def stage_of(
    system: ExpressiveBailando | None = None,
    stage: StageConfig = STAGE,
    lengths: tuple[int, ...] = (40, 12, 30),
    **changes,
) -> ActorCriticStage:  # type: ignore[no-untyped-def]
    return ActorCriticStage(system or debug_system(), songs(*lengths), stage, replace(SETTINGS, **changes))


def test_a_batch_holds_the_choices_and_what_they_earned() -> None:
    stage = stage_of(dances_each=2, reward=RewardConfig(beat=1.0, physics=0.5))
    system, network, states = stage.system, stage.network, 19
    stage.prepare(0, seed=5)
    assert network.codes.shape == (6, 40, 2) and not torch.equal(network.codes[0], network.codes[1])
    for dance, length in enumerate((40, 40, 12, 12, 30, 30)):
        positions = system.poses(network.codes[dance : dance + 1, :length])[0]
        clip, config = stage.songs[dance // 2], system.config
        reward = stage.settings.reward
        expected = weighted(reward_parts(positions, 60.0, clip.beats, config.pace, reward), reward)
        np.testing.assert_allclose(network.rewards[dance, :length].numpy(), expected, rtol=1e-5)
    batch = stage.batch([(0, 0), (1, 20), (2, 0)])
    codes = network.codes
    assert batch["upper"].shape == (3, states) and batch["rewards"].shape == (3, states - 1)
    torch.testing.assert_close(batch["upper"][1], codes[1, 20:39, 0])
    torch.testing.assert_close(batch["next_lower"][1], codes[1, 21:39, 1])
    torch.testing.assert_close(batch["rewards"][1], network.rewards[1, 21:39])
    np.testing.assert_allclose(batch["music"][1], stage.music[0][21:40], rtol=1e-6)
    window = system.config.gpt.window
    assert batch["counts"].sum(dim=1).tolist() == [18, 18 - (window - 1), 10]


def test_codes_of_a_dance_are_those_that_the_system_chooses() -> None:
    system = debug_system()
    system.config = replace(system.config, starts={"": [[3, 4]]})
    stage = stage_of(system, temperature=0.0)
    stage.prepare(0, seed=0)
    for row, music in enumerate(stage.music):
        heard = torch.from_numpy(np.concatenate([music[1:], music[-1:]]))[None]
        alone = generate(system.gpt, heard, torch.tensor([[3, 4]]))
        assert torch.equal(alone[0], stage.network.codes[row, : len(music)])


def test_the_style_that_the_music_calls_for_is_told() -> None:
    config = debug_config()
    genre = GenreTokenConfig(music_dimension=config.gpt.music_dimension, styles=2)
    torch.manual_seed(0)
    stage = stage_of(ExpressiveBailando(replace(config, genre=genre)))
    stage.prepare(0, seed=0)
    batch = stage.batch([(0, 0), (2, 0)])
    assert stage.system.genre is not None
    heard = torch.from_numpy(stage.music[2])[None]
    torch.testing.assert_close(batch["style"][1], stage.system.genre.eval().weights(heard)[0])
    assert "style" not in stage_of().batch([(0, 0)])


def values_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def moved(before: dict[str, torch.Tensor], module: torch.nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if not torch.equal(before[name], parameter)}


def test_actor_and_critic_learn_in_turn_and_the_base_never(tmp_path: Path) -> None:
    stage = stage_of(stage=replace(STAGE, steps=40, weight_decay=0.1), critic_first=3, turns=2)
    network = stage.network
    actor = {f"gpt.{name}" for name in ("norm.weight", "norm.bias", "upper_scores.weight", "lower_scores.weight")}
    actor |= {name for name in values_of(network) if name.startswith("gpt.blocks.1.")}
    critic = {name for name in values_of(network) if name.startswith("critic.")}
    assert {name for name, p in network.named_parameters() if p.requires_grad} == actor | critic
    for step in range(11):
        before = values_of(network)
        run_stage(fabric(), stage, tmp_path, seed=0, stop_after=step + 1)
        assert moved(before, network) == (actor if step in (3, 4, 7, 8) else critic), step


def test_a_killed_run_has_the_same_losses_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    whole, killed = stage_of(), stage_of()
    assert run_stage(fabric(), whole, tmp_path / "whole", seed=7)
    for stop in (3, 6, 8):
        assert not run_stage(fabric(), killed, tmp_path / "killed", seed=7, stop_after=stop)
        # A new process knows nothing but the folder.
        killed = stage_of()
    assert run_stage(fabric(), killed, tmp_path / "killed", seed=7)
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "killed")
    ]
    times = ("seconds", "processor_seconds")
    first, second = ([{k: v for k, v in line.items() if k not in times} for line in log] for log in logs)
    assert first == second and len(first) == 12
    assert set(LOGGED) <= set(first[0]) and {"actor", "critic"} <= set(first[0])
    assert len({line["reward/beat"] for line in first}) > 1
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, killed.network.state_dict()[name]), name


def test_the_dances_are_renewed_when_the_settings_say() -> None:
    stage, seen = stage_of(), []
    for step in range(9):
        stage.prepare(step, seed=1)
        seen.append(stage.network.codes.clone())
    changed = [not torch.equal(a, b) for a, b in pairwise(seen)]
    assert changed == [False, False, False, True, False, False, False, True]
    every_epoch = stage_of(renew_every=0)
    assert every_epoch.renew_every == len(every_epoch.crops) // 4


@pytest.mark.parametrize("discount", [0.0, 0.5])
def test_a_code_that_is_rewarded_is_chosen_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, discount: float
) -> None:
    def favouring(system: ExpressiveBailando, codes: torch.Tensor, *_: object) -> dict[str, np.ndarray]:
        right = (codes == 3).float().sum(dim=-1).numpy()
        return dict.fromkeys(LOGGED, right)

    monkeypatch.setattr(actor_critic, "rewarded", favouring)
    stage = stage_of(
        stage=replace(STAGE, steps=120, batch=8, learning_rate=3e-3),
        lengths=(40, 40, 30),
        dances_each=3,
        discount=discount,
        turns=1,
        renew_every=4,
        critic_first=10,
    )
    stage.prepare(0, seed=0)
    before = float(stage.network.means[0]) / 2
    run_stage(fabric(), stage, tmp_path, seed=0)
    stage.dance_anew(np.random.default_rng(0))
    after = float(stage.network.means[0]) / 2
    assert before < 0.15 and after > 0.5, (before, after)


def test_nothing_is_dropped_out_in_training() -> None:
    stage = stage_of()
    stage.network.train()
    assert stage.network.training and not any(module.training for module in stage.network.gpt.modules())
    stage.prepare(0, seed=0)
    batch = stage.batch([(0, 0)])
    assert stage.network(batch)[0] == stage.network(batch)[0]


def test_advantages_are_brought_to_mean_0_and_deviation_1() -> None:
    stage = stage_of()
    stage.prepare(0, seed=0)
    batch = stage.batch([(dance, start) for dance in range(3) for start in (0, 8)])
    gradients = []
    for scale, shift in ((1.0, 0.0), (7.0, 3.0)):
        network = ActorCriticLoss(
            stage.system.gpt, replace(SETTINGS, advantage_normalised=True, discount=0.0), *network_size(stage)
        )
        torch.nn.init.zeros_(network.critic.upper_value.weight)
        torch.nn.init.zeros_(network.critic.lower_value.weight)
        network.actor_learns = True
        loss, _ = network({**batch, "rewards": batch["rewards"] * scale + shift})
        gradients.append(torch.autograd.grad(loss, network.gpt.norm.weight)[0])
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_the_actor_learns_the_policy_that_it_draws_from() -> None:
    stage = stage_of()
    gpt = stage.system.gpt
    torch.nn.init.normal_(gpt.upper_scores.weight)
    stage.prepare(0, seed=0)
    batch = stage.batch([(0, 0)])
    for temperature, divisor in ((0.0, 1.0), (2.0, 2.0)):
        loss = ActorCriticLoss(gpt, replace(SETTINGS, temperature=temperature), *network_size(stage))
        _, terms = loss(batch)
        logits = gpt(batch["music"], batch["upper"], batch["lower"])
        half = [scores[:, :-1] / divisor for scores in (logits.upper, logits.lower)]
        entropy = entropies(Logits(half[0], half[1]))[batch["counts"]].mean()
        torch.testing.assert_close(terms["entropy"], entropy)


def network_size(stage: ActorCriticStage) -> tuple[int, int]:
    return stage.network.codes.shape[0], stage.network.codes.shape[1]


# Mistakes


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"reward": {"beat": -1.0}}, "beat"),
        ({"reward": {"beat": 0.0}}, "something to reward"),
        ({"reward": {"sliding": 0.0}}, "sliding"),
        ({"reward": {"beat_form": "loud"}}, "beat_form"),
        ({"discount": 1.5}, "discount"),
        ({"turns": 0}, "turns"),
        ({"dances_each": 0}, "dances_each"),
        ({"actor_layers": 0}, "actor_layers"),
        ({"critic_layers": 0}, "critic_layers"),
        ({"temperature": float("nan")}, "temperature"),
        ({"renew_every": -1}, "renew_every"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_impossible_settings_are_refused_by_name(values: dict[str, object], named: str) -> None:
    with pytest.raises(DuendeError, match=named):
        from_mapping(ActorCriticConfig, values, "recipe.yaml")


def test_settings_are_read_from_a_recipe() -> None:
    values = {"reward": {"beat": 0.0, "physics": 1.0, "beat_form": "paper"}, "discount": 1, "actor_layers": 2}
    settings = from_mapping(ActorCriticConfig, values, "recipe.yaml")
    assert settings.reward == RewardConfig(beat=0.0, physics=1.0, beat_form="paper") and settings.turns == 5
    with pytest.raises(DuendeError, match="'released' or 'paper'"):
        RewardConfig(beat_form="loud")  # type: ignore[arg-type]


def test_a_stage_that_cannot_learn_is_refused() -> None:
    with pytest.raises(DuendeError, match="actor_layers is 3 but the network has 2"):
        stage_of(actor_layers=3)
    with pytest.raises(DuendeError, match="144 frames or more"):
        stage_of(stage=replace(STAGE, frames=136))
    with pytest.raises(DuendeError, match="check_every"):
        stage_of(stage=replace(STAGE, check_every=3))
    with pytest.raises(DuendeError, match="no clip has any"):
        ActorCriticStage(debug_system(), [replace(songs(9)[0], music=None)], STAGE, SETTINGS)
    config = debug_config()
    learned = ExpressiveBailando(replace(config, gpt=replace(config.gpt, positions="learned")))
    with pytest.raises(DuendeError, match="136 frames"):
        stage_of(learned)
    assert stage_of(learned, stage=replace(STAGE, frames=136)).states == 16


def test_errors_after_a_step_are_told_with_a_trace() -> None:
    errors = torch.randn(3, 7)
    slow = torch.zeros(3, 7)
    for step in range(7):
        for later in range(step, 7):
            slow[:, step] += 0.6 ** (later - step) * errors[:, later]
    torch.testing.assert_close(traced(errors, 0.6), slow)
    assert traced(errors, 0.0) is errors
