"""Other people's readers of glTF and VRM: three.js in Chromium, and the glTF validator in node."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from chromium import OPTIONS, chromium

SOURCES = Path(__file__).resolve().parent
PATIENCE = 240
"""Seconds until a page that says nothing is given up: pictures are drawn without a graphics card."""


def packages(cache: Path) -> Path:
    """Install the packages of package-lock.json once into ``cache``, with the pages beside them, and return it."""
    if shutil.which("npm") is None:
        pytest.skip("needs node and npm on the path")
    lock = (SOURCES / "package-lock.json").read_text()
    installed = cache / "installed.json"
    for name in ("package.json", "package-lock.json", "play.js", "validate.js"):
        shutil.copyfile(SOURCES / name, cache / name)
    if not installed.exists() or installed.read_text() != lock:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=cache, check=True, capture_output=True)
        installed.write_text(lock)
    bundle = ["node_modules/.bin/esbuild", "play.js", "--bundle", "--outfile=play.bundle.js", "--log-level=error"]
    subprocess.run(bundle, cwd=cache, check=True)
    return cache


def issues(cache: Path, *files: Path) -> list[dict[str, Any]]:
    """What the glTF validator finds in each file."""
    command = ["node", "validate.js", *(str(file.resolve()) for file in files)]
    done = subprocess.run(command, cwd=cache, check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def play(cache: Path, files: dict[str, Path], job: dict[str, Any]) -> dict[str, Any]:
    """Let a page in Chromium load ``files`` by name and do ``job``, and return its report."""
    page = "<!doctype html><meta charset='utf-8'><link rel='icon' href='data:,'><script src='play.bundle.js'></script>"
    served = {
        "/": page.encode(),
        "/play.bundle.js": (cache / "play.bundle.js").read_bytes(),
        "/job": json.dumps(job).encode(),
        **{f"/files/{name}": file.read_bytes() for name, file in files.items()},
    }
    report: dict[str, Any] = {}
    told = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path in served
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
            self.end_headers()
            self.wfile.write(served.get(self.path, b""))

        def do_POST(self) -> None:
            report.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            told.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            chromium(),
            *OPTIONS,
            "--window-size=800,600",
            f"--user-data-dir={profile}",
            f"http://127.0.0.1:{server.server_port}/",
        ]
        quiet = subprocess.DEVNULL
        browser = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)
        try:
            assert told.wait(PATIENCE), "the page did not come to life"
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()
            server.server_close()
    assert "failed" not in report, report["failed"]
    return report


def drawn(report: dict[str, Any]) -> np.ndarray:
    """The picture in a report: ``(H, W, 3)`` uint8 BGR."""
    png = base64.b64decode(report["picture"].split(",")[1])
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
