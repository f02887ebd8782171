"""The training loop: one for all stages, on one processor or many, resumable after a kill at any moment.

Everything random in a step (crops, dropout) follows from the recipe's seed and the step's number, so a resumed
run repeats what an uninterrupted one would have done.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from duende.errors import DuendeError
from duende.files import replacing
from duende.training.recipe import StageConfig
from duende.training.stage import Stage

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

    Returns:
        Whether the stage is finished.

    Raises:
        DuendeError: the checkpoint is damaged or of another stage.
    """
    config = stage.config
    steps = config.total_steps(len(stage.crops))
    optimizer = _optimizer([p for p in stage.network.parameters() if p.requires_grad], config)
    average = _Average(stage.network, config.average)
    log = _Log(folder / "log.jsonl") if fabric.is_global_zero else None
    network, optimizer = fabric.setup(stage.network, optimizer)
    step = _resume(folder / "checkpoint.pt", stage.network, optimizer, average, fabric.device)
    clock = _Clock(log.rewind(step) if log else {})
    share = config.batch // fabric.world_size
    if share * fabric.world_size != config.batch:
        raise DuendeError(f"a batch of {config.batch} does not divide over {fabric.world_size} processes")
    saved = time.monotonic()
    end = steps if stop_after is None else min(steps, stop_after)
    while step < end:
        stage.prepare(step, seed)
        picks = stage.crops.batch(step, config.batch, seed)
        mine = picks[fabric.global_rank * share : (fabric.global_rank + 1) * share]
        batch = {name: fabric.to_device(value) for name, value in stage.batch(mine).items()}
        torch.manual_seed((seed * 1_000_003 + step) * 1009 + fabric.global_rank)
        _set_rate(optimizer, config, step, steps)
        network.train()
        optimizer.zero_grad(set_to_none=True)
        loss, terms = network(batch)
        if not torch.isfinite(loss):
            raise DuendeError(f"the loss is no longer a number at step {step}; lower the learning rate")
        fabric.backward(loss)
        if config.clip:
            fabric.clip_gradients(network, optimizer, max_norm=config.clip)
        optimizer.step()
        average.update(stage.network)
        step += 1
        if step % LOG_EVERY == 0 or step == end:
            values = _plain(loss, terms)
            if held_out and config.check_every and (step % config.check_every == 0 or step == end):
                values["held_out"] = _held_out_loss(network, held_out, fabric)
            if log:
                log.write(step, {**values, **clock.read()})
            if report:
                report(step, steps, values)
        if time.monotonic() - saved > SAVE_SECONDS or step == end:
            if fabric.is_global_zero:
                _save(folder / "checkpoint.pt", stage.network, optimizer, average, step)
            fabric.barrier()
            saved = time.monotonic()
    finished = step >= steps
    if finished:
        average.put_in_place(stage.network)
    stage.network.eval()
    return finished


@torch.no_grad()
def _held_out_loss(network: nn.Module, stage: Stage, fabric: Fabric) -> float:
    """Mean loss over a fixed choice of held-out crops, nothing dropped out."""
    network.eval()
    size = stage.config.batch
    losses = []
    for step in range(min(HELD_OUT_BATCHES, -(-len(stage.crops) // size))):
        values = stage.batch(stage.crops.batch(step, min(size, len(stage.crops)), seed=0))
        loss, _ = network({name: fabric.to_device(value) for name, value in values.items()})
        losses.append(float(loss))
    return sum(losses) / len(losses)


class _Average:
    """A running mean of the trained weights, which often dances better than the last step's."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {n: p.detach().clone() for n, p in network.named_parameters()} if decay else {}
        self.steps = 0

    def update(self, network: nn.Module) -> None:
        if not self.decay:
            return
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, parameter in network.named_parameters():
            self.values[name] = self.values[name].to(parameter.device)
            self.values[name].lerp_(parameter.detach(), 1 - decay)

    def put_in_place(self, network: nn.Module) -> None:
        for name, parameter in network.named_parameters():
            if name in self.values:
                parameter.data.copy_(self.values[name])


class _Clock:
    """Time spent on a stage, by the wall and summed over processor cores, going on from an earlier run's."""

    def __init__(self, before: dict[str, float]) -> None:
        self.wall = time.monotonic() - before.get("seconds", 0.0)
        self.processor = time.process_time() - before.get("processor_seconds", 0.0)

    def read(self) -> dict[str, float]:
        return {
            "seconds": round(time.monotonic() - self.wall, 2),
            "processor_seconds": round(time.process_time() - self.processor, 2),
        }


class _Log:
    """One JSON object for each line: step and terms."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def rewind(self, step: int) -> dict[str, float]:
        """Drop what was logged after the step that training goes on from; return the last line that is left."""
        if not self.path.exists():
            return {}
        kept, last = [], {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
                if values["step"] <= step:
                    kept.append(line)
                    last = values
            except (ValueError, KeyError):
                continue  # A line cut short by a kill.
        with replacing(self.path) as path:
            path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        return last

    def write(self, step: int, values: dict[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


def _resume(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: _Average, device: torch.device
) -> int:
    if not path.exists():
        return 0
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        average.values, average.steps = saved["average"], int(saved["step"])
        return int(saved["step"])
    except Exception as error:
        raise DuendeError(
            f"{path} cannot be resumed from ({str(error).splitlines()[0]}); delete it to start this stage again"
        ) from error


def _save(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: _Average, step: int) -> None:
    with replacing(path) as temporary:
        torch.save(
            {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.values,
                "step": step,
            },
            temporary,
        )


def _optimizer(parameters: list[nn.Parameter], config: StageConfig) -> torch.optim.Optimizer:
    if config.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
        )
    try:
        from adan_pytorch import Adan
    except ModuleNotFoundError:
        raise DuendeError("Adan needs adan-pytorch; install it with: pip install 'duende[edge]'") from None
    return Adan(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def _set_rate(optimizer: torch.optim.Optimizer, config: StageConfig, step: int, steps: int) -> None:
    done = step / steps
    if config.schedule == "cosine":
        factor = 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2
    else:
        factor = 0.1 ** sum(done >= milestone for milestone in config.milestones)
    if config.warmup:
        factor *= min(1.0, (step + 1) / config.warmup)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * factor


def _plain(loss: Tensor, terms: dict[str, Tensor]) -> dict[str, float]:
    return {"loss": float(loss.detach()), **{name: float(value.detach()) for name, value in terms.items()}}
