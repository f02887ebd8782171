"""Systems side by side, as a Markdown table grouped by what is asked, and as rows for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from duende.evaluation.protocol import ScoredDance
from duende.evaluation.scorecard import Value
from duende.evaluation.yardstick import FPS

Line = tuple[str | None, str | None]
"""Keys of a classic and of an honest measure that stand in one line of the table."""

QUESTIONS: dict[str, tuple[Line, ...]] = {
    "Do they move like real dances?": (
        ("fid_kinetic", "fid_kinetic_corrected"),
        ("fid_geometric", "fid_geometric_corrected"),
        (None, "kernel_kinetic"),
        (None, "kernel_geometric"),
    ),
    "Are they varied?": (
        ("diversity_kinetic", "diversity_kinetic_corrected"),
        ("diversity_geometric", "diversity_geometric_corrected"),
        (None, "same_song"),
        (None, "other_songs"),
    ),
    "Are they on the beat?": (
        ("beat_align", "beat_excess"),
        (None, "beat_share"),
        (None, "locking"),
        (None, "locking_share"),
        (None, "lag"),
        (None, "precision"),
        (None, "recall"),
        (None, "f_measure"),
        (None, "dance_beats"),
    ),
    "Do the feet stand?": (
        ("foot_contact", "foot_contact_si"),
        (None, "skate"),
        (None, "foot_height"),
        (None, "penetration"),
    ),
    "Are they lively?": (
        ("deviation_left_wrist", "speed"),
        ("deviation_chest", "frozen"),
        ("deviation_all_joints", "jerk"),
        (None, "trembling"),
    ),
    "Are they of the right genre?": ((None, "genre"),),
}

LABELS = {
    "fid_kinetic": "FID, kinetic",
    "fid_geometric": "FID, geometric",
    "fid_kinetic_corrected": "FID, kinetic, corrected",
    "fid_geometric_corrected": "FID, geometric, corrected",
    "kernel_kinetic": "kernel distance, kinetic",
    "kernel_geometric": "kernel distance, geometric",
    "diversity_kinetic": "diversity, kinetic",
    "diversity_geometric": "diversity, geometric",
    "diversity_kinetic_corrected": "diversity, kinetic, corrected",
    "diversity_geometric_corrected": "diversity, geometric, corrected",
    "same_song": "distance of dances to one song",
    "other_songs": "distance of dances to different songs",
    "beat_align": "beat align score",
    "beat_excess": "beat align score above chance",
    "beat_share": "share of dances above chance, p < 0.05",
    "locking": "phase locking, resultant",
    "locking_share": "share of dances that lock, Rayleigh p < 0.05",
    "lag": "lag behind the beat, s",
    "precision": "beat precision, ± 70 ms",
    "recall": "beat recall, ± 70 ms",
    "f_measure": "beat F1, ± 70 ms",
    "dance_beats": "dance beats a second",
    "foot_contact": "physical foot contact",
    "foot_contact_si": "physical foot contact, m³/s⁴",
    "skate": "skate ratio",
    "foot_height": "lowest foot over the floor, m",
    "penetration": "lowest joint under the floor, m",
    "deviation_left_wrist": "speed deviation, left wrist, m a frame",
    "deviation_chest": "speed deviation, chest, m a frame",
    "deviation_all_joints": "speed deviation, all joints, m a frame",
    "speed": "mean joint speed, m/s",
    "frozen": "frozen share",
    "jerk": "jerk, m/s³",
    "trembling": "share of power over 12 Hz",
    "genre": "share of dances of the wanted genre",
}

ABOUT = ("system", "dance", "seconds", "source_fps", "song", "music", "wanted_genre", "found_genre")


def markdown(systems: Mapping[str, Mapping[str, Value]]) -> str:
    """Write systems as columns: classic measures on the left, what they are read beside on the right."""
    names = " | ".join(systems)
    lines = [f"| classic | {names} | honest | {names} |", "|---|" + "---|" * (2 * len(systems) + 1)]
    for question, rows in QUESTIONS.items():
        lines.append(f"| **{question}** |" + " |" * (2 * len(systems) + 1))
        for classic, honest in rows:
            lines.append(f"| {_half(classic, systems)} | {_half(honest, systems)} |")
    return "\n".join(lines) + "\n"


def cell(value: Value | None) -> str:
    """Write a value with its interval and what it is read beside."""
    if value is None:
        return "–"
    text = f"{value.value:.3g}"
    if value.low is not None and value.high is not None:
        text += f" [{value.low:.3g}, {value.high:.3g}]"
    return text + (f" ({value.beside})" if value.beside else "")


def table(systems: Mapping[str, Sequence[ScoredDance]]) -> str:
    """Write a row of comma-separated values for each dance; what is not known is left empty."""
    keys = sorted({key for dances in systems.values() for scored in dances for key in scored.values})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*ABOUT, *keys])
    for system, dances in systems.items():
        for scored in dances:
            dance = scored.dance
            music = dance.match.music
            about = [system, dance.name, f"{len(dance.positions) / FPS:.3f}", f"{dance.source_fps:g}"]
            about += [dance.match.song, music.source if music else "", dance.match.genre or ""]
            about += [scored.found_genre or ""]
            writer.writerow(about + [f"{scored.values[key]:.6g}" if key in scored.values else "" for key in keys])
    return file.getvalue()


def _half(key: str | None, systems: Mapping[str, Mapping[str, Value]]) -> str:
    if key is None:
        return " | ".join([""] * (len(systems) + 1))
    return " | ".join([LABELS[key], *(cell(values.get(key)) for values in systems.values())])
