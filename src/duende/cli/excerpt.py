"""What of a song is danced to, and what is heard in it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from duende.audio.entry_keys import Crop
from duende.audio.feature_sets import JUKEBOX, present
from duende.audio.features import extract_features, parts_of
from duende.audio.music import Beats, MusicFeatures
from duende.audio.repeating import beats_within, cut, repeated, whole_bars
from duende.audio.song import Song
from duende.cli.controls import Controls, clock
from duende.cli.hearing import chosen_cache, chosen_sources
from duende.errors import DuendeError
from duende.motion import Motion
from duende.motion.looping import looped
from duende.systems.face import AnyConfig


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A part of a song.

    Attributes:
        song: the part, as long as the dance.
        beats: of the part.
        heard: what the model dances to; of a loop for longer than it lasts.
        loop_frames: of a loop, how many frames it has when it is written; else None.
        said: about the part, in a few words.
    """

    song: Song
    beats: Beats
    heard: MusicFeatures
    loop_frames: int | None
    said: str

    def fitted(self, motion: Motion, planted: bool) -> Motion:
        """Cut a dance to the part, or close it to a loop of its length, its feet ``planted`` over the seam or not."""
        frames = max(1, round(self.song.duration * motion.fps))
        return motion.cropped(0, frames) if self.loop_frames is None else looped(motion, frames, planted)


def cropped_song(song: Song, controls: Controls) -> tuple[Song, Crop | None]:
    """Cut a song to where the dance begins and ends; the start and the length of that, None for all of it.

    Raises:
        DuendeError: the dance would begin after the end of the song.
    """
    if controls.start >= song.duration:
        raise DuendeError(
            f"--start {clock(controls.start)} is after the end of the song, which lasts {clock(song.duration)}; "
            "start earlier"
        )
    if not controls.start and controls.seconds is None:
        return song, None
    crop = (controls.start, song.duration - controls.start if controls.seconds is None else controls.seconds)
    return song.cropped(*crop), crop


def heard_excerpt(
    path: Path, song: Song, controls: Controls, options: argparse.Namespace, config: AnyConfig
) -> Excerpt:
    """Cut a song as the controls say, and hear it as a model does.

    Raises:
        DuendeError: the song has no such part, or what the model's features need is not at hand.
    """
    features, sources, cache = present(config.feature_set), chosen_sources(options), chosen_cache(options)
    if not controls.loop:
        part, crop = cropped_song(song, controls)
        heard = cache.features(path, features, sources, crop=crop, song=part, tempo=controls.tempo)
        return Excerpt(part, heard.beats, heard.features, None, _pace(heard.beats))
    if JUKEBOX in parts_of(features):
        raise DuendeError("the features jukebox belong to whole songs, and --loop repeats a part; leave --loop out")
    cropped_song(song, controls)
    every = cache.beats(path, song=song, tempo=controls.tempo)
    span = whole_bars(every, song, controls.start, controls.seconds, controls.bars)
    fps = controls.fps or config.frame_rate
    frames = round((span.end - span.begin) * fps)
    part = cut(song, span.begin, frames / fps)
    beats = beats_within(every, span, part.duration)
    on_repeat, often = repeated(part, beats)
    where = f"a loop of {span.bars} bars, {clock(span.begin)} to {clock(span.end)}"
    said = f"{_pace(beats)}; {where}: {frames} frames, {frames / fps:.3f} s"
    return Excerpt(part, beats, extract_features(on_repeat, features, often, sources), frames, said)


def _pace(beats: Beats) -> str:
    return f"{beats.tempo:.0f} beats a minute" if beats.tempo else "no beat found: the dance follows the sound alone"
