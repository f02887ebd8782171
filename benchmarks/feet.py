"""Feet and body before and after the clean-up: ``python -m benchmarks.feet --data cache/starter --songs *.ogg``.

Held-out music is danced to with and without it, by the same seeds, and both stand beside the real dances to the
held-out pieces on the same skeleton. Intervals are Student's t over pieces of music. What the clean-up moved is
measured before accents are landed on beats, frame by frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from duende.audio.beats import track_beats
from duende.audio.feature_sets import present
from duende.audio.features import extract_features
from duende.audio.song import Song
from duende.datasets.store import DanceSet
from duende.evaluation.intervals import mean_interval
from duende.evaluation.movement import speed_deviation
from duende.evaluation.protocol import MEASURES
from duende.evaluation.report import HeldOut, held_out_clip
from duende.evaluation.rhythm import corrected_beat_align
from duende.evaluation.yardstick import FPS
from duende.motion import SMPL24, Motion
from duende.motion.accents import speed_minima
from duende.motion.contacts import standing_floor
from duende.motion.quaternions import unit
from duende.systems.face import System
from duende.systems.finishing import finished
from duende.systems.storage import from_pretrained

SHOWN: dict[str, tuple[str, float]] = {
    "skate": ("skate ratio", 1.0),
    "foot_height": ("foot–ground distance, mm", 1000.0),
    "penetration": ("under the floor, mm", 1000.0),
    "foot_contact_si": ("physical foot contact, m³/s⁴", 1.0),
    "foot_contact": ("the same, EDGE's script", 1.0),
    "jerk": ("jerk, m/s³", 1.0),
    "knee": ("fastest knee, °/s", 1.0),
    "speed": ("speed, m/s", 1.0),
    "deviation": ("speed deviation × 10⁻³", 1000.0),
    "beat_align": ("beat align score", 1.0),
    "beat_excess": ("above chance", 1.0),
}
SONG_SECONDS = 30.0
MIDDLE = slice(30, -30)

Scores = dict[str, float]


def scored(motion: Motion, beats: np.ndarray) -> Scores:
    positions = motion.resampled(FPS).positions
    positions = positions - [0.0, standing_floor(positions), 0.0]
    values = {key: float(MEASURES[key](positions)) for key in SHOWN if key in MEASURES}
    align = corrected_beat_align(speed_minima(positions, FPS), beats, motion.duration)
    deviation = speed_deviation(positions, FPS)["all_joints"]
    return {
        **values,
        "knee": fastest_knee(positions),
        "deviation": deviation,
        "beat_align": align.score,
        "beat_excess": align.excess,
    }


def fastest_knee(positions: np.ndarray) -> float:
    """Degrees a second that a knee bends or stretches in the fastest of 1,000 frames: knees that pop are faster."""
    speeds = []
    for side in ("left", "right"):
        hip, knee, ankle = (positions[:, SMPL24.index(f"{side}_{part}")] for part in ("hip", "knee", "ankle"))
        cosine = (unit(hip - knee) * unit(ankle - knee)).sum(axis=1)
        speeds.append(np.abs(np.diff(np.degrees(np.arccos(cosine.clip(-1, 1))))) * FPS)
    return float(np.percentile(np.concatenate(speeds), 99.9))


def moved_by(before: Motion, after: Motion) -> Scores:
    """How far the clean-up moved what it should not: means over frames, without the first and last half second."""
    first, second = (motion.positions - motion.root[:, None] for motion in (before, after))
    apart = np.linalg.norm(first - second, axis=-1)[MIDDLE] * 1000
    turns = [Rotation.from_quat(motion.rotations[MIDDLE].reshape(-1, 4)) for motion in (before, after)]
    degrees = np.degrees((turns[0].inv() * turns[1]).magnitude()).reshape(-1, len(SMPL24))
    return {
        "upper": float(apart[:, list(SMPL24.upper)].mean()),
        "legs": float(apart[:, list(SMPL24.lower)].mean()),
        "turn": float(degrees[:, list(SMPL24.upper)].mean()),
        "height": float(np.abs(before.root - after.root)[MIDDLE, 1].mean() * 1000),
    }


def heard_song(path: Path, system: System) -> HeldOut | None:
    """Take the middle of a real song, None where no beat is found."""
    song = Song.read(path)
    song = song.cropped(max(0.0, song.duration / 2 - SONG_SECONDS / 2), SONG_SECONDS)
    beats = track_beats(song)
    if not len(beats.times):
        return None
    return HeldOut(path.stem, extract_features(song, present(system.config.feature_set), beats))


def over_seeds(system: System, pieces: Sequence[HeldOut], seeds: int, clean_up: bool) -> list[Scores]:
    """Mean over seeds of the scores of each piece."""
    rows = []
    for piece in pieces:
        dances = [system.dance(piece.features, seed=seed, clean_up=clean_up) for seed in range(seeds)]
        rows.append(_mean([scored(dance, piece.features.beats.times) for dance in dances]))
    return rows


def shift_of(system: System, pieces: Sequence[HeldOut], seeds: int) -> Scores:
    def danced(piece: HeldOut, seed: int) -> Scores:
        before, after = (system.dance(piece.features, seed=seed, on_beat=False, clean_up=way) for way in (False, True))
        return moved_by(before, after)

    return _mean([danced(piece, seed) for piece in pieces for seed in range(seeds)])


def _mean(rows: Sequence[Scores]) -> Scores:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def printed(rows: dict[str, list[Scores]], show: Callable[[str], None] = print) -> None:
    show("| dances | " + " | ".join(name for name, _ in SHOWN.values()) + " |")
    show("|---" * (len(SHOWN) + 1) + "|")
    for name, scores in rows.items():
        cells = []
        for key, (_, scale) in SHOWN.items():
            mean, low, high = (value * scale for value in mean_interval([row[key] for row in scores]))
            cells.append(f"{mean:.3g} [{low:.3g}, {high:.3g}]")
        show(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Dance, score and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--data", default="cache/starter")
    parser.add_argument("--songs", nargs="*", type=Path, default=[])
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    system = from_pretrained(options.model)
    clips = DanceSet.open(options.data).clips("test")
    composed = [held_out_clip(clip, present(system.config.feature_set)) for clip in clips if clip.music is not None]
    real = [piece for piece in (heard_song(path, system) for path in options.songs) if piece]
    captured = [(piece.dance, piece.features.beats.times) for piece in composed if piece.dance is not None]
    rows = {
        "real dance": [scored(dance, beats) for dance, beats in captured],
        "real dance, cleaned up": [scored(finished(dance, np.zeros(0)), beats) for dance, beats in captured],
    }
    for name, pieces in {"held-out pieces": composed, "real songs": real}.items():
        if pieces:
            for way, clean_up in (("without clean-up", False), ("**cleaned up**", True)):
                rows[f"{name}, {way}"] = over_seeds(system, pieces, options.seeds, clean_up)
    printed(rows)
    shift = shift_of(system, [*composed, *real], options.seeds)
    print(
        f"\nMoved by the clean-up, the pelvis on the pelvis: upper body {shift['upper']:.2f} mm and {shift['turn']:.2f} "
        f"degrees, legs {shift['legs']:.1f} mm; the pelvis {shift['height']:.1f} mm up or down."
    )


if __name__ == "__main__":
    main()
