"""Headless Chromium on a live page, driven by its DevTools protocol over a WebSocket."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from chromium import OPTIONS, chromium
from websockets.sync.client import connect

PATIENCE = 60
"""Seconds until a page that does not do what it should is given up: pictures are drawn without a graphics card."""


class Browser:
    """One tab. ``autoplay``: whether pages may make sound before anybody has clicked."""

    def __init__(self, profile: Path, autoplay: bool = True, size: tuple[int, int] = (480, 360)) -> None:
        options = [
            *OPTIONS,
            "--remote-debugging-port=0",
            f"--window-size={size[0]},{size[1]}",
            f"--user-data-dir={profile}",
        ]
        options += ["--autoplay-policy=no-user-gesture-required"] if autoplay else []
        self.process = subprocess.Popen(
            [chromium(), *options, "about:blank"], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stderr is not None
        address = next(filter(None, (re.search(r"listening on (ws://\S+)", line) for line in self.process.stderr)))[1]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.opened = contextlib.ExitStack()
        self.socket = self.opened.enter_context(connect(address, max_size=None))
        self.number, self.session, self.events = 0, "", list[dict[str, Any]]()
        pages = [target for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        self.session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        session = {"sessionId": self.session} if self.session else {}
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters, **session}))
        while True:
            answer = json.loads(self.socket.recv(timeout=PATIENCE))
            if answer.get("id") == self.number:
                assert "result" in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.until("window.duende")

    def value(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def state(self) -> dict[str, Any]:
        return dict(self.value("duende.state()"))

    def until(self, condition: str) -> None:
        give_up = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < give_up, (
                condition,
                self.value("window.duende && JSON.stringify(duende.state())"),
            )
            time.sleep(0.05)

    def click(self, name: str) -> None:
        """Click an element as a hand does."""
        box = self.value(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({name}.getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def choose_file(self, name: str, file: Path) -> None:
        found = self.call("Runtime.evaluate", expression=f"document.getElementById('{name}')")
        self.call("DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"])

    def picture(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def complaints(self) -> list[str]:
        """What the page threw, and what the browser complained of."""
        self.value("1")
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded")
        said = [event for event in self.events if event.get("method") in kinds]
        said += [
            event
            for event in self.events
            if event.get("method") == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning")
        ]
        return [json.dumps(event["params"]) for event in said]

    def requests(self) -> set[str]:
        sent = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return {parameters["request"]["url"] for parameters in sent}

    def close(self) -> None:
        self.opened.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
