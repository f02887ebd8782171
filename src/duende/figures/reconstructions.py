"""Real dances and what a model's codes keep of them, as joint positions."""

from __future__ import annotations

import numpy as np
import torch

from duende.datasets.store import Clip, DanceSet, read_clip
from duende.errors import DuendeError
from duende.motion.representation import PoseRepresentation
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.training.stages import encode_clip


def find_clip(data: DanceSet, name: str) -> Clip:
    """Read the clip called ``name``, of either split.

    Raises:
        DuendeError: the set holds no such clip, or its file is damaged.
    """
    if name not in data.names:
        known = [clip for clip, split in data.index["clips"].items() if split == "test"] or data.names
        raise DuendeError(f"{data.folder} holds no clip {name!r}; some of its clips are: {', '.join(known[:5])}")
    return read_clip(data.folder / f"{name}.npz")


def held_out_clips(data: DanceSet) -> list[Clip]:
    """Read the clips that no model of this set is trained on.

    Raises:
        DuendeError: there are none, or a file is damaged.
    """
    clips = data.clips("test")
    if not clips:
        raise DuendeError(f"{data.folder} holds no held-out clips; build it again with: duende data starter")
    return clips


def real_positions(data: DanceSet, clip: Clip) -> np.ndarray:
    """Return the joints ``(T, 24, 3)`` of a clip in metres, Y up, beginning over the origin, at 60 frames a second."""
    poses = PoseRepresentation(data.representation)  # type: ignore[arg-type]
    return poses.decode(clip.upper, clip.lower, clip.root)


@torch.inference_mode()
def reconstructed_positions(system: ExpressiveBailando, clip: Clip) -> np.ndarray:
    """Encode a clip, decode its codes and put the poses on the real root path, so that only the codes count.

    Returns:
        Joints ``(T, 24, 3)`` in metres, Y up, at the system's frame rate.
    """
    codes = torch.from_numpy(encode_clip(system, clip))[None].to(system.device)
    upper, lower, _ = (part[0] for part in system.channels(codes))
    return system.config.poses.decode(upper, lower, clip.root)


def check_fits(name: str, system: ExpressiveBailando, data: DanceSet) -> None:
    """Refuse a model whose poses are coded otherwise than those of the data.

    Raises:
        DuendeError: the representations differ.
    """
    if system.config.representation != data.representation:
        raise DuendeError(
            f"model {name} codes poses as {system.config.representation!r}, {data.folder} holds them as "
            f"{data.representation!r}; build the data with --representation {system.config.representation}"
        )
