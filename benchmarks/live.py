"""A live dance at real-time pace, without a browser: ``python -m benchmarks.live --seconds 60``.

The song is heard as a microphone would hear it, in chunks of 20 ms, and begins again where it ends. Frames also go out
over UDP, to a socket of our own that counts them. What is measured: when the first frame was sent after the first
sound, frames sent after their moment (underruns), how long before its moment each chunk was sent, processor time, and
memory. The processor share is that of this process, all of its threads together.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import torch

from duende.audio.song import Song
from duende.cli.dance import DEMO_SONG
from duende.files import replacing
from duende.live.datagrams import DatagramSender
from duende.live.frames import udp_packets
from duende.live.measurements import LiveReport, Measurements
from duende.live.receivers import hand_out
from duende.live.sources import FileSource
from duende.models.sampling import Sampling
from duende.systems.storage import SHIPPED, from_pretrained, shipped_folder


def measured(song: Song, seconds: float, model: str, candidates: int | None, seed: int) -> tuple[LiveReport, int]:
    """Dance for so many seconds; how it went, and frames that went out in their moments."""
    dancer = from_pretrained(model)
    sampling = dancer.config.sampling
    if candidates is not None and isinstance(sampling, Sampling):
        sampling = replace(sampling, candidates=candidates)
    source = FileSource(song, seconds, repeat=True)
    chunks = dancer.stream(source.chunks(), source.rate, seed=seed, sampling=sampling)  # type: ignore[union-attr]
    measurements = Measurements()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        sender = DatagramSender(address, "--udp", udp_packets, lambda: source.moment)
        hand_out(chunks, source, [sender], measurements)
    return measurements.report, int(sender.measured()["--udp"]["sent"])


def table(report: LiveReport, sent: int, load: str) -> str:
    """The report as a table."""
    rows = [
        ("seconds from the first sound to the last frame sent", report.seconds, "{:.1f}"),
        ("frames", report.frames, "{}"),
    ]
    rows += [("frames sent over UDP", sent, "{}"), ("underruns", report.underruns, "{}")]
    rows += [("frames late at the start", report.late_at_start, "{}")]
    for name, value in (
        ("first frame after the first sound", report.first_frame),
        ("sent before its moment, median", report.margin_median),
        ("sent before its moment, worst", report.margin_worst),
    ):
        rows.append((f"{name}, ms", None if value is None else 1000 * value, "{:.0f}"))
    rows.append(("processor, % of one core", None if report.cpu_share is None else 100 * report.cpu_share, "{:.0f}"))
    for name, value in (
        ("at the first frame", report.memory_start),
        ("after 10 s", report.memory_warm),
        ("at the end", report.memory_end),
    ):
        rows.append((f"memory {name}, MiB", value, "{:.0f}"))
    lines = [f"| {name} | {'–' if value is None else form.format(value)} |" for name, value, form in rows]
    return "\n".join([f"| live, {load} | |", "|---|---|", *lines])


def main() -> None:
    """Dance and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", nargs="?", type=Path, help="default: the project's own")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default=SHIPPED)
    parser.add_argument("--candidates", type=int, help="default: the model's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    song = Song.read(options.song or shipped_folder("").parent / "pretrained" / DEMO_SONG)
    report, sent = measured(song, options.seconds, options.model, options.candidates, options.seed)
    average = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(table(report, sent, f"{song.name}, {options.model}, {torch.get_num_threads()} threads{average}"))
    if options.json is not None:
        with replacing(options.json) as path:
            path.write_text(json.dumps(report.values() | {"sent": sent}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
