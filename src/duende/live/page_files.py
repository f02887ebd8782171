"""What the live page is made of: files that are served as they are, and the figure that dances."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np

from duende.formats.page_data import page_data
from duende.formats.performance import Variant
from duende.motion import SMPL24, Motion

TEXT = "text/{}; charset=utf-8"
FILES = {
    "/": ("live.html", TEXT.format("html")),
    "/style.css": ("style.css", TEXT.format("css")),
    "/live.css": ("live.css", TEXT.format("css")),
    "/live.bundle.js": ("live.bundle.js", TEXT.format("javascript")),
}
"""By their addresses: names in ``formats/web``, and kinds."""

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self' data: blob:; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@cache
def page_file(path: str) -> tuple[bytes, str] | None:
    """Return content and kind of what the page asks for, None where there is nothing of that name."""
    if path == "/figure.json":
        return _figure(), "application/json"
    if path not in FILES:
        return None
    name, kind = FILES[path]
    return (resources.files("duende.formats") / "web" / name).read_bytes(), kind


def _figure() -> bytes:
    """The mannequin with one frame in which it rests, as the viewer reads pages (web/data.js)."""
    rest = Motion(np.tile([0.0, 0.0, 0.0, 1.0], (1, len(SMPL24), 1)), np.array([[0.0, SMPL24.rest_height, 0.0]]))
    return json.dumps(page_data((Variant("live", rest),), None)).encode()
