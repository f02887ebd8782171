"""What each metric says of dances whose worth is known: real, still, trembling, and out of time.

A metric that ranks a still or an out-of-time dance with the real one does not measure what its name says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from duende.evaluation.contact import physical_foot_contact, physical_foot_contact_si
from duende.evaluation.intervals import mean_interval
from duende.evaluation.movement import frozen_share, mean_jerk, mean_speed
from duende.evaluation.pieces import Piece
from duende.evaluation.pool import ReferencePool
from duende.evaluation.rhythm import corrected_beat_align
from duende.motion.accents import speed_minima
from duende.motion.contacts import skate_ratio
from duende.motion.resampling import resampled_positions

PIECE = 6.0
"""Seconds: dances are cut into pieces of one length, so that length does not tell them apart."""
TREMBLING = 0.01
"""Metres (a deviation) of the noise laid on every joint."""


@dataclass(frozen=True)
class Verdict:
    """What the metrics say of one kind of dance; see docs/metrics.md for each."""

    kind: str
    pieces: int
    fid_kinetic: float
    fid_kinetic_corrected: float
    fid_geometric: float
    kernel_kinetic_corrected: float
    diversity_kinetic: float
    beat_align: float
    beat_excess: float
    beat_excess_interval: float
    foot_contact: float
    foot_contact_si: float
    speed: float
    frozen: float
    jerk: float
    skate: float


def real(piece: Piece, rng: np.random.Generator) -> Piece:
    """The dance as it is."""
    return piece


def out_of_time(piece: Piece, rng: np.random.Generator) -> Piece:
    """The dance as it is, the music turned round in time by a random amount."""
    shift = rng.uniform(PIECE / 6, PIECE - PIECE / 6)
    return replace(piece, beats=np.sort((piece.beats + shift) % PIECE))


def trembling(piece: Piece, rng: np.random.Generator) -> Piece:
    """The dance with white noise on every joint."""
    return replace(piece, positions=piece.positions + rng.normal(scale=TREMBLING, size=piece.positions.shape))


def still(piece: Piece, rng: np.random.Generator) -> Piece:
    """One pose of the dance, held."""
    count = len(piece.positions)
    return replace(piece, positions=np.repeat(piece.positions[rng.integers(count)][None], count, axis=0))


def noise(piece: Piece, rng: np.random.Generator) -> Piece:
    """A held pose with the same noise: no dance at all."""
    return trembling(still(piece, rng), rng)


KINDS: dict[str, Callable[[Piece, np.random.Generator], Piece]] = {
    "real": real,
    "real, out of time": out_of_time,
    "real, trembling": trembling,
    "still": still,
    "noise on a held pose": noise,
}


def verdicts(
    reference: Sequence[Piece], pieces: Sequence[Piece], seed: int = 0
) -> tuple[list[Verdict], dict[str, float]]:
    """Judge each kind of dance made of ``pieces`` against the pool ``reference``.

    Returns:
        A verdict for each kind, and for each feature set the Fréchet distance of one half of the pool from the other.
    """
    pool = ReferencePool.of([piece.positions for piece in reference])
    found = []
    for kind, change in KINDS.items():
        rng = np.random.default_rng(seed)
        changed = [change(piece, rng) for piece in pieces]
        found.append(_verdict(kind, changed, pool))
    return found, pool.floors(seed)


def _verdict(kind: str, pieces: Sequence[Piece], pool: ReferencePool) -> Verdict:
    distances = pool.distances([piece.positions for piece in pieces])
    heard = [piece for piece in pieces if len(piece.beats)]
    scores = [corrected_beat_align(speed_minima(piece.positions, piece.fps), piece.beats, PIECE) for piece in heard]
    fps = pieces[0].fps

    def mean(measure: Callable[[np.ndarray], float]) -> float:
        return float(np.mean([measure(piece.positions) for piece in pieces]))

    excess, _, high = mean_interval([score.excess for score in scores] or [float("nan")])
    return Verdict(
        kind=kind,
        pieces=len(pieces),
        fid_kinetic=distances.fid_kinetic,
        fid_kinetic_corrected=distances.fid_kinetic_corrected,
        fid_geometric=distances.fid_geometric,
        kernel_kinetic_corrected=distances.kernel_kinetic_corrected,
        diversity_kinetic=distances.diversity_kinetic,
        beat_align=float(np.mean([score.score for score in scores])) if scores else float("nan"),
        beat_excess=excess,
        beat_excess_interval=high - excess,
        foot_contact=mean(physical_foot_contact),
        foot_contact_si=mean(lambda dance: physical_foot_contact_si(dance, fps)),
        speed=mean(lambda dance: mean_speed(dance, fps)),
        frozen=mean(lambda dance: frozen_share(dance, fps)),
        jerk=mean(lambda dance: mean_jerk(dance, fps)),
        skate=mean(lambda dance: skate_ratio(dance, fps)),
    )


def at_double_rate(pieces: Sequence[Piece]) -> dict[str, float]:
    """Return by what factor measures change when the same dances come at twice the frame rate: 1 is as it should be."""
    measures: dict[str, Callable[[np.ndarray, float], float]] = {
        "foot contact": lambda dance, fps: physical_foot_contact(dance),
        "foot contact si": physical_foot_contact_si,
        "speed": mean_speed,
        "frozen": frozen_share,
        "jerk": mean_jerk,
        "skate": skate_ratio,
    }
    doubled = [resampled_positions(piece.positions, piece.fps, 2 * piece.fps) for piece in pieces]
    factors = {}
    for name, measure in measures.items():
        plain = sum(measure(piece.positions, piece.fps) for piece in pieces)
        double = sum(measure(d, 2 * p.fps) for d, p in zip(doubled, pieces, strict=True))
        factors[name] = double / plain if plain else 1.0
    return factors


def markdown(found: Sequence[Verdict], floors: dict[str, float]) -> str:
    """Write the verdicts as a table with a row for each metric."""
    lines = ["| | " + " | ".join(verdict.kind for verdict in found) + " | half of the pool against half |"]
    lines.append("|---|" + "---|" * (len(found) + 1))
    for name in [name for name in asdict(found[0]) if name not in ("kind", "pieces", "beat_excess_interval")]:
        floor = floors.get(name.removeprefix("fid_"))
        cells = " | ".join(_cell(verdict, name) for verdict in found)
        lines.append(f"| {name.replace('_', ' ')} | {cells} | {'' if floor is None else f'{floor:.3g}'} |")
    return "\n".join(lines) + "\n"


def _cell(verdict: Verdict, name: str) -> str:
    value = f"{asdict(verdict)[name]:.3g}"
    return f"{value} ± {verdict.beat_excess_interval:.2g}" if name == "beat_excess" else value
