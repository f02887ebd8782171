"""The study's web server: one page, a small JSON interface and the videos, from the standard library alone."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from duende.errors import DuendeError
from duende.study.api import RefusedError, StudyApi

LARGEST_BODY = 4096
"""Bytes of a request; a rating has about 200."""

PAGE_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # The page's address holds the participant's id.
    "Referrer-Policy": "no-referrer",
}


class StudyServer(ThreadingHTTPServer):
    """Serves one study; ``serve_forever`` and ``shutdown`` as in ``socketserver``."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Open the study and listen; port 0 takes any that is free.

        Raises:
            DuendeError: the folder holds no study, or the address cannot be used.
        """
        self.api = StudyApi(folder)
        page = [file for file in (files("duende.study") / "page").iterdir() if Path(file.name).suffix in PAGE_KINDS]
        self.page = {f"/{file.name}": (file.read_bytes(), PAGE_KINDS[Path(file.name).suffix]) for file in page}
        self.page["/"] = self.page["/index.html"]
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise DuendeError(
                f"cannot listen on {host}, port {port}: {reason}; choose others with --host and --port"
            ) from error

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent where a browser has hung up, as it does on every jump in a video; report all else."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: StudyServer

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: object) -> None:
        """Write no log: it would hold the ids of participants."""

    def version_string(self) -> str:
        return "duende"

    def end_headers(self) -> None:
        for name, value in SECURITY.items():
            self.send_header(name, value)
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no proper HTTP in JSON, as everything else."""
        self.close_connection = True
        self._send_json({"error": f"{message or HTTPStatus(code).phrase}."}, code)

    def _answer(self, method: Callable[[], None]) -> None:
        if self.command != "POST" and {"content-length", "transfer-encoding"} & {name.lower() for name in self.headers}:
            # A body that nobody reads would be taken for the next request.
            self.close_connection = True
        try:
            method()
        except RefusedError as refusal:
            # What the request still holds is not read, so no other can follow it.
            self.close_connection = True
            self._send_json({"error": str(refusal)}, refusal.status)
        except sqlite3.Error:
            self.close_connection = True
            self._send_json({"error": "The answer could not be stored; try again."}, 503)

    def _get(self) -> None:
        path, api = self.path.partition("?")[0], self.server.api
        if path in self.server.page:
            content, kind = self.server.page[path]
            self._send(content, kind, "no-cache")
        elif path == "/api/study":
            self._send_json(api.describe())
        elif found := re.fullmatch(r"/api/participants/([^/]+)", path):
            self._send_json(api.progress(found[1]))
        elif found := re.fullmatch(r"/videos/([^/]+)", path):
            self._send_video(api.video(found[1]))
        else:
            raise RefusedError(404, "There is nothing here.")

    def _post(self) -> None:
        body = self._body()
        if self.path == "/api/participants":
            self._send_json(self.server.api.join(), 201)
        elif found := re.fullmatch(r"/api/participants/([^/]+)/ratings", self.path):
            self._send_json(self.server.api.rate(found[1], body))
        else:
            raise RefusedError(404, "There is nothing here.")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,18}", length) or "Transfer-Encoding" in self.headers:
            raise RefusedError(400, "The request does not say how long it is.")
        if int(length) > LARGEST_BODY:
            # A connection that is closed on unread bytes is reset, and the answer would be lost.
            self.rfile.read(min(int(length), 1_000_000))
            raise RefusedError(413, f"The request is larger than {LARGEST_BODY} bytes.")
        return self.rfile.read(int(length))

    def _send_json(self, values: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(values).encode(), "application/json", "no-store", status)

    def _send(self, content: bytes, kind: str, cache: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", cache)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_video(self, path: Path) -> None:
        """Send a video or the part that is asked for: browsers cannot jump in it otherwise (RFC 9110, section 14)."""
        try:
            file = path.open("rb")
        except OSError as error:
            raise RefusedError(404, "This video is missing.") from error
        with file:
            size = file.seek(0, 2)
            part = byte_range(self.headers.get("Range", ""), size)
            if part is not None and part[0] >= part[1]:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, end = part or (0, size)
            self.send_response(200 if part is None else 206)
            if part is not None:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(end - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Cache-Control", "private, max-age=86400")
            self.end_headers()
            if self.command != "HEAD":
                self._copy(file, start, end)

    def _copy(self, file: BinaryIO, start: int, end: int) -> None:
        file.seek(start)
        while start < end and (piece := file.read(min(65_536, end - start))):
            self.wfile.write(piece)
            start += len(piece)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Read a ``Range`` header: first byte and the one after the last of a file of ``size`` bytes.

    None asks for the whole file, as does what is no single range; an empty range cannot be satisfied.
    """
    found = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", header.strip())
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    start = int(found[1])
    end = min(size, int(found[2]) + 1) if found[2] else size
    return None if found[2] and int(found[2]) < start else (start, end)
