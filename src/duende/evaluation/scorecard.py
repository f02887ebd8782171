"""Values of a whole set of dances, each with its interval and with what real dances or chance give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.spatial.distance import pdist

from duende.evaluation.distributions import (
    bootstrap_interval,
    diversity,
    frechet_distance,
    half_floor,
    kernel_distance,
)
from duende.evaluation.intervals import mean_interval
from duende.evaluation.protocol import ScoredDance
from duende.evaluation.yardstick import CORRECTED, RealDances, Yardstick

SIGNIFICANT = 0.05
NULL_DRAWS = 40
KINDS = ("kinetic", "geometric")


@dataclass(frozen=True)
class Value:
    """A value, the ends of its 95 % interval where there is one, and a word on what to read it beside."""

    value: float
    low: float | None = None
    high: float | None = None
    beside: str = ""


def scorecard(dances: Sequence[ScoredDance], real: RealDances, held_out_accuracy: float | None) -> dict[str, Value]:
    """Score a set of dances; what cannot be known of it is absent.

    Args:
        dances: of one system.
        real: dances to compare with.
        held_out_accuracy: of the genre classifier on real takes, which its verdict is read beside.
    """
    values: dict[str, Value] = {}
    if len(dances) > 1:
        for kind in KINDS:
            values |= _distances(dances, real, kind)
        values |= _songs(dances, real.yardsticks[f"kinetic{CORRECTED}"])
    for key in {key for scored in dances for key in scored.values} - _NOT_AVERAGED:
        values[key] = averaged([scored.values[key] for scored in dances if key in scored.values])
    heard = [scored.values for scored in dances if "beat_excess" in scored.values]
    if heard:
        values |= _agreement(heard, values)
    return values | _genre(dances, real, held_out_accuracy)


def averaged(values: Sequence[float], beside: str = "") -> Value:
    """Mean with its 95 % interval by Student's t, none for a single value."""
    mean, low, high = mean_interval(values)
    return Value(mean, beside=beside) if np.isnan(low) else Value(mean, low, high, beside)


_NOT_AVERAGED = {"beat_p_value", "rayleigh_p_value", "lag", "locking_chance", "f_measure_chance"}


def _distances(dances: Sequence[ScoredDance], real: RealDances, kind: str) -> dict[str, Value]:
    classic, corrected = (real.yardsticks[key] for key in (kind, kind + CORRECTED))
    old, new = (_features(dances, key, real) for key in (kind, kind + CORRECTED))
    floor = corrected.real(len(dances))
    null = corrected.real(len(dances), kernel_distance, NULL_DRAWS)
    half, corrected_half = (half_floor(yardstick.pool, real.seed) for yardstick in (classic, corrected))
    drawn = corrected.comparable(len(dances))
    return {
        f"fid_{kind}": Value(frechet_distance(classic.pool, old), beside=f"half floor {half:.3g}"),
        f"fid_{kind}_corrected": Value(
            frechet_distance(corrected.pool, new),
            *bootstrap_interval(corrected.pool, new, real.seed),
            beside=f"{drawn} real: {floor.mean():.3g}; half floor {corrected_half:.3g}",
        ),
        f"kernel_{kind}": Value(
            kernel_distance(corrected.pool, new), beside=f"real: up to {np.quantile(null, 0.95):.3g}"
        ),
        f"diversity_{kind}": Value(diversity(old)),
        f"diversity_{kind}_corrected": Value(diversity(new)),
    }


def _features(dances: Sequence[ScoredDance], key: str, real: RealDances) -> np.ndarray:
    return real.yardsticks[key](np.stack([scored.features[key] for scored in dances]))


def _songs(dances: Sequence[ScoredDance], yardstick: Yardstick) -> dict[str, Value]:
    """Mean distance between dances to one song, and between dances to different songs."""
    apart = pdist(yardstick(np.stack([scored.features[f"kinetic{CORRECTED}"] for scored in dances])))
    songs = np.unique([scored.dance.match.song for scored in dances], return_inverse=True)[1]
    same = pdist(songs[:, None].astype(float)) == 0
    found = {}
    if same.any():
        found["same_song"] = Value(float(apart[same].mean()), beside=f"{int(same.sum())} pairs")
        if not same.all():
            found["other_songs"] = Value(float(apart[~same].mean()))
    return found


def _agreement(heard: Sequence[dict[str, float]], values: dict[str, Value]) -> dict[str, Value]:
    """What the dances' own values say together."""

    def column(key: str) -> np.ndarray:
        return np.array([scores[key] for scores in heard])

    positive = int((column("beat_excess") > 0).sum())
    sign = stats.binomtest(positive, len(heard), 0.5, alternative="greater").pvalue
    locked = column("rayleigh_p_value") < SIGNIFICANT
    found = {
        "beat_excess": _beside(values["beat_excess"], f"{positive} of {len(heard)} above 0, sign test p = {sign:.2g}"),
        "beat_share": _share(int((column("beat_p_value") < SIGNIFICANT).sum()), len(heard), "chance 0.05"),
        "locking": _beside(values["locking"], f"chance {column('locking_chance').mean():.2g}"),
        "locking_share": _share(int(locked.sum()), len(heard), "chance 0.05"),
        "f_measure": _beside(values["f_measure"], f"chance {column('f_measure_chance').mean():.2g}"),
    }
    if locked.any():
        found["lag"] = Value(float(np.median(column("lag")[locked])), beside=f"median of {int(locked.sum())} that lock")
    return found


def _genre(dances: Sequence[ScoredDance], real: RealDances, accuracy: float | None) -> dict[str, Value]:
    known = real.classifier.genres if real.classifier else ()
    judged = [scored for scored in dances if scored.dance.match.genre in known]
    if not judged or accuracy is None:
        return {}
    right = sum(scored.found_genre == scored.dance.match.genre for scored in judged)
    beside = f"{len(judged)} dances; guessing {1 / len(known):.2g}; held-out real takes {accuracy:.2g}"
    return {"genre": _share(right, len(judged), beside)}


def _share(count: int, total: int, beside: str) -> Value:
    interval = stats.binomtest(count, total).proportion_ci(method="wilson")
    return Value(count / total, float(interval.low), float(interval.high), beside)


def _beside(value: Value, text: str) -> Value:
    return Value(value.value, value.low, value.high, text)
