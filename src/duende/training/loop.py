"""The training loop: one for all stages, on one processor or many, resumable after a kill at any moment.

Everything random in a step (crops, dropout) follows from the recipe's seed and the step's number, so a resumed
run repeats what an uninterrupted one would have done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from duende.errors import DuendeError
from duende.files import replacing
from duende.training.batches import Batches, held_out_batches
from duende.training.compilation import compiled_for
from duende.training.log import Clock, Log
from duende.training.optimizer import RunningAverage, new_optimizer, set_rate
from duende.training.recipe import Compiled
from duende.training.stage import Stage, Terms

SAVE_SECONDS = 60.0
LOG_EVERY = 20
HELD_OUT_BATCHES = 6

Report = Callable[[int, int, dict[str, float]], None]
"""Called with the steps done, the steps in all and the latest terms."""


def run_stage(
    fabric: Fabric,
    stage: Stage,
    folder: Path,
    seed: int,
    report: Report | None = None,
    stop_after: int | None = None,
    held_out: Stage | None = None,
    compiled: Compiled = "off",
) -> bool:
    """Train ``stage``, going on from ``folder/checkpoint.pt`` where there is one.

    Args:
        fabric: where to run.
        stage: what to train; its networks are changed in place.
        folder: for ``checkpoint.pt`` and ``log.jsonl``.
        seed: decides crops and dropout.
        report: told of progress.
        stop_after: stop at this step as a kill would, after saving (None: run to the end).
        held_out: the same network over clips that it does not train on, for the loss that ``check_every`` asks for.
        compiled: as in :class:`Recipe`.

    Returns:
        Whether the stage is finished.

    Raises:
        DuendeError: the checkpoint is damaged or of another stage, or the loss is no longer a number.
    """
    training = StageTraining(fabric, stage, seed, compiled)
    training.resume(folder / "checkpoint.pt")
    log = Log(folder / "log.jsonl") if fabric.is_global_zero else None
    clock = Clock(log.rewind(training.done) if log else {})
    saved = time.monotonic()
    end = training.steps if stop_after is None else min(training.steps, stop_after)
    with training.until(end) as batches:
        while training.done < end:
            loss, terms = training.step(batches)
            if training.done % LOG_EVERY == 0 or training.done == end:
                training.check()
                values = _plain(loss, terms)
                every = stage.config.check_every
                if held_out and every and (training.done % every == 0 or training.done == end):
                    values["held_out"] = training.loss_on(held_out)
                if log:
                    log.write(training.done, {**values, **clock.read()})
                if report:
                    report(training.done, training.steps, values)
            if time.monotonic() - saved > SAVE_SECONDS or training.done == end:
                training.save(folder / "checkpoint.pt")
                saved = time.monotonic()
    finished = training.done >= training.steps
    if finished:
        training.average.put_in_place(stage.network)
    stage.network.eval()
    return finished


class StageTraining:
    """A stage on its way.

    Attributes:
        steps: in all.
        done: steps.
        network: what is trained, as it is called in a step.
        average: of the weights.
    """

    def __init__(self, fabric: Fabric, stage: Stage, seed: int, compiled: Compiled = "off") -> None:
        config = stage.config
        self.fabric, self.stage, self.seed = fabric, stage, seed
        self.steps, self.done = config.total_steps(len(stage.crops)), 0
        stage.network.to(fabric.device)
        optimizer = new_optimizer([p for p in stage.network.parameters() if p.requires_grad], config)
        self.average = RunningAverage(stage.network, config.average)
        self.network, self.optimizer = fabric.setup(compiled_for(stage.network, compiled, fabric.device), optimizer)
        self._first_bad = torch.full((), -1, device=fabric.device)

    def until(self, end: int) -> Batches:
        """Open the batches of the steps that are left before ``end``."""
        return Batches(self.stage, self.fabric, self.seed, self.done, end)

    def step(self, batches: Batches) -> tuple[Tensor, Terms]:
        """Take one step; return its loss and terms."""
        config, fabric = self.stage.config, self.fabric
        self.stage.prepare(self.done, self.seed)
        batch = batches.next()
        torch.manual_seed((self.seed * 1_000_003 + self.done) * 1009 + fabric.global_rank)
        set_rate(self.optimizer, config, self.done, self.steps)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss, terms = self.network(batch)
        self._watch(loss)
        fabric.backward(loss)
        if config.clip:
            # The norm is not asked whether it is finite: that would wait for the graphics processor.
            fabric.clip_gradients(self.network, self.optimizer, max_norm=config.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.average.update(self.stage.network)
        self.done += 1
        return loss, terms

    def check(self) -> None:
        """Find out whether the loss of every step so far was a number; waits until they are computed.

        Raises:
            DuendeError: it was not.
        """
        step = int(self._first_bad)
        if step >= 0:
            raise DuendeError(f"the loss is no longer a number at step {step}; lower the learning rate")

    @torch.no_grad()
    def loss_on(self, held_out: Stage) -> float:
        """Mean loss over a fixed choice of held-out crops, nothing dropped out."""
        self.network.eval()
        losses = [float(self.network(batch)[0]) for batch in held_out_batches(held_out, self.fabric, HELD_OUT_BATCHES)]
        return sum(losses) / len(losses)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint where there is one.

        Raises:
            DuendeError: it is damaged or of another stage.
        """
        if not path.exists():
            return
        try:
            saved = torch.load(path, map_location=self.fabric.device, weights_only=True)
            self.stage.network.load_state_dict(saved["network"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.average.values, self.average.steps = saved["average"], int(saved["step"])
            self.done = int(saved["step"])
        except Exception as error:
            raise DuendeError(
                f"{path} cannot be resumed from ({str(error).splitlines()[0]}); delete it to start this stage again"
            ) from error

    def save(self, path: Path) -> None:
        """Write a checkpoint, unless the loss is no longer a number.

        Raises:
            DuendeError: it is not.
        """
        self.check()
        if self.fabric.is_global_zero:
            with replacing(path) as temporary:
                torch.save(
                    {
                        "network": self.stage.network.state_dict(),
                        "optimizer": self.optimizer.state_dict(),
                        "average": self.average.values,
                        "step": self.done,
                    },
                    temporary,
                )
        self.fabric.barrier()

    def _watch(self, loss: Tensor) -> None:
        """Note the first step whose loss is no number, without waiting for it."""
        bad = ~torch.isfinite(loss.detach()) & (self._first_bad < 0)
        self._first_bad = torch.where(bad, self.done, self._first_bad)


def _plain(loss: Tensor, terms: Terms) -> dict[str, float]:
    """Bring all values over at once."""
    values = torch.stack([value.detach().float() for value in (loss, *terms.values())]).tolist()
    return dict(zip(("loss", *terms), values, strict=True))
