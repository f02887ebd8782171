"""The dance as one web page: the dancer in 3D with the music, in a single file that opens offline by double-click.

Everything is inside: the viewer (web/viewer.bundle.js, built from the sources beside it), the body, the movement, the
music as mp3 and, where there is one, the creator's own character.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from duende.audio.music import Beats
from duende.audio.song import Song
from duende.errors import DuendeError
from duende.files import replacing
from duende.formats.gltf.document import MAGIC
from duende.formats.page_data import packed, page_data
from duende.formats.page_sound import page_sound
from duende.formats.performance import Variant
from duende.motion import SMPL24, Motion

MOST_FPS = 60.0


def write_page(
    motion: Motion,
    path: str | Path,
    song: Song | None = None,
    beats: Beats | None = None,
    title: str = "dance",
    variants: Sequence[Variant] = (),
    character: bytes | None = None,
) -> None:
    """Write a dance as a self-contained web page.

    Args:
        motion: on SMPL24; more than 60 frames a second are reduced to 60.
        path: of the ``.html`` file.
        song: what it dances to, from its first frame; cut or filled with silence to the length of the motion.
        beats: of the song, marked on the timeline.
        title: shown as it is, markup and all.
        variants: dances to choose from, side by side under their names. ``motion`` is danced first, under the title,
            unless it is one of them (the same object). All are shown at its frame rate and for its length.
        character: a binary glTF file whose nodes dance ``motion``: its first animation has keys from 0 on, in seconds.
            It is shown instead of the mannequin.

    Raises:
        DuendeError: a motion is on another skeleton, the character is no binary glTF, the sound cannot be encoded, or
            the file cannot be written.
    """
    title = " ".join(title.split()) or "dance"
    dances = _dances(motion, variants, title)
    data = page_data(dances, beats)
    if song is not None:
        data |= page_sound(song, data["duration"])
    if character is not None:
        own = next((index for index, variant in enumerate(variants) if variant.motion is motion), 0)
        data["character"] = {"file": _character(character), "dance": own}
    parts = {
        "title": html.escape(title),
        "style": _web("style.css"),
        "viewer": _web("viewer.bundle.js"),
        "data": _for_script(data),
    }
    # One pass: what a title or a song holds is never taken for a place to fill.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match.group(1)], _web("page.html"))
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def _dances(motion: Motion, variants: Sequence[Variant], title: str) -> list[Variant]:
    """All dances of the page, at one rate and of one length."""
    dances = list(variants)
    if all(variant.motion is not motion for variant in dances):
        dances.insert(0, Variant(title, motion))
    for dance in dances:
        if dance.motion.skeleton.names != SMPL24.names:
            raise DuendeError(
                f"the page shows dances on the {len(SMPL24)} SMPL joints, and {dance.name!r} has "
                f"{len(dance.motion.skeleton)} others; retarget it to SMPL24 first"
            )
    shown = motion.resampled(min(motion.fps, MOST_FPS))
    return [
        replace(
            dance, motion=shown if dance.motion is motion else dance.motion.resampled(shown.fps).lasting(len(shown))
        )
        for dance in dances
    ]


def _character(file: bytes) -> str:
    if file[: len(MAGIC)] != MAGIC:
        raise DuendeError("the page's character is not a binary glTF file (.glb); write the animated character as one")
    return packed(np.frombuffer(file, np.uint8))


def _web(name: str) -> str:
    return resources.files("duende.formats").joinpath("web").joinpath(name).read_text(encoding="utf-8")


def _for_script(values: dict[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
