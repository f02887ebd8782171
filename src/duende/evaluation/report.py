"""Generated dances beside real ones, a wrong song and baselines, as one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from duende.audio.feature_sets import ROWS_A_SECOND
from duende.audio.music import Beats, FeatureSet, MusicFeatures
from duende.datasets.store import Clip
from duende.evaluation.baselines import random_codes, repeated
from duende.evaluation.movement import BANDS, frozen_share, mean_jerk, mean_speed, speed_spectrum
from duende.evaluation.rhythm import rhythm
from duende.motion import Motion
from duende.motion.contacts import floor_penetration, skate_ratio
from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.face import AnySampling, System
from duende.systems.finishing import finished


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Music that no training clip was danced to, with beats known, and the real dance where there is one."""

    name: str
    features: MusicFeatures
    dance: Motion | None = None


@dataclass(frozen=True)
class Row:
    """Means over dances of one kind, with the half-width of the 95 % interval of the rhythm scores."""

    kind: str
    dances: int
    beat_align: float
    beat_align_interval: float
    locking: float
    locking_interval: float
    half_locking: float
    half_locking_interval: float
    beat_rate: float
    speed: float
    frozen: float
    jerk: float
    skate: float
    penetration: float
    spectrum: list[float]


def held_out_clip(clip: Clip, feature_set: FeatureSet) -> HeldOut:
    """Turn a held-out clip of a data set into music with its real dance."""
    beats = Beats(np.asarray(clip.beats), np.asarray(clip.downbeats), float(clip.tempo))
    features = MusicFeatures(np.asarray(clip.music, np.float32), feature_set, beats)
    return HeldOut(clip.name, features, clip.motion)


def compare(
    system: System,
    music: Sequence[HeldOut],
    training_clips: Sequence[Motion],
    sampling: AnySampling,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Dance to all of ``music`` and score the dances beside real ones and baselines.

    Rows: the real dances (where known), the model, the model's dances scored against another piece's beats (the
    level of chance), the same without landing accents on beats, the network without that and without choosing among
    candidates, a training clip repeated, and (in a system of codes) random codes.
    """
    kinds: dict[str, list[tuple[Motion, np.ndarray]]] = {
        name: []
        for name in (
            "real dance",
            "model",
            "model, wrong song",
            "model, beats not landed on",
            "network alone, no audition",
            "training clip repeated",
            "random codes",
        )
    }
    total = len(music) * len(seeds)
    rng = np.random.default_rng(0)
    for number, piece in enumerate(music):
        beats = piece.features.beats.times
        wrong = _another_beat(music, number, len(piece.features) / ROWS_A_SECOND)
        if piece.dance is not None:
            kinds["real dance"].append((piece.dance, beats))
        for turn, seed in enumerate(seeds):
            danced = system.dance(piece.features, seed=seed, sampling=sampling, on_beat=False, clean_up=False)
            motion = finished(danced, beats)
            kinds["model"].append((motion, beats))
            kinds["model, wrong song"].append((motion, wrong))
            kinds["model, beats not landed on"].append((finished(danced, beats[:0]), beats))
            alone = system.dance(piece.features, seed=seed, sampling=sampling.alone(), on_beat=False)
            kinds["network alone, no audition"].append((alone, beats))
            clip = training_clips[int(rng.integers(len(training_clips)))]
            kinds["training clip repeated"].append((repeated(clip, round(motion.duration * clip.fps)), beats))
            if isinstance(system, ExpressiveBailando):
                kinds["random codes"].append((random_codes(system, len(piece.features), seed), beats))
            if progress:
                progress(number * len(seeds) + turn + 1, total)
    return [_row(kind, dances) for kind, dances in kinds.items() if dances]


def _another_beat(music: Sequence[HeldOut], number: int, seconds: float) -> np.ndarray:
    """Return the beats of the piece whose tempo differs most, going on for ``seconds``."""
    tempo = music[number].features.beats.tempo
    others = [
        piece.features.beats for i, piece in enumerate(music) if i != number and len(piece.features.beats.times) > 1
    ]
    if not others or not tempo:
        return np.arange(0.2, seconds, 0.53)
    ratio = [abs(np.log2(beats.tempo / tempo) - np.round(np.log2(beats.tempo / tempo))) for beats in others]
    chosen = others[int(np.argmax(ratio))]
    period = float(np.median(np.diff(chosen.times)))
    return np.arange(chosen.times[0], seconds, period)


def _row(kind: str, dances: Sequence[tuple[Motion, np.ndarray]]) -> Row:
    rhythms = [asdict(rhythm(motion.positions, motion.fps, beats)) for motion, beats in dances]

    def mean(name: str) -> float:
        return float(np.mean([values[name] for values in rhythms]))

    def interval(name: str) -> float:
        values = [entry[name] for entry in rhythms]
        return float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")

    def measured(measure: Callable[[np.ndarray, float], float]) -> float:
        return float(np.mean([measure(motion.positions, motion.fps) for motion, _ in dances]))

    return Row(
        kind=kind,
        dances=len(dances),
        beat_align=mean("beat_align"),
        beat_align_interval=interval("beat_align"),
        locking=mean("locking"),
        locking_interval=interval("locking"),
        half_locking=mean("half_locking"),
        half_locking_interval=interval("half_locking"),
        beat_rate=mean("rate"),
        speed=measured(mean_speed),
        frozen=measured(frozen_share),
        jerk=measured(mean_jerk),
        skate=measured(skate_ratio),
        penetration=float(np.mean([floor_penetration(motion) for motion, _ in dances])),
        spectrum=np.mean([speed_spectrum(motion.positions, motion.fps) for motion, _ in dances], axis=0).tolist(),
    )


def markdown(rows: Sequence[Row]) -> str:
    """Write rows as two Markdown tables: rhythm, and movement."""
    lines = [
        "| dances | n | beat align score | phase locking, beat | phase locking, half-beat | dance beats a second |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.kind} | {row.dances} | {row.beat_align:.3f} ± {row.beat_align_interval:.3f} "
        f"| {row.locking:.3f} ± {row.locking_interval:.3f} "
        f"| {row.half_locking:.3f} ± {row.half_locking_interval:.3f} | {row.beat_rate:.2f} |"
        for row in rows
    ]
    bands = " | ".join(f"{low:g}–{high:g} Hz" for low, high in BANDS)
    lines += [
        "",
        f"| dances | mean speed, m/s | frozen share | jerk, m/s³ | skate ratio | under the floor, mm | {bands} |",
        "|---|---|---|---|---|---|" + "---|" * len(BANDS),
    ]
    lines += [
        f"| {row.kind} | {row.speed:.3f} | {row.frozen:.3f} | {row.jerk:.0f} | {row.skate:.3f} "
        f"| {row.penetration * 1000:.1f} | " + " | ".join(f"{share:.3f}" for share in row.spectrum) + " |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
