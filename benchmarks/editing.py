"""What is held in dances by EDGE, and the seams of long ones: ``python -m benchmarks.editing --model FOLDER --data SET``.

Held: the greatest distance of a held joint from where the given dance has it. Seams: jerk within a tenth of a second of
the frames where a window begins or ends, over that of all other frames.
"""

from __future__ import annotations

import argparse

import numpy as np

from duende.audio.feature_sets import present
from duende.datasets.store import DanceSet
from duende.evaluation.movement import smooth_derivative
from duende.evaluation.report import HeldOut, held_out_clip
from duende.motion import SMPL24, Motion
from duende.motion.holding import HeldMotion, carried_by
from duende.systems.edge import EDGE
from duende.systems.storage import from_pretrained

NEAR = 0.1
EVERYTHING = tuple(range(len(SMPL24)))
UPPER, LOWER = (carried_by(SMPL24, half) for half in (SMPL24.upper, SMPL24.lower))
HAND = carried_by(SMPL24, [SMPL24.index("left_hand")])


def wishes(seconds: float) -> dict[str, tuple[tuple[int, ...], list[tuple[float, float]]]]:
    """Say what is held, and from and to which second."""
    return {
        "upper body": (UPPER, [(0, seconds)]),
        "lower body": (LOWER, [(0, seconds)]),
        "left hand, in the middle": (HAND, [(seconds / 3, 2 * seconds / 3)]),
        "continuation of 4 s": (EVERYTHING, [(0, 4)]),
        "in between, 3 s at both ends": (EVERYTHING, [(0, 3), (seconds - 3, seconds)]),
    }


def held(motion: Motion, joints: tuple[int, ...], spans: list[tuple[float, float]]) -> HeldMotion:
    mask = np.zeros((len(motion), len(SMPL24)), dtype=bool)
    for first, last in spans:
        mask[round(first * motion.fps) : round(last * motion.fps), list(joints)] = True
    return HeldMotion(motion, mask)


def jerk(motion: Motion) -> np.ndarray:
    """Mean jerk of all joints at each frame ``(T,)``, m/s³."""
    return np.asarray(np.linalg.norm(smooth_derivative(motion.positions, motion.fps, 3), axis=-1).mean(axis=1))


def at_edges(motion: Motion, edges: np.ndarray) -> tuple[float, float]:
    """Jerk near the frames ``edges`` and elsewhere, the first and the last half second left out."""
    values = jerk(motion)
    frames = np.arange(len(values))
    inside = (frames > motion.fps / 2) & (frames < len(values) - motion.fps / 2)
    near = (np.abs(frames[:, None] - edges[None]) <= NEAR * motion.fps).any(axis=1)
    return float(values[inside & near].mean()), float(values[inside & ~near].mean())


def report_held(system: EDGE, pieces: list[HeldOut]) -> None:
    print(
        "| held | greatest distance of a held joint, mm | jerk where holding begins or ends / elsewhere |\n|---|---|---|"
    )
    for name in wishes(1.0):
        worst, near, far = 0.0, [], []
        for piece in pieces:
            assert piece.dance is not None
            joints, spans = wishes(piece.dance.duration)[name]
            wish = held(piece.dance, joints, spans)
            dance = system.dance(piece.features, held=wish)
            given = wish.at_rate(dance.fps).fitted(len(dance))
            distance = np.linalg.norm(dance.positions - given.motion.positions, axis=-1)
            worst = max(worst, float(distance[given.joints].max()))
            edges = np.array([t for span in spans for t in span if 0 < t < piece.dance.duration]) * dance.fps
            if len(edges):
                values = at_edges(dance, edges)
                near.append(values[0])
                far.append(values[1])
        ratio = f"{np.mean(near):.0f} / {np.mean(far):.0f} m/s³" if near else "–"
        print(f"| {name} | {worst * 1e3:.5f} | {ratio} |", flush=True)


def report_seams(system: EDGE, pieces: list[HeldOut]) -> None:
    step = system.config.denoiser.frames - system.config.overlap
    near, far = [], []
    for piece in pieces:
        dance = system.dance(piece.features, on_beat=False, clean_up=False)
        seams = np.arange(step, len(dance), step)
        values = at_edges(dance, seams)
        near.append(values[0])
        far.append(values[1])
    ratios = np.array(near) / np.array(far)
    print(
        f"\nseams of {len(pieces)} dances: jerk {np.mean(near):.0f} m/s³ at seams, {np.mean(far):.0f} elsewhere, ",
        end="",
    )
    print(f"ratio {ratios.mean():.2f} ({ratios.min():.2f} to {ratios.max():.2f})")


def main() -> None:
    """Dance to held-out music and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default="cache/starter")
    parser.add_argument("--pieces", type=int, default=4)
    options = parser.parse_args()
    system = from_pretrained(options.model)
    assert isinstance(system, EDGE)
    clips = DanceSet.open(options.data).clips("test")
    pieces = [
        held_out_clip(clip, present(system.config.feature_set))
        for clip in clips
        if clip.motion and clip.music is not None
    ]
    long = [piece for piece in pieces if piece.dance and piece.dance.duration > 12][: options.pieces]
    report_held(system, long)
    report_seams(system, long)


if __name__ == "__main__":
    main()
