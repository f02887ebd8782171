"""The options that say what of a song is danced to, how, and where: when, how long, how fast, on which stage."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import Literal, cast

from duende.audio.beats import Tempo
from duende.errors import DuendeError
from duende.motion import Motion
from duende.motion.looping import loop_at_frame_rate
from duende.motion.travelling import in_place, on_stage

FRAME_RATES = (24, 25, 30, 60, 120)
SLOWEST, FASTEST = 30.0, 300.0
"""Beats a minute that a tempo may have."""
SMALLEST = 0.3
"""Metres that a stage has at least along each side: on less nobody could shift his weight."""
USUAL_BARS = "as many as fit"


@dataclass(frozen=True)
class Controls:
    """What a user wants of a dance beside the song and the model.

    Attributes:
        start: second of the song at which the dance begins.
        seconds: how long it lasts at most; None to the end of the song.
        loop: whether it is a loop.
        bars: of the loop; None for as many as fit.
        tempo: of the song, where it is known better.
        mirror: exchange left and right.
        fps: frames a second that are written; None for those of the model.
        in_place: keep the body over one spot.
        stage: width and depth in metres.
    """

    start: float = 0.0
    seconds: float | None = None
    loop: bool = False
    bars: int | None = None
    tempo: Tempo | None = None
    mirror: bool = False
    fps: int | None = None
    in_place: bool = False
    stage: tuple[float, float] | None = None

    def shaped(self, motion: Motion, loop_frames: int | None = None) -> Motion:
        """Mirror a dance, take it to its place, and bring it to its frame rate, in this order.

        Args:
            motion: the dance; a loop where it is one.
            loop_frames: of a loop, how many it has at its frame rate.
        """
        cyclic = loop_frames is not None
        if self.mirror:
            motion = motion.mirrored()
        if self.in_place:
            motion = in_place(motion, cyclic)
        if self.stage is not None:
            motion = on_stage(motion, *self.stage, cyclic)
        fps = self.fps or motion.fps
        return motion.resampled(fps) if loop_frames is None else loop_at_frame_rate(motion, fps, loop_frames)


def add_control_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is danced to, how and where."""
    parser.add_argument("--start", metavar="TIME", default="0", help="where in the song, in seconds or as 1:30")
    parser.add_argument("--seconds", metavar="TIME", help="how long, in seconds or as 1:30; default: to the end")
    parser.add_argument(
        "--loop",
        nargs="?",
        const=USUAL_BARS,
        metavar="BARS",
        help="a loop without a seam, of so many bars; default: eight, or as many as there are",
    )
    parser.add_argument(
        "--tempo", metavar="BEATS", help="a minute, where you know better than the tracker; half or double its tempo"
    )
    parser.add_argument("--mirror", action="store_true", help="exchange left and right")
    parser.add_argument("--fps", type=int, choices=FRAME_RATES, help="frames a second; default: the model's")
    parser.add_argument("--in-place", action="store_true", help="stay over one spot: what plays the dance moves it")
    parser.add_argument("--stage", metavar="WxD", help="stay on a stage of so many metres, such as 3x2")


def chosen_controls(options: argparse.Namespace) -> Controls:
    """Return what the options say.

    Raises:
        DuendeError: a value cannot be understood or is out of range, or two options contradict each other.
    """
    if options.in_place and options.stage is not None:
        raise DuendeError("--in-place and --stage contradict each other: leave one of them out")
    if options.loop is not None and options.given is not None:
        raise DuendeError("--loop cannot keep a part of a --given dance, whose end is no beginning; leave one out")
    seconds = None if options.seconds is None else _time("--seconds", options.seconds)
    if seconds == 0:
        raise DuendeError(f"--seconds needs a length above 0, got {options.seconds}")
    return Controls(
        start=_time("--start", options.start),
        seconds=seconds,
        loop=options.loop is not None,
        bars=None if options.loop in (None, USUAL_BARS) else _bars(options.loop),
        tempo=None if options.tempo is None else _tempo(options.tempo),
        mirror=options.mirror,
        fps=options.fps,
        in_place=options.in_place,
        stage=None if options.stage is None else _stage(options.stage),
    )


def clock(seconds: float) -> str:
    """Write a time as it is read from a player: ``1:05.3``."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def _time(option: str, text: str) -> float:
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    parts = [float(part or 0) for part in found.groups()] if found else []
    if not found or (found[2] and parts[2] >= 60) or (found[1] and parts[1] >= 60):
        raise DuendeError(
            f"{option} {text} is no time; write seconds, such as 12.5, or minutes and seconds, such as 1:30"
        )
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def _bars(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise DuendeError(f"--loop {text}: write how many bars, 1 or more, and name the song before --loop")
    return int(text)


def _tempo(text: str) -> Tempo:
    if text in ("half", "double"):
        return cast(Literal["half", "double"], text)
    try:
        tempo = float(text)
    except ValueError:
        tempo = 0.0
    if not SLOWEST <= tempo <= FASTEST:
        raise DuendeError(
            f"--tempo {text}: give {SLOWEST:g} to {FASTEST:g} beats a minute, or half or double the pace that was found"
        )
    return tempo


def _stage(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*[x×]\s*(\d+(?:\.\d*)?)", text.strip().lower())
    width, depth = (float(part) for part in found.groups()) if found else (0.0, 0.0)
    if min(width, depth) < SMALLEST:
        raise DuendeError(f"--stage {text}: give width and depth in metres as 3x2, each {SMALLEST:g} or more")
    return width, depth
