"""A song through MERT: exactly 75 frames a second, window by window.

Frame ``j`` describes the sound around ``(j + 0.5) / 75`` seconds. Windows have the length that MERT was trained on;
they overlap, and of each only the frames are kept that have sound on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from duende.audio.feature_sets import ROWS_A_SECOND, row_count
from duende.audio.mert.config import RECEPTIVE_FIELD, STRIDE
from duende.audio.mert.weights import RATE, Mert
from duende.audio.song import Song

FRAMES_A_SECOND = RATE // STRIDE
FRAMES_IN_ROW = round(FRAMES_A_SECOND / ROWS_A_SECOND)
WINDOW = 384
"""Frames: 5.12 seconds, the length of the pieces that MERT was trained on."""
MARGIN = 64
"""Frames that a window gives up on each side but at the ends of the song: 0.85 seconds, the reach of the positional
convolution. With less, frames beside a seam differ several times more from those of an uncut song than others do."""
HOP = WINDOW - 2 * MARGIN
"""Frames from one window to the next: 3.41 seconds."""
BATCH = {"cpu": 4, "cuda": 16}
"""Windows at a time."""
LARGEST = float(np.finfo(np.float16).max)

Progress = Callable[[int, int], object]


def mert_frames(song: Song, mert: Mert, progress: Progress | None = None, batch: int | None = None) -> np.ndarray:
    """Compute the features of the last layer, after its norm.

    Args:
        song: of any length and rate.
        mert: the pretrained network.
        progress: called with the windows done and their number.
        batch: windows at a time; memory grows with it.

    Returns:
        ``(10 * rows, width)`` float32 with ``rows = ceil(7.5 * seconds)``, at least one; after the end of the song they
        describe silence.
    """
    return _listened(song, mert, np.dtype(np.float32), progress, batch)


def mert_rows(song: Song, mert: Mert, progress: Progress | None = None, batch: int | None = None) -> np.ndarray:
    """Compute the frames of :func:`mert_frames`, those of a pose code beside each other.

    Returns:
        ``(rows, 10 * width)`` float16 at 7.5 rows a second; row ``i`` holds the frames ``10 i`` to ``10 i + 9`` in the
        order of time.
    """
    frames = _listened(song, mert, np.dtype(np.float16), progress, batch)
    return frames.reshape(-1, FRAMES_IN_ROW * mert.width)


def windows(frames: int) -> list[tuple[int, int, int]]:
    """Cut a song into windows of equal length.

    Args:
        frames: of the song.

    Returns:
        For each window its first frame, and the first and one past the last frame of the song that are kept of it. The
        last window is moved back so that it is full; a song no longer than a window is one window of its own length.
    """
    count = 1 + max(0, -(-(frames - WINDOW) // HOP))
    starts = [min(index * HOP, max(0, frames - WINDOW)) for index in range(count)]
    edges = [0, *(index * HOP + MARGIN for index in range(1, count)), frames]
    return list(zip(starts, edges[:-1], edges[1:], strict=True))


def _listened(song: Song, mert: Mert, kind: np.dtype[Any], progress: Progress | None, batch: int | None) -> np.ndarray:
    result = np.empty((row_count(song.duration) * FRAMES_IN_ROW, mert.width), kind)
    sound = _sound(song, len(result), mert.normalise)
    cuts = windows(len(result))
    size = batch or BATCH.get(mert.device.type, BATCH["cpu"])
    for done, part, heard in _batches(sound, cuts, size, mert):
        for (start, first, last), frames in zip(part, heard, strict=True):
            result[first:last] = frames[first - start : last - start]
        if progress is not None:
            progress(done, len(cuts))
    return result


def _batches(
    sound: np.ndarray, cuts: list[tuple[int, int, int]], size: int, mert: Mert
) -> Iterator[tuple[int, list[tuple[int, int, int]], np.ndarray]]:
    """Yield the windows done so far, the cuts of a batch, and its features ``(windows, frames, width)``."""
    overhang = RECEPTIVE_FIELD - STRIDE
    length = min(WINDOW * STRIDE, len(sound) - overhang) + overhang
    for begin in range(0, len(cuts), size):
        part = cuts[begin : begin + size]
        pieces = np.stack([sound[start * STRIDE : start * STRIDE + length] for start, _, _ in part])
        with torch.inference_mode():
            heard = mert.encoder(torch.from_numpy(pieces).to(mert.device))
        yield begin + len(part), part, heard.float().clamp(-LARGEST, LARGEST).cpu().numpy()


def _sound(song: Song, frames: int, normalise: bool) -> np.ndarray:
    """Samples ``(320 * frames + 80,)`` at 24 kHz, silent before and after the song."""
    samples = song.resampled(RATE).samples[: frames * STRIDE] if len(song.samples) else song.samples
    if normalise and len(samples):
        # Mean and variance of the whole song: those of each window would make the same sound differ on the two sides of
        # a seam, and blow up the noise of a quiet passage.
        deviation = float(np.sqrt(samples.var(dtype=np.float64) + 1e-7))
        samples = (samples - float(samples.mean(dtype=np.float64))) / deviation
    # A frame sees 400 samples and the next one begins 320 later: with 40 more on each side, 320 samples give exactly
    # one frame, and the middle of what it sees is the middle of its 320.
    before = (RECEPTIVE_FIELD - STRIDE) // 2
    return np.pad(samples, (before, before + frames * STRIDE - len(samples)))
