"""Every format that a dance can be written in, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from duende.errors import DuendeError
from duende.formats.bvh import write_bvh
from duende.formats.contact_sheet import write_contact_sheet
from duende.formats.npz import write_npz
from duende.formats.page import write_page
from duende.formats.performance import Performance
from duende.formats.video import write_video

Progress = Callable[[int, int], None]
VIDEO_FPS = 30.0
"""Most frames a second of a video; of a dance with fewer it has as many."""


@dataclass(frozen=True)
class Format:
    """A file format: its name, which is also the suffix, what it is for, and how it is written."""

    name: str
    purpose: str
    write: Callable[[Performance, Path, Progress | None], None]


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "mp4",
            "video with the music",
            lambda dance, path, progress: write_video(
                dance.motion, path, dance.song, min(dance.motion.fps, VIDEO_FPS), progress=progress
            ),
        ),
        Format(
            "html",
            "3D page with the music, opens offline",
            lambda dance, path, progress: write_page(
                dance.motion, path, dance.song, dance.beats, dance.title
            ),
        ),
        Format(
            "npz",
            "SMPL poses as AMASS stores them",
            lambda dance, path, progress: write_npz(dance.motion, path),
        ),
        Format(
            "bvh",
            "skeleton animation for Blender and others",
            lambda dance, path, progress: write_bvh(dance.motion, path),
        ),
        Format(
            "png",
            "contact sheet: key poses with their times",
            lambda dance, path, progress: write_contact_sheet(dance, path),
        ),
    )
}


def chosen_formats(names: str) -> tuple[Format, ...]:
    """Turn ``"mp4,html"`` into formats, in that order.

    Raises:
        DuendeError: a name is not a format, or there is none.
    """
    wanted = [name.strip().lower().lstrip(".") for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        raise DuendeError(f"formats {names!r}: choose from {', '.join(FORMATS)}, separated by commas")
    return tuple(FORMATS[name] for name in dict.fromkeys(wanted))
