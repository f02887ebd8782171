"""Actor-critic finetuning of the GPT: dances to target songs, rewarded code by code (Bailando, CVPR 2022).

Every so often all songs are danced to with what has been learnt so far. A critic learns how much reward is to come
after each step; the actor, the last blocks of the GPT, learns to choose again what turned out better than the critic
expected.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from duende.audio.feature_sets import FRAMES_IN_ROW
from duende.datasets.crops import Crop, Crops, cropped
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.models.generation import generate
from duende.models.gpt import GPTConfig
from duende.models.sampling import Sampling
from duende.motion.accents import mean_speed
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training.actor_critic_loss import LOGGED, ActorCriticLoss
from duende.training.genre import inferred_weights, normalised_music
from duende.training.recipe import StageConfig
from duende.training.reinforcement import ActorCriticConfig
from duende.training.rewards import reward_parts, weighted
from duende.training.stage import Batch

CHANCE = 0x0DA2CE
"""Tells the chance of a dance from that of crops, which follows from the same seed."""


class ActorCriticStage:
    """Fourth stage: the GPT finetuned on the songs of the clips; their dances are not looked at.

    Building it sets which parameters of the system's GPT want a gradient: those of its last blocks, its final norm and
    its output matrices. It stays so: a system that has been finetuned is danced with, not trained from the start.
    """

    def __init__(
        self, system: ExpressiveBailando, clips: Sequence[Clip], config: StageConfig, settings: ActorCriticConfig
    ) -> None:
        self.system, self.config, self.settings = system, config, settings
        self.songs = [clip for clip in clips if clip.music is not None and len(clip.music) > 2]
        if not self.songs:
            raise DuendeError("the actor_critic stage dances to music and no clip has any; leave the stage out")
        self.states = config.frames // FRAMES_IN_ROW - 1
        _check(system.config.gpt, settings, config, self.states)
        knows = system.genre is not None and bool(system.config.styles)
        with torch.no_grad():
            self.music = [normalised_music(system, clip) for clip in self.songs]
            self.styles = [inferred_weights(system, music) if knows else None for music in self.music]
        # Dance d is to song d // dances_each.
        lengths = [len(music) for music in self.music for _ in range(settings.dances_each)]
        stride = max(1, config.stride // FRAMES_IN_ROW)
        self.crops = Crops.over([length - 1 for length in lengths], self.states, stride, padded=True)
        self.renew_every = settings.renew_every or max(1, len(self.crops) // config.batch)
        longest = max(*lengths, self.states + 1)
        self.network = ActorCriticLoss(system.gpt, settings, len(lengths), longest).to(system.device)

    foreseeable = False

    def prepare(self, step: int, seed: int) -> None:
        """Decide whose turn it is and, every so often, dance anew; chance follows from seed and step."""
        if step == 0:
            self.network.draw_critic(seed)
        self.network.actor_learns = self.settings.actor_learns(step)
        if step % self.renew_every == 0:
            self.dance_anew(np.random.default_rng([CHANCE, seed, step]))

    @torch.no_grad()
    def dance_anew(self, rng: np.random.Generator) -> None:
        """Dance to all songs with what has been learnt so far, and reward it."""
        network, each = self.network, self.settings.dances_each
        network.codes.copy_(self._danced(rng))
        network.rewards.zero_()
        measured, lengths = [], [len(music) for music in self.music]
        for song, (clip, length) in enumerate(zip(self.songs, lengths, strict=True)):
            rows = slice(song * each, (song + 1) * each)
            parts = rewarded(self.system, network.codes[rows, :length], clip.beats, self.settings)
            network.rewards[rows, :length] = torch.from_numpy(parts["reward"]).to(network.rewards)
            measured.append([float(parts[name][:, 1:].mean()) for name in LOGGED])
        # Codes that were chosen count alike, in whichever song.
        means = np.average(measured, axis=0, weights=[length - 1 for length in lengths])
        network.means.copy_(torch.from_numpy(means))

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect crops of the present dances: ``states`` steps, all but the last of which may be learnt from.

        Row i of ``rewards`` is that of code i + 1, which step i chooses; its TD error needs the value of step i + 1.
        """
        end = self.states
        songs = [dance // self.settings.dances_each for dance, *_ in crops]
        music = [cropped(self.music[song][1:], start, end) for song, (_, start, *_) in zip(songs, crops, strict=True)]
        counts = [
            counted_steps(start, len(self.music[song]), end, shortest_context(self.system.config.gpt))
            for song, (_, start, *_) in zip(songs, crops, strict=True)
        ]
        codes = torch.stack([self.network.codes[dance, start : start + end] for dance, start, *_ in crops])
        rewards = torch.stack([self.network.rewards[dance, start + 1 : start + end] for dance, start, *_ in crops])
        batch = {
            "music": torch.from_numpy(np.stack(music)),
            "upper": codes[..., 0],
            "lower": codes[..., 1],
            "next_upper": codes[:, 1:, 0],
            "next_lower": codes[:, 1:, 1],
            "rewards": rewards,
            "counts": torch.from_numpy(np.stack(counts)),
        }
        styles = [style for style in (self.styles[song] for song in songs) if style is not None]
        return {**batch, "style": torch.stack(styles)} if styles else batch

    def arrived(self, batch: Batch) -> Batch:
        """Batches are collected as they are learnt from."""
        return batch

    def _danced(self, rng: np.random.Generator) -> Tensor:
        """Choose codes ``(dances, T, 2)``; past the end of a song they mean nothing."""
        network, device, each = self.network, self.system.device, self.settings.dances_each
        length = network.codes.shape[1]
        music = np.stack([cropped(song[1:], 0, length) for song in self.music]).repeat(each, axis=0)
        styles = [style for style in self.styles if style is not None]
        return generate(
            self.system.gpt,
            torch.from_numpy(music).to(device),
            torch.from_numpy(self._starts(len(music), rng)).to(device),
            style=torch.stack(styles).repeat_interleave(each, dim=0).to(device) if styles else None,
            sampling=Sampling(self.settings.temperature),
            generator=torch.Generator(device).manual_seed(int(rng.integers(2**62))),
        )

    def _starts(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw codes ``(count, 2)`` to begin with: those of real dances where they are known."""
        known = self.system.config.starts.get("")
        if not known:
            return rng.integers(0, self.system.config.gpt.codes, (count, 2))
        return np.asarray(known, dtype=np.int64)[rng.integers(0, len(known), count)]


def rewarded(
    system: ExpressiveBailando, codes: Tensor, beats: np.ndarray, settings: ActorCriticConfig
) -> dict[str, np.ndarray]:
    """Decode whole dances ``(B, T, 2)`` to one song and reward each code: ``(B, T)`` for each of :data:`LOGGED`.

    Bailando decodes the windows that it trains on. A dance that is decoded whole is the one that will be seen.
    """
    config, reward = system.config, settings.reward
    rows: list[dict[str, np.ndarray]] = []
    for positions in system.poses(codes):
        parts = reward_parts(positions, config.frame_rate, beats, config.pace, reward)
        named = {f"reward/{name}": part for name, part in parts.items()}
        speed = np.full(codes.shape[1], mean_speed(positions, config.frame_rate).mean())
        rows.append({"reward": weighted(parts, reward), **named, "speed": speed})
    return {name: np.stack([row[name] for row in rows]) for name in LOGGED}


def shortest_context(config: GPTConfig) -> int:
    """How many steps, its own included, a step far into a song sees in generation."""
    return config.window - 1 if config.positions == "learned" else config.window


def counted_steps(start: int, codes: int, states: int, context: int) -> np.ndarray:
    """Say which steps of a crop ``(states - 1,)`` are learnt from.

    In generation a step sees ``context`` steps (Bailando's recomputed window: 28 of 29), and fewer only where the song
    begins. A crop at the beginning of its song counts whole; of any other those steps count that see as many in the
    crop, with Bailando's windows of 30 codes the last one of 28. With rotary positions the cache also holds what older
    steps saw; that much of the context is missing in later crops. No step counts whose next lies past the end.

    Args:
        start: first step of the crop.
        codes: of the song.
        states: steps in the crop.
        context: steps that a step sees in generation.
    """
    steps = np.arange(states - 1)
    return np.asarray((start + steps < codes - 2) & ((start == 0) | (steps + 1 >= context)))


def _check(gpt: GPTConfig, settings: ActorCriticConfig, config: StageConfig, states: int) -> None:
    if settings.actor_layers > gpt.layers:
        raise DuendeError(
            f"actor_layers is {settings.actor_layers} but the network has {gpt.layers} blocks; give at most as many"
        )
    if gpt.positions == "learned" and states != gpt.window:
        raise DuendeError(
            f"with learned positions for {gpt.window} steps the crops of actor_critic have "
            f"{FRAMES_IN_ROW * (gpt.window + 1)} frames, got {config.frames}; give as many"
        )
    if states - 1 < shortest_context(gpt):
        raise DuendeError(
            f"a network that looks back on {gpt.window} steps is finetuned with crops of "
            f"{FRAMES_IN_ROW * (gpt.window + 2)} frames or more, got {config.frames}; give longer ones"
        )
    if config.check_every:
        raise DuendeError("the actor_critic stage learns from its own dances and checks none; leave out check_every")
