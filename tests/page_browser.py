"""A page opened in headless Chromium: a script runs in it, and what it reports comes back."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from chromium import OPTIONS, chromium

STEPS = 32_767

PROBE = """
<script>
(async () => {
  const complaints = [];
  window.addEventListener("error", (event) => complaints.push(event.message));
  window.addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
  document.addEventListener("securitypolicyviolation", (event) => complaints.push("policy " + event.blockedURI));
  for (const kind of ["error", "warn"]) console[kind] = (...words) => complaints.push(words.join(" "));
  const until = async (good) => { while (!good()) await new Promise((then) => setTimeout(then, 20)); };
  const element = (name) => document.getElementById(name);
  const press = (key, more = {}) =>
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
  let report = {};
  BEFORE
  try {
    await until(() => window.duende && (!duende.state().sound || duende.state().sound.ready >= 3));
    report = await (async () => {SCRIPT})();
  } catch (error) {
    complaints.push(String(error.stack));
  }
  const outside = performance.getEntriesByType("resource").map((entry) => entry.name);
  report.complaints = complaints;
  report.requests = outside.filter((name) => !/^(blob|data):/.test(name));
  const text = JSON.stringify(report, (key, value) => typeof value === "number" ? Number(value.toFixed(6)) : value);
  for (let at = 0; at < text.length; at += 50000) console.log("PART" + text.slice(at, at + 50000) + "TRAP");
  console.log("REPORTED");
})();
</script>
"""


class Elements(HTMLParser):
    """Collects the text of elements as a browser would split them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.stack.append(tag)
        if tag in ("script", "title", "h1", "style"):
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] in self.texts:
            self.texts[self.stack[-1]][-1] += data


def carried(path: Path) -> dict[str, Any]:
    """What a page carries."""
    values: dict[str, Any] = json.loads(Elements(path.read_text(encoding="utf-8")).texts["script"][0])
    return values


def reported(page: Path, script: str, before: str = "", seconds: float = 120) -> dict[str, Any]:
    """Run JavaScript (the body of an async function that returns an object) in a page and return its report.

    ``complaints`` in it are errors, warnings and violations of the page's policy; ``requests`` what it asked of others.

    Args:
        page: file of the page.
        script: run once the page shows the dance.
        before: run before that.
        seconds: given to all of it.
    """
    text = page.read_text(encoding="utf-8")
    probed = page.with_name(f"probed-{page.name}")
    probe = PROBE.replace("BEFORE", before).replace("SCRIPT", script)
    probed.write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    more = ("--window-size=480,360", "--autoplay-policy=no-user-gesture-required", "--enable-logging=stderr")
    command = [chromium(), *OPTIONS, *more, f"--user-data-dir={page.parent / 'profile'}", probed.as_uri()]
    return _report_from(command, page.parent / "log", seconds)


def _report_from(command: list[str], log: Path, seconds: float) -> dict[str, Any]:
    with log.open("wb") as errors:
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
    try:
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            said = log.read_text(errors="replace")
            if "REPORTED" in said:
                report: dict[str, Any] = json.loads("".join(re.findall(r"PART(.*?)TRAP", said)))
                return report
            time.sleep(0.2)
        raise AssertionError("the page did not report: " + log.read_text(errors="replace")[-2000:])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()


def as_file(name: str, data: bytes) -> str:
    """JavaScript for a ``File`` with these bytes."""
    text = base64.b64encode(data).decode("ascii")
    return f"new File([Uint8Array.from(atob('{text}'), (c) => c.charCodeAt(0))], {json.dumps(name)})"


def unpacked_quaternions(words: np.ndarray) -> np.ndarray:
    """The viewer's side of the packing, in Python."""
    largest = (words[..., 0] >> 15) | ((words[..., 1] >> 15) << 1)
    numbers = (words & 32_767) * (np.sqrt(2) / STEPS) - np.sqrt(0.5)
    rest = np.sqrt(np.maximum(0, 1 - (numbers**2).sum(axis=-1)))
    result = np.empty((*words.shape[:-1], 4))
    for missing in range(4):
        chosen = largest == missing
        result[chosen] = np.insert(numbers[chosen], missing, rest[chosen], axis=-1)
    return result
