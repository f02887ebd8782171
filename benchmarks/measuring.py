"""How a row of the table is measured: medians of repeated calls after a warm-up, and the peak of the process."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """What all rows are measured with.

    Attributes:
        folder: of what was made before: the song, what was heard, a dance to it.
        seconds: that the song lasts.
        model: name or folder of the system that dances.
        device: that its networks are on.
        data: folder of the data set of the training step.
        runs: repeated calls, whose median counts.
    """

    folder: str
    seconds: float
    model: str = "starter"
    device: str = "cpu"
    data: str = "cache/starter"
    runs: int = 3


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        seconds: median of a call.
        peak: MiB of the process at its peak, the plain way left out.
        ratio: how much longer the plain way takes; None where there is none.
        against: what the plain way is.
        first: seconds until something can be seen; None where that has no meaning.
        song_seconds: that a call is worth; None where it has nothing to do with a song's length.
        missing: why there are no figures; else empty.
    """

    seconds: float = 0.0
    peak: float = 0.0
    ratio: float | None = None
    against: str = ""
    first: float | None = None
    song_seconds: float | None = None
    missing: str = ""

    @property
    def factor(self) -> float | None:
        """How many times faster than the song."""
        return self.song_seconds / self.seconds if self.song_seconds and self.seconds else None


def timed(call: Callable[[], object], runs: int) -> float:
    """Median seconds of ``runs`` calls."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def figures_of(
    call: Callable[[], object],
    setting: Setting,
    *,
    plain: Callable[[], object] | None = None,
    share: float = 1.0,
    against: str = "",
    compiles: bool = False,
    whole: float | None = None,
) -> Figures:
    """Measure a call, then the plain way of the same.

    Args:
        call: what a row is about.
        setting: of all rows.
        plain: a straightforward loop.
        share: of the work that it does.
        against: what it is, in a few words.
        compiles: whether its first call compiles something, and is not counted.
        whole: seconds of song that a call is worth, by default the song's.
    """
    call()
    seconds, peak = timed(call, setting.runs), own_peak()
    if plain is not None and compiles:
        plain()
    ratio = None if plain is None else timed(plain, 1) / share / seconds
    return Figures(seconds, peak, ratio, against, None, setting.seconds if whole is None else whole)


def own_peak() -> float:
    """Peak MiB of this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # What getrusage tells of a new process begins with the peak of the one that started it.
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024
