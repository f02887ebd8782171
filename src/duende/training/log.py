"""What is written of a stage while it is trained: a line of terms every so often, and the time spent."""

from __future__ import annotations

import json
import time
from pathlib import Path

from duende.files import replacing


class Clock:
    """Time spent on a stage, by the wall and summed over processor cores, going on from an earlier run's."""

    def __init__(self, before: dict[str, float]) -> None:
        self.wall = time.monotonic() - before.get("seconds", 0.0)
        self.processor = time.process_time() - before.get("processor_seconds", 0.0)

    def read(self) -> dict[str, float]:
        """Return both in seconds."""
        return {
            "seconds": round(time.monotonic() - self.wall, 2),
            "processor_seconds": round(time.process_time() - self.processor, 2),
        }


class Log:
    """One JSON object for each line: step and terms."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def rewind(self, step: int) -> dict[str, float]:
        """Drop what was logged after the step that training goes on from; return the last line that is left."""
        if not self.path.exists():
            return {}
        kept, last = [], {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
                if values["step"] <= step:
                    kept.append(line)
                    last = values
            except (ValueError, KeyError):
                continue  # A line cut short by a kill.
        with replacing(self.path) as path:
            path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        return last

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
