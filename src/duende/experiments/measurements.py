"""What is measured of a system for each kind of table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from duende.datasets.store import Clip
from duende.evaluation.movement import speed_deviation
from duende.evaluation.reconstruction import ClipReconstruction, reconstruct, summed_up
from duende.experiments.results import Measured
from duende.motion.representation import PoseRepresentation
from duende.systems.kinds import AnySystem, of_codes

FRAME_RATE = 60.0


class Measurement(Protocol):
    """Measures real dances and systems in the same way."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the values depend on."""

    def real(self) -> Measured:
        """Measure the real dances."""

    def of(self, system: AnySystem) -> Measured:
        """Measure a trained system."""


class ReconstructionMeasurement:
    """Table 2: held-out takes, encoded and decoded."""

    def __init__(self, clips: Sequence[Clip], poses: PoseRepresentation) -> None:
        self.clips, self.poses = clips, poses

    @property
    def facts(self) -> dict[str, Any]:
        """Number and length of the takes."""
        seconds = sum(len(clip.upper) for clip in self.clips) / FRAME_RATE
        return {"held-out takes": len(self.clips), "seconds": round(seconds, 1)}

    def real(self) -> Measured:
        """Measure the real dances, which have their real path in both kinds of columns."""
        takes = {}
        for clip in self.clips:
            deviation = speed_deviation(self.poses.decode(clip.upper, clip.lower, clip.root), FRAME_RATE)
            takes[clip.name] = {**deviation, **_on_real_path(deviation)}
        lengths = [len(clip.upper) for clip in self.clips]
        keys = next(iter(takes.values()))
        mean = {key: float(np.average([take[key] for take in takes.values()], weights=lengths)) for key in keys}
        return Measured(mean, takes)

    def of(self, system: AnySystem) -> Measured:
        """Reconstruct every take."""
        coding = of_codes(system, "a table of reconstructions")
        clips = [reconstruct(coding, clip) for clip in self.clips]
        whole = summed_up(clips)
        values = {
            **whole.deviation,
            **_on_real_path(whole.pose_deviation),
            "joint_error": whole.joint_error,
            "perplexity_upper": whole.perplexity[0],
            "perplexity_lower": whole.perplexity[1],
        }
        return Measured(values, {clip.name: _take(clip) for clip in clips})


def _take(clip: ClipReconstruction) -> dict[str, float]:
    deviations = {**clip.deviation, **_on_real_path(clip.pose_deviation)}
    return {**deviations, "joint_error": clip.joint_error, "seconds": clip.frames / FRAME_RATE}


def _on_real_path(deviation: dict[str, float]) -> dict[str, float]:
    return {f"pose_{joint}": value for joint, value in deviation.items()}
