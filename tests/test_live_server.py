"""The live page's server as its clients see it: plain HTTP, the stream, joining late, falling behind, going away."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from live_dance import FPS, FakeClock, chunks_of, clicks, danced_to, swaying

pytest.importorskip("websockets", reason="the live page needs the package websockets")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from duende.errors import DuendeError
from duende.live.frames import RECORD, page_records
from duende.live.measurements import Measurements
from duende.live.page_server import PageServer, Show
from duende.live.receivers import hand_out
from duende.live.sources import FileSource
from duende.live.viewers import FrameQueue, Viewer


class Stage:
    """A server whose sound is at a moment that the test says."""

    def __init__(self, sound: FileSource | None = None) -> None:
        self.moment: float | None = None
        show = Show("a song", FPS, lambda: self.moment, 0.2, sound, lambda: {"tempo": 120.0})
        self.server = PageServer(show)

    def get(self, path: str) -> tuple[int, bytes, Any]:
        try:
            with urllib.request.urlopen(self.server.address + path, timeout=30) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    @contextmanager
    def page(self) -> Iterator[Page]:
        with connect(self.server.address.replace("http", "ws") + "stream", max_size=None) as connection:
            yield Page(connection)


class Page:
    """The browser's side of the stream."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection, self.frames, self.words = connection, list[int](), list[dict[str, Any]]()
        self.hello = self.word("hello")

    def word(self, kind: str) -> dict[str, Any]:
        """The next message of this kind; frames that come before it are kept."""
        while True:
            message = self.connection.recv(timeout=30)
            if isinstance(message, bytes):
                self.frames += np.frombuffer(message, RECORD)["number"].tolist()
                continue
            values: dict[str, Any] = json.loads(message)
            self.words.append(values)
            if values["kind"] == kind:
                return values

    def until_frame(self, number: int) -> None:
        while not self.frames or self.frames[-1] < number:
            message = self.connection.recv(timeout=30)
            if isinstance(message, bytes):
                self.frames += np.frombuffer(message, RECORD)["number"].tolist()

    def say(self, **values: Any) -> None:
        self.connection.send(json.dumps(values))


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(FileSource(clicks(10.0), clock=FakeClock()))
    yield stage
    stage.server.close()


def test_the_page_and_what_it_is_made_of(stage: Stage) -> None:
    status, content, headers = stage.get("")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"live.bundle.js" in content
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name in ("style.css", "live.css", "live.bundle.js"):
        assert stage.get(name)[0] == 200
    figure = json.loads(stage.get("figure.json")[1])
    assert (len(figure["names"]), figure["frames"]) == (24, 1)
    for nothing in ("live.js", "../page.html", "sound/", "sound/x", "sound/3", "sound/-1", "sound/9999999999"):
        assert stage.get(nothing)[0] == 404


def test_the_song_is_served_in_blocks_to_the_sample(stage: Stage) -> None:
    blocks = [np.frombuffer(stage.get(f"sound/{number}")[1], "<i2") for number in range(3)]
    assert [len(block) for block in blocks] == [32_000, 32_000, 16_000]
    assert np.abs(np.concatenate(blocks) / 32767 - clicks(10.0).samples).max() < 1e-4


def test_a_page_is_told_what_it_shows_and_the_moment_of_the_sound(stage: Stage) -> None:
    with stage.page() as page:
        assert page.hello["title"] == "a song"
        assert page.hello["sound"] == {"rate": 8000, "block": 4.0, "length": 10.0}
        assert (page.hello["fps"], page.hello["delay"], page.hello["last"]) == (60.0, 0.2, None)
        page.say(ping=12.5)
        assert page.word("pong") == {"kind": "pong", "ping": 12.5, "moment": None}
        stage.moment = 3.25
        page.say(ping=13)
        assert page.word("pong")["moment"] == 3.25
        assert page.word("status")["tempo"] == 120.0


def test_frames_reach_all_pages_in_order_and_late_ones_get_the_last_seconds(stage: Stage) -> None:
    chunks = chunks_of(swaying(10.0))
    with stage.page() as first, stage.page() as second:
        for chunk in chunks[:50]:
            stage.server.take(chunk)
            first.until_frame(chunk.end - 1)
            second.until_frame(chunk.end - 1)
        assert first.frames == second.frames == list(range(400))
    with stage.page() as late:
        late.until_frame(399)
        assert late.frames == list(range(224, 400)), "three seconds, in whole messages"
        stage.server.take(chunks[50])
        late.until_frame(407)
        assert late.frames[-8:] == list(range(400, 408))


def test_records_travel_unchanged(stage: Stage) -> None:
    chunk = chunks_of(swaying(1.0))[3]
    with stage.page() as page:
        stage.server.take(chunk)
        message = page.connection.recv(timeout=30)
        assert message == page_records(chunk)


def test_a_page_that_makes_no_sense_harms_nobody(stage: Stage) -> None:
    with stage.page() as rude, stage.page() as page:
        for nonsense in ("", "{", "[]", "7", '{"report": [1]}', '{"report": {"underruns": "many"}}'):
            rude.connection.send(nonsense)
        rude.connection.send(b"\0\1")
        rude.connection.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            while True:
                rude.connection.recv(timeout=30)
        stage.server.take(chunks_of(swaying(1.0))[0])
        page.until_frame(7)


def test_only_the_page_itself_may_watch(stage: Stage) -> None:
    address = stage.server.address.replace("http", "ws") + "stream"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin="http://elsewhere.example")  # type: ignore[arg-type]
    with connect(address, origin=stage.server.address.rstrip("/")):  # type: ignore[arg-type]
        pass


def test_the_server_waits_for_a_page_that_is_ready(stage: Stage) -> None:
    waiting = threading.Thread(target=stage.server.wait_for_viewer)
    waiting.start()
    with stage.page() as page:
        page.say(ping=1)
        page.word("pong")
        assert waiting.is_alive(), "it has come, and cannot play yet"
        page.say(ready=True)
        waiting.join(30)
        assert not waiting.is_alive()


def test_a_page_that_does_not_read_loses_old_frames_and_holds_up_nobody(stage: Stage) -> None:
    chunks = chunks_of(swaying(2.0))
    with socket.create_connection(("127.0.0.1", int(stage.server.address.rsplit(":", 1)[1].strip("/")))) as asleep:
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asleep.sendall(
            b"GET /stream HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert asleep.recv(1) == b"H"
        with stage.page() as awake:
            for number in range(600):
                stage.server.take(type(chunks[0])(number * 8, chunks[0].motion))
                if number % 20 == 19:
                    awake.until_frame(number * 8 + 7)
            assert awake.frames == list(range(4800))
            page = max(stage.server.measured()["pages"], key=lambda page: page["dropped"])
            assert page["dropped"] > 1000
            assert all(len(viewer.frames) <= 240 for viewer in stage.server._viewers)


def test_a_viewer_gets_words_before_frames_and_waits_without_either() -> None:
    async def watch() -> list[str | bytes]:
        viewer = Viewer()
        viewer.offer(b"f" * 208)
        viewer.say("word")
        got = [await viewer.next(), await viewer.next()]
        asyncio.get_running_loop().call_later(0.01, viewer.say, "later")
        return [*got, await viewer.next()]

    assert asyncio.run(watch()) == ["word", b"f" * 208, "later"]


def test_a_queue_of_frames_keeps_the_newest() -> None:
    queue = FrameQueue(10)
    for number in range(6):
        queue.add(bytes([number]) * RECORD.itemsize * 4)
    assert (len(queue), queue.dropped) == (8, 16)
    assert queue.all()[0] == 4
    queue.add(b"\7" * RECORD.itemsize * 50)
    assert len(queue) == 50, "a message is never cut"


def test_what_a_page_says_of_itself_is_in_the_report(stage: Stage) -> None:
    with stage.page() as page:
        page.say(report={"underruns": 3, "shown": 500, "nonsense": 1, "buffer": None})
        page.say(ping=0)
        page.word("pong")
    with stage.page() as page:
        page.word("status")
        told = stage.server.measured()["pages"]
    assert told[0] == {"dropped": 0, "underruns": 3.0, "shown": 500.0}


def test_a_whole_dance_from_the_first_sound_to_the_end() -> None:
    song, motion = clicks(1.0), swaying(1.0)
    source = FileSource(song)
    server = PageServer(Show(song.name, FPS, lambda: source.moment, 0.0, source))
    watched: list[Page] = []

    def watch() -> None:
        with connect(server.address.replace("http", "ws") + "stream") as connection:
            page = Page(connection)
            watched.append(page)
            page.say(ready=True)
            with pytest.raises(ConnectionClosed):
                page.word("never")

    watching = threading.Thread(target=watch)
    watching.start()
    server.wait_for_viewer()
    measured = Measurements()
    hand_out(danced_to(source.chunks(), source.rate, motion), source, [server], measured)
    watching.join(30)
    assert watched[0].frames == list(range(60))
    assert watched[0].words[-1] == {"kind": "end", "last": 59}
    assert measured.report.frames == 60
    with pytest.raises(OSError):
        connect(server.address.replace("http", "ws") + "stream")


def test_a_server_closes_while_pages_watch(stage: Stage) -> None:
    with stage.page() as page:
        stage.server.close()
        with pytest.raises(ConnectionClosed):
            page.word("never")
    stage.server.close()
    stage.server.take(chunks_of(swaying(0.2))[0])


def test_a_port_in_use_is_told_in_a_sentence(stage: Stage) -> None:
    port = int(stage.server.address.rsplit(":", 1)[1].strip("/"))
    show = Show("another", FPS, lambda: None)
    with pytest.raises(DuendeError, match=f"cannot listen on 127.0.0.1, port {port}: .*; choose another --port"):
        PageServer(show, port=port)
    for port in (70_000, -1):
        with pytest.raises(DuendeError, match=f"port {port}"):
            PageServer(show, port=port)


def test_the_documented_layout_of_a_record(stage: Stage) -> None:
    chunk = chunks_of(swaying(1.0))[0]
    with stage.page() as page:
        stage.server.take(chunk)
        message = page.connection.recv(timeout=30)
        assert isinstance(message, bytes)
        number, x, y, z = struct.unpack_from("<I3f", message, 208)
        assert number == 1
        assert (x, y, z) == pytest.approx(chunk.motion.root[1], abs=1e-6)
