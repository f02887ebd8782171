"""The losses of actor-critic finetuning: what actor and critic learn from rewarded dances (Bailando, CVPR 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duende.models.critic import Critic, CriticConfig
from duende.models.gpt import CrossConditionalGPT, Logits, initialise
from duende.training.reinforcement import ActorCriticConfig
from duende.training.stage import Batch, Terms

LOGGED = ("reward", "reward/beat", "reward/consistency", "reward/physics", "speed")
"""What is logged of the present dances: the mean reward of a code, its parts without their weights, and m/s."""


class ActorCriticLoss(nn.Module):
    """Loss of the actor or of the critic, whose turn it is; what does not learn in it has no gradient.

    The dances that are learnt from are buffers, so that a checkpoint holds them.

    Attributes:
        codes: ``(dances, T, 2)`` upper and lower codes.
        rewards: ``(dances, T)``, of each code.
        means: over all dances, see :data:`LOGGED`.
    """

    codes: Tensor
    rewards: Tensor
    means: Tensor

    def __init__(self, gpt: CrossConditionalGPT, settings: ActorCriticConfig, dances: int, length: int) -> None:
        super().__init__()
        self.gpt, self.settings = gpt, settings
        self.base = len(gpt.blocks) - settings.actor_layers
        self.critic = Critic(CriticConfig(settings.critic_layers), gpt.config)
        self.actor_learns = False
        self.register_buffer("codes", torch.zeros(dances, length, 2, dtype=torch.long))
        self.register_buffer("rewards", torch.zeros(dances, length))
        self.register_buffer("means", torch.zeros(len(LOGGED)))
        gpt.requires_grad_(False)
        for part in (*list(gpt.blocks)[self.base :], gpt.norm, gpt.upper_scores, gpt.lower_scores):
            part.requires_grad_(True)

    def draw_critic(self, seed: int) -> None:
        """Give the critic its first weights; they follow from the seed, whatever has been drawn before."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.critic.apply(initialise)

    def train(self, mode: bool = True) -> ActorCriticLoss:
        """Switch to training, but for the GPT: nothing is dropped out of what has chosen the dances."""
        super().train(mode)
        self.gpt.eval()
        return self

    def forward(self, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss, both losses, and what is logged of the present dances."""
        gpt, settings, counts = self.gpt, self.settings, batch["counts"]
        with torch.no_grad():
            style = gpt.known_style(batch.get("style"), batch["music"])
            heard = gpt.hear(batch["music"])
            features = gpt.features(heard, batch["upper"], batch["lower"], style, self.base)
        learns = torch.is_grad_enabled()
        with torch.set_grad_enabled(learns and not self.actor_learns):
            errors = td_errors(batch["rewards"], self.critic(features), settings.discount)
        with torch.set_grad_enabled(learns and self.actor_learns):
            logits = gpt.finish_scores(features, self.base)
            # Codes are drawn from scores over the temperature: that is the policy whose gradient is wanted.
            warmth = settings.temperature or 1.0
            steps = Logits(logits.upper[:, :-1].float() / warmth, logits.lower[:, :-1].float() / warmth)
            surprise = surprises(steps, batch["next_upper"], batch["next_lower"])
            advantage = traced(errors.detach(), settings.discount * settings.trace)
            if settings.advantage_normalised:
                advantage = advantage - mean_over(advantage, counts)
                advantage = advantage / mean_over(advantage**2, counts).sqrt().clamp_min(1e-6)
            actor = mean_over(advantage * surprise, counts)
            entropy = mean_over(entropies(steps), counts)
        critic = mean_over(errors**2, counts)
        loss = actor - settings.entropy * entropy if self.actor_learns else critic
        terms = {"actor": actor.detach(), "critic": critic.detach(), "entropy": entropy.detach()}
        return loss, {**terms, **dict(zip(LOGGED, self.means, strict=True))}


def td_errors(rewards: Tensor, values: Tensor, discount: float) -> Tensor:
    """How much better steps ``(B, T - 1)`` turned out than expected: r + discount * V(s') - V(s).

    No gradient goes through V(s'): the critic learns to foresee, not to bring about what it has foreseen.

    Args:
        rewards: ``(B, T - 1)``.
        values: ``(B, T)`` of each step, the last one included.
        discount: what the next step counts.
    """
    return rewards + discount * values[:, 1:].detach() - values[:, :-1]


def traced(errors: Tensor, decay: float) -> Tensor:
    """Give steps ``(B, T)`` a share of the TD errors after them, by a power of ``decay`` (Schulman et al., 2016).

    What a code is good for shows in the codes after it: a minimum of speed takes several.
    """
    if not decay:
        return errors
    shares = [errors[:, -1]]
    for step in range(errors.shape[1] - 2, -1, -1):
        shares.append(errors[:, step] + decay * shares[-1])
    return torch.stack(shares[::-1], dim=1)


def surprises(logits: Logits, upper: Tensor, lower: Tensor) -> Tensor:
    """Sum ``(B, T)`` of the cross-entropies of both halves' codes ``(B, T)``."""
    return F.cross_entropy(logits.upper.mT, upper, reduction="none") + F.cross_entropy(
        logits.lower.mT, lower, reduction="none"
    )


def entropies(logits: Logits) -> Tensor:
    """Sum ``(B, T)`` of the entropies, in nats, of both halves' choices."""
    known = [half.log_softmax(dim=-1) for half in (logits.upper, logits.lower)]
    return torch.stack([-(half.exp() * half).sum(dim=-1) for half in known]).sum(dim=0)


def mean_over(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of ``values`` where they count; 0 where none does."""
    return torch.where(counts, values, 0.0).sum() / counts.sum().clamp_min(1)
