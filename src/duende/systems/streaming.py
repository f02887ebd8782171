"""A dance that is made while its music is heard.

Movement needs to begin before the sound that it belongs to: an accent on a beat is prepared before the beat. So a
phrase is chosen for music that has not been heard yet, as it will probably go on, with the beats where they are
expected. What was really heard then takes the place of what was expected before the next phrase is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from duende.audio.music import Beats
from duende.errors import DuendeError
from duende.models.generation import Audition, Generation
from duende.motion.chunks import MotionChunk
from duende.systems.audition import audition
from duende.systems.coding import StreamingSystem
from duende.systems.decoding import StreamedDecoding
from duende.systems.live_finishing import LiveFinishing

BEYOND = 0.5
"""Seconds after a phrase of which the beats are asked for: its last accents may belong to them."""


class Listener(Protocol):
    """Hears music as it comes and expects how it goes on, in rows of the system's features."""

    def beats(self, ahead: float) -> Beats:
        """Return the last beats that were heard, and those expected in the next ``ahead`` seconds."""

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """Take samples ``(n,)`` that follow; return the rows ``(k, D)`` that are complete now."""

    def expected(self, count: int) -> np.ndarray:
        """Return the next rows ``(count, D)`` as they will probably be."""

    def finish(self) -> np.ndarray:
        """Return the rows ``(k, D)`` of sound that fills no whole row."""


@dataclass(frozen=True)
class LiveTiming:
    """How far ahead of the music a dance is made.

    Attributes:
        phrase: codes that are chosen together.
        lead: a phrase is chosen once so many codes are left for which no music was heard.
        settle: seconds that frames wait for what comes after, for the clean-up.
    """

    phrase: int = 7
    lead: int = 8
    settle: float = 0.4

    def __post_init__(self) -> None:
        if self.phrase < 1 or self.lead < 0 or self.settle < 0:
            raise DuendeError(
                f"a phrase has 1 code or more, lead and settle are 0 or more, got {self.phrase}, {self.lead} and "
                f"{self.settle}"
            )


class LiveDance:
    """Sound in, frames out: the same frames however the sound is cut into pieces.

    Args:
        system: that dances, with a decoder that looks ahead by a stated number of codes.
        listener: to the music.
        generation: of the system's codes, at its first one.
        rate: of the sound, samples a second.
        candidates: continuations of each phrase, the best of which goes on.
        timing: how far ahead it is made.
        clean_up: take trembling out and plant the feet.

    Raises:
        DuendeError: the system's decoder looks both ways.
    """

    def __init__(
        self,
        system: StreamingSystem,
        listener: Listener,
        generation: Generation,
        rate: int,
        candidates: int = 1,
        timing: LiveTiming | None = None,
        clean_up: bool = True,
    ) -> None:
        self.system, self.listener, self.candidates = system, listener, candidates
        self.timing = timing or LiveTiming()
        self._decoding = StreamedDecoding(system)
        self._finishing = LiveFinishing(system, round(self.timing.settle * system.config.frame_rate), clean_up)
        self._finishing.add(self._decoding.add(generation.codes[0].cpu().numpy()))
        self._generation = generation
        self._row_length, self._row_filled, self._rate = rate / system.config.code_rate, 0, rate
        self._heard = 0
        """Rows that were heard."""
        self._rows = np.zeros((0, system.gpt.config.music_dimension), np.float32)
        """The last of them: those of codes to which the generation has not gone yet."""
        self._ahead = np.zeros((0, 2), np.int64)
        """Codes that were chosen and to which the generation has not gone yet, since their music was not heard."""

    @property
    def look_ahead(self) -> float:
        """Seconds for which the dance is chosen before its music is heard, at the most."""
        return (self.timing.lead + self.timing.phrase) / self.system.config.code_rate

    def hear(self, samples: np.ndarray) -> Iterator[MotionChunk]:
        """Take mono samples ``(n,)`` that follow; yield the frames that are ready."""
        for piece in self._by_row(np.asarray(samples)):
            self._take(self.listener.hear(piece))
            while self._heard and self._chosen - self._heard <= self.timing.lead:
                yield from self._choose()

    def finish(self) -> Iterator[MotionChunk]:
        """Yield the frames that are left until the last sound; those of a phrase begun before it go on after it."""
        self._take(self.listener.finish())
        frames = max(1, self._heard) * self.system.upper.downsampling
        while self._finishing.left < frames:
            yield from self._choose()

    @property
    def _chosen(self) -> int:
        return self._generation.count + len(self._ahead)

    def _by_row(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Cut sound where rows of features end, so that what is expected never depends on how it came."""
        while len(samples):
            row = int(self._row_filled / self._row_length + 1e-9)
            wanted = math.ceil((row + 1) * self._row_length - 1e-9) - self._row_filled
            piece, samples = samples[:wanted], samples[wanted:]
            self._row_filled += len(piece)
            yield piece

    def _take(self, rows: np.ndarray) -> None:
        # The first code is where the dance starts, whatever the music.
        self._rows = np.concatenate([self._rows, rows[1:] if self._heard == 0 else rows])
        self._heard += len(rows)
        self._go_on()

    def _go_on(self) -> None:
        """Let the generation hear the real music of codes that were chosen before it was heard."""
        count = min(len(self._rows), len(self._ahead))
        if count:
            self._generation.extend(self._music(self._rows[:count]), given=self._given(self._ahead[:count]))
            self._rows, self._ahead = self._rows[count:], self._ahead[count:]

    def _choose(self) -> Iterator[MotionChunk]:
        """Choose a phrase, decode it, and yield the frames that are ready."""
        end = self._chosen + self.timing.phrase
        rows = self._rows[: end - self._generation.count]
        if end > self._heard:
            rows = np.concatenate([rows, self.listener.expected(end - self._heard)])
        plan, given = self._generation.copy(), len(self._ahead)
        if given:
            plan.extend(self._music(rows[:given]), given=self._given(self._ahead))
        chosen = plan.extend(self._music(rows[given:]), audition=self._audition(end))[0].cpu().numpy()
        self._ahead = np.concatenate([self._ahead, chosen])
        self._go_on()
        chunk = self._finishing.add(self._decoding.add(chosen))
        if chunk is not None:
            yield chunk

    def _audition(self, end: int) -> Audition | None:
        # At first nothing is known of the beat, and somebody waits for a frame.
        if self.candidates == 1 or self._heard <= 1:
            return None
        rate = self.system.config.code_rate
        beats = self.listener.beats((end - self._heard) / rate + BEYOND)
        return audition(self.system, self.candidates, beats.times, end / rate)

    def _music(self, rows: np.ndarray) -> Tensor:
        music = torch.from_numpy(np.asarray(rows, np.float32)).to(self.system.device)
        return self.system.normalise(music)[None]

    def _given(self, codes: np.ndarray) -> Tensor:
        return torch.from_numpy(codes).to(self.system.device)[None]
