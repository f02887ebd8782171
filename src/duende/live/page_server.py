"""The live page's server: one page, the song in blocks, and the stream of frames, on one port, in a thread of its own.

Over the stream (``/stream``, a WebSocket) frames go as binary messages of one or more records
(:data:`duende.live.frames.RECORD`), all else as JSON: to the page ``hello``, ``pong`` with the moment of the sound (the
page measures its clock's offset by it, as NTP does), ``status`` and ``end``; from the page ``ping``, ``ready`` and
``report``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from duende.errors import DuendeError
from duende.live.frames import page_records
from duende.live.page_files import SECURITY, page_file
from duende.live.sources import FileSource
from duende.live.viewers import RECENT, FrameQueue, Viewer
from duende.motion.chunks import MotionChunk

BLOCK_SECONDS = 4.0
"""Length of a block of the song."""
STATUS_SECONDS = 1.0
LARGEST_MESSAGE = 4096
"""Bytes of a message from a page."""
CLOSE_SECONDS = 1.0
"""For a browser to say good-bye."""
LINGER = 0.5
"""Seconds after the last moment in which a page gets to know of the end."""
SEND_BUFFER = 32_768
"""Bytes that wait in the system for a slow browser: 2.6 seconds of frames."""


@dataclass(frozen=True)
class Show:
    """What is to be seen.

    Attributes:
        title: of the song.
        fps: frames a second.
        moment: tells the moment of the sound that is heard now, in seconds; None before the first.
        delay: seconds by which the page shows and plays everything later than that.
        sound: what the page plays; None where the sound is in the room.
        status: tells what the page's status line is made of, as JSON values.
    """

    title: str
    fps: float
    moment: Callable[[], float | None]
    delay: float = 0.0
    sound: FileSource | None = None
    status: Callable[[], dict[str, Any]] = dict


class PageServer:
    """Serves one show; a receiver of its frames.

    Args:
        show: what is to be seen.
        host: ``0.0.0.0`` lets other machines in.
        port: 0 for any that is free.

    Raises:
        DuendeError: the address cannot be used.
    """

    def __init__(self, show: Show, host: str = "127.0.0.1", port: int = 0) -> None:
        self._show = show
        self._run_id = secrets.token_hex(4)
        self._viewers: set[Viewer] = set()
        self._recent = FrameQueue(RECENT)
        self._gone: list[dict[str, float]] = []
        self._sent = -1
        self._last: int | None = None
        self._ready = threading.Event()
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        self._closing: asyncio.Event | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(host, port), name="duende page", daemon=True)
        self._thread.start()
        self._opened.wait()
        if self._failure is not None:
            self._thread.join()
            raise _cannot_listen(host, port, self._failure)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host, port = self._place[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def wait_for_viewer(self) -> None:
        """Come back when the first browser can show the dance and, where there is sound, play it."""
        # Without a limit this shuts Ctrl-C out on Windows.
        while not self._ready.wait(0.2):
            pass

    def take(self, chunk: MotionChunk) -> None:
        """Send frames to all browsers as soon as they are known."""
        self._call(self._spread, page_records(chunk), chunk.end - 1)

    def finish(self) -> None:
        """Tell all browsers which frame was the last; come back when it has had its moment."""
        self._call(self._end)
        asyncio.run_coroutine_threadsafe(self._played_out(), self._loop).result()

    def close(self) -> None:
        """Hang up and stop listening."""
        if self._thread.is_alive() and self._closing is not None:
            self._call(self._closing.set)
        self._thread.join()

    def measured(self) -> dict[str, Any]:
        """What happened to each browser that watched."""
        return {"pages": [*self._gone, *(viewer.measured() for viewer in list(self._viewers))]}

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        # A server that has stopped has nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self, host: str, port: int) -> None:
        try:
            with contextlib.closing(self._loop):
                self._loop.run_until_complete(self._listen(host, port))
        except (OSError, OverflowError) as failure:
            self._failure = failure
        finally:
            self._opened.set()

    async def _listen(self, host: str, port: int) -> None:
        self._closing = asyncio.Event()
        limits: dict[str, Any] = {"max_size": LARGEST_MESSAGE, "compression": None, "close_timeout": CLOSE_SECONDS}
        async with serve(
            self._watch, host, port, process_request=self._answer, server_header="duende", **limits
        ) as server:
            self._place = next(iter(server.sockets)).getsockname()
            self._opened.set()
            status = asyncio.create_task(self._tell_status())
            await self._closing.wait()
            status.cancel()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP; None lets the stream's handshake go on."""
        path = urlsplit(request.path).path
        if path == "/stream":
            origin = request.headers.get("Origin")
            if origin is None or urlsplit(origin).netloc == request.headers.get("Host"):
                return None
            return _response(HTTPStatus.FORBIDDEN, b"Only the page itself may watch.\n", "text/plain")
        if path.startswith("/sound/") and (block := self._block(path.removeprefix("/sound/"))):
            return _response(HTTPStatus.OK, block, "application/octet-stream")
        if (file := page_file(path)) is not None:
            return _response(HTTPStatus.OK, *file)
        return _response(HTTPStatus.NOT_FOUND, b"There is nothing here.\n", "text/plain")

    def _block(self, number: str) -> bytes:
        """A block of the song: mono, 16 bits, little endian; empty where there is none."""
        sound = self._show.sound
        if sound is None or not number.isdecimal() or len(number) > 9:
            return b""
        size = round(BLOCK_SECONDS * sound.rate)
        samples = sound.samples(int(number) * size, size)
        return np.rint(np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()

    async def _watch(self, connection: ServerConnection) -> None:
        _keep_short(connection)
        viewer = Viewer()
        viewer.say(json.dumps(self._hello()))
        if records := self._recent.all():
            viewer.offer(records)
        self._viewers.add(viewer)
        sending = asyncio.create_task(self._send(connection, viewer))
        try:
            async for message in connection:
                self._hear(viewer, message)
        except ConnectionClosed:
            pass
        finally:
            sending.cancel()
            self._viewers.discard(viewer)
            self._gone = [*self._gone[-99:], viewer.measured()]

    async def _send(self, connection: ServerConnection, viewer: Viewer) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(await viewer.next())

    def _hear(self, viewer: Viewer, message: str | bytes) -> None:
        """Take a message of a page; what makes no sense is left alone."""
        try:
            values = json.loads(message)
        except ValueError:
            return
        if not isinstance(values, dict):
            return
        if "ping" in values:
            viewer.say(json.dumps({"kind": "pong", "ping": values["ping"], "moment": self._show.moment()}))
        if values.get("ready"):
            self._ready.set()
        if "report" in values:
            viewer.listen(values["report"])

    def _hello(self) -> dict[str, Any]:
        show, sound = self._show, None
        if show.sound is not None:
            seconds = show.sound.seconds
            length = seconds if np.isfinite(seconds) else None
            sound = {"rate": show.sound.rate, "block": BLOCK_SECONDS, "length": length}
        about = {"title": show.title, "fps": show.fps, "delay": show.delay, "sound": sound}
        return {"kind": "hello", "run": self._run_id, "last": self._last, **about}

    def _spread(self, records: bytes, last: int) -> None:
        self._sent = last
        self._recent.add(records)
        for viewer in self._viewers:
            viewer.offer(records)

    def _end(self) -> None:
        self._last = self._sent
        for viewer in self._viewers:
            viewer.say(json.dumps({"kind": "end", "last": self._last}))

    async def _played_out(self) -> None:
        end = ((self._last or 0) + 1) / self._show.fps + self._show.delay + LINGER
        while (self._show.moment() or end) < end:
            await asyncio.sleep(0.05)

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            text = json.dumps({"kind": "status", "viewers": len(self._viewers), **self._show.status()})
            for viewer in self._viewers:
                viewer.say(text)


def _keep_short(connection: ServerConnection) -> None:
    """Let little wait in the system: what a slow browser gets should not be old."""
    if (handle := connection.transport.get_extra_info("socket")) is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _response(status: HTTPStatus, content: bytes, kind: str) -> Response:
    about = {
        "Content-Type": kind,
        "Content-Length": str(len(content)),
        "Cache-Control": "no-cache",
        "Connection": "close",
    }
    return Response(status.value, status.phrase, Headers(about | SECURITY), content)


def _cannot_listen(host: str, port: int, failure: BaseException) -> DuendeError:
    reason = (getattr(failure, "strerror", None) or str(failure)).lower()
    return DuendeError(f"cannot listen on {host}, port {port}: {reason}; choose another --port, or --no-page")
