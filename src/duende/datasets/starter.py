"""The starter set: real dances on a steady beat, and music scored to them.

For each take: read and retarget; find or make a steady beat; for each variant mirror or not, stretch dance and beat
together, compose and render music in the style of the dance on that beat, extract its features, write the clip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from duende.audio.feature_sets import feature_set
from duende.audio.sources import Sources
from duende.datasets.building import Progress, build_take, in_processes
from duende.datasets.hearing import Hearing
from duende.datasets.retiming import Retimed, best_locking, on_known_tempo, retime, shuffled
from duende.datasets.starter_clips import Plan, make_clip
from duende.datasets.store import INDEX, Clip, write_index
from duende.datasets.takes import Take, find_takes, held_out
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.load import load_mocap
from duende.motion import Motion
from duende.motion.accents import accents

FEATURES = "full_band+rhythm"
SHORTEST = 4.5
"""Seconds: shorter takes are left out; crops are 4 seconds long."""
LEAST_KEPT = 0.55
"""Share of the accents that must lie on the beat, else the take is left out."""


def build_starter(
    folders: Sequence[Path],
    out: Path,
    soundfont: Path | None = None,
    variants: int = 6,
    seed: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
    music: bool = True,
    features: str = FEATURES,
    sources: Sources | None = None,
) -> dict[str, Any]:
    """Build the set in ``out``; built again, it goes on where it stopped.

    Args:
        folders: of motion capture.
        out: for the clips, ``index.json`` and ``report.json``.
        soundfont: General MIDI sound font; by default the system's.
        variants: clips for each take of the training split; held-out takes give one.
        seed: decides music and stretch.
        workers: processes.
        progress: called with clips done and clips in all.
        music: without it only dances are built, enough to train codebooks.
        features: name of the set of music features.
        sources: where weights are that the features need.

    Returns:
        What ``report.json`` holds: ``summary``, and under ``takes`` for each what was done or why it was left out.

    Raises:
        DuendeError: a folder holds no motion, no take could be used, or there is no sound font.
    """
    takes = find_takes(folders)
    outside = held_out(takes)
    hearing = _hearing(soundfont, features, sources or Sources()) if music else None
    plans = {take.name: _plans(take, take.group in outside, variants, seed, hearing) for take in takes}
    # A folder without an index is an unfinished set.
    (out / INDEX).unlink(missing_ok=True)
    jobs = sorted(plans.values(), key=lambda plans: -plans[0].take.path.stat().st_size * len(plans))
    made = in_processes(partial(_build, out=out), jobs, workers, progress, count=len)
    reports = {job[0].take.name: report for job, report in zip(jobs, made, strict=True)}
    report = {"summary": summary(reports), "takes": reports}
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "report.json") as path:
        path.write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")
    clips = [(plan.name, plan.split) for name in plans for plan in plans[name] if reports[name]["used"]]
    if not clips:
        raise DuendeError(f"no take could be used; {out / 'report.json'} says why")
    identity = hearing.features if hearing else ""
    write_index(out, sorted(clips), identity, {"seed": seed, "representation": "heading", "music": music})
    return report


def _hearing(soundfont: Path | None, features: str, sources: Sources) -> Hearing:
    """Find what music is made and heard with; imported here, since a set of dances alone needs no synthesiser."""
    from duende.audio.features import weights_identity
    from duende.datasets.scoring import find_soundfont

    wanted = feature_set(features)
    return Hearing(find_soundfont(soundfont), wanted.identity, weights_identity(wanted, sources), sources)


def _plans(take: Take, outside: bool, variants: int, seed: int, hearing: Hearing | None) -> list[Plan]:
    split = "test" if outside else "train"
    return [Plan(take, split, variant, seed, hearing) for variant in range(1 if outside else variants)]


def steady(take: Take) -> tuple[Motion, Retimed | None, str]:
    """Read a take and bring it onto a steady beat; or say why it cannot be used.

    Returns:
        The dance as it was, on the beat (None where it cannot be used), and the reason.
    """
    motion = without_still_ends(load_mocap(take.path, take.fps))
    if motion.duration < SHORTEST:
        return motion, None, f"shorter than {SHORTEST:g} seconds"
    retimed = on_known_tempo(motion, take.tempo) if take.tempo else retime(motion)
    if retimed is None or retimed.kept < LEAST_KEPT:
        return motion, None, "its accents fit no beat within the bounds of speed"
    if retimed.motion.duration < SHORTEST:
        return motion, None, f"shorter than {SHORTEST:g} seconds"
    return motion, retimed, ""


def summary(reports: dict[str, Any]) -> dict[str, Any]:
    """Sum up a build: takes and minutes by split, the changes of speed, and how movement keeps the beat."""
    used = [report for report in reports.values() if report["used"]]
    made = [report for report in used if not report["tempo_known"]]

    def mean(reports: list[dict[str, Any]], key: str) -> float | None:
        return round(float(np.mean([report[key] for report in reports])), 3) if reports else None

    locking = ("before", "after", "after_beat")
    return {
        "takes": {split: sum(report["split"] == split for report in used) for split in ("train", "test")},
        "minutes": {
            split: round(sum(report["seconds"] for report in used if report["split"] == split) / 60, 2)
            for split in ("train", "test")
        },
        "left_out": {name: report["reason"] for name, report in sorted(reports.items()) if not report["used"]},
        "retimed": {key: mean(made, key) for key in ("kept", *locking, "change", *CONTROL)},
        "known_tempo": {key: mean([r for r in used if r["tempo_known"]], key) for key in locking},
        "speed_percentiles": [round(float(v), 3) for v in np.mean([r["speed"] for r in made], axis=0)] if made else [],
    }


def without_still_ends(motion: Motion, speed: float = 0.08) -> Motion:
    """Cut the standing still before and after a dance, down to a third of a second."""
    moving = np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).mean(axis=1) * motion.fps > speed
    frames = np.flatnonzero(np.convolve(moving, np.ones(15) / 15, mode="same") > 0.8)
    if len(frames) == 0:
        return motion
    rest = round(motion.fps / 3)
    return motion.cropped(max(0, int(frames[0]) - rest), min(len(motion), int(frames[-1]) + rest))


CONTROL = ("chance_before", "chance_after", "chance_after_beat", "chance_change")


def _build(plans: Sequence[Plan], out: Path) -> dict[str, Any]:
    """Build all clips of a take that are not there yet; return what became of it."""

    def make(missing: list[Plan]) -> tuple[dict[str, Any], Iterable[Clip]]:
        try:
            motion, retimed, reason = steady(plans[0].take)
        except DuendeError as error:
            return {"used": False, "reason": str(error)}, ()
        if retimed is None:
            return {"used": False, "reason": reason}, ()
        report = {"used": True, "reason": reason, **_measures(plans[0], motion, retimed)}
        return report, (make_clip(plan, retimed, out) for plan in missing)

    return build_take(out / f"{plans[0].take.name}.json", plans, make)


def _measures(plan: Plan, motion: Motion, retimed: Retimed) -> dict[str, Any]:
    measures: dict[str, Any] = {
        "style": plan.take.style,
        "split": plan.split,
        "seconds": retimed.motion.duration,
        "tempo": retimed.tempo,
        "tempo_known": plan.take.tempo is not None,
        "kept": retimed.kept,
        "before": retimed.before,
        "after": retimed.after,
        "after_beat": retimed.after_beat,
        "p_value": retimed.p_value,
        "speed": [float(v) for v in np.percentile(retimed.speed, [0, 5, 25, 50, 75, 95, 100])],
        "change": _change(retimed),
    }
    if plan.take.tempo is None:
        # The same on events of the same rate in random order: what the choice of tempo and anchors alone would give.
        rng = np.random.default_rng([plan.seed, *plan.take.name.encode()])
        random = shuffled(accents(motion), rng)
        chance = retime(motion, found=random)
        values = (
            (best_locking(random.times), chance.after, chance.after_beat, _change(chance)) if chance else (0.0,) * 4
        )
        measures |= dict(zip(CONTROL, values, strict=True))
    return measures


def _change(retimed: Retimed) -> float:
    """Mean factor by which speed was changed, up or down: 1.07 is seven per cent."""
    return float(np.exp(np.abs(np.log(retimed.speed)).mean()))
