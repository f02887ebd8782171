"""Time MERT on random weights of the published sizes, and measure what bfloat16 and windows cost in accuracy.

``python -m benchmarks.mert [--seconds 60] [--memory-seconds 600] [--sizes 330M 95M]``. Weights are made here, so that
speed and memory are those of the published ones, while errors are only those of a network of that shape. float32 and
bfloat16 are timed in the same minutes; memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.measuring import own_peak
from benchmarks.sounds import beating_song
from duende.audio.mert import Mert, load_mert, mert_frames, mert_rows
from duende.audio.mert.checkpoint import DIRECTIONS, FOLDED, LENGTHS
from duende.audio.mert.config import MertConfig
from duende.audio.mert.extraction import FRAMES_A_SECOND, windows
from duende.audio.mert.network import MertEncoder
from duende.audio.mert.weights import RATE
from duende.audio.song import Song
from duende.configuration import to_mapping

SIZES = {
    "330M": MertConfig(1024, 24, 16, 4096, do_stable_layer_norm=True),
    "95M": MertConfig(768, 12, 12, 3072, do_stable_layer_norm=False),
}
SEAM_SECONDS = 30.0


def random_weights(config: MertConfig, folder: Path) -> Path:
    """Write random weights in the layout of the hub."""
    torch.manual_seed(0)
    tensors = dict(MertEncoder(config).state_dict())
    directions = tensors.pop(FOLDED)
    tensors[LENGTHS], tensors[DIRECTIONS] = directions.norm(dim=(0, 1), keepdim=True), directions
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(to_mapping(config)))
    return folder


def song_of(seconds: float) -> Song:
    """A beating song at MERT's own rate, which gets louder and softer."""
    song = beating_song(seconds, RATE)
    swell = 0.3 + 0.7 * np.sin(np.arange(len(song.samples)) / RATE / 3) ** 2
    return Song((song.samples * swell).astype(np.float32), RATE)


def peak_memory(folder: Path, precision: str, seconds: float) -> float:
    """Peak MiB of a process that loads the weights and listens to a song."""
    command = [sys.executable, "-m", "benchmarks.mert", "--child", str(folder), precision, str(seconds)]
    command += ["--threads", str(torch.get_num_threads())]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def child(folder: str, precision: str, seconds: str) -> None:
    """Print the peak MiB of this process."""
    song = song_of(float(seconds))
    if folder != "none":
        mert_rows(song, load_mert(folder, precision=precision))
    print(own_peak())


def one_pass(song: Song, mert: Mert) -> np.ndarray:
    """Features of the whole song at once."""
    samples = song.samples.astype(np.float64)
    samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.inference_mode():
        return mert.encoder(torch.from_numpy(np.pad(samples, 40).astype(np.float32))[None])[0].float().numpy()


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative error of the whole."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def seams(mert: Mert) -> str:
    """A row of the table: what windows change, beside their seams and elsewhere."""
    song = song_of(SEAM_SECONDS)
    windowed, whole = mert_frames(song, mert), one_pass(song, mert)
    at = np.array([first for _, first, _ in windows(len(windowed))][1:])
    step = np.linalg.norm(np.diff(windowed, axis=0), axis=1)
    same = np.linalg.norm(np.diff(whole, axis=0), axis=1)
    near = (at[:, None] + np.arange(-2, 2)).ravel()
    error = np.linalg.norm(windowed - whole, axis=1) / np.linalg.norm(whole, axis=1)
    return (
        f"{step[at - 1].mean() / np.delete(step, at - 1).mean():.2f} | {same[at - 1].mean() / np.delete(same, at - 1).mean():.2f} | "
        f"{100 * error[near].mean():.2f} % | {100 * np.delete(error, near).mean():.2f} % |"
    )


def main() -> None:
    """Run and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--memory-seconds", type=float, default=600.0)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        child(*options.child)
        return
    speed: list[str] = []
    quality: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        for size in options.sizes:
            folder = random_weights(SIZES[size], Path(temporary) / size)
            exact: np.ndarray | None = None
            for precision in ("float32", "bfloat16"):
                mert = load_mert(folder, precision=precision)
                mert_frames(song_of(6.0), mert)
                start = time.perf_counter()
                frames = mert_frames(song_of(options.seconds), mert)
                rate = len(frames) / FRAMES_A_SECOND / (time.perf_counter() - start)
                if exact is None:
                    exact = frames
                    quality.append(f"| {size} | {seams(mert)}")
                del mert
                peak = peak_memory(folder, precision, options.memory_seconds)
                speed.append(f"| {size} | {precision} | {rate:.1f} | {100 * apart(frames, exact):.2f} % | {peak:.0f} |")
        alone = peak_memory(Path("none"), "none", options.memory_seconds)
    print(
        f"{options.seconds:g} s of song, {options.threads} threads; memory for {options.memory_seconds:g} s of song, "
    )
    print(f"of which {alone:.0f} MiB are the process with the song alone\n")
    print("| size | precision | seconds of song a second | error against float32 | peak MiB |\n|---|---|---|---|---|")
    print("\n".join(speed))
    print(f"\n{SEAM_SECONDS:g} s of song in windows, float32\n")
    print("| size | step at seams / elsewhere | the same frames in one pass | error at seams | error elsewhere |")
    print("|---|---|---|---|---|")
    print("\n".join(quality))


if __name__ == "__main__":
    main()
