"""Running medians against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter

from duende.audio import running_median as module
from duende.audio.running_median import SIZE, running_median


@pytest.mark.parametrize("shape", [(1, 3), (3, 5), (8, 4), (15, 1), (31, 2), (100, 300), (1025, 20), (2300, 9)])
def test_medians_are_exactly_those_of_scipy(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    values[values > 0.9] = 0.5  # Equal values.
    expected = median_filter(values, size=(SIZE, 1), mode="reflect")
    np.testing.assert_array_equal(running_median(values), expected)
    across = running_median(np.ascontiguousarray(values.T).T)
    np.testing.assert_array_equal(across, expected)
    assert across.flags.f_contiguous


def test_how_much_is_done_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((700, 50))
    whole = running_median(values)
    monkeypatch.setattr(module, "GROUPS_AT_ONCE", 3)
    monkeypatch.setattr(module, "AT_ONCE", 64)
    np.testing.assert_array_equal(running_median(values), whole)
