"""The same work as in several processes, but on many machines: through Ray, an extra that is loaded only here."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar

from duende.datasets.building import Progress
from duende.errors import DuendeError

J = TypeVar("J")
R = TypeVar("R")


def on_ray(
    work: Callable[[J], R],
    jobs: Sequence[J],
    address: str = "",
    progress: Progress | None = None,
    workers: int = 2,
) -> list[R]:
    """Return what ``work`` makes of each job, in the order of ``jobs``, as :func:`in_processes` does.

    Every machine needs this package, and sees files under the same names.

    Args:
        work: can be pickled: a function of a module, or a partial one.
        jobs: the longest first.
        address: of a cluster (``auto`` for the one that this machine belongs to); empty for one of this machine alone,
            which ends with the work.
        progress: told at the start and after each job.
        workers: processes of a cluster of this machine alone; any other has as many as it has processors.

    Raises:
        DuendeError: Ray is not installed, there is no such cluster, ``work`` raises it, or a process was ended.
    """
    ray = _ray()
    with _cluster(ray, address, workers):
        task = ray.remote(_done)
        number_of = {task.remote(work, job): number for number, job in enumerate(jobs)}
        waiting, results = list(number_of), {}
        if progress and jobs:
            progress(0, len(jobs))
        while waiting:
            (finished, *_), waiting = ray.wait(waiting, num_returns=1)
            results[number_of[finished]] = _result(ray, finished)
            if progress:
                progress(len(results), len(jobs))
    return [results[number] for number in range(len(jobs))]


def _ray() -> Any:
    # Ray would tell its makers of each run.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        raise DuendeError("work on a cluster needs Ray; install it with: pip install 'duende[ray]'") from error


@contextmanager
def _cluster(ray: Any, address: str, workers: int) -> Iterator[None]:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address:
            _knock(address)
            ray.init(address, **quiet)
        else:
            ray.init("local", num_cpus=workers, include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError, TimeoutError) as error:
        where = f"no Ray cluster answers at {address}" if address else "Ray cannot start on this machine"
        raise DuendeError(f"{where} ({_first_line(error)}); start one with: ray start --head") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise :class:`OSError` where nobody answers: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _done(work: Callable[[J], R], job: J) -> R:
    return work(job)


def _result(ray: Any, finished: Any) -> Any:
    try:
        return ray.get(finished)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DuendeError):
            raise error.cause from error
        if isinstance(error.cause, ray.exceptions.RayError):
            reason = str(error).strip().splitlines()[-1]
            message = "a machine of the cluster cannot do the work"
            raise DuendeError(f"{message} ({reason}); install the same version of everything on all of them") from error
        raise
    except ray.exceptions.RayError as error:
        message = "a process of the cluster ended before its work, perhaps for want of memory"
        raise DuendeError(f"{message} ({_first_line(error)}); run again, what is finished is kept") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
