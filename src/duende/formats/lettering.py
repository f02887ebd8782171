"""Text in pictures, drawn with OpenCV: outlines of letters filled at four times the size, then averaged down.

OpenCV's own text is made of strokes and knows no letter beyond ASCII, and the name of a song may hold any. The outlines
are those of Inter, medium weight (``assets/letters.npz``; the SIL Open Font License 1.1 lies beside it).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import cv2
import numpy as np

ASSET = "assets/letters.npz"
UNITS = 2000
"""Units of the outlines in the size of the letters."""
SUPERSAMPLING = 4
SUBPIXEL_BITS = 4
ASCENT, DESCENT = 1.05, 0.35
"""How far letters reach over and under the line that they stand on, in sizes."""


@dataclass(frozen=True, eq=False)
class Letter:
    """One letter: how far the next one stands from it, and its closed contours ``(N, 2)``, y upwards; in units."""

    advance: int
    contours: tuple[np.ndarray, ...]


def text_width(text: str, size: float) -> float:
    """Return the width in pixels of a text whose letters have a ``size`` in pixels."""
    return sum(letter.advance for letter in _letters(text)) * size / UNITS


def write_text(
    picture: np.ndarray, text: str, at: tuple[float, float], size: float, colour: tuple[int, int, int]
) -> None:
    """Write a text into a picture, in place; letters that there are no outlines of are left out.

    Args:
        picture: ``(H, W, 3)`` uint8 BGR.
        text: one line of Latin, Greek or Cyrillic letters.
        at: pixels from the left and from the top to where the text begins, on the line that it stands on.
        size: of the letters, pixels.
        colour: blue, green, red.
    """
    left, top = int(np.floor(at[0])) - 1, int(np.floor(at[1] - ASCENT * size))
    width, height = int(text_width(text, size)) + 4, int((ASCENT + DESCENT) * size) + 2
    mask = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.uint8)
    x, baseline = at[0] - left, at[1] - top
    for letter in _letters(text):
        outlines = []
        for contour in letter.contours:
            pixels = contour * [1.0, -1.0] * (size / UNITS) + [x, baseline]
            # OpenCV puts pixel centres at whole numbers.
            outlines.append(np.rint((pixels * SUPERSAMPLING - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32))
        if outlines:
            cv2.fillPoly(mask, outlines, 255, 8, SUBPIXEL_BITS)
        x += letter.advance * size / UNITS
    share = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    rows, columns = (slice(max(first, 0), max(first + count, 0)) for first, count in ((top, height), (left, width)))
    window = picture[rows, columns]
    share = share[max(-top, 0) :, max(-left, 0) :][: window.shape[0], : window.shape[1]]
    window[:] = np.rint(window + (np.array(colour, np.float32) - window) * share).astype(np.uint8)


def shortened(text: str, size: float, width: float) -> str:
    """Return a text that is no wider than ``width`` pixels, its end left out for dots where it must."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1].rstrip()
    return f"{text}…"


def _letters(text: str) -> list[Letter]:
    known = _outlines()
    found = []
    for character in unicodedata.normalize("NFC", text):
        if character in known:
            found.append(known[character])
        else:
            plain = unicodedata.normalize("NFKD", character)
            found += [known[part] for part in plain if part in known and not unicodedata.combining(part)]
    return found


@lru_cache(maxsize=1)
def _outlines() -> dict[str, Letter]:
    with resources.files("duende.formats").joinpath(ASSET).open("rb") as file, np.load(file) as stored:
        codes, advances, counts, lengths, points = (
            stored[name] for name in ("codes", "advances", "contours", "lengths", "points")
        )
    contours = np.split(points.astype(np.float64), np.cumsum(lengths)[:-1].astype(int))
    last = np.cumsum(counts, dtype=int)
    return {
        chr(code): Letter(int(advance), tuple(contours[end - count : end]))
        for code, advance, count, end in zip(codes.tolist(), advances, counts.tolist(), last.tolist(), strict=True)
    }
