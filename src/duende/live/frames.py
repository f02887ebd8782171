"""How frames travel: fixed little-endian records for the page and for plain UDP.

In both, the root is in metres with the soles of standing feet at height 0 (a :class:`~duende.motion.Motion` has the
joints of the feet there), Y up, +Z where the dancer looks at rest, the dancer's left at +X. Turns are local unit
quaternions x, y, z, w of SMPL's 24 joints in their order.
"""

from __future__ import annotations

import numpy as np

from duende.formats.body import load_body
from duende.formats.performance import raised
from duende.motion import SMPL24
from duende.motion.chunks import MotionChunk

UNIT = 32_767
"""What 1 is in a record of the page: a turn errs by less than 0.01 degrees."""
RECORD = np.dtype([("number", "<u4"), ("root", "<f4", (3,)), ("turns", "<i2", (len(SMPL24), 4))])
"""A frame for the page, 208 bytes."""
MAGIC = b"DUE1"
"""The first bytes of each packet."""
PACKET = np.dtype(
    [("magic", "S4"), ("number", "<u4"), ("fps", "<f4"), ("root", "<f4", (3,)), ("turns", "<f4", (len(SMPL24), 4))]
)
"""A frame for UDP, 408 bytes."""


def on_soles(chunk: MotionChunk) -> MotionChunk:
    """Return the chunk with the soles of standing feet at height 0, as everything outside has it."""
    return MotionChunk(chunk.begin, raised(chunk.motion, load_body().sole))


def page_records(chunk: MotionChunk) -> bytes:
    """Write the frames of a chunk one after another as :data:`RECORD`; soles are where they are in the chunk."""
    records = np.zeros(len(chunk.motion), RECORD)
    records["number"] = np.arange(chunk.begin, chunk.end)
    records["root"] = chunk.motion.root
    records["turns"] = np.rint(chunk.motion.rotations * UNIT)
    return records.tobytes()


def udp_packets(chunk: MotionChunk) -> list[list[bytes]]:
    """Write each frame of a chunk as one packet, a :data:`PACKET`; soles are where they are in the chunk."""
    packets = np.zeros(len(chunk.motion), PACKET)
    packets["magic"] = MAGIC
    packets["number"] = np.arange(chunk.begin, chunk.end)
    packets["fps"] = chunk.motion.fps
    packets["root"] = chunk.motion.root
    packets["turns"] = chunk.motion.rotations
    return [[packet.tobytes()] for packet in packets]
