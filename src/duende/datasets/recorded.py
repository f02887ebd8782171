"""Sets of recorded dances with the music that they were danced to; both are left as they are.

For each dance: read it, stand it on the floor, cut it to whole rows of music features; cut the features and beats of
its song, heard once, to the dance. Dance and music begin together. A dance whose music is missing or does not fit
becomes a clip without music.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from duende.audio.cache import FeatureCache
from duende.audio.feature_sets import FRAMES_IN_ROW, ROWS_A_SECOND, feature_set
from duende.audio.sources import Sources
from duende.datasets.build_report import Problem, summary
from duende.datasets.building import Progress, build_take, in_processes
from duende.datasets.recordings import RecordedDance, Recordings
from duende.datasets.songs import SongFile, SongHearing
from duende.datasets.store import INDEX, SCHEMA, Clip, write_index
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.load import load_recording
from duende.motion import Motion
from duende.motion.representation import PoseRepresentation

REVISION = 1
"""Raised whenever the same files would give other clips; finished clips of another revision are built again."""
SHORTEST = 0.5
"""Seconds: less has no accelerations to speak of."""
LACKING = 0.5
"""Seconds of a dance that may be left when its music ends."""
TEMPO_TOLERANCE = 0.04
"""Share by which a tracked tempo, its half or its double may differ from the one that the name tells."""


WorkProgress = Callable[[str, int, int], None]
"""Called with ``"songs"`` or ``"dances"``, how many of them are done, and how many there are."""


@dataclass(frozen=True)
class ClipPlan:
    """One clip to build; ``song`` is None where the dance has no music that fits."""

    dance: RecordedDance
    song: SongFile | None
    representation: str
    hearing: SongHearing

    @property
    def name(self) -> str:
        """Of the clip and its file."""
        return self.dance.name

    def key(self) -> str:
        """Say in a hash all that the clip depends on, the content of both files included."""
        dance = self.dance
        facts = (REVISION, SCHEMA, dance.name, dance.path.suffix, dance.style, dance.split, dance.tempo, dance.fps)
        heard = self.hearing.key(self.song.path) if self.song else None
        digest = hashlib.sha256(repr((*facts, self.representation, heard)).encode())
        with suppress(OSError):  # Reading the motion will say what is wrong with the file.
            digest.update(dance.path.read_bytes())
        return digest.hexdigest()


def build_recorded(
    recordings: Recordings,
    out: Path,
    representation: str = "heading",
    features: str = "full_band",
    workers: int = 2,
    progress: WorkProgress | None = None,
    cache: FeatureCache | None = None,
    sources: Sources | None = None,
) -> dict[str, Any]:
    """Build the set in ``out``; built again, it goes on where it stopped and builds only what has changed.

    Args:
        recordings: what to build from.
        out: for the clips, ``index.json`` and ``report.json``.
        representation: how poses become channels, see :class:`PoseRepresentation`.
        features: name of the set of music features.
        workers: processes.
        progress: told after each song and each dance.
        cache: of what is heard in songs; by default a folder of its own in ``out``.
        sources: where weights and foreign features are; needed for sets with MERT or Jukebox.

    Returns:
        What ``report.json`` holds: ``summary``, ``problems``, ``songs`` and ``dances``.

    Raises:
        DuendeError: no dance could be used, there are no such features or no such representation, or what the features
            need beside songs is not at hand.
    """
    hearing = SongHearing(feature_set(features), cache or FeatureCache(out / "songs"), sources or Sources())
    hearing.check()
    PoseRepresentation(representation)  # type: ignore[arg-type]
    told = {work: partial(progress, work) if progress else None for work in ("songs", "dances")}
    # A folder without an index is an unfinished set.
    (out / INDEX).unlink(missing_ok=True)
    heard = _hear_all(recordings, hearing, workers, told["songs"])
    judged = {dance.name: _judged(dance, heard.get(dance.song)) for dance in recordings.dances}
    plans = [
        ClipPlan(dance, recordings.songs[dance.song] if judged[dance.name][0] else None, representation, hearing)
        for dance in sorted(recordings.dances, key=lambda dance: -dance.path.stat().st_size)
    ]
    made = in_processes(partial(_build, out=out), plans, workers, told["dances"])
    reports = {plan.name: report for plan, report in zip(plans, made, strict=True)}
    noticed = [*recordings.problems, *(problem for _, problem in judged.values() if problem)]
    report = {
        "summary": summary(reports, recordings.ignored),
        "problems": [problem.facts for problem in _problems(noticed, reports)],
        "songs": heard,
        "dances": reports,
    }
    with replacing(out / "report.json") as path:
        path.write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")
    built = sorted((plan for plan in plans if reports[plan.name]["used"]), key=lambda plan: plan.name)
    if not built:
        raise DuendeError(f"no dance could be used; {out / 'report.json'} says why")
    trusted = sorted({plan.song.name for plan in plans if plan.song})
    facts = {
        "source": recordings.source,
        "representation": representation,
        "songs": {name: heard[name] for name in trusted},
        "song_of": {plan.name: plan.dance.song for plan in built if plan.dance.song},
    }
    write_index(out, [(plan.name, plan.dance.split) for plan in built], hearing.features.identity, facts)
    return report


def _problems(noticed: Iterable[Problem], reports: Mapping[str, dict[str, Any]]) -> list[Problem]:
    """Join what was noticed before and while clips were built; of a dance that is left out only the reason is told."""
    left_out = {name for name, report in reports.items() if not report["used"]}
    found = [Problem(**report["problem"], name=name) for name, report in reports.items() if report["problem"]]
    return sorted([*(problem for problem in noticed if problem.name not in left_out), *found])


def _hear_all(
    recordings: Recordings, hearing: SongHearing, workers: int, progress: Progress | None
) -> dict[str, dict[str, Any]]:
    """Hear each song that a dance asks for; say what was heard, or under ``unreadable`` why not."""
    wanted = {dance.song for dance in recordings.dances}
    songs = [song for name, song in sorted(recordings.songs.items()) if name in wanted]
    facts = in_processes(partial(_hear, hearing=hearing), songs, workers, progress)
    return {song.name: fact for song, fact in zip(songs, facts, strict=True)}


def _hear(song: SongFile, hearing: SongHearing) -> dict[str, Any]:
    try:
        return hearing.hear(song.path).facts
    except DuendeError as error:
        return {"unreadable": str(error)}


def _judged(dance: RecordedDance, heard: dict[str, Any] | None) -> tuple[bool, Problem | None]:
    """Say whether a dance can have its song as it was heard, and what is the matter with it."""
    if heard is None:
        # Whoever looked for the song knows where, and has told.
        return False, None
    if "unreadable" in heard:
        return False, Problem("music unreadable", dance.name, heard["unreadable"])
    tracked = heard["tempo"]
    if not dance.tempo:
        return True, None if tracked else Problem("no beat", dance.name, f"no beat was found in {dance.song}")
    if any(abs(tracked * factor / dance.tempo - 1) <= TEMPO_TOLERANCE for factor in (0.5, 1.0, 2.0)):
        return True, None
    found = f"{tracked:.1f} beats a minute were tracked" if tracked else "no beat was found"
    return False, Problem("another tempo", dance.name, f"{found} in {dance.song}, its name says {dance.tempo:g}")


def _build(plan: ClipPlan, out: Path) -> dict[str, Any]:
    """Build a clip if it is not there yet; return what became of the dance."""

    def make(missing: list[ClipPlan]) -> tuple[dict[str, Any], Iterable[Clip]]:
        try:
            motion, start = _read(plan.dance)
        except DuendeError as error:
            return _left_out("motion unreadable", str(error))
        rows = len(motion) // FRAMES_IN_ROW
        if motion.duration < SHORTEST:
            return _left_out("too short", f"{motion.duration:.2f} seconds, {SHORTEST:g} or more are expected")
        clip, problem = _clip(plan, motion.cropped(0, rows * FRAMES_IN_ROW), start)
        report = {
            "used": True,
            "problem": problem,
            "split": plan.dance.split,
            "style": plan.dance.style,
            "seconds": round(motion.duration, 3),
            "start": start,
            "music": clip.music is not None,
        }
        return report, [clip]

    return build_take(out / f"{plan.name}.json", [plan], make)


def _left_out(kind: str, what: str) -> tuple[dict[str, Any], Iterable[Clip]]:
    return {"used": False, "problem": {"kind": kind, "what": what}}, ()


def _read(dance: RecordedDance) -> tuple[Motion, int]:
    """Read a dance; return it with the number of rows of music that pass before it begins.

    Where a T-pose was left out the dance is cut to begin with a row of the music: both stay together.
    """
    motion, skipped = load_recording(dance.path, dance.fps)
    start = int(np.ceil(skipped * ROWS_A_SECOND - 1e-6))
    first = (start / ROWS_A_SECOND - skipped) * motion.fps
    if first > 1e-6:
        motion = motion.warped(np.arange(first, len(motion) - 1 + 1e-6) / motion.fps)
    return motion, start


def _clip(plan: ClipPlan, motion: Motion, start: int) -> tuple[Clip, dict[str, str] | None]:
    """Make a clip of a dance that begins with row ``start`` of its music; say where the music is too short for it."""
    dance, problem = plan.dance, None
    music, beats, downbeats, tempo = None, np.zeros(0), np.zeros(0), dance.tempo
    if plan.song:
        heard = plan.hearing.hear(plan.song.path)
        begin, rows = start / ROWS_A_SECOND, len(motion) // FRAMES_IN_ROW
        if heard.duration < begin + motion.duration - LACKING:
            what = f"{plan.song.path} lasts {heard.duration:.1f} seconds, the dance {begin + motion.duration:.1f}"
            problem = {"kind": "music too short", "what": what}
        else:
            music, tempo = heard.rows(start, rows), heard.beats.tempo
            tracked = (heard.beats.times, heard.beats.downbeats)
            beats, downbeats = (_within(times - begin, motion.duration) for times in tracked)
    poses = PoseRepresentation(plan.representation).encode(motion.positions)  # type: ignore[arg-type]
    clip = Clip(
        name=dance.name,
        take=dance.name,
        style=dance.style,
        split=dance.split,
        tempo=tempo,
        mirrored=False,
        upper=poses.upper,
        lower=poses.lower,
        root=poses.root,
        music=music,
        beats=beats,
        downbeats=downbeats,
        motion=motion,
    )
    return clip, problem


def _within(times: np.ndarray, duration: float) -> np.ndarray:
    return times[(times >= 0) & (times < duration)]
