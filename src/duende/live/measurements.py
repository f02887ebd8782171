"""What a live dance costs, and whether its frames came in time."""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from duende.motion.chunks import MotionChunk

KEPT = 20_000
"""Margins that the median is taken of: those of the last chunks."""
WARM = 10.0
"""Seconds of sound after which everything that a dance needs has been allocated."""


@dataclass
class LiveReport:
    """How a live dance went.

    Attributes:
        seconds: from the first sound until the last frame was sent.
        frames: that were sent.
        first_frame: seconds from the first sound to the first frame sent.
        late_at_start: frames whose moment had passed before the first frame was sent.
        underruns: later frames that were sent after their moment.
        margin_median: seconds from when the first frame of a chunk was sent to its moment.
        margin_worst: the smallest of these after the start.
        cpu_share: processor seconds for each second, 1 for one core.
        memory_start: MiB at the first frame.
        memory_warm: the same after ten seconds.
        memory_end: the same at the end.
        tempo: beats a minute as they were heard last; None where nobody told.
    """

    seconds: float = 0.0
    frames: int = 0
    first_frame: float | None = None
    late_at_start: int = 0
    underruns: int = 0
    margin_median: float | None = None
    margin_worst: float | None = None
    cpu_share: float | None = None
    memory_start: float | None = None
    memory_warm: float | None = None
    memory_end: float | None = None
    tempo: float | None = None

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: round(value, 4) if value is not None else None for name, value in asdict(self).items()}

    def __str__(self) -> str:
        if self.first_frame is None:
            return "no frame was sent"
        lines = [
            f"{self.frames} frames in {self.seconds:.1f} s, the first {_ms(self.first_frame)} after the first sound",
            f"{self.underruns} underruns, {self.late_at_start} frames late at the start",
        ]
        if self.margin_median is not None and self.margin_worst is not None:
            lines.append(
                f"sent {_ms(self.margin_median)} before their moment (median), {_ms(self.margin_worst)} at the worst"
            )
        if self.cpu_share is not None:
            held = {
                "at the first frame": self.memory_start,
                "after 10 s": self.memory_warm,
                "at the end": self.memory_end,
            }
            memory = ", ".join(f"{value:.0f} MiB {when}" for when, value in held.items() if value is not None)
            lines.append(f"{100 * self.cpu_share:.0f} % of one core, {memory}")
        return "\n".join(lines)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


class Measurements:
    """Collects a :class:`LiveReport` while a dance goes on."""

    def __init__(self) -> None:
        self.report = LiveReport()
        self._margins: deque[float] = deque(maxlen=KEPT)
        self._began = (0.0, 0.0)
        self._first_due = 0.0

    def sent(self, chunk: MotionChunk, moment: float | None) -> None:
        """Count a chunk that was sent at a ``moment`` of its sound, in seconds."""
        report, fps, now = self.report, chunk.motion.fps, moment or 0.0
        report.seconds = now
        report.frames += len(chunk.motion)
        late = self._before(now * fps, chunk)
        if report.first_frame is None:
            report.first_frame = now
            report.memory_start = memory()
            self._began = (time.process_time(), time.monotonic())
            self._first_due = now * fps
        early = self._before(self._first_due, chunk)
        report.late_at_start += early
        report.underruns += late - early
        if chunk.begin >= self._first_due:
            margin = chunk.begin / fps - now
            self._margins.append(margin)
            report.margin_worst = margin if report.margin_worst is None else min(margin, report.margin_worst)
        if report.memory_warm is None and now >= WARM:
            report.memory_warm = memory()

    def _before(self, due: float, chunk: MotionChunk) -> int:
        """How many frames of a chunk lie before the fractional frame ``due``."""
        return min(max(0, math.ceil(due) - chunk.begin), len(chunk.motion))

    def end(self) -> None:
        """Take what is measured at the end."""
        report = self.report
        if report.first_frame is None:
            return
        if self._margins:
            report.margin_median = statistics.median(self._margins)
        report.memory_end = memory()
        cpu, wall = time.process_time() - self._began[0], time.monotonic() - self._began[1]
        report.cpu_share = cpu / wall if wall > 0 else None


def memory() -> float | None:
    """MiB that this process holds; where only the most it ever held is told, that; None where neither is."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
