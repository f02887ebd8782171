"""What is measured of dances that a system makes: Table 1 and the ablations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from duende.audio.feature_sets import FRAMES_IN_ROW
from duende.audio.music import FeatureSet
from duende.datasets.store import Clip
from duende.errors import DuendeError
from duende.evaluation.contact import physical_foot_contact_si
from duende.evaluation.genre import Example, GenreClassifier, learnable, windows_of
from duende.evaluation.movement import frozen_share, mean_jerk, mean_speed, speed_deviation
from duende.evaluation.pieces import cut
from duende.evaluation.pool import ReferencePool
from duende.evaluation.protocol import CROP
from duende.evaluation.report import held_out_clip
from duende.evaluation.rhythm import corrected_beat_align, rhythm
from duende.experiments.measurements import FRAME_RATE
from duende.experiments.results import Measured
from duende.experiments.scales import Scale
from duende.motion import Motion
from duende.motion.accents import speed_minima
from duende.motion.contacts import floor_gap, floor_penetration, skate_ratio
from duende.motion.resampling import resampled_positions
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.kinds import AnySystem
from duende.training.rewards import beat_reward


class GenerationMeasurement:
    """Table 1 and ablations: dances to held-out music, by the network alone.

    Distances are of pieces of one length, in sets as large as the set of real held-out pieces, averaged over the dances
    to each piece of music. Without a length they are the field's: whole dances cut to 20 seconds, against whole takes
    of both splits.
    """

    def __init__(self, train: Sequence[Clip], test: Sequence[Clip], scale: Scale, feature_set: FeatureSet) -> None:
        self.scale = scale
        self.test = [clip for clip in test if clip.motion is not None and clip.music is not None]
        if len(self.test) < 2:
            raise DuendeError("two held-out dances with music are needed; build a larger data set with: duende data")
        self.feature_set = feature_set
        real = train if scale.piece else [*train, *test]
        pool = [piece for clip in real if clip.motion is not None for piece in self._pieces(clip.motion)]
        self.pool = ReferencePool.of(pool)
        self.pool_size = len(pool)
        examples = [
            Example(windows_of(clip.motion.positions, clip.motion.fps), clip.take, clip.style)
            for clip in train
            if clip.motion is not None
        ]
        known = learnable(examples)
        self.genres = GenreClassifier.fit(known) if known else None

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes of the sets, and what a perfect system would get."""
        seconds = sum(len(clip.upper) for clip in self.test) / FRAME_RATE
        floors = {name: round(value, 2) for name, value in self.pool.floors().items()}
        return {
            "held-out pieces of music": len(self.test),
            "seconds": round(seconds, 1),
            "dances to each": self.scale.dances,
            "reference pool": f"{self.pool_size} {'pieces' if self.scale.piece else 'dances'}",
            "half of the pool against half": ", ".join(f"FID {name} {value}" for name, value in floors.items()),
        }

    def real(self) -> Measured:
        """Measure the real dances to the same music."""
        return self._measured([{clip.name: clip.motion for clip in self.test if clip.motion is not None}])

    def of(self, system: AnySystem) -> Measured:
        """Dance to all held-out music; the time that it takes is that of all processor cores together."""
        alone = system.config.sampling.alone()
        rounds, spent = [], 0.0
        for seed in range(self.scale.dances):
            dances = {}
            for clip in self.test:
                music = held_out_clip(clip, self.feature_set).features
                style = _told(system, clip)
                begun = time.process_time()
                dance = system.dance(music, seed=seed, sampling=alone, style=style, on_beat=False, clean_up=False)
                spent += time.process_time() - begun
                dances[clip.name] = dance
            rounds.append(dances)
        measured = self._measured(rounds)
        seconds = sum(dance.duration for dances in rounds for dance in dances.values())
        parameters = sum(p.numel() for part in system.parts().values() for p in part.parameters())
        return replace(
            measured, values={**measured.values, "pace_of_dancing": seconds / spent, "parameters": float(parameters)}
        )

    def _measured(self, rounds: Sequence[dict[str, Motion]]) -> Measured:
        distances = [asdict(self.pool.distances(self._scored_pieces(dances))) for dances in rounds]
        takes = {clip.name: _mean([self._of_dance(clip, dances[clip.name]) for dances in rounds]) for clip in self.test}
        single = _mean([{k: v for k, v in take.items() if k != "seconds"} for take in takes.values()])
        return Measured({**_mean(distances), **single}, takes)

    def _of_dance(self, clip: Clip, motion: Motion) -> dict[str, float]:
        """Measure what a single dance has."""
        positions, fps, beats = motion.positions, motion.fps, np.asarray(clip.beats)
        score = corrected_beat_align(speed_minima(positions, fps), beats, motion.duration)
        values = {
            "beat_align": score.score,
            "beat_excess": score.excess,
            "locking": rhythm(positions, fps, beats).locking,
            "speed": mean_speed(positions, fps),
            "all_joints": speed_deviation(positions, fps)["all_joints"],
            "frozen": frozen_share(positions, fps),
            "skate": skate_ratio(positions, fps),
            "jerk": mean_jerk(positions, fps),
            "foot_contact": physical_foot_contact_si(positions, fps),
            "floating": floor_gap(motion),
            "sinking": floor_penetration(motion),
            "beat_reward": float(beat_reward(*_at_rate_of_codes(motion), beats).mean()),
            "seconds": motion.duration,
        }
        if self.genres and clip.style in self.genres.genres:
            values["genre_accuracy"] = float(self.genres(windows_of(positions, fps)) == clip.style)
        return values

    def _scored_pieces(self, dances: dict[str, Motion]) -> list[np.ndarray]:
        """Cut what is compared with the pool: whole dances to the length of the field's protocol."""
        crop = None if self.scale.piece else CROP
        return [piece[:crop] for clip in self.test for piece in self._pieces(dances[clip.name])]

    def _pieces(self, motion: Motion) -> list[np.ndarray]:
        """Return joints of pieces of the scale's length; of the whole dance where it has none."""
        positions = resampled_positions(motion.positions, motion.fps, FRAME_RATE)
        if not self.scale.piece:
            return [positions]
        return [piece.positions for piece in cut(positions, FRAME_RATE, np.zeros(0), self.scale.piece)]


def _told(system: AnySystem, clip: Clip) -> str | None:
    """Say which style a system is told: a system that infers the style has to, and one that knows none can not be."""
    if isinstance(system, ExpressiveBailando) and system.genre is not None:
        return None
    return clip.style if clip.style in system.config.styles else None


def _at_rate_of_codes(motion: Motion) -> tuple[np.ndarray, float]:
    """Return joints at the frame rate of systems of codes, whole codes of them."""
    positions = resampled_positions(motion.positions, motion.fps, FRAME_RATE)
    return positions[: len(positions) // FRAMES_IN_ROW * FRAMES_IN_ROW], FRAME_RATE


def _mean(values: Sequence[dict[str, float]]) -> dict[str, float]:
    """Average each value over the dictionaries that have it."""
    keys = {key for value in values for key in value}
    return {key: float(np.mean([value[key] for value in values if key in value])) for key in sorted(keys)}
