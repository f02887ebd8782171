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


@dataclass(frozen=True, eq=False)
class ClipReconstruction:
    """One real clip, encoded and decoded.

    Attributes:
        name: of the clip.
        frames: its length.
        codes: ``(T / 8, 2)``, upper and lower.
        joint_error: millimetres, pelvis on pelvis.
        deviation: speed deviations of the reconstruction with its decoded root path.
        pose_deviation: the same with the real root path, so that only the codes count.
        real_deviation: those of the real dance.
    """

    name: str
    frames: int
    codes: np.ndarray
    joint_error: float
    deviation: dict[str, float]
    pose_deviation: dict[str, float]
    real_deviation: dict[str, float]


@dataclass(frozen=True)
class Reconstruction:
    """Means of :class:`ClipReconstruction` over clips, weighted by length.

    Attributes:
        perplexity: exponential of the entropy of code use over all clips, upper and lower.
    """

    joint_error: float
    perplexity: tuple[float, float]
    deviation: dict[str, float]
    pose_deviation: dict[str, float]
    real_deviation: dict[str, float]


@torch.inference_mode()
def reconstruct(system: ExpressiveBailando, clip: Clip) -> ClipReconstruction:
    """Encode and decode a real clip and compare."""
    poses, fps = system.config.poses, system.config.frame_rate
    real = poses.decode(clip.upper, clip.lower, clip.root)
    codes = encode_clip(system, clip)
    upper, lower, root = (part[0] for part in system.channels(torch.from_numpy(codes)[None].to(system.device)))
    on_real_root = poses.decode(upper, lower, clip.root)
    return ClipReconstruction(
        name=clip.name,
        frames=len(real),
        codes=codes,
        joint_error=joint_error(real, on_real_root),
        deviation=speed_deviation(poses.decode(upper, lower, root), fps),
        pose_deviation=speed_deviation(on_real_root, fps),
        real_deviation=speed_deviation(real, fps),
    )


def reconstruction(system: ExpressiveBailando, clips: Sequence[Clip]) -> Reconstruction:
    """Encode and decode real clips and compare."""
    return summed_up([reconstruct(system, clip) for clip in clips])


def summed_up(clips: Sequence[ClipReconstruction]) -> Reconstruction:
    """Average over clips, weighted by length."""
    weights = [clip.frames for clip in clips]

    def mean(values: Sequence[dict[str, float]]) -> dict[str, float]:
        return {name: float(np.average([value[name] for value in values], weights=weights)) for name in values[0]}

    codes = np.concatenate([clip.codes for clip in clips])
    return Reconstruction(
        joint_error=float(np.average([clip.joint_error for clip in clips], weights=weights)),
        perplexity=(perplexity(codes[:, 0]), perplexity(codes[:, 1])),
        deviation=mean([clip.deviation for clip in clips]),
        pose_deviation=mean([clip.pose_deviation for clip in clips]),
        real_deviation=mean([clip.real_deviation for clip in clips]),
    )


def perplexity(codes: np.ndarray) -> float:
    """Exponential of the entropy of code use: how many codes are in even use."""
    share = np.bincount(codes) / len(codes)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
