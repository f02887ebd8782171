"""Speed of training, stage by stage, and how long the paper's schedule would take on this machine.

    python -m benchmarks.training [--scale paper] [--device auto] [--seconds-budget 120]

Each stage of a recipe takes a few steps over made-up dances of AIST++'s number and lengths; all else is extrapolated from
them. At the scale ``paper`` the recipe as published, whose windows overlap, stands beside the fast one, in the same run. The
share is that of the speed of a large matrix product in the same precision, measured between the steps, and of the data
sheet's where it is known. On a processor the time counts that it spent on this program, shared by the threads: what else
the machine has to do does not count. ``--run-all`` trains the whole schedule instead.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training_data import SHAPES, write_synthetic_set
from duende.datasets.packed import PackedSet
from duende.datasets.store import Clip, DanceSet
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training.batches import Batches
from duende.training.loop import StageTraining
from duende.training.new_system import new_system
from duende.training.recipe import Recipe, load_recipe
from duende.training.run import STAGES, new_fabric, train
from duende.training.stages import IGNORED

RECIPES = {
    "paper": ("recipes/expressive_bailando.yaml", "recipes/expressive_bailando_fast.yaml"),
    "starter": ("recipes/starter.yaml",),
}
DATA_SHEETS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
"""Dense bfloat16 operations a second that makers state, by what a device's name contains."""
UNITS = {"vqvae": "frames", "root": "frames", "gpt": "codes"}


@dataclass(frozen=True)
class Measured:
    """One stage of one recipe.

    Attributes:
        stage: its name.
        parameters: that are trained.
        batch_seconds: to gather a batch.
        step_seconds: median of a step, gathering included.
        product_speed: operations a second of a large matrix product, median of those between the steps.
        targets: frames or pairs of codes that a step learns from, on average.
        flops: of a step, convolutions and matrix products alone.
        steps: in the recipe's schedule.
        passes: how often the schedule learns from each target, on average.
        timed: steps that were timed.
    """

    stage: str
    parameters: int
    batch_seconds: float
    step_seconds: float
    product_speed: float
    targets: float
    flops: float
    steps: int
    passes: float
    timed: int

    @property
    def hours(self) -> float:
        """Of the whole schedule."""
        return self.steps * self.step_seconds / 3600


def measured(
    name: str, recipe: Recipe, system: ExpressiveBailando, clips: list[Clip], fabric: Fabric, seconds: float
) -> Measured:
    """Train a stage for about so many ``seconds``, three steps at least."""
    stage = STAGES[name](system, clips, recipe.stages[name])
    training = StageTraining(fabric, stage, recipe.seed, recipe.compiled)
    gathered, counts = [], []
    for step in range(5):
        begin = now(fabric.device)
        batch = stage.batch(stage.crops.batch(step, stage.config.batch, recipe.seed))
        gathered.append(now(fabric.device) - begin)
        known = batch["next_upper"] != IGNORED if name == "gpt" else torch.ones(batch["lower"].shape[:2])
        counts.append(int(known.sum()))
    everything = sum(len(clip.upper) // (8 if name == "gpt" else 1) - (name == "gpt") for clip in clips)
    on_processor = fabric.device.type == "cpu"
    kind = torch.bfloat16 if "bf16" in str(fabric.strategy.precision.precision) else torch.float32
    with training.until(10**9) as batches:
        flops = _flops(training, stage.arrived({k: fabric.to_device(v) for k, v in batch.items()}))
        _timed(training, batches, 1 if on_processor else 10)
        block = 1 if on_processor else max(1, round(seconds / 5 / _timed(training, batches, 3)))
        begin, times, speeds = time.perf_counter(), [], []
        while len(times) < 3 or (time.perf_counter() - begin < seconds and len(times) < 40):
            times.append(_timed(training, batches, block))
            speeds.append(matmul_speed(fabric.device, kind))
    return Measured(
        stage=name,
        parameters=sum(p.numel() for p in stage.network.parameters() if p.requires_grad),
        batch_seconds=statistics.median(gathered),
        step_seconds=statistics.median(times),
        product_speed=statistics.median(speeds),
        targets=statistics.mean(counts),
        flops=flops,
        steps=training.steps,
        passes=training.steps * statistics.mean(counts) / everything,
        timed=len(times) * block,
    )


def now(device: torch.device) -> float:
    """Seconds on the clock that counts for ``device``."""
    return time.process_time() / torch.get_num_threads() if device.type == "cpu" else time.perf_counter()


def _timed(training: StageTraining, batches: Batches, steps: int) -> float:
    """Mean seconds of a step, the last one waited for."""
    begin = now(training.fabric.device)
    for _ in range(steps):
        training.step(batches)
    training.check()
    return (now(training.fabric.device) - begin) / steps


def _flops(training: StageTraining, batch: dict[str, torch.Tensor]) -> float:
    """Count operations forwards and backwards; of the network as it is written, not as it is compiled."""
    network = training.stage.network.train()
    with FlopCounterMode(display=False) as counter:
        with training.fabric.autocast():
            loss, _ = network(batch)
        loss.backward()
    training.optimizer.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


def matmul_speed(device: torch.device, kind: torch.dtype) -> float:
    """Operations a second of a large matrix product, the better of two."""
    size = 2048 if device.type == "cpu" else 8192
    left, right = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    seconds = []
    for _ in range(3):
        begin = now(device)
        product = left @ right
        float(product[0, 0])
        seconds.append(now(device) - begin)
    return 2 * size**3 / min(seconds[1:])


def stated_speed(device: torch.device) -> float | None:
    """What the data sheet says, where it is known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((speed for part, speed in DATA_SHEETS.items() if part in name), None)


def measure_recipe(
    recipe: Recipe, data: DanceSet, device: str, seconds: float, stages: list[str] | None
) -> tuple[list[Measured], Fabric]:
    """Measure the stages of a recipe in their order."""
    packed = PackedSet.of(data)
    clips = packed.clips("train")
    fabric = new_fabric(recipe.precision, 1, device)
    system = new_system(recipe, clips, data.feature_set, packed.spread).to(fabric.device)
    assert isinstance(system, ExpressiveBailando)
    rng = np.random.default_rng(0)
    # Which codes there are makes no difference to the time of a step; to encode all takes would take minutes.
    system.codes_of = lambda upper, lower: rng.integers(0, 512, (len(upper) // 8, 2))  # type: ignore[method-assign]
    names = [name for name in recipe.ordered_stages if stages is None or name in stages]
    rows = []
    for name in names:
        print(f"{recipe.name}: {name}", file=sys.stderr)
        rows.append(measured(name, recipe, system, clips, fabric, seconds / len(names)))
    return rows, fabric


def print_table(results: list[tuple[Recipe, list[Measured]]], fabric: Fabric) -> None:
    """Print all stages of all recipes, then the hours of each recipe and their ratio."""
    stated = stated_speed(fabric.device)
    name = torch.cuda.get_device_name() if fabric.device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"\n{fabric.device.type}, {name}, torch {torch.__version__}, {fabric.strategy.precision.precision}")
    print(
        "\n| recipe | stage | parameters, million | batch, ms | steps a second | targets a second | GFLOP a step "
        "| of a matrix product, TFLOP a second | of the data sheet | steps in all | each target is learnt | hours |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for recipe, rows in results:
        for row in rows:
            speed = row.flops / row.step_seconds
            sheet = f"{speed / stated:.0%}" if stated else "–"
            print(
                f"| {recipe.name} | {row.stage} | {row.parameters / 1e6:.1f} | {row.batch_seconds * 1e3:.1f} "
                f"| {1 / row.step_seconds:.3g} ({row.timed} timed) "
                f"| {row.targets / row.step_seconds:,.0f} {UNITS[row.stage]} | {row.flops / 1e9:,.0f} "
                f"| {speed / row.product_speed:.0%} of {row.product_speed / 1e12:.3g} | {sheet} | {row.steps:,} | {row.passes:,.0f} times | {row.hours:,.1f} |"
            )
    totals = [sum(row.hours for row in rows) for _, rows in results]
    print()
    for (recipe, _), total in zip(results, totals, strict=True):
        print(f"{recipe.name}: {total:,.1f} hours for its whole schedule, extrapolated", end="")
        print(f", {totals[0] / total:.1f} times faster than {results[0][0].name}" if total != totals[0] else "")


def main() -> None:
    """Measure, or train, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=sorted(RECIPES), default="paper")
    parser.add_argument("--recipe", action="append", help="in place of the scale's; may be given more than once")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--precision", help="in place of the recipes'")
    parser.add_argument("--compiled", choices=("auto", "on", "off"), help="in place of the recipes'")
    parser.add_argument("--stage", action="append", help="this one alone; may be given more than once")
    parser.add_argument("--mert", action="store_true", help="with MERT's 10,240 columns (3 GB, packed another 3)")
    parser.add_argument("--seconds-budget", type=float, default=120.0, help="of timed steps, for each recipe")
    parser.add_argument("--data", help="folder; the set is written where there is none")
    parser.add_argument("--run-all", action="store_true", help="train every recipe to its end")
    options = parser.parse_args()
    if options.run_all and (options.device != "auto" or options.stage):
        parser.error("--run-all trains whole recipes on what the machine has; leave out --device and --stage")
    shape = SHAPES[options.scale]
    if options.mert:
        shape = replace(shape, features=f"{shape.features}+mert")
    usual = f"cache/synthetic_{options.scale}{'_mert' if options.mert else ''}"
    data = write_synthetic_set(Path(options.data or usual), shape)
    recipes = [load_recipe(path) for path in options.recipe or RECIPES[options.scale]]
    changes = {"precision": options.precision, "compiled": options.compiled}
    recipes = [replace(recipe, **{k: v for k, v in changes.items() if v}) for recipe in recipes]
    if options.run_all:
        for recipe in recipes:
            begin = time.perf_counter()
            folder = train(recipe, data.folder, Path("runs") / f"benchmark-{recipe.name}", devices=1)
            print(f"{folder}: {(time.perf_counter() - begin) / 3600:.2f} hours", flush=True)
        return
    results = []
    for recipe in recipes:
        rows, fabric = measure_recipe(recipe, data, options.device, options.seconds_budget, options.stage)
        results.append((recipe, rows))
    print_table(results, fabric)


if __name__ == "__main__":
    main()
