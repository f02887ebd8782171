"""Draws every n-th frame of a dance and writes them, raw, to standard output: started by :mod:`duende.formats.video`.

Arguments: the job's file, this worker's number, how many workers there are.
"""

from __future__ import annotations

import queue
import sys
import threading

import cv2
import numpy as np

from duende.formats.camera import CameraStyle
from duende.formats.renderer import Renderer
from duende.formats.video import to_yuv
from duende.motion import Motion

AHEAD = 6
"""Frames that a worker draws ahead of the encoder."""


def main(job: str, number: int, count: int) -> None:
    """Draw frames ``number``, ``number + count``, ... of the job."""
    cv2.setNumThreads(1)
    with np.load(job) as stored:
        motion = Motion(stored["rotations"], stored["root"], float(stored["fps"]))
        width, height = stored["size"].tolist()
        angle, pitch, lens, follow = stored["camera"].tolist()
    renderer = Renderer(motion, (width, height), CameraStyle(angle, pitch, lens, bool(follow)))
    drawn: queue.Queue[np.ndarray | None] = queue.Queue(AHEAD)
    writer = threading.Thread(target=_write, args=(drawn,), daemon=True)
    writer.start()
    for image in renderer.frames(number, None, count):
        drawn.put(to_yuv(image))
        if not writer.is_alive():
            return
    drawn.put(None)
    writer.join()


def _write(drawn: queue.Queue[np.ndarray | None]) -> None:
    try:
        while (image := drawn.get()) is not None:
            sys.stdout.buffer.write(image.data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The encoder no longer wants frames. Whoever waits for room in the queue must not wait for ever.
        while drawn.get() is not None:
            pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
