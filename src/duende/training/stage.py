"""What the training loop needs to know of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from duende.datasets.crops import Crop, Crops, JitteredCrops
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
    def crops(self) -> Crops | JitteredCrops:
        """What an epoch looks at."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def prepare(self, step: int, seed: int) -> None:
        """Get ready for a step, for instance by dancing anew with what has been learnt so far."""

    @property
    def foreseeable(self) -> bool:
        """Whether a batch follows from its crops alone, so that it may be collected before it is its turn."""

    def batch(self, crops: Sequence[Crop]) -> Batch:
        """Collect the crops of a step; may be called by another thread than the one that trains."""

    def arrived(self, batch: Batch) -> Batch:
        """Do what is left to do with a batch where the network is."""


class RecordedStage:
    """A stage that learns from recorded dances: no step needs anything to be prepared."""

    foreseeable = True

    def arrived(self, batch: Batch) -> Batch:
        """Batches are collected as they are learnt from."""
        return batch

    def prepare(self, step: int, seed: int) -> None:
        """Nothing changes from one step to the next."""
