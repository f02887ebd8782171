"""What a page carries of a dance: body, movement, contacts and beats as small JSON values.

Arrays are base64 of raw deflate. What moves is stored as differences between frames, so that three minutes at 60 frames
a second take less than a megabyte.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from duende.audio.music import Beats
from duende.formats.body import Body, load_body
from duende.formats.performance import Variant
from duende.formats.renderer import standing_floor
from duende.motion import SMPL24, Motion
from duende.motion.contacts import foot_contacts
from duende.motion.joining import mean_facing

STEPS = 32_767
"""Steps of a packed quaternion's number over its range of plus or minus the root of one half."""
ROOT_STEP = 1e-4
"""Metres between two neighbouring values of a packed root path."""


def page_data(dances: Sequence[Variant], beats: Beats | None) -> dict[str, Any]:
    """Describe dances of one length and rate as the viewer reads them (web/data.js).

    Args:
        dances: one or more on SMPL24.
        beats: of their song.
    """
    motion, body = dances[0].motion, load_body()
    heard = beats or Beats(np.zeros(0), np.zeros(0), 0.0)
    return {
        "fps": motion.fps,
        "frames": len(motion),
        "duration": motion.duration,
        "names": SMPL24.names,
        "parents": SMPL24.parents,
        "sole": round(body.sole, 4),
        "body": _body(body),
        "dances": [_dance(dance, body) for dance in dances],
        "beats": _within(heard.times, motion.duration),
        "downbeats": _within(heard.downbeats, motion.duration),
        "tempo": float(heard.tempo),
    }


def _dance(dance: Variant, body: Body) -> dict[str, Any]:
    motion, floor = dance.motion, standing_floor(dance.motion, body)
    # Contacts are those with the floor that is seen: level it at the height that joints have on it.
    level = motion.positions - np.array([0.0, floor + body.sole, 0.0])
    return {
        "name": dance.name,
        "offsets": motion.skeleton.offsets.tolist(),
        "floor": round(floor, 4),
        "facing": round(_facing(motion), 4),
        "turns": packed(pack_quaternions(motion.rotations).reshape(len(motion), -1), moving=True),
        "root": packed(np.rint(motion.root / ROOT_STEP).astype(np.int32), moving=True),
        "contacts": packed(np.packbits(foot_contacts(level, motion.fps).reshape(-1))),
    }


def pack_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Pack unit quaternions ``(..., 4)`` into ``(..., 3)`` uint16.

    The largest of the four numbers follows from the others and is left out; those take 15 bits each, and the top bits
    of the first two words say which one is missing. A joint errs by less than 0.01 degrees.
    """
    quaternions = rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)
    largest = np.argmax(np.abs(quaternions), axis=-1)
    sign = np.where(np.take_along_axis(quaternions, largest[..., None], axis=-1) < 0, -1.0, 1.0)
    kept = np.array([[i for i in range(4) if i != missing] for missing in range(4)])[largest]
    smaller = np.take_along_axis(quaternions * sign, kept, axis=-1)
    words = np.clip(np.rint((smaller * np.sqrt(0.5) + 0.5) * STEPS), 0, STEPS).astype(np.uint16)
    words[..., 0] |= ((largest & 1) << 15).astype(np.uint16)
    words[..., 1] |= ((largest >> 1) << 15).astype(np.uint16)
    return np.asarray(words)


def packed(values: np.ndarray, moving: bool = False) -> str:
    """Deflate an array and write it as base64.

    Args:
        values: little endian; of any shape.
        moving: ``(T, C)`` integers that change smoothly over time. Stored are their second differences (modulo the
            integer's range, the first two from zero), small ones of either sign as small numbers (zigzag), channel
            after channel, all high bytes before all low ones.
    """
    values = np.ascontiguousarray(values)
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    if moving:
        raw = _differences(values)
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(squeezer.compress(raw) + squeezer.flush()).decode("ascii")


def _differences(values: np.ndarray) -> bytes:
    size = values.dtype.itemsize
    signed, unsigned = np.dtype(f"i{size}"), np.dtype(f"u{size}")
    words = values.astype(unsigned).T
    for _ in range(2):
        words = np.diff(words, axis=1, prepend=np.zeros((len(words), 1), unsigned))
    steps = words.view(signed)
    zigzag = np.ascontiguousarray((steps << 1) ^ (steps >> (8 * size - 1))).astype(f">u{size}")
    return zigzag.view(np.uint8).reshape(-1, size).T.tobytes()


def _body(body: Body) -> dict[str, str]:
    return {
        "vertices": packed(body.vertices.astype("<f4")),
        "normals": packed(np.rint(body.normals * 127).astype(np.int8)),
        "triangles": packed(body.triangles.astype("<u2")),
        "joints": packed(body.joints.astype(np.uint8)),
        "weights": packed(np.rint(body.weights * 255).astype(np.uint8)),
        "colours": packed(body.colours.astype(np.uint8)),
    }


def _facing(motion: Motion) -> float:
    """Direction in radians about the vertical in which the pelvis mostly looks, 0 where it has no favourite."""
    ahead = mean_facing(motion)
    return float(np.arctan2(*ahead)) if np.linalg.norm(ahead) > 0.3 else 0.0


def _within(times: np.ndarray, duration: float) -> list[float]:
    return [round(float(time), 3) for time in times if 0 <= time < duration]
