"""Builds that go on where they stopped: work in several processes, and a record of what a take's clips are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar

from duende.datasets.store import Clip, write_clip
from duende.errors import DuendeError
from duende.files import replacing

J = TypeVar("J")
R = TypeVar("R")

Progress = Callable[[int, int], None]
"""Called with the number of pieces of work that are done, and of all."""


class Plan(Protocol):
    """One clip to build."""

    @property
    def name(self) -> str:
        """Of the clip and its file."""

    def key(self) -> str:
        """Say in a hash all that the clip depends on."""


P = TypeVar("P", bound=Plan)


def in_processes(
    work: Callable[[J], R],
    jobs: Sequence[J],
    workers: int,
    progress: Progress | None = None,
    count: Callable[[J], int] = lambda job: 1,
) -> list[R]:
    """Return what ``work`` makes of each job, in the order of ``jobs``; they are begun in that order too.

    Args:
        work: a function of a module: it is sent to other processes.
        jobs: the longest first, so that no process is left alone with one at the end.
        workers: processes; for one, or for one job, this one does it.
        progress: told at the start and after each job.
        count: pieces of work in a job.

    Raises:
        DuendeError: ``work`` raises it, or a process was ended from outside.
    """
    total, done, results = sum(map(count, jobs)), 0, {}
    if progress and jobs:
        progress(0, total)
    with closing(_finished(work, jobs, workers)) as finished:
        for number, result in finished:
            results[number] = result
            done += count(jobs[number])
            if progress:
                progress(done, total)
    return [results[number] for number in range(len(jobs))]


def _finished(work: Callable[[J], R], jobs: Sequence[J], workers: int) -> Generator[tuple[int, R], None, None]:
    """Yield the number and the result of each job as it is finished."""
    if min(workers, len(jobs)) < 2:
        yield from enumerate(map(work, jobs))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            waiting = {pool.submit(work, job): number for number, job in enumerate(jobs)}
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            message = "a process ended before its work, perhaps for want of memory; run again with fewer --workers"
            raise DuendeError(f"{message} (what is finished is kept)") from error
        finally:
            # Where the work was stopped, what has not begun is not begun.
            pool.shutdown(wait=False, cancel_futures=True)


def build_take(
    record: Path, plans: Sequence[P], make: Callable[[list[P]], tuple[dict[str, Any], Iterable[Clip]]]
) -> dict[str, Any]:
    """Build the clips of a take that are not there yet, as ``record`` tells; return what became of the take.

    Args:
        record: a file beside the clips, written when all of them are.
        plans: all clips of the take.
        make: given the plans of the missing clips, returns a report, whose ``used`` says whether the take is of use,
            and the clips, which are written one after the other.
    """
    known: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    keys = {plan.name: plan.key() for plan in plans}
    done = {name for name, key in known.get("clips", {}).items() if keys.get(name) == key}
    missing = [plan for plan in plans if plan.name not in done or (known["used"] and not _file(plan, record).exists())]
    if not missing:
        return known
    report, clips = make(missing)
    report = {"clips": keys, **report}
    if report["used"]:
        # A clip that is being replaced must not pass for the old one if the build is stopped now.
        record.unlink(missing_ok=True)
        for plan, clip in zip(missing, clips, strict=True):
            write_clip(clip, _file(plan, record))
    with replacing(record) as temporary:
        temporary.write_text(json.dumps(report), encoding="utf-8")
    return report


def _file(plan: Plan, record: Path) -> Path:
    return record.parent / f"{plan.name}.npz"
