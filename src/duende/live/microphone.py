"""The microphone, through PortAudio (the package ``sounddevice``)."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from duende.errors import DuendeError
from duende.live.clock import Clock, MonotonicClock
from duende.live.sources import CHUNK_SECONDS

PATIENCE = 10.0
"""Seconds of sound that may wait for a dance that is too slow."""
SILENT = 5.0
"""Seconds without any chunk after which a device counts as gone."""
DRIFT = 2e-4
"""Share by which the device's clock may run slower than the computer's: cheap ones are off by half of that."""


class SoundPace:
    """When the first sample was heard, from when chunks arrive: the clocks of sound card and computer drift apart."""

    def __init__(self) -> None:
        self.begun: float | None = None

    def arrived(self, now: float, seconds: float, chunk: float) -> None:
        """Learn that at ``now`` so many ``seconds`` of sound had come, the last ``chunk`` of them in this moment.

        Chunks come late and never early, so the earliest tells the pace.
        """
        begun = now - seconds
        self.begun = begun if self.begun is None else min(begun, self.begun + DRIFT * chunk)


class MicrophoneSource:
    """Sound from an input device.

    Args:
        device: its number or a part of its name; None for the system's own choice.
        seconds: how long to listen; None until it is closed.
        clock: what the moments are told by.

    Raises:
        DuendeError: sounddevice or PortAudio is missing, or there is no such device.
    """

    title = "microphone"

    def __init__(self, device: str | None = None, seconds: float | None = None, clock: Clock | None = None) -> None:
        self._library = _sounddevice()
        self._device: str | int | None = int(device) if device is not None and device.isdecimal() else device
        self.rate = _input_rate(self._library, self._device)
        self.lost = 0
        self._seconds = seconds
        self._clock = clock or MonotonicClock()
        self._pace = SoundPace()
        self._heard = 0
        self._waiting: queue.Queue[np.ndarray | None] = queue.Queue(round(PATIENCE / CHUNK_SECONDS))
        self._too_slow = False
        self._stream: Any = None

    @property
    def moment(self) -> float | None:
        """Seconds since the first sound; None before it."""
        begun = self._pace.begun
        return None if begun is None else self._clock.now() - begun

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield what is heard, in chunks ``(n,)`` float32.

        Raises:
            DuendeError: the device cannot be opened or falls silent, or what consumes the sound is too slow for it.
        """
        self._open()
        left = None if self._seconds is None else round(self._seconds * self.rate)
        while left is None or left > 0:
            try:
                chunk = self._waiting.get(timeout=SILENT)
            except queue.Empty:
                raise DuendeError("the microphone gives no sound any more; check that it is plugged in") from None
            if chunk is None:
                return
            if self._too_slow:
                raise DuendeError(
                    f"the dance is more than {PATIENCE:g} s behind the microphone: this machine is too slow for this "
                    "model; say --candidates 1 or name a smaller --model"
                )
            chunk = chunk[:left]
            left = None if left is None else left - len(chunk)
            yield chunk

    def close(self) -> None:
        """Stop listening; ``chunks`` then ends."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if not self._waiting.full():
            self._waiting.put_nowait(None)

    def _open(self) -> None:
        try:
            self._stream = self._library.InputStream(
                samplerate=self.rate,
                blocksize=round(CHUNK_SECONDS * self.rate),
                device=self._device,
                channels=1,
                dtype="float32",
                latency="low",
                callback=self._arrived,
            )
            self._stream.start()
        except (self._library.PortAudioError, ValueError) as error:
            raise DuendeError(f"the microphone cannot be opened ({error}); close what else uses it") from error

    def _arrived(self, samples: np.ndarray, frames: int, times: object, status: Any) -> None:
        """Take a chunk; PortAudio calls this in a thread of its own, which must never wait."""
        if status:
            self.lost += 1
        self._heard += frames
        self._pace.arrived(self._clock.now(), self._heard / self.rate, frames / self.rate)
        try:
            self._waiting.put_nowait(samples[:, 0].copy())
        except queue.Full:
            self._too_slow = True


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ImportError:
        raise DuendeError("the microphone needs sounddevice; install it with: pip install 'duende[live]'") from None
    except OSError:
        raise DuendeError(
            "the microphone needs the library PortAudio; install it (Debian: apt install libportaudio2)"
        ) from None
    return sounddevice


def _input_rate(library: ModuleType, device: str | int | None) -> int:
    try:
        return round(library.query_devices(device, "input")["default_samplerate"])
    except (library.PortAudioError, ValueError):
        known = [entry["name"] for entry in library.query_devices() if entry["max_input_channels"] > 0]
        if not known:
            raise DuendeError("no microphone was found; plug one in, or name a song in place of it") from None
        raise DuendeError(f"there is no microphone {device!r}; there are: {', '.join(known)}") from None
