"""Key poses of a dance on one picture, as on a photographer's contact sheet: to see at a glance what happens in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from duende.audio.music import Beats
from duende.errors import DuendeError
from duende.formats.body import load_body
from duende.formats.camera import AIM, BODY_RADIUS, CameraStyle, film
from duende.formats.lettering import shortened, text_width, write_text
from duende.formats.performance import Performance, Variant
from duende.formats.renderer import Renderer, standing_floor, write_png
from duende.motion import SMPL24, Motion
from duende.motion.accents import accents
from duende.motion.joining import mean_facing, moved
from duende.motion.representation import body_heading, turned

WIDTH, MARGIN, GAP = 1600, 56, 12
"""Pixels."""
COLUMNS = 6
ASPECT = 1.3
"""Height of a picture over its width."""
SECONDS_A_ROW, MOST_ROWS = 7.5, 4
"""How much of a dance a row shows, until there are so many rows."""
TITLE, SMALL, LABEL = 38, 19, 17
"""Sizes of letters, pixels."""
TITLE_HEIGHT, LABEL_HEIGHT, NAME_HEIGHT = 76, 44, 46
PAPER, INK, GREY = (244, 246, 247), (46, 40, 38), (140, 132, 128)
"""Colours: blue, green, red."""
NEAR = 0.08
"""Seconds around an accent in which a pose is that of the accent."""
VARIETY = 4.0
"""What a metre of difference from the poses that were chosen already counts, an accent of usual weight being 1."""
STEP = 1 / 15
"""Seconds between poses that are compared."""
STYLE = CameraStyle(pitch=5.0, lens=22.0, follow=False)
LARGEST, FILLED = 1.5, 0.9
"""Most that pictures are enlarged by, and how much of its picture the widest or tallest pose then takes."""


def write_contact_sheet(performance: Performance, path: str | Path) -> None:
    """Write the key poses of a dance as a PNG picture, each with its time and bar; of variants a row for each.

    Raises:
        DuendeError: the dance is not on SMPL24, or the file cannot be written.
    """
    write_png(draw_contact_sheet(performance), path)


def draw_contact_sheet(performance: Performance) -> np.ndarray:
    """Draw the key poses of a dance: ``(H, 1600, 3)`` uint8 BGR.

    Raises:
        DuendeError: the dance is not on SMPL24.
    """
    variants = performance.variants
    if all(variant.motion is not performance.motion for variant in variants):
        variants = (Variant(performance.title, performance.motion), *variants)
    if any(variant.motion.skeleton.names != SMPL24.names for variant in variants):
        raise DuendeError("a contact sheet shows dances on the SMPL joints, and this has others; retarget it to SMPL24")
    alone = len(variants) == 1
    rows = _rows_for(performance.motion.duration) if alone else 1
    times = key_times([variant.motion for variant in variants], rows * COLUMNS)
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS // 2 * 2
    size = (width, round(width * ASPECT / 2) * 2)
    pictures = _portraits([variant.motion for variant in variants], times, size)
    row_height = size[1] + LABEL_HEIGHT + (0 if alone else NAME_HEIGHT)
    count = rows if alone else len(variants)
    sheet = np.full((MARGIN + TITLE_HEIGHT + count * row_height + MARGIN // 2, WIDTH, 3), PAPER, np.uint8)
    _head(sheet, performance, len(variants))
    for row in range(count):
        top = MARGIN + TITLE_HEIGHT + row * row_height
        if not alone:
            write_text(sheet, variants[row].name, (MARGIN, top + 0.6 * NAME_HEIGHT), SMALL, INK)
            top += NAME_HEIGHT
        for column in range(COLUMNS):
            left = MARGIN + column * (width + GAP)
            sheet[top : top + size[1], left : left + width] = pictures[row * COLUMNS + column]
            time = times[row * COLUMNS + column if alone else column]
            _label(sheet, left, top + size[1] + 0.6 * LABEL_HEIGHT, time, performance.beats)
    return sheet


def key_times(motions: Sequence[Motion], count: int) -> np.ndarray:
    """Choose ``count`` times (seconds, rising), spread over dances of one length, that show most of all of them.

    Each lies in its own part of the dance, near an accent, where the pose differs from those that were chosen before.
    """
    first = motions[0]
    frames = np.arange(0, len(first), max(1, round(STEP * first.fps)))
    seconds = frames / first.fps
    score = np.zeros(len(frames))
    for motion in motions:
        found = accents(motion)
        if len(found.times):
            nearest = np.searchsorted((found.times[1:] + found.times[:-1]) / 2, seconds)
            near = np.exp(-(((seconds - found.times[nearest]) / NEAR) ** 2) / 2)
            score += near * found.weights[nearest] / len(motions)
    looks = np.stack([_looks(motion, frames) for motion in motions])
    chosen: list[int] = []
    for part in np.array_split(np.arange(len(frames)), count):
        # Poses at the very edges of a part might be those of its neighbour.
        inner = part[len(part) // 8 : len(part) - len(part) // 8]
        inner = inner if len(inner) else part if len(part) else np.array([len(frames) - 1])
        apart = np.zeros(len(inner))
        if chosen:
            gaps = looks[:, inner, None] - looks[:, None, chosen]
            apart = np.linalg.norm(gaps, axis=-1).mean(axis=-1).mean(axis=0).min(axis=-1)
        chosen.append(int(inner[np.argmax(score[inner] + VARIETY * apart)]))
    return np.asarray(seconds[chosen])


def _rows_for(seconds: float) -> int:
    return int(np.clip(round(seconds / SECONDS_A_ROW), 1, MOST_ROWS))


def _looks(motion: Motion, frames: np.ndarray) -> np.ndarray:
    """Joints ``(N, J, 3)`` as the body sees them, from its own place and heading."""
    positions = motion.positions[frames]
    heading = body_heading(motion.positions, motion.skeleton, motion.fps)[frames]
    return turned(positions - motion.root[frames, None] * [1.0, 0.0, 1.0], -heading[:, None])


def _portraits(motions: Sequence[Motion], times: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Draw all dances at all times in one light and at one scale, each in the middle of its picture."""
    rotations, roots = [], []
    for motion in motions:
        seen = moved(motion, -float(np.arctan2(*mean_facing(motion))), np.zeros(3), np.zeros(3))
        frames = np.clip(np.rint(times * motion.fps).astype(int), 0, len(motion) - 1)
        rotations.append(seen.rotations[frames])
        roots.append(seen.root[frames] * [0.0, 1.0, 0.0] - [0.0, standing_floor(motion, load_body()), 0.0])
    poses = replace(motions[0], rotations=np.concatenate(rotations), root=np.concatenate(roots))
    across = poses.positions[..., 0]
    middles = (across.min(axis=1) + across.max(axis=1)) / 2
    poses = replace(poses, root=poses.root - middles[:, None] * [1.0, 0.0, 0.0])
    return [_window(picture, *size, top) for picture, top in _drawn(poses, size)]


def _drawn(poses: Motion, size: tuple[int, int]) -> Iterator[tuple[np.ndarray, int]]:
    """Draw poses so large that the widest or the tallest fills ``size``; each picture with where its window begins."""
    camera = film(poses, size, STYLE)
    focal_metre = camera.focal / np.linalg.norm(camera.positions[0] - [0.0, AIM, 0.0])
    pixels = np.stack([camera.project(joints, 0)[0] for joints in poses.positions]) - np.array(size) / 2
    body = BODY_RADIUS * focal_metre
    across, above, below = np.abs(pixels[..., 0]).max(), -pixels[..., 1].min(), pixels[..., 1].max()
    room = (size[0] / 2 / (across + body), size[1] / (above + below + 2 * body))
    zoom = float(np.clip(FILLED * min(room), 1.0, LARGEST))
    large = (round(size[0] * zoom / 2) * 2, round(size[1] * zoom / 2) * 2)
    middle = large[1] / 2 + zoom * (below - above) / 2
    for picture in Renderer(poses, large, STYLE).frames():
        yield picture, round(middle - size[1] / 2)


def _window(picture: np.ndarray, width: int, height: int, top: int) -> np.ndarray:
    """Cut the middle out of a picture that is no smaller, ``top`` pixels from its upper edge if it has room there."""
    first = int(np.clip(top, 0, picture.shape[0] - height))
    left = (picture.shape[1] - width) // 2
    return picture[first : first + height, left : left + width]


def _head(sheet: np.ndarray, performance: Performance, dances: int) -> None:
    beats, baseline = performance.beats, MARGIN + 0.75 * TITLE
    facts = [_clock(performance.motion.duration)]
    if beats is not None and beats.tempo:
        facts.append(f"{beats.tempo:.0f} beats a minute")
    if dances > 1:
        facts.insert(0, f"{dances} dances")
    said = "   ·   ".join(facts)
    right = WIDTH - MARGIN - text_width(said, SMALL)
    write_text(sheet, said, (right, baseline), SMALL, GREY)
    title = " ".join(performance.title.split()).replace("_", " ")
    write_text(sheet, shortened(title, TITLE, right - MARGIN - 3 * GAP), (MARGIN, baseline), TITLE, INK)


def _label(sheet: np.ndarray, left: float, baseline: float, time: float, beats: Beats | None) -> None:
    """Write time and bar under a picture."""
    clock = _clock(time)
    write_text(sheet, clock, (left, baseline), LABEL, INK)
    bar = 0 if beats is None else int(np.searchsorted(beats.downbeats, time + NEAR, side="right"))
    if bar:
        write_text(sheet, f"bar {bar}", (left + text_width(clock, LABEL) + 0.8 * LABEL, baseline), LABEL, GREY)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
