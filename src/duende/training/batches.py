"""The batches of a stage, one for each step, gathered ahead by a thread where the processor would only wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from lightning_fabric import Fabric

from duende.errors import DuendeError
from duende.training.stage import Batch, Stage

AHEAD = 3
"""Batches that are gathered before they are asked for."""


class Batches:
    """What each step learns from: the same, whether gathered ahead or not.

    A graphics processor computes while the next batches are gathered. A processor has nothing to spare for that: there,
    and for a stage whose batches depend on what has been learnt, a batch is gathered when it is asked for.
    """

    def __init__(
        self, stage: Stage, fabric: Fabric, seed: int, first: int, end: int, ahead: bool | None = None
    ) -> None:
        """Get ready for the steps from ``first`` to before ``end``; ``ahead`` None decides by the device.

        Raises:
            DuendeError: the processes cannot share a batch evenly.
        """
        self.stage, self.fabric, self.seed = stage, fabric, seed
        size, processes = stage.config.batch, fabric.world_size
        self.share = size // processes
        if self.share * processes != size:
            raise DuendeError(f"a batch of {size} does not divide over {processes} processes")
        self.steps = iter(range(first, end))
        self.pinned = fabric.device.type == "cuda"
        wanted = fabric.device.type != "cpu" if ahead is None else ahead
        self.thread = ThreadPoolExecutor(1, "batches") if wanted and stage.foreseeable else None
        self.waiting: deque[Future[Batch]] = deque()

    def next(self) -> Batch:
        """Return the batch of the next step, where the network is."""
        return _arrived(self.stage, self.fabric, self._gathered())

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        if self.thread:
            self.thread.shutdown(wait=False, cancel_futures=True)

    def _gathered(self) -> Batch:
        if self.thread is None:
            return self._gather(next(self.steps))
        while len(self.waiting) < AHEAD and (step := next(self.steps, None)) is not None:
            self.waiting.append(self.thread.submit(self._gather, step))
        return self.waiting.popleft().result()

    def _gather(self, step: int) -> Batch:
        crops = self.stage.crops.batch(step, self.stage.config.batch, self.seed)
        first = self.fabric.global_rank * self.share
        batch = self.stage.batch(crops[first : first + self.share])
        return {name: value.pin_memory() for name, value in batch.items()} if self.pinned else batch


def held_out_batches(stage: Stage, fabric: Fabric, count: int) -> Iterator[Batch]:
    """Yield at most ``count`` batches of a fixed choice of crops."""
    size = stage.config.batch
    for step in range(min(count, -(-len(stage.crops) // size))):
        yield _arrived(stage, fabric, stage.batch(stage.crops.batch(step, min(size, len(stage.crops)), seed=0)))


def _arrived(stage: Stage, fabric: Fabric, batch: Batch) -> Batch:
    moved: dict[str, torch.Tensor] = {name: fabric.to_device(value) for name, value in batch.items()}
    with torch.no_grad():
        return stage.arrived(moved)
