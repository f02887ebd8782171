"""Time as everything live reads it: a clock that never jumps, and waiting on it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time and lets it pass."""

    def now(self) -> float:
        """Seconds since some moment; they never run backwards."""

    def wait(self, seconds: float) -> None:
        """Come back after ``seconds``, at once where they are 0 or below."""


class MonotonicClock:
    """The computer's own clock."""

    def now(self) -> float:
        """Seconds since some moment; they never run backwards."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Come back after ``seconds``, at once where they are 0 or below."""
        if seconds > 0:
            time.sleep(seconds)
