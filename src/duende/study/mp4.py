"""Length of an mp4 file, which also tells whether it is whole (ISO/IEC 14496-12, section 4.2 and 8.2.2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from duende.errors import DuendeError


def video_seconds(path: Path) -> float:
    """Return the length in seconds.

    Raises:
        DuendeError: the file is empty, cut off, or no mp4.
    """
    try:
        with path.open("rb") as file:
            seconds = _seconds(file)
    except (OSError, ValueError) as error:
        raise DuendeError(
            f"{path} is no whole mp4 video ({error}); make it again, or leave it out of the study"
        ) from error
    if not seconds > 0:
        raise DuendeError(f"{path} does not say how long it is; write it again with: ffmpeg -i IN.mp4 -c copy OUT.mp4")
    return seconds


def _seconds(file: BinaryIO) -> float:
    size = os.fstat(file.fileno()).st_size
    if not size:
        raise ValueError("it is empty")
    boxes = dict(_boxes(file, 0, size))
    if b"moov" not in boxes or b"mdat" not in boxes:
        raise ValueError("it holds no film")
    header = dict(_boxes(file, *boxes[b"moov"])).get(b"mvhd")
    if header is None:
        raise ValueError("it has no header")
    file.seek(header[0])
    data = file.read(32)
    # Version 1 has times of 8 bytes, version 0 of 4.
    rate, length = (slice(20, 24), slice(24, 32)) if data[:1] == b"\x01" else (slice(12, 16), slice(16, 20))
    return int.from_bytes(data[length], "big") / max(1, int.from_bytes(data[rate], "big"))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the kind of each box between two bytes of the file, and where its content begins and ends."""
    while start < end:
        file.seek(start)
        head = file.read(16)
        size, content = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), start + 16
        elif size == 0:
            size = end - start
        if size < content - start or start + size > end:
            raise ValueError("it is cut off or damaged")
        yield head[4:8], (content, start + size)
        start += size
