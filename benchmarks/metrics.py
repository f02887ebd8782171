"""Speed of the classic metrics: 40 dances against 1,000 takes, and one dance beside plain loops of the same formulas.

    python -m benchmarks.metrics

Dances are random walks of joints: the time does not depend on what is danced.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from duende.evaluation.distributions import (
    Normalisation,
    bootstrap_interval,
    diversity,
    frechet_distance,
    half_floor,
    kernel_distance,
)
from duende.evaluation.geometric import HUMERUS, geometric_features
from duende.evaluation.kinetic import kinetic_features
from duende.motion import SMPL24

FRAME_TIME = 1 / 60


def walk(frames: int, seed: int) -> np.ndarray:
    """Joints ``(T, 24, 3)`` that wander from rest."""
    steps = np.random.default_rng(seed).normal(scale=0.01, size=(frames, 24, 3))
    return np.asarray(SMPL24.rest_positions + np.cumsum(steps, axis=0))


def plain_kinetic(positions: np.ndarray) -> list[float]:
    """Classic kinetic features joint by joint and frame by frame."""
    dance, features = positions - positions[0, 0], []
    for joint in range(dance.shape[1]):
        sums = np.zeros(3)
        for frame in range(1, len(dance)):
            velocity, acceleration, velocities, accelerations = np.zeros(3), np.zeros(3), 0, 0
            for other in range(max(1, frame - 2), min(len(dance), frame + 3)):
                velocity += (dance[other, joint] - dance[other - 1, joint]) / FRAME_TIME
                velocities += 1
                if other + 1 < len(dance):
                    leaving = (dance[other + 1, joint] - dance[other, joint]) / FRAME_TIME
                    acceleration += (
                        leaving - (dance[other, joint] - dance[other - 1, joint] / FRAME_TIME)
                    ) / FRAME_TIME
                    accelerations += 1
            velocity /= velocities
            size = float(np.linalg.norm(acceleration / max(accelerations, 1)))
            sums += [velocity[0] ** 2 + velocity[2] ** 2, velocity[1] ** 2, size]
        features += list(sums / (len(dance) - 1))
    return features


def plain_fast_wrist(positions: np.ndarray) -> float:
    """One of the 32 geometric questions, frame by frame: whether the right wrist is fast."""
    wrist, count = SMPL24.index("right_wrist"), 0
    for frame in range(1, len(positions)):
        speed = np.linalg.norm(positions[frame, wrist] - positions[frame - 1, wrist]) * 120
        count += bool(speed > 2.5 * HUMERUS)
    return count / (len(positions) - 1)


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def features(dances: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Kinetic and geometric features of all ``dances``."""
    return np.stack([kinetic_features(d) for d in dances]), np.stack([geometric_features(d) for d in dances])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dances", type=int, default=40)
    parser.add_argument("--takes", type=int, default=1000)
    options = parser.parse_args()
    dances = [walk(1200, seed) for seed in range(options.dances)]
    takes = [walk(560, 10_000 + seed) for seed in range(options.takes)]
    generated, pool = [], []
    by_dance = seconds(lambda: generated.extend(features(dances)))
    by_take = seconds(lambda: pool.extend(features(takes)))

    def compare() -> None:
        for real, made in zip(pool, generated, strict=True):
            normal = Normalisation.of(real)
            frechet_distance(normal(real), normal(made))
            kernel_distance(normal(real), normal(made))
            diversity(normal(made))
            bootstrap_interval(normal(real), normal(made))
            half_floor(normal(real))

    distances = seconds(compare)
    ours = min(seconds(lambda: kinetic_features(dances[0])) for _ in range(5))
    plain = seconds(lambda: plain_kinetic(dances[0]))
    ours_geometric = min(seconds(lambda: geometric_features(dances[0])) for _ in range(5))
    plain_geometric = seconds(lambda: plain_fast_wrist(dances[0]))
    print(f"features of {options.dances} dances of 20 s: {by_dance:.2f} s; of {options.takes} takes: {by_take:.2f} s")
    print(f"distances, diversity, intervals (200 draws), floors, both feature sets: {distances:.2f} s")
    print(f"kinetic features of one dance: plain loop {plain:.2f} s, ours {ours:.4f} s, ratio {plain / ours:.0f}")
    print(
        f"geometric: one of 32 questions in a plain loop {plain_geometric * 1000:.1f} ms, "
        f"all 32 ours {ours_geometric * 1000:.1f} ms, ratio for all {32 * plain_geometric / ours_geometric:.0f}"
    )
    ratio = (plain + 32 * plain_geometric) / (ours + ours_geometric)
    print(f"both kinds of features together: ratio {ratio:.0f}")


if __name__ == "__main__":
    main()
