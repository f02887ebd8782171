"""Processes that work beside this one, and end with it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TypeVar

from duende.errors import DuendeError

J = TypeVar("J")
R = TypeVar("R")

ENDS_WITHIN = 10.0
"""Seconds that a process has to clean up once it is told to end."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def add_ray_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option of work on many machines."""
    parser.add_argument(
        "--ray", nargs="?", const="", metavar="ADDRESS", help="work on this Ray cluster, without an address on one here"
    )


class Crew:
    """Processes that are given jobs one at a time."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def begin(self, work: Callable[[J], R], job: J) -> Future[R]:
        """Give a job to the next process that is free; ``work`` is a function of a module, or a partial one."""
        # A process inherits what is ignored where it is started: Ctrl-C is for this one, which ends the others.
        with _ignored(signal.SIGINT):
            return self._pool.submit(_begun, work, job)


@contextmanager
def crew(processes: int) -> Iterator[Crew]:
    """Start processes; leaving early, as at Ctrl-C, ends them, and what they have half written is deleted."""
    others = set(active_children())
    with (
        _as_interrupt(signal.SIGTERM),
        ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_listen) as pool,
    ):
        try:
            yield Crew(pool)
        except BaseException:
            ours = set(active_children()) - others
            for process in ours:
                process.terminate()
            # The pool alone waits for its processes: of two who wait for one, one is told nothing.
            late = threading.Timer(ENDS_WITHIN, _kill, [ours])
            late.start()
            try:
                pool.shutdown(cancel_futures=True)
            finally:
                late.cancel()
            raise


def _kill(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        process.kill()


def as_finished(futures: Iterable[Future[R]]) -> Iterator[R]:
    """Yield results as they come.

    Raises:
        DuendeError: a process was ended from outside.
    """
    for future in as_completed(list(futures)):
        yield result(future)


def result(future: Future[R]) -> R:
    """Wait for a result.

    Raises:
        DuendeError: a process was ended from outside.
    """
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DuendeError(
            "a process ended before its work, perhaps for want of memory; run again with fewer --jobs "
            "and with --skip-existing (what is finished is kept)"
        ) from error


_told_to_end = False


def _listen() -> None:
    """End as after Ctrl-C when told to end, so that half-written files are deleted."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    global _told_to_end
    _told_to_end = True
    sys.exit(128 + number)


def _begun(work: Callable[[J], R], job: J) -> R:
    if _told_to_end:
        # The pool takes the end of one job for its result and would go on with the next.
        sys.exit(128 + signal.SIGTERM)
    return work(job)


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    with _handled(number, signal.SIG_IGN):
        yield


@contextmanager
def _as_interrupt(number: signal.Signals) -> Iterator[None]:
    """Have a signal end this process as Ctrl-C does."""
    with _handled(number, signal.default_int_handler):
        yield


@contextmanager
def _handled(
    number: signal.Signals, handler: signal.Handlers | Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread hears signals.
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
