"""Train the network that hears beats, on composed music whose beats are exactly known.

    python -m benchmarks.train_beats --cache FOLDER [--pieces 410] [--steps 1500] [--out FILE]

Pieces are composed, rendered and kept in the cache as mel levels; then the network is trained on crops of them, each at
another pace, with another balance of high and low. Styles named by ``--held-out`` are never composed in, so that they can
tell how well the network hears what it was not taught. Needs FluidSynth and a General MIDI sound font.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

from benchmarks.beat_pieces import HELD_OUT, STEPS_OF_LEVEL, Heard, gathered
from duende.audio.beat_network import BANDS, DILATIONS, FRAMES_A_SECOND, KERNEL, LOUDNESS, WIDTH
from duende.datasets.composer import STYLES
from duende.files import replacing

CROP = 1200
"""Frames of a training crop: 20 seconds."""


class Block(nn.Module):
    """One dilated convolution beside a straight path, on ``(N, C, T)``."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, WIDTH, KERNEL, dilation=dilation, padding=dilation * (KERNEL // 2))
        self.mix = nn.Conv1d(WIDTH, WIDTH, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.mix(functional.dropout(functional.elu(self.conv(hidden)), 0.1, self.training))


class BeatNetwork(nn.ModuleDict):
    """The network of :mod:`duende.audio.beat_network`, its weights under the same names."""

    def __init__(self) -> None:
        super().__init__({"in": nn.Conv1d(BANDS, WIDTH, 1), "out": nn.Conv1d(WIDTH, 2, 1)})
        self.update({str(number): Block(dilation) for number, dilation in enumerate(DILATIONS)})

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits ``(N, T, 2)`` of levels ``(N, T, 128)``."""
        hidden = functional.elu(self["in"](inputs.transpose(1, 2)))
        for number in range(len(DILATIONS)):
            hidden = self[str(number)](hidden)
        return self["out"](functional.elu(hidden)).transpose(1, 2)


def example(pieces: list[Heard], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut an altered crop: inputs ``(CROP, 128)``, targets and weights ``(CROP, 2)``."""
    piece = pieces[int(rng.integers(len(pieces)))]
    level = piece.levels.astype(np.float32) / STEPS_OF_LEVEL
    if rng.random() < 0.3:
        # Someone sings over it, out of time with it.
        other = pieces[int(rng.integers(len(pieces)))].levels.astype(np.float32) / STEPS_OF_LEVEL
        length = min(len(level), len(other))
        level = np.maximum(level[:length], np.roll(other[:length], int(rng.integers(length)), 0) - rng.uniform(6, 30))
    pace = float(np.exp(rng.uniform(-0.18, 0.18)))
    drift = np.interp(np.arange(CROP), np.linspace(0, CROP, 6), rng.normal(0, 0.02 * rng.random(), 6))
    at = np.cumsum(pace * np.exp(drift))
    at += rng.uniform(-60, max(-59.0, len(level) - at[-1]))
    crop = _read(level, at, rng)
    targets = np.stack([_target(beats, at) for beats in (piece.beats, piece.downbeats)], axis=1)
    weights = np.ones_like(targets) * np.array([1.0, float(piece.barred)], np.float32)
    return crop, targets, weights


def _read(level: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Levels at fractional frames, with another balance, range and floor."""
    place = np.clip(at, 0, len(level) - 1.001)
    whole = place.astype(int)
    part = (place - whole)[:, None].astype(np.float32)
    crop = level[whole] * (1 - part) + level[whole + 1] * part
    crop[(at < 0) | (at > len(level) - 1)] = 0.0
    crop = np.roll(crop, int(rng.integers(-3, 4)), axis=1)
    smooth = np.interp(np.arange(BANDS), np.linspace(0, BANDS, 5), rng.uniform(0, 45, 5) * rng.random())
    crop = np.maximum(crop, smooth[None]) * rng.uniform(0.7, 1.25)
    draw = rng.random()
    if draw < 0.2:
        crop[:, int(rng.integers(25, BANDS)) :] = 0.0
    elif draw < 0.28:
        crop[:, : int(rng.integers(1, 16))] = 0.0
    crop = crop - crop.mean(axis=0) + rng.normal(0, 2.0) + rng.normal(0, 1.0, (1, BANDS))
    return np.asarray(crop / LOUDNESS, dtype=np.float32)


def _target(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """1 on a beat, falling to 0 within a frame and a half."""
    if len(times) == 0:
        return np.zeros(len(at), np.float32)
    places = np.interp(times * FRAMES_A_SECOND, at, np.arange(len(at)), left=-9, right=-9)
    places = places[places >= 0]
    distance = np.abs(np.arange(len(at))[:, None] - places).min(axis=1) if len(places) else np.full(len(at), 9.0)
    return np.maximum(0.0, 1.0 - distance / 1.5).astype(np.float32)


def trained(pieces: list[Heard], steps: int, batch: int, seed: int) -> BeatNetwork:
    """Train a network; the same arguments give the same one on the same machine."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = BeatNetwork().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.1)
    running = 0.0
    for step in range(1, steps + 1):
        examples = [example(pieces, rng) for _ in range(batch)]
        inputs, targets, weights = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*examples, strict=True))
        loss = functional.binary_cross_entropy_with_logits(network(inputs), targets, weights)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            print(f"step {step}: loss {running:.4f}", flush=True)
    return network.eval()


def main() -> None:
    """Gather pieces, train, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=410)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held-out", nargs="*", default=list(HELD_OUT))
    parser.add_argument("--out", type=Path, default=Path("src/duende/audio/assets/beats.safetensors"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pieces = gathered(options.cache, [name for name in STYLES if name not in options.held_out], options.pieces)
    network = trained(pieces, options.steps, options.batch, options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(options.out) as path:
        save_file(
            {
                name: np.squeeze(v.numpy(), -1) if v.shape[-1] == 1 else v.numpy()
                for name, v in network.state_dict().items()
            },
            path,
        )


if __name__ == "__main__":
    main()
