"""Who gets the frames of a dance, and how a whole dance is handed to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from duende.live.frames import on_soles
from duende.live.measurements import Measurements
from duende.live.sources import SoundSource
from duende.motion.chunks import MotionChunk


class Receiver(Protocol):
    """Something that shows a dance or passes it on."""

    def take(self, chunk: MotionChunk) -> None:
        """Take frames as soon as they are known, soles at height 0; never wait."""

    def finish(self) -> None:
        """Come back when the last frame has had its moment."""

    def close(self) -> None:
        """Stop at once."""

    def measured(self) -> dict[str, Any]:
        """Say what happened, as JSON values."""


def hand_out(
    chunks: Iterable[MotionChunk], source: SoundSource, receivers: Sequence[Receiver], measurements: Measurements
) -> None:
    """Give each chunk of a dance to all receivers as it comes, and close everything at the end, also after a mistake.

    Args:
        chunks: of the dance; asking for the next one lets the source play on.
        source: what is danced to.
        receivers: none are fine: then the dance is only measured.
        measurements: are told of each chunk.
    """
    try:
        for chunk in chunks:
            for receiver in receivers:
                receiver.take(on_soles(chunk))
            measurements.sent(chunk, source.moment)
        for receiver in receivers:
            receiver.finish()
    finally:
        measurements.end()
        source.close()
        for receiver in receivers:
            receiver.close()
