"""The look that all figures share: sizes, type, colours, and the files they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

from duende.errors import DuendeError
from duende.files import replacing

COLUMN, PAGE = 3.39, 7.01
"""Inches: the widths of a column and of a page in IEEE's conference layout (86 and 178 mm)."""
WIDTHS = {"column": COLUMN, "page": PAGE}
RESOLUTION = 300
"""Dots an inch, of PNG files and of pictures inside the others."""

TYPE = 7.5
"""Points."""
BLACK, GREY, LIGHT = "#000000", "#7f7f7f", "#d9d9d9"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours that people with any form of colour blindness tell apart (Okabe and Ito, "Color Universal Design", 2008)."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2)), (0, (1, 1)))
"""Lines differ in their dashes too, for prints without colour."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    # The font that comes with matplotlib: every machine makes the same file.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TYPE,
    "axes.labelsize": TYPE,
    "axes.titlesize": TYPE,
    "axes.titleweight": "bold",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.labelspacing": 0.25,
    "legend.borderaxespad": 0.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 3,
    # One picture for each figure in a row, at its own place.
    "image.composite_image": False,
    # Type that stays type in a PDF (publishers refuse the other kind), and outlines in SVG.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "duende",
}
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


@contextmanager
def look() -> Iterator[None]:
    """Give figures made inside the shared look; as a decorator, those that a function makes."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def strokes(count: int) -> list[dict[str, Any]]:
    """Return ``count`` line styles that differ in colour and dashes."""
    pairs = zip(cycle(PALETTE), cycle(DASHES), strict=False)
    return [{"color": colour, "linestyle": dashes} for colour, dashes in islice(pairs, count)]


def plain_numbers(axis: Axis, ticks: Sequence[float] | None = None) -> None:
    """Number a logarithmic axis without powers: at ``ticks``, or where it suits the range that it shows by now."""
    if ticks is None:
        low, high = axis.get_view_interval()
        decades = np.log10(high / low)
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades > 0.9 else (1, 1.5, 2, 3, 4, 5, 6, 8)))
    else:
        axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write ``name.pdf``, ``name.svg`` and ``name.png``: the same figure gives the same bytes at any time.

    Raises:
        DuendeError: the folder cannot be written, or the name holds a folder.
    """
    if Path(name).name != name:
        raise DuendeError(f"{name!r} is no name for a figure's files; leave out folders, and name those with --out")
    paths = []
    with look():
        for suffix, metadata in _METADATA.items():
            path = Path(folder) / f"{name}.{suffix}"
            with replacing(path) as temporary:
                figure.savefig(temporary, metadata=metadata, dpi=RESOLUTION)
            paths.append(path)
    return paths
