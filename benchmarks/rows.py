"""The rows of the table: what each calls, and which plain way it is compared with. Each runs in a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks import plain
from benchmarks.inputs import Inputs
from benchmarks.measuring import Figures, Setting, figures_of, own_peak
from benchmarks.metrics import features as metrics_of
from benchmarks.metrics import walk
from benchmarks.network import CODE_RATE, cached, network, recomputing
from duende.audio.beats import track_beats
from duende.audio.features import extract_features
from duende.audio.song import Song
from duende.cli.threads import chosen_threads, processors, threads
from duende.evaluation.distributions import Normalisation, bootstrap_interval, diversity, frechet_distance
from duende.formats.performance import Performance
from duende.formats.writers import FORMATS
from duende.models.placement import Placement, prepared
from duende.models.reach import decoder_reach
from duende.motion.inverse_kinematics import fit_rotations
from duende.systems.finishing import finished

RECOMPUTED, DECODED, FRAMES = 60, 20, 60
"""Codes and frames that plain loops do, whose time is scaled to the whole."""
CHUNK = 0.04
"""Seconds of sound at a time, as a microphone hears it."""
VIDEO_SECONDS = 10.0
"""Of the dance that is rendered."""
DANCES, DANCE_FRAMES = 10, 1200
FULL_CODES, FULL_RECOMPUTED = 56, 4


def nothing(setting: Setting) -> Figures:
    return Figures(peak=own_peak())


def decoding(setting: Setting) -> Figures:
    path = Inputs(setting).song_file
    return figures_of(lambda: Song.read(path), setting)


def beats(setting: Setting) -> Figures:
    inputs = Inputs(setting)
    song = inputs.song
    with threads(_threads(inputs)):
        return figures_of(lambda: track_beats(song), setting, **_librosa(lambda: plain.beats_by_librosa(song)))


def features(setting: Setting) -> Figures:
    inputs = Inputs(setting)
    song, wanted, known = inputs.song, inputs.feature_set, inputs.features.beats
    compared = _librosa(lambda: plain.heard_by_librosa(song, wanted.name)) if wanted.name in plain.RATES else {}
    with threads(_threads(inputs)):
        return figures_of(lambda: extract_features(song, wanted, known), setting, **compared)


def generation(setting: Setting, alone: bool = False) -> Figures:
    inputs = Inputs(setting)
    dancer, heard = inputs.dancer, inputs.features
    sampling = dancer.config.sampling.alone() if alone else dancer.config.sampling
    music = dancer.normalise(torch.from_numpy(heard.values)[None].to(dancer.device))
    steps = min(RECOMPUTED, len(heard) - 1)
    with threads(_threads(inputs)):
        return figures_of(
            lambda: dancer.choreograph(heard, sampling=sampling),
            setting,
            plain=lambda: plain.recomputed_codes(dancer.gpt, music, steps, sampling.candidates),
            share=steps / len(heard),
            against="the window recomputed for every code",
        )


def full_size(setting: Setting, precision: Literal["auto", "float32"]) -> Figures:
    """The paper's network on random weights, beside the recomputing loop in float32."""
    gpt = prepared(network(), Placement(setting.device, precision))
    exact = prepared(network(), Placement(setting.device, "float32"))
    device = exact.upper.weight.device
    with threads(processors()):
        return figures_of(
            _waited_for(cached(gpt, FULL_CODES, 1, 1), device),
            setting,
            plain=_waited_for(recomputing(exact, FULL_RECOMPUTED), device),
            share=FULL_RECOMPUTED / FULL_CODES,
            against="the window recomputed for every code, float32",
            whole=FULL_CODES / CODE_RATE,
        )


def streaming(setting: Setting) -> Figures:
    inputs = Inputs(setting)
    song, dancer = inputs.song, inputs.dancer
    size, first = round(CHUNK * song.rate), [0.0]

    def dance() -> None:
        heard, begin, seen = 0.0, time.perf_counter(), False

        def sound() -> object:
            nonlocal heard
            for place in range(0, len(song.samples), size):
                heard += CHUNK
                yield song.samples[place : place + size]

        for _ in dancer.stream(sound(), song.rate):  # type: ignore[arg-type]
            if not seen:
                # At the pace of music a piece of sound is there once it has been played.
                first[0], seen = heard + time.perf_counter() - begin, True

    with threads(_threads(inputs)):
        found = figures_of(dance, setting)
    return Figures(found.seconds, found.peak, first=first[0], song_seconds=setting.seconds)


def performing(setting: Setting) -> Figures:
    inputs = Inputs(setting)
    dancer, codes = inputs.dancer, inputs.codes
    reach, count = decoder_reach(dancer.config.upper), min(DECODED, len(codes))
    with threads(_threads(inputs)):
        return figures_of(
            lambda: dancer.perform(codes),
            setting,
            plain=lambda: plain.decoded_code_by_code(dancer, codes, count, reach),
            share=count / len(codes),
            against="each code decoded with those around it",
        )


def rotations(setting: Setting) -> Figures:
    motion = Inputs(setting).decoded
    positions, count = motion.positions, min(FRAMES, len(motion)) - 1
    return figures_of(
        lambda: fit_rotations(positions, motion.fps),
        setting,
        plain=lambda: plain.fitted_frame_by_frame(positions[: count + 1], motion.fps),
        share=count / len(motion),
        against="frame by frame",
    )


def clean_up(setting: Setting) -> Figures:
    inputs = Inputs(setting)
    motion, times, count = inputs.decoded, inputs.features.beats.times, min(FRAMES, len(inputs.decoded))
    return figures_of(
        lambda: finished(motion, times),
        setting,
        plain=lambda: plain.cleaned_frame_by_frame(motion.cropped(0, count)),
        share=count / len(motion),
        against="its kinematics alone, joint by joint",
    )


def writing(setting: Setting, name: str) -> Figures:
    inputs = Inputs(setting)
    motion = finished(inputs.decoded, inputs.features.beats.times)
    if name == "mp4":
        motion = motion.cropped(0, round(VIDEO_SECONDS * motion.fps))
    with tempfile.TemporaryDirectory() as folder:

        def write() -> None:
            # A dance that keeps nothing from the call before.
            dance = Performance(motion.cropped(0, len(motion)), "benchmark", inputs.song, inputs.features.beats)
            FORMATS[name].write(dance, Path(folder) / f"dance.{name}", None)

        return figures_of(write, setting, whole=motion.duration)


def training(setting: Setting) -> Figures:
    """One step of the starter recipe's stage gpt."""
    if importlib.util.find_spec("lightning_fabric") is None:
        return Figures(missing="training needs lightning-fabric; install duende[train]")
    if not Path(setting.data).is_dir():
        return Figures(missing=f"no data set {setting.data}; make one with duende data, or name it with --data")
    from benchmarks.training import measure_recipe
    from duende.datasets.store import DanceSet
    from duende.training.recipe import load_recipe

    recipe, data = load_recipe("recipes/starter.yaml"), DanceSet.open(setting.data)
    measured, _ = measure_recipe(recipe, data, setting.device, 5.0 * setting.runs, ["gpt"])
    return Figures(measured[0].step_seconds, own_peak())


def evaluation(setting: Setting) -> Figures:
    dances = [walk(DANCE_FRAMES, seed) for seed in range(DANCES)]
    takes = metrics_of([walk(DANCE_FRAMES // 2, 100 + seed) for seed in range(DANCES * 5)])

    def measure() -> None:
        for real, made in zip(takes, metrics_of(dances), strict=True):
            normal = Normalisation.of(real)
            frechet_distance(normal(real), normal(made))
            diversity(normal(made))
            bootstrap_interval(normal(real), normal(made))

    return figures_of(
        measure,
        setting,
        plain=lambda: plain.measured_frame_by_frame(dances[0]),
        share=1 / DANCES,
        against="features frame by frame",
        whole=DANCES * DANCE_FRAMES / 60,
    )


def _waited_for(call: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """Return the call with all that it has begun on a graphics processor."""

    def whole() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return whole


def _threads(inputs: Inputs) -> int:
    """As many as ``duende dance`` takes."""
    return chosen_threads(argparse.Namespace(threads="auto"), inputs.dancer, 1)


def _librosa(call: Callable[[], None]) -> dict[str, Any]:
    """Compare with librosa where it is installed."""
    installed = importlib.util.find_spec("librosa") is not None
    return {"plain": call, "against": "librosa", "compiles": True} if installed else {}


ROWS: dict[str, Callable[[Setting], Figures]] = {
    "nothing: all is imported": nothing,
    "decoding the mp3 file": decoding,
    "beats": beats,
    "music features": features,
    "generation, as shipped": generation,
    "generation, one candidate": partial(generation, alone=True),
    "generation, 12 layers x 768, float32": partial(full_size, precision="float32"),
    "generation, 12 layers x 768, as chosen": partial(full_size, precision="auto"),
    "streamed, sound in, frames out": streaming,
    "codes to rotations": performing,
    "of these, joints to rotations": rotations,
    "clean-up, landing on beats": clean_up,
    **{
        ("rendering mp4" if name == "mp4" else f"writing {name}"): partial(writing, name=name)
        for name, entry in FORMATS.items()
        if entry.usual
    },
    "training step, starter, gpt": training,
    "evaluation of 10 dances of 20 s": evaluation,
}
