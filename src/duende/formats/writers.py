"""Every format that a dance can be written in, by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from duende.errors import DuendeError
from duende.formats.blender.program import require_blender
from duende.formats.bvh import write_bvh
from duende.formats.character import write_character
from duende.formats.contact_sheet import write_contact_sheet
from duende.formats.fbx import write_fbx
from duende.formats.glb import write_glb
from duende.formats.npz import write_npz
from duende.formats.page import write_page
from duende.formats.performance import Performance
from duende.formats.usd import require_usd, write_usd
from duende.formats.video import write_video
from duende.formats.vmd import write_vmd
from duende.formats.vrma import write_vrma

Progress = Callable[[int, int], None]
VIDEO_FPS = 30.0
"""Most frames a second of a video; of a dance with fewer it has as many."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: also the suffix.
        purpose: what it is for, in a few words.
        write: given a dance, a path and what shows progress.
        usual: whether it is written where nobody says which; the others need another program, or few want them.
        check: raises where what it needs is not installed.
    """

    name: str
    purpose: str
    write: Callable[[Performance, Path, Progress | None], None]
    usual: bool = True
    check: Callable[[], object] = lambda: None


def _video(dance: Performance, path: Path, progress: Progress | None) -> None:
    write_video(dance.motion, path, dance.song, min(dance.motion.fps, VIDEO_FPS), progress=progress)


def _page(dance: Performance, path: Path, progress: Progress | None) -> None:
    character = None
    if dance.character is not None:
        with tempfile.TemporaryDirectory(prefix="duende-") as folder:
            figure = Path(folder) / "character.glb"
            _figure(dance, figure, None)
            character = figure.read_bytes()
    write_page(dance.motion, path, dance.song, dance.beats, dance.title, dance.variants, character)


def _figure(dance: Performance, path: Path, progress: Progress | None) -> None:
    if dance.character is None:
        write_glb(dance.mannequin, path, dance.title)
    else:
        write_character(dance.character, dance.on_character, path, dance.title)


def _fbx(dance: Performance, path: Path, progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(prefix="duende-") as folder:
        figure = Path(folder) / f"{path.stem}.glb"
        _figure(dance, figure, None)
        write_fbx(figure, path)


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("mp4", "video with the music", _video),
        Format("html", "3D page with the music, opens offline", _page),
        Format(
            "png", "contact sheet: key poses with their times", lambda dance, path, _: write_contact_sheet(dance, path)
        ),
        Format("glb", "animated figure for Blender, Unity, Unreal and the web", _figure),
        Format(
            "vrma",
            "animation for VRM avatars",
            lambda dance, path, _: write_vrma(dance.on_character, path),
        ),
        Format(
            "bvh",
            "skeleton animation for Blender and others",
            lambda dance, path, _: write_bvh(dance.figure, path, dance.bvh_unit),
        ),
        Format("npz", "SMPL poses as AMASS stores them", lambda dance, path, _: write_npz(dance.mannequin, path)),
        Format("fbx", "animated figure for Unreal, Unity, Maya; through Blender", _fbx, False, require_blender),
        Format(
            "usda",
            "USD scene for film tools",
            lambda dance, path, _: write_usd(dance.mannequin, path, dance.title),
            usual=False,
            check=require_usd,
        ),
        Format(
            "vmd",
            "motion for MikuMikuDance's models",
            lambda dance, path, _: write_vmd(dance.motion, path),
            usual=False,
        ),
    )
}


def chosen_formats(names: str | None) -> tuple[Format, ...]:
    """Turn ``"mp4,html"`` into formats, in that order; None into the usual ones.

    Raises:
        DuendeError: a name is not a format, there is none, or what a format needs is not installed.
    """
    if names is None:
        return tuple(entry for entry in FORMATS.values() if entry.usual)
    wanted = [name.strip().lower().lstrip(".") for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        raise DuendeError(f"formats {names!r}: choose from {', '.join(FORMATS)}, separated by commas")
    chosen = tuple(FORMATS[name] for name in dict.fromkeys(wanted))
    for entry in chosen:
        entry.check()
    return chosen
