"""Frames over UDP, each in its moment."""

from __future__ import annotations

import re
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from duende.errors import DuendeError
from duende.motion.chunks import MotionChunk

MOST_WAITING = 1800
"""Frames that may wait for their moments: half a minute."""
TOO_LATE = 0.1
"""Seconds after its moment at which a frame is left out where a newer one is due too."""
IDLE = 0.05
"""Seconds between two looks while nothing waits."""

Encode = Callable[[MotionChunk], list[list[bytes]]]
"""Writes each frame of a chunk as datagrams."""


class Schedule:
    """Frames that wait for their moments, in order; so many at most, of which the oldest go first."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._waiting: deque[tuple[float, list[bytes]]] = deque()
        self._most = most
        self.skipped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, moment: float, datagrams: list[bytes]) -> None:
        """Let a frame wait for its moment (seconds of sound)."""
        if len(self._waiting) == self._most:
            self._waiting.popleft()
            self.skipped += 1
        self._waiting.append((moment, datagrams))

    def due(self, now: float) -> list[list[bytes]]:
        """Take out the frames whose moment has come, without those that are far too late but for the newest."""
        frames = []
        while self._waiting and self._waiting[0][0] <= now:
            moment, datagrams = self._waiting.popleft()
            newest = not self._waiting or self._waiting[0][0] > now
            if now - moment > TOO_LATE and not newest:
                self.skipped += 1
            else:
                frames.append(datagrams)
        return frames

    def next(self) -> float | None:
        """Return the moment of the frame that is due next."""
        return self._waiting[0][0] if self._waiting else None


class DatagramSender:
    """Sends each frame in its moment, from a thread of its own.

    Args:
        address: ``HOST:PORT``.
        option: that gave it, for the error.
        encode: how a frame is written.
        moment: tells the moment of the sound that is heard now, in seconds; None before the first.
        delay: seconds by which the receivers' sound is later than that.

    Raises:
        DuendeError: the address is none, or unknown.
    """

    def __init__(
        self, address: str, option: str, encode: Encode, moment: Callable[[], float | None], delay: float = 0.0
    ) -> None:
        family, self._address = resolved(address, option)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._encode, self._moment, self._delay, self._option = encode, moment, delay, option
        self._schedule = Schedule()
        self._changed = threading.Condition()
        self._finishing = self._closed = False
        self._sent = self._failed = 0
        self._thread = threading.Thread(target=self._run, name=f"duende {option}", daemon=True)
        self._thread.start()

    def take(self, chunk: MotionChunk) -> None:
        """Let the frames wait for their moments."""
        frames = self._encode(chunk)
        with self._changed:
            for number, datagrams in enumerate(frames, chunk.begin):
                self._schedule.add(number / chunk.motion.fps + self._delay, datagrams)
            self._changed.notify()

    def finish(self) -> None:
        """Come back when the last frame is sent."""
        with self._changed:
            self._finishing = True
            self._changed.notify()
        # Without a limit a thread that is waited for shuts Ctrl-C out on Windows.
        while self._thread.is_alive():
            self._thread.join(0.2)

    def close(self) -> None:
        """Stop at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._socket.close()

    def measured(self) -> dict[str, Any]:
        """Frames that were sent, left out, and refused by the network."""
        return {self._option: {"sent": self._sent, "skipped": self._schedule.skipped, "failed": self._failed}}

    def _run(self) -> None:
        while True:
            with self._changed:
                now = self._moment()
                due = self._schedule.due(now) if now is not None else []
                if not due:
                    if self._closed or (self._finishing and not len(self._schedule)):
                        return
                    self._changed.wait(self._pause(now))
                    continue
            for datagrams in due:
                self._send(datagrams)
            if self._closed:
                return

    def _pause(self, now: float | None) -> float:
        following = self._schedule.next()
        if now is None or following is None:
            return IDLE
        return min(max(following - now, 0.0), IDLE)

    def _send(self, datagrams: list[bytes]) -> None:
        try:
            for datagram in datagrams:
                self._socket.sendto(datagram, self._address)
            self._sent += 1
        except OSError:
            # Nobody listens, or the network is away for a moment: the next frame may come through.
            self._failed += 1


def resolved(address: str, option: str) -> tuple[socket.AddressFamily, Any]:
    """Find where ``HOST:PORT`` is, as ``socket`` wants it.

    Raises:
        DuendeError: it is no address, or no such host is known.
    """
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})", address.strip())
    if not found or not 0 < int(found[3]) < 65_536:
        raise DuendeError(f"{option} {address} is no address; write HOST:PORT, such as 127.0.0.1:39539")
    try:
        family, _, _, _, place = socket.getaddrinfo(found[1] or found[2], int(found[3]), type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise DuendeError(f"{option} {address}: this host is not known ({error.strerror}); check its name") from error
    return family, place
