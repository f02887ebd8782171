"""How well codes keep a dance: joint error, codebook use and the paper's Table 2 on held-out takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from duende.datasets.store import Clip
from duende.evaluation.movement import joint_error, speed_deviation
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training.stages import encode_clip


@dataclass(frozen=True)
class Reconstruction:
    """Means over clips, weighted by length.

    Attributes:
        joint_error: millimetres, pelvis on pelvis.
        perplexity: exponential of the entropy of code use over all clips, upper and lower.
        deviation: speed deviations of the reconstruction with its decoded root path.
        pose_deviation: the same with the real root path, so that only the codes count.
        real_deviation: those of the real dances.
    """

    joint_error: float
    perplexity: tuple[float, float]
    deviation: dict[str, float]
    pose_deviation: dict[str, float]
    real_deviation: dict[str, float]


@torch.inference_mode()
def reconstruction(system: ExpressiveBailando, clips: Sequence[Clip]) -> Reconstruction:
    """Encode and decode real clips and compare."""
    poses, fps = system.config.poses, system.config.frame_rate
    errors, weights, all_codes = [], [], []
    deviations: dict[str, list[dict[str, float]]] = {"decoded": [], "poses": [], "real": []}
    for clip in clips:
        real = poses.decode(clip.upper, clip.lower, clip.root)
        codes = encode_clip(system, clip)
        both = torch.from_numpy(codes)[None].to(system.device)
        upper, lower, root = (part[0] for part in system.channels(both))
        decoded = poses.decode(upper, lower, root)
        on_real_root = poses.decode(upper, lower, clip.root)
        errors.append(joint_error(real, on_real_root))
        weights.append(len(real))
        all_codes.append(codes)
        for name, positions in (("decoded", decoded), ("poses", on_real_root), ("real", real)):
            deviations[name].append(speed_deviation(positions, fps))
    mean = {
        name: {joint: float(np.average([d[joint] for d in values], weights=weights)) for joint in values[0]}
        for name, values in deviations.items()
    }
    codes = np.concatenate(all_codes)
    return Reconstruction(
        joint_error=float(np.average(errors, weights=weights)),
        perplexity=(perplexity(codes[:, 0]), perplexity(codes[:, 1])),
        deviation=mean["decoded"],
        pose_deviation=mean["poses"],
        real_deviation=mean["real"],
    )


def perplexity(codes: np.ndarray) -> float:
    """Exponential of the entropy of code use: how many codes are in even use."""
    share = np.bincount(codes) / len(codes)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
