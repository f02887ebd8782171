"""The whole path as users have it: ``duende dance`` as a process of its own, with an empty cache."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import Figures, Setting


def whole_path(song: Path, setting: Setting, runs: int) -> Figures:
    """Dance to a song from its mp3 file to the files; ``first`` is when the command first says something."""
    results = [_danced(song, setting) for _ in range(runs)]
    walls, firsts, peaks = zip(*results, strict=True)
    return Figures(statistics.median(walls), max(peaks), first=statistics.median(firsts), song_seconds=setting.seconds)


def _danced(song: Path, setting: Setting) -> tuple[float, float, float]:
    """Seconds, seconds to the first sentence, and peak MiB of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "duende.cli.main", "dance", str(song), "--formats", "glb"]
        command += [
            "--model",
            setting.model,
            "--device",
            setting.device,
            "--out",
            f"{folder}/out",
            "--cache",
            f"{folder}/heard",
        ]
        begin = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            said = process.stderr.readline()
            first = time.perf_counter() - begin
            said += process.stderr.read()
            peak = _waited_for(process)
            seconds = time.perf_counter() - begin
    if process.returncode:
        raise RuntimeError(said.decode(errors="replace"))
    return seconds, first, peak


def _waited_for(process: subprocess.Popen[bytes]) -> float:
    """Peak MiB of a process once it has ended; this one is small, so what it began with does not count."""
    if not hasattr(os, "wait4"):
        process.wait()
        return 0.0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return float(usage.ru_maxrss) / (2**20 if sys.platform == "darwin" else 1024)
