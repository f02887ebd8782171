"""What actor-critic finetuning is told: its rewards and its settings, as data of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from duende.errors import DuendeError

BeatForm = Literal["released", "paper"]


@dataclass(frozen=True)
class RewardConfig:
    """What a dance is rewarded for. The defaults are Bailando's.

    All three rewards of a code lie between a worst and a best: the beat's and that of physics from -5 to 5, that of
    consistency from -1 to 1.

    Attributes:
        beat: weight of the reward for dance beats on music beats.
        beat_form: ``"released"``, as in Bailando's code: 5 where a music beat has a dance beat, -5 elsewhere;
            ``"paper"``: -5 where a music beat has no dance beat, 5 elsewhere.
        consistency: weight of the reward for hips and shoulders that face the same way; 0 in Bailando's released
            configs.
        physics: weight of the reward for feet that stand, and for moving (ours; Skeleton2Stage, arXiv 2602.13778,
            found that Bailando's beat reward harms the feet and that one for physics mends them). Each of the
            following faults begins at its limit, and is as bad as can be at three times the limit.
        sliding: metres a second over which a foot on the floor slides.
        floating: metres over the floor from which a body floats. Jumps float as well.
        sinking: metres under the floor from which a body sinks.
        freezing: share of the usual pace below which a body freezes; it is as bad as can be at rest.
    """

    beat: float = 1.0
    beat_form: BeatForm = "released"
    consistency: float = 0.0
    physics: float = 0.0
    sliding: float = 0.15
    floating: float = 0.05
    sinking: float = 0.02
    freezing: float = 0.4

    def __post_init__(self) -> None:
        if self.beat_form not in ("released", "paper"):
            raise DuendeError(f"the form of the beat reward is 'released' or 'paper', got {self.beat_form!r}")
        for name in ("beat", "consistency", "physics"):
            _at_least(0, self, name, "weight of a reward")
        if not self.beat + self.consistency + self.physics:
            raise DuendeError("a reward needs something to reward; give beat, consistency or physics a weight above 0")
        for name in ("sliding", "floating", "sinking", "freezing"):
            if not 0 < getattr(self, name) < float("inf"):
                raise DuendeError(f"the limit {name} of a reward is above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class ActorCriticConfig:
    """How the GPT is finetuned with a reward. The defaults are Bailando's.

    Attributes:
        reward: what a dance is rewarded for.
        actor_layers: last blocks of the GPT that are trained, with its final norm and both output matrices; all
            before them stays as it is, and is shared with the critic.
        critic_layers: blocks of the critic.
        discount: what the reward of the next step counts beside that of this one.
        trace: how much of the TD errors after a step its choice is told as well, beside the discount; 0 for none, as in
            Bailando (generalised advantage estimation, Schulman et al., 2016).
        turns: batches in which the actor learns before as many in which the critic does.
        dances_each: how many dances there are to each song at a time.
        temperature: of drawing the codes of these dances; 0 takes the most probable ones. A small network that is
            used with 1.1 should be finetuned with 1.1.
        renew_every: optimiser steps after which all songs are danced to anew; 0 for an epoch, as in Bailando.
        entropy: weight of the entropy of the actor's choices, which keeps it from always choosing the same.
        critic_first: optimiser steps at the beginning in which the critic alone learns.
        advantage_normalised: bring the TD errors that the actor learns from to mean 0 and deviation 1 in each batch
            (ours): where most rewards are bad and the critic has not learnt so, the actor flees all that it knows.
    """

    reward: RewardConfig = field(default_factory=RewardConfig)
    actor_layers: int = 6
    critic_layers: int = 3
    discount: float = 1.0
    trace: float = 0.0
    turns: int = 5
    dances_each: int = 1
    temperature: float = 0.0
    renew_every: int = 0
    entropy: float = 0.0
    critic_first: int = 0
    advantage_normalised: bool = False

    def __post_init__(self) -> None:
        for name in ("actor_layers", "critic_layers", "turns", "dances_each"):
            _at_least(1, self, name, "setting")
        for name in ("temperature", "renew_every", "entropy", "critic_first"):
            _at_least(0, self, name, "setting")
        for name in ("discount", "trace"):
            if not 0 <= getattr(self, name) <= 1:
                raise DuendeError(
                    f"the {name} of actor-critic finetuning is a share from 0 to 1, got {getattr(self, name)}"
                )

    def actor_learns(self, step: int) -> bool:
        """Whether it is the actor's turn in an optimiser step, else it is the critic's."""
        return step >= self.critic_first and (step - self.critic_first) // self.turns % 2 == 0


def _at_least(least: int, config: RewardConfig | ActorCriticConfig, name: str, what: str) -> None:
    value = getattr(config, name)
    if not least <= value < float("inf"):
        raise DuendeError(f"the {what} {name} of actor-critic finetuning is {least} or more, got {value}")
