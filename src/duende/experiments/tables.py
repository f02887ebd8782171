"""The paper's tables as data: rows, columns, what was published, and what it is said to show.

Published values: "Enhancing Expressiveness in Dance Generation via Integrating Frequency and Music Style Information",
ICASSP 2024, Tables 1 and 2, on AIST++ (the second rounded to 10⁻⁴ and 10⁻⁵ metres a frame there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from duende.errors import DuendeError

Better = Literal["lower", "higher", "real", "none"]
"""Which way is better; ``"real"``: nearer to the real dances."""

REAL = "ground_truth"


@dataclass(frozen=True)
class Measure:
    """A column.

    Attributes:
        key: under which values are kept.
        title: of the column, its unit in it.
        better: which way is better.
        factor: what values are multiplied with to be printed.
        digits: after the point.
    """

    key: str
    title: str
    better: Better = "none"
    factor: float = 1.0
    digits: int = 2


@dataclass(frozen=True)
class Row:
    """A row: its key names the recipe file; ``published`` holds values as the paper prints them."""

    key: str
    label: str
    published: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """That one row is better than another in some measures."""

    text: str
    row: str
    other: str
    measures: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table: ``until`` is the last stage of training that it needs, ``measures[:published]`` stand in the paper."""

    name: str
    title: str
    kind: Literal["reconstruction", "generation"]
    rows: tuple[Row, ...]
    measures: tuple[Measure, ...]
    published: int
    claims: tuple[Claim, ...]
    until: str | None = None

    def measure(self, key: str) -> Measure:
        """Return the measure called ``key``."""
        return next(measure for measure in self.measures if measure.key == key)


_DEVIATIONS = (
    Measure("left_wrist", "left wrist (×10⁻²)", "real", 1e2),
    Measure("chest", "chest (×10⁻³)", "real", 1e3),
    Measure("all_joints", "all joints (×10⁻³)", "real", 1e3),
)
_POSES = tuple(
    Measure(f"pose_{m.key}", m.title.replace(" (", ", real path ("), m.better, m.factor) for m in _DEVIATIONS
)

TABLE2 = Table(
    name="table2",
    title="Speed deviations of reconstructed dances, metres a frame at 60 frames a second",
    kind="reconstruction",
    until="root",
    rows=(
        Row(REAL, "Ground truth", {"left_wrist": 1.35, "chest": 5.12, "all_joints": 8.08}),
        Row("without_frequency", "VQ-VAE", {"left_wrist": 1.23, "chest": 4.03, "all_joints": 7.39}),
        Row("expressive_bailando", "FreqVQ-VAE", {"left_wrist": 1.32, "chest": 4.14, "all_joints": 7.59}),
    ),
    measures=(
        *_DEVIATIONS,
        *_POSES,
        Measure("joint_error", "joint error, mm", "lower", digits=1),
        Measure("perplexity_upper", "codes in use, upper", "higher", digits=0),
        Measure("perplexity_lower", "codes in use, lower", "higher", digits=0),
    ),
    published=3,
    claims=(
        Claim(
            "frequency modules bring the speed deviation nearer to real dances",
            "expressive_bailando",
            "without_frequency",
            ("left_wrist", "chest", "all_joints"),
        ),
        Claim(
            "the same with the real root path, so that the codes alone count",
            "expressive_bailando",
            "without_frequency",
            ("pose_left_wrist", "pose_chest", "pose_all_joints"),
        ),
        Claim(
            "frequency modules reconstruct more exactly", "expressive_bailando", "without_frequency", ("joint_error",)
        ),
    ),
)

_CLASSIC = (
    Measure("fid_kinetic", "FID_k", "lower"),
    Measure("fid_geometric", "FID_g", "lower"),
    Measure("diversity_kinetic", "Div_k", "higher"),
    Measure("diversity_geometric", "Div_g", "higher"),
    Measure("beat_align", "beat align", "higher", digits=4),
)
_HONEST = (
    Measure("fid_kinetic_corrected", "FID_k corrected", "lower"),
    Measure("kernel_kinetic_corrected", "kernel distance_k", "lower", digits=3),
    Measure("kernel_geometric", "kernel distance_g", "lower", digits=3),
    Measure("beat_excess", "beat align above chance", "higher", digits=3),
    Measure("locking", "phase locking", "higher", digits=3),
    Measure("genre_accuracy", "genre accuracy", "higher", digits=3),
    Measure("speed", "speed, m/s", "real", digits=3),
    Measure("all_joints", "speed deviation (×10⁻³)", "real", 1e3),
    Measure("frozen", "frozen share", "real", digits=3),
    Measure("skate", "skate ratio", "real", digits=3),
    Measure("jerk", "jerk, m/s³", "real", digits=0),
)
_COST = (
    Measure("processor_minutes", "training, processor minutes", "lower", digits=1),
    Measure("pace_of_dancing", "seconds of dance a processor second", "higher", digits=1),
    Measure("parameters", "parameters, millions", "lower", 1e-6, 2),
)
_FEET = (
    Measure("foot_contact", "physical foot contact, m³/s⁴", "lower", digits=3),
    Measure("floating", "over the floor, mm", "real", 1e3, 1),
    Measure("sinking", "under the floor, mm", "lower", 1e3, 1),
)


def _table1(*values: float) -> dict[str, float]:
    return dict(zip((measure.key for measure in _CLASSIC), values, strict=True))


_TRUTH = Row(REAL, "Ground truth", _table1(17.10, 10.60, 8.19, 7.45, 0.2484))
_OURS = Row("expressive_bailando", "ExpressiveBailando", _table1(24.25, 8.30, 7.34, 6.91, 0.2449))

ABLATION = Table(
    name="ablation",
    title="Ablations of ExpressiveBailando",
    kind="generation",
    rows=(
        _TRUTH,
        _OURS,
        Row("without_frequency", "without frequency", _table1(27.80, 9.84, 6.73, 6.05, 0.2437)),
        Row("handcrafted", "without MERT (handcrafted)", _table1(28.49, 9.83, 6.28, 6.28, 0.2271)),
        Row("jukebox", "without MERT (Jukebox)", _table1(28.17, 9.57, 7.16, 6.03, 0.2207)),
        Row("without_style", "not told the style"),
        Row("without_rhythm", "hears no rhythm"),
    ),
    measures=(*_CLASSIC, *_HONEST),
    published=len(_CLASSIC),
    claims=(
        Claim(
            "frequency modules bring dances nearer to real ones",
            "expressive_bailando",
            "without_frequency",
            ("fid_kinetic", "fid_geometric", "kernel_kinetic_corrected", "all_joints", "diversity_kinetic"),
        ),
        Claim(
            "being told the style helps",
            "expressive_bailando",
            "without_style",
            ("genre_accuracy", "fid_kinetic", "fid_geometric", "kernel_geometric"),
        ),
        Claim(
            "hearing rhythm helps",
            "expressive_bailando",
            "without_rhythm",
            ("beat_align", "beat_excess", "locking", "fid_kinetic"),
        ),
    ),
)

TABLE1 = Table(
    name="table1",
    title="Dance generation",
    kind="generation",
    rows=(
        _TRUTH,
        Row("bailando", "Bailando", _table1(32.10, 9.95, 6.08, 5.70, 0.2299)),
        Row("edge", "EDGE", _table1(36.23, 23.62, 3.87, 2.65, 0.2430)),
        Row("gtn_bailando", "GTN-Bailando", _table1(29.51, 8.57, 6.15, 6.65, 0.2352)),
        _OURS,
        *ABLATION.rows[2:5],
    ),
    measures=(*ABLATION.measures, *_FEET, *_COST),
    published=ABLATION.published,
    claims=(
        *ABLATION.claims[:1],
        *(
            Claim(
                f"ExpressiveBailando is better than {label}",
                "expressive_bailando",
                row,
                ("fid_kinetic", "fid_geometric", "diversity_kinetic", "diversity_geometric", "beat_align"),
            )
            for row, label in (("bailando", "Bailando"), ("edge", "EDGE"), ("gtn_bailando", "GTN-Bailando"))
        ),
    ),
)

_FOR_REWARDS = ("beat_reward", "beat_align", "beat_excess", "locking")

REWARDS = Table(
    name="rewards",
    title="Actor-critic finetuning of Bailando on target music: which reward, and what it does to the feet",
    kind="generation",
    rows=(
        Row(REAL, "Ground truth"),
        Row("bailando_before", "Bailando before finetuning"),
        Row("bailando", "Bailando, beat reward"),
        Row("bailando_longer", "Bailando, beat reward, longer"),
        Row("bailando_physics", "Bailando, physics reward"),
        Row("bailando_both", "Bailando, both rewards"),
    ),
    measures=(
        Measure("beat_reward", "beat reward a code", "higher", digits=2),
        *(measure for measure in (*_CLASSIC, *_HONEST) if measure.key in _FOR_REWARDS),
        Measure("skate", "skate ratio", "lower", digits=3),
        *_FEET,
        *(measure for measure in _HONEST if measure.key not in (*_FOR_REWARDS, "skate")),
        *(measure for measure in _CLASSIC if measure.key not in _FOR_REWARDS),
        *_COST,
    ),
    published=0,
    claims=(
        Claim("the beat reward raises what it rewards", "bailando", "bailando_before", _FOR_REWARDS),
        Claim("more of it raises that more", "bailando_longer", "bailando_before", _FOR_REWARDS),
        Claim(
            "the beat reward leaves feet and movement as good as they were",
            "bailando",
            "bailando_before",
            ("skate", "foot_contact", "floating", "sinking", "speed", "frozen"),
        ),
        Claim(
            "the physics reward makes feet better, and the body move as much",
            "bailando_physics",
            "bailando_before",
            ("skate", "foot_contact", "floating", "sinking", "speed", "frozen"),
        ),
    ),
)

_HEARD = ("beat_align", "beat_excess", "locking", "genre_accuracy")
"""What music decides, in the first columns of the table on it."""

MUSIC = Table(
    name="music",
    title="What the network hears: handcrafted features, the beat, a genre token (the style is told to none)",
    kind="generation",
    rows=(
        Row(REAL, "Ground truth"),
        Row("hears_handcrafted", "handcrafted features"),
        Row("hears_rhythm", "with the beat"),
        Row("hears_genre", "with the beat and a genre token"),
    ),
    measures=tuple(sorted((*_CLASSIC, *_HONEST), key=lambda measure: measure.key not in _HEARD)),
    published=0,
    claims=(
        Claim(
            "hearing where the beat is keeps dances on it",
            "hears_rhythm",
            "hears_handcrafted",
            ("beat_excess", "locking", "beat_align"),
        ),
        Claim(
            "a genre token makes dances fit the style of the music",
            "hears_genre",
            "hears_rhythm",
            ("genre_accuracy", "fid_geometric"),
        ),
        Claim(
            "a genre token leaves the beat as it is or better",
            "hears_genre",
            "hears_rhythm",
            ("beat_excess", "locking"),
        ),
    ),
)

TABLES = {table.name: table for table in (TABLE1, TABLE2, ABLATION, MUSIC, REWARDS)}


def named_table(name: str) -> Table:
    """Return a table by name.

    Raises:
        DuendeError: there is none of that name.
    """
    if name not in TABLES:
        raise DuendeError(f"no table {name!r}; there are {', '.join(TABLES)}")
    return TABLES[name]
