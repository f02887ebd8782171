"""Browsers that watch: each with a bounded queue of its own, so that a slow one loses frames and holds up nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from duende.live.frames import RECORD

MOST_WAITING = 240
"""Frames that may wait for a slow browser: four seconds."""
RECENT = 180
"""Frames that one who joins late is given at once."""
TOLD = ("underruns", "shown", "buffer", "apart")
"""What a page reports about itself, as numbers."""


class FrameQueue:
    """Records of frames in messages, so many frames at most, of which the oldest are dropped."""

    def __init__(self, most: int) -> None:
        self._messages: deque[bytes] = deque()
        self._most = most * RECORD.itemsize
        self._size = 0
        self.dropped = 0

    def __len__(self) -> int:
        return self._size // RECORD.itemsize

    def add(self, records: bytes) -> None:
        """Put frames at the end."""
        self._messages.append(records)
        self._size += len(records)
        while self._size > self._most and len(self._messages) > 1:
            self.dropped += len(self.take()) // RECORD.itemsize

    def take(self) -> bytes:
        """Take the oldest message out; empty where there is none."""
        records = self._messages.popleft() if self._messages else b""
        self._size -= len(records)
        return records

    def all(self) -> bytes:
        """Return all frames, leaving them where they are."""
        return b"".join(self._messages)


class Viewer:
    """One browser; only the server's own thread may touch it."""

    def __init__(self) -> None:
        self.frames = FrameQueue(MOST_WAITING)
        self.words: deque[str] = deque(maxlen=20)
        self.changed = asyncio.Event()
        self.told: dict[str, float] = {}

    def offer(self, records: bytes) -> None:
        """Give it frames."""
        self.frames.add(records)
        self.changed.set()

    def say(self, text: str) -> None:
        """Tell it something in JSON."""
        self.words.append(text)
        self.changed.set()

    async def next(self) -> str | bytes:
        """Wait for what is to be sent next; words go before frames."""
        while True:
            if self.words:
                return self.words.popleft()
            if records := self.frames.take():
                return records
            self.changed.clear()
            await self.changed.wait()

    def listen(self, report: Any) -> None:
        """Keep what the page reports about itself, so far as it makes sense."""
        if isinstance(report, dict):
            self.told = {name: float(report[name]) for name in TOLD if isinstance(report.get(name), int | float)}

    def measured(self) -> dict[str, float]:
        """What happened to it: frames dropped, and what the page said last."""
        return {"dropped": self.frames.dropped, **self.told}
