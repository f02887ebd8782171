"""What the training loop needs to know of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from duende.datasets.crops import Crops
from duende.training.recipe import StageConfig

Batch = dict[str, Tensor]
Terms = dict[str, Tensor]


class Stage(Protocol):
    """A stage of training.

    ``network`` is called with a batch and returns the loss and its terms; those of its parameters that want a gradient
    are what the stage trains. All that a resumed run has to know is in its parameters and buffers.
    """

    @property
    def config(self) -> StageConfig:
        """How it is trained."""

    @property
    def crops(self) -> Crops:
        """What an epoch looks at."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def prepare(self, step: int, seed: int) -> None:
        """Get ready for a step, for instance by dancing anew with what has been learnt so far."""

    def batch(self, picks: Sequence[tuple[int, int]]) -> Batch:
        """Collect the crops of a step."""


class RecordedStage:
    """A stage that learns from recorded dances: no step needs anything to be prepared."""

    def prepare(self, step: int, seed: int) -> None:
        """Nothing changes from one step to the next."""
