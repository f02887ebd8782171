"""One song danced as the options say: heard, danced to, and written in every format that is asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from duende.audio.song import Song
from duende.cli.controls import Controls
from duende.cli.excerpt import Excerpt, cropped_song, heard_excerpt
from duende.cli.holding import chosen_holding
from duende.cli.sampling import chosen_sampling
from duende.formats.character import Character
from duende.formats.performance import Performance, Variant
from duende.formats.writers import FORMATS, Format
from duende.motion import Motion
from duende.motion.holding import HeldMotion
from duende.systems.face import AnySampling
from duende.systems.finishing import finished
from duende.systems.kinds import AnySystem, of_codes

TOGETHER = ("html", "png")
"""Formats that show several dances side by side."""


@dataclass(frozen=True)
class Piece:
    """A song to dance to.

    Attributes:
        song: the sound file.
        place: of what is written, without a suffix.
    """

    song: Path
    place: Path


@dataclass(frozen=True)
class Dancing:
    """How songs are danced; it can be sent to other processes.

    Attributes:
        options: of the command.
        controls: what they say of when, where and how long.
        formats: names of those that are written.
        quiet: whether nothing is told of a song on its way.
    """

    options: argparse.Namespace
    controls: Controls
    formats: tuple[str, ...]
    quiet: bool = False

    @property
    def seeds(self) -> range:
        """Of the dances to each song."""
        return range(self.options.seed, self.options.seed + self.options.variants)

    def sampling(self, system: AnySystem) -> AnySampling:
        """Return how a system draws its dances.

        Raises:
            DuendeError: a value is out of its range, or the system knows no such option.
        """
        return chosen_sampling(self.options, system.config.sampling)

    def files(self, place: Path) -> list[tuple[Format, Path]]:
        """Name all files that are written for a song."""
        return [(entry, file) for entry, _, file in self._written(place)]

    def heard(self, path: Path, system: AnySystem) -> tuple[Excerpt, HeldMotion | None]:
        """Hear what of a song is danced to; with it, what is held of another dance.

        Raises:
            DuendeError: the file is no song, has no such part, what is held cannot be held, or what the model's
                features need is not at hand.
        """
        song = Song.read(path)
        part, _ = cropped_song(song, self.controls)
        held = chosen_holding(self.options, part.duration)
        self._say(f"listening to {path.name} ({part.duration:.0f} s)")
        excerpt = heard_excerpt(path, song, self.controls, self.options, system.config)
        self._say(excerpt.said)
        return excerpt, held

    def dance(
        self, piece: Piece, system: AnySystem, character: Character | None, codes: Sequence[np.ndarray] | None = None
    ) -> list[tuple[Format, Path]]:
        """Dance to a song, and name the files that were written.

        Args:
            piece: which song.
            system: that dances.
            character: whose figure is written; None for the mannequin.
            codes: pose codes ``(T, 2)`` for each seed, where they have been chosen already.

        Raises:
            DuendeError: as :meth:`heard` does, the system cannot do what is asked, or a file cannot be written.
        """
        excerpt, held = self.heard(piece.song, system)
        if codes is None:
            motions = [self._danced(seed, excerpt, held, system) for seed in self.seeds]
        else:
            performer, times = of_codes(system, "--batch"), excerpt.heard.beats.times
            motions = [finished(performer.perform(each), times, self.options.clean_up) for each in codes]
        self._write(piece, [self._shaped(motion, excerpt) for motion in motions], excerpt, character)
        return self.files(piece.place)

    def _danced(self, seed: int, excerpt: Excerpt, held: HeldMotion | None, system: AnySystem) -> Motion:
        with self._bar("dancing" if len(self.seeds) == 1 else f"dancing, seed {seed}") as bar:
            return system.dance(
                excerpt.heard,
                seed=seed,
                sampling=self.sampling(system),
                style=self.options.style,
                held=held,
                clean_up=self.options.clean_up,
                progress=_advance(bar),
            )

    def _shaped(self, motion: Motion, excerpt: Excerpt) -> Motion:
        return self.controls.shaped(excerpt.fitted(motion, self.options.clean_up), excerpt.loop_frames)

    def _write(self, piece: Piece, dances: Sequence[Motion], excerpt: Excerpt, character: Character | None) -> None:
        several = len(dances) > 1
        variants = tuple(Variant(f"seed {seed}", dance) for seed, dance in zip(self.seeds, dances, strict=True))
        show = partial(
            Performance,
            title=piece.song.stem,
            song=excerpt.song,
            beats=excerpt.beats,
            character=character,
            loop=excerpt.loop_frames is not None,
            bvh_unit=self.options.bvh_unit,
            variants=variants if several else (),
        )
        performances = [show(dance) for dance in dances]
        for entry, number, file in self._written(piece.place):
            with self._bar(f"writing {entry.name}") as bar:
                entry.write(performances[number], file, _advance(bar))

    def _written(self, place: Path) -> list[tuple[Format, int, Path]]:
        """List formats, which dance is written in each, and where: once what shows several, else each of them."""
        several = len(self.seeds) > 1
        return [
            (FORMATS[name], number, place.with_name(f"{place.name}{ending}.{name}"))
            for name in self.formats
            for number, ending in enumerate(
                [f"-seed{seed}" for seed in self.seeds] if several and name not in TOGETHER else [""]
            )
        ]

    def _bar(self, label: str) -> tqdm:
        return tqdm(
            desc=label,
            file=sys.stderr,
            leave=False,
            disable=True if self.quiet else None,
            bar_format="{desc} {percentage:3.0f}% {bar}",
        )

    def _say(self, sentence: str) -> None:
        if not self.quiet:
            print(sentence, file=sys.stderr, flush=True)


def _advance(bar: tqdm) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return advance
