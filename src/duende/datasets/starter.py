"""The starter set: real dances on a steady beat, and music scored to them.

For each take: read and retarget; find or make a steady beat; for each variant mirror or not, stretch dance and beat
together, compose and render music in the style of the dance on that beat, extract its features, write the clip.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from duende.datasets.retiming import Retimed, on_known_tempo, retime
from duende.datasets.store import Clip, write_clip, write_index
from duende.datasets.takes import Take, find_takes, held_out
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.load import load_mocap
from duende.motion import Motion
from duende.motion.feet import plant_feet
from duende.motion.representation import PoseRepresentation

STRETCH = (0.85, 1.15)
SHORTEST = 4.5
"""Seconds: shorter takes are left out; crops are 4 seconds long."""
LEAST_KEPT = 0.55
"""Share of the accents that must lie on the beat, else the take is left out."""
FRAMES_PER_ROW = 8


@dataclass(frozen=True)
class Plan:
    """One clip to build: a take, a variant of it, and what chance decides."""

    take: Take
    split: str
    variant: int
    seed: int
    music: bool
    soundfont: Path | None

    @property
    def name(self) -> str:
        """Of the clip and its file."""
        return f"{self.take.name}-{self.variant}"


def build_starter(
    folders: Sequence[Path],
    out: Path,
    soundfont: Path | None = None,
    variants: int = 3,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    music: bool = True,
) -> None:
    """Build the set in ``out``; built again, it goes on where it stopped.

    Args:
        folders: of motion capture.
        out: for the clips, ``index.json`` and ``report.json``.
        soundfont: General MIDI sound font; by default the system's.
        variants: clips for each take of the training split; held-out takes give one.
        seed: decides music, stretch and mirroring.
        workers: processes.
        progress: called with clips done and clips in all.
        music: without it only dances are built, enough to train codebooks.

    Raises:
        DuendeError: a folder holds no motion, or there is no sound font.
    """
    takes = find_takes(folders)
    outside = held_out(takes)
    font, identity = None, ""
    if music:
        from duende.datasets.scoring import FEATURES, feature_set, find_soundfont

        font, identity = find_soundfont(soundfont), feature_set(FEATURES).identity
    plans = [
        Plan(take, "test" if take.group in outside else "train", variant, seed, music, font)
        for take in takes
        for variant in range(1 if take.group in outside else variants)
    ]
    out.mkdir(parents=True, exist_ok=True)
    made: list[tuple[str, str]] = []
    reports: dict[str, Any] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_build, plan, out): plan for plan in plans}
        for done, future in enumerate(as_completed(waiting), start=1):
            plan, report = waiting[future], future.result()
            if plan.variant == 0:
                reports[plan.take.name] = report
            if report["used"]:
                made.append((plan.name, plan.split))
            if progress:
                progress(done, len(plans))
    if not made:
        raise DuendeError("no take could be used; see report.json for the reasons")
    with replacing(out / "report.json") as path:
        path.write_text(json.dumps(reports, indent=1, sort_keys=True), encoding="utf-8")
    write_index(out, sorted(made), identity, {"seed": seed, "representation": "heading", "music": music})


def steady(take: Take) -> tuple[Retimed | None, str]:
    """Read a take and bring it onto a steady beat; or say why it cannot be used."""
    motion = without_still_ends(load_mocap(take.path, take.fps))
    if motion.duration < SHORTEST:
        return None, f"shorter than {SHORTEST:g} seconds"
    retimed = on_known_tempo(motion, take.tempo) if take.tempo else retime(motion)
    if retimed is None or retimed.kept < LEAST_KEPT:
        return None, "its accents fit no beat within the bounds of speed"
    if retimed.motion.duration < SHORTEST:
        return None, f"shorter than {SHORTEST:g} seconds"
    return retimed, ""


def without_still_ends(motion: Motion, speed: float = 0.08) -> Motion:
    """Cut the standing still before and after a dance, down to a third of a second."""
    moving = np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).mean(axis=1) * motion.fps > speed
    frames = np.flatnonzero(np.convolve(moving, np.ones(15) / 15, mode="same") > 0.8)
    if len(frames) == 0:
        return motion
    rest = round(motion.fps / 3)
    return motion.cropped(max(0, int(frames[0]) - rest), min(len(motion), int(frames[-1]) + rest))


def stretched(retimed: Retimed, factor: float) -> tuple[Motion, float]:
    """Play dance and beat ``factor`` times as fast; return the dance and the new tempo."""
    motion = retimed.motion
    frames = int(len(motion) / factor)
    return motion.warped(np.arange(frames) * factor / motion.fps), retimed.tempo * factor


def _build(plan: Plan, out: Path) -> dict[str, Any]:
    path = out / f"{plan.name}.npz"
    record = out / f"{plan.name}.json"
    if record.exists():
        report: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        if path.exists() or not report["used"]:
            return report
    retimed, reason = steady(plan.take)
    if retimed is None:
        report = {"used": False, "reason": reason}
    else:
        write_clip(_clip(plan, retimed, out), path)
        report = {
            "used": True,
            "style": plan.take.style,
            "split": plan.split,
            "seconds": retimed.motion.duration,
            "tempo": retimed.tempo,
            "tempo_known": plan.take.tempo is not None,
            "kept": retimed.kept,
            "locking_before": retimed.locking_before,
            "locking_after": retimed.locking_after,
            "speed": [float(v) for v in np.percentile(retimed.speed, [0, 5, 25, 50, 75, 95, 100])],
        }
    with replacing(record) as temporary:
        temporary.write_text(json.dumps(report), encoding="utf-8")
    return report


def _clip(plan: Plan, retimed: Retimed, out: Path) -> Clip:
    rng = np.random.default_rng([plan.seed, plan.variant, *plan.name.encode()])
    first = plan.variant == 0
    factor = 1.0 if first else float(rng.uniform(*STRETCH))
    motion, tempo = stretched(retimed, factor)
    mirrored = plan.variant % 2 == 1
    if mirrored:
        motion = motion.mirrored()
    rows = len(motion) // FRAMES_PER_ROW
    motion = plant_feet(motion.cropped(0, rows * FRAMES_PER_ROW))
    poses = PoseRepresentation("heading").encode(motion.positions)
    beats = np.arange(0.0, motion.duration, 60.0 / tempo)
    downbeats = beats[::4]
    music = None
    if plan.music:
        # Imported here: a set of dances alone needs no synthesiser.
        from duende.datasets.scoring import score

        scored = score(plan.take.style, tempo, motion.duration, int(rng.integers(2**31)), plan.soundfont, rows)
        music, beats, downbeats = scored.features, scored.beats, scored.downbeats
        if plan.split == "test":
            scored.song.write(out / f"{plan.name}.ogg")
    return Clip(
        name=plan.name,
        take=plan.take.name,
        style=plan.take.style,
        split=plan.split,
        tempo=tempo,
        mirrored=mirrored,
        upper=poses.upper,
        lower=poses.lower,
        root=poses.root,
        music=music,
        beats=beats,
        downbeats=downbeats,
        motion=motion,
    )
