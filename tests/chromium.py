"""The browser that tests of pages open."""

from __future__ import annotations

import shutil

import pytest


def chromium() -> str:
    """The program; the test is skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs Chromium on the path")
    return found
