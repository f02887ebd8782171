"""Time the network that chooses codes at the paper's size, on random weights: what a code costs, however it is computed.

``python -m benchmarks.network [--device cuda] [--batch 64] [--seconds 60]``. Cached steps and the loop that recomputes
the window for every code take turns in one run; figures are medians, of steps with a full window. The judge of
candidates is left out: here the first one always goes on. Growth with the song and peak memory come from processes of
their own, which ``--longest 0`` leaves out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from duende.models.generation import Audition, Generation
from duende.models.gpt import CrossConditionalGPT, GPTConfig
from duende.models.placement import Placement, prepared
from duende.models.sampling import Sampling
from duende.models.scoring import RecomputedScorer

CODE_RATE = 7.5
PHRASE = 7
CONFIG = GPTConfig(music_dimension=464)
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
PRECISIONS = ("float32", "bfloat16", "int8")


@dataclass
class Case:
    """Something that chooses ``dances * steps`` codes a call, and the seconds that its calls took."""

    name: str
    precision: str
    call: Callable[[], object]
    steps: int
    dances: int = 1

    def __post_init__(self) -> None:
        self.seconds: list[float] = []

    def run(self, device: torch.device, clock: Callable[[], float]) -> None:
        begin = clock()
        self.call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self.seconds.append((clock() - begin) / self.steps)

    @property
    def code(self) -> float:
        """Median seconds of a step, one code of each dance."""
        return statistics.median(self.seconds)


def network(seed: int = 0) -> CrossConditionalGPT:
    torch.manual_seed(seed)
    return CrossConditionalGPT(CONFIG).eval()


def first_of_each(codes: torch.Tensor, _: int) -> list[int]:
    return [0] * len(codes)


def cached(gpt: CrossConditionalGPT, steps: int, dances: int, candidates: int) -> Callable[[], object]:
    """Whole phrases of a generation whose window is full."""
    device = gpt.upper.weight.device
    music = torch.randn(dances, max(steps, CONFIG.window + PHRASE), CONFIG.music_dimension, device=device)
    chance = torch.Generator(device).manual_seed(0)
    start = torch.zeros(dances, 2, dtype=torch.long, device=device)
    generation = Generation(gpt, start, sampling=Sampling(1.0), generator=chance)
    audition = Audition(candidates, PHRASE, first_of_each) if candidates > 1 else None
    generation.extend(music, audition=audition)
    return lambda: generation.extend(music[:, :steps], audition=audition)


def recomputing(gpt: CrossConditionalGPT, steps: int) -> Callable[[], object]:
    """The same steps by the paper's loop: the last ``window - 1`` codes once more for every code."""
    device = gpt.upper.weight.device
    scorer = RecomputedScorer(gpt, None, 1)
    scorer.heard = scorer.heard.new_zeros(1, CONFIG.window - 1, CONFIG.width)
    scorer.codes = scorer.codes.new_zeros(1, 1, CONFIG.window - 1, 2)
    music = torch.randn(1, CONFIG.window, CONFIG.music_dimension, device=device)

    @torch.inference_mode()
    def call() -> None:
        codes = torch.zeros(1, 1, 2, dtype=torch.long, device=device)
        for _ in range(steps):
            heard = gpt.hear(music[:, :1].to(gpt.upper.weight.dtype))[:, 0]
            codes = scorer(heard, codes).argmax(dim=-1)

    return call


def cases(options: argparse.Namespace, original: CrossConditionalGPT, precision: str, compiled: str) -> list[Case]:
    gpt = prepared(original, Placement(options.device, precision, compiled))  # type: ignore[arg-type]
    steps, name = options.steps, "" if compiled != "on" else ", compiled"
    found = [
        Case(f"one stream{name}", precision, cached(gpt, steps, 1, 1), steps),
        Case(f"six candidates{name}", precision, cached(gpt, steps, 1, 6), steps),
    ]
    if options.batch > 1:
        found.append(
            Case(
                f"batch of {options.batch}{name}", precision, cached(gpt, steps, options.batch, 1), steps, options.batch
            )
        )
    if compiled != "on":
        found.append(Case("recomputing loop", precision, recomputing(gpt, 2), 2))
    return found


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a large sum reads: what a step that only reads its weights cannot beat."""
    numbers, seconds = torch.ones(64_000_000, device=device), []
    for _ in range(6):
        begin = time.perf_counter()
        numbers.sum()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - begin)
    return numbers.numel() * 4 / min(seconds)


def table(options: argparse.Namespace, device: torch.device) -> None:
    original = network().to(device)
    plain = Case("recomputing loop, nothing prepared", "float32", recomputing(original, 2), 2)
    found = [plain]
    compiled = ("auto", "on") if options.compile else ("auto",)
    for precision in options.precisions:
        for how in compiled:
            found += cases(options, original, precision, how)
    for turn in range(options.rounds + 1):
        for case in found:
            case.run(device, CLOCKS[options.clock])
            if turn == 0:
                case.seconds.clear()
    weights = sum(layer.weight.numel() for layer in original.modules() if isinstance(layer, torch.nn.Linear))
    size, read = {"float32": 4, "bfloat16": 2, "int8": 1}, bandwidth(device)
    print(f"{weights / 1e6:.0f} M weights in products; memory is read at {read / 1e9:.0f} GB/s by a sum\n")
    print(
        "| | precision | ms a code | times faster than the dance | than the plain loop | than the loop so prepared |",
        end="",
    )
    print(" share of memory speed |\n|---|---|---|---|---|---|---|")
    loops = {case.precision: case.code for case in found if case.name == "recomputing loop"}
    for case in found:
        step, share = case.code, weights * size[case.precision] / case.code / read
        print(
            f"| {case.name} | {case.precision} | {step * 1e3 / case.dances:.2f} "
            f"| {case.dances / CODE_RATE / step:.1f} | {plain.code * case.dances / step:.1f} "
            f"| {loops.get(case.precision, plain.code) * case.dances / step:.1f} | {share:.0%} |"
        )
    if device.type == "cuda":
        best = {
            name: max(c.dances / CODE_RATE / c.code for c in found if c.name.startswith(name))
            for name in ("one", "batch")
        }
        for name, goal in (("one", 300), ("batch", 5000)):
            print(
                f"{name}: {best[name]:.0f} times faster than the dance, goal {goal}: {'met' if best[name] > goal else 'missed'}"
            )


def growth(options: argparse.Namespace, device: torch.device) -> None:
    """In a process of its own: milliseconds a code near the asked moments of one long dance, and peak memory."""
    gpt = prepared(network(), Placement(options.device, options.precisions[-1]))
    generation = Generation(
        gpt,
        torch.zeros(1, 2, dtype=torch.long, device=device),
        sampling=Sampling(1.0),
        generator=torch.Generator(device).manual_seed(0),
    )
    moments, took, clock = [10, 60, 600, 1800], {}, CLOCKS[options.clock]
    music = torch.randn(1, 15, CONFIG.music_dimension, device=device)
    recent: list[float] = []
    while generation.count / CODE_RATE < options.worker:
        begin = clock()
        generation.extend(music).sum().item()
        recent = [*recent[-4:], (clock() - begin) / 15 * 1e3]
        while moments and generation.count / CODE_RATE >= moments[0]:
            took[moments.pop(0)] = statistics.median(recent)
    on_card = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
    print(
        json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "card": on_card, "took": took})
    )


def lengths(options: argparse.Namespace) -> None:
    print(
        f"\n| one stream, {options.precisions[-1]} | peak MiB | ms a code after 10 s | 60 s | 600 s | 1800 s |\n|---|---|---|---|---|---|"
    )
    for seconds in (60, options.longest):
        arguments = [sys.executable, "-m", "benchmarks.network", *sys.argv[1:], "--worker", str(seconds)]
        output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
        found = json.loads(output.splitlines()[-1])
        took = [f"{found['took'][key]:.1f}" if (key := str(at)) in found["took"] else "-" for at in (10, 60, 600, 1800)]
        card = f" ({found['card']:.0f} on the card)" if found["card"] else ""
        print(f"| {seconds / 60:.3g} min | {found['peak']:.0f}{card} | {' | '.join(took)} |", flush=True)


def main() -> None:
    """Print one table, and one of growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0, help="of dance that is timed in each row, in all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="cpu: time of the processor, for a machine with other work",
    )
    parser.add_argument("--compile", action="store_true", help="also time compiled steps")
    parser.add_argument("--longest", type=int, default=1800, help="seconds of the longest dance; 0 leaves growth out")
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.steps = max(PHRASE, round(options.seconds * CODE_RATE / options.rounds / PHRASE) * PHRASE)
    device = Placement(options.device).chosen_device()
    if options.worker:
        growth(options, device)
        return
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(
        f"{CONFIG.layers} layers x {CONFIG.width}, window {CONFIG.window}, on {device} ({card}{load}), {options.clock} time"
    )
    table(options, device)
    if options.longest:
        lengths(options)


if __name__ == "__main__":
    main()
