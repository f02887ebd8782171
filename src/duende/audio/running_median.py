"""Running medians of 31 values, of many rows side by side.

Windows that lie near each other share most of their values: what eight windows share is sorted once, and so is, of what
is left, what four and what two of them share (Adams, "Fast median filters using separable sorting networks", 2021, in
one dimension). Values are compared by minima and maxima of whole arrays, which the processor takes many at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SIZE = 31
GROUP = 8
"""Windows that begin with the same sorted values."""
AT_ONCE, GROUPS_AT_ONCE = 1 << 14, 128
"""Values, and groups, of each array that is compared, so that all of them stay in the processor's cache."""

Sorted = list[np.ndarray]
"""Arrays of one shape, each at no place more than the next."""


def running_median(values: np.ndarray) -> np.ndarray:
    """Return the medians of :data:`SIZE` values of ``(T, N)`` along the first axis, mirrored at its ends.

    The value at an end is repeated once, as in ``scipy.ndimage``'s mode ``reflect``. The result is exact.
    """
    count, width = values.shape
    groups = -(-count // GROUP)
    # Two groups more on either side, for the windows of the first and the last values.
    mirrored = np.arange(-2 * GROUP, (groups + 2) * GROUP) % (2 * count)
    mirrored = np.minimum(mirrored, 2 * count - 1 - mirrored)
    result = np.empty_like(values)
    columns = max(1, AT_ONCE // min(groups + 4, GROUPS_AT_ONCE))
    for first in range(0, width, columns):
        part = slice(first, first + columns)
        rows = np.ascontiguousarray(values[:, part])[mirrored].reshape(groups + 4, GROUP, -1).swapaxes(0, 1)
        medians = np.empty((groups, GROUP, rows.shape[2]), values.dtype)
        for begin in range(0, groups, GROUPS_AT_ONCE):
            block = np.ascontiguousarray(rows[:, begin : begin + GROUPS_AT_ONCE + 4])
            for place, median in enumerate(_Medians(block)):
                medians[begin : begin + GROUPS_AT_ONCE, place] = median
        result[:, part] = medians.reshape(groups * GROUP, -1)[:count]
    return result


class _Medians:
    """Medians about all groups but two at either end, place by place, of ``values`` by place ``(8, G, N)``."""

    def __init__(self, values: np.ndarray) -> None:
        self._count = values.shape[1] - 4
        self._sorted = {range(place, place + 1): [row] for place, row in enumerate(values)}
        for size in (2, 4, 8):
            for place in range(0, GROUP, size):
                halves = (self._sorted[range(begin, begin + size // 2)] for begin in (place, place + size // 2))
                self._sorted[range(place, place + size)] = _merged(*halves)

    def __iter__(self) -> Iterator[np.ndarray]:
        before, here, after = (self._around(range(GROUP * shift, GROUP * (shift + 1))) for shift in (-1, 0, 1))
        return self._narrowed(_middle(_merged(before, here), after), 0)

    def _narrowed(self, middle: Sorted, first: int) -> Iterator[np.ndarray]:
        """Medians of the windows about places from ``first`` on, as many as there are values in ``middle``.

        The median is one of those, or of the values that not all of the windows share.
        """
        if len(middle) == 1:
            yield middle[0]
            return
        half, reach = len(middle) // 2, SIZE // 2
        # What the earlier half of the windows share beside it lies before it, what the later half share after it.
        before, after = first + half - 1 - reach, first + 1 + reach
        for begin, added in ((first, before), (first + half, after)):
            yield from self._narrowed(_middle(middle, self._around(range(added, added + half))), begin)

    def _around(self, offsets: range) -> Sorted:
        """Return, sorted, what lies at ``offsets`` from the first value of each group."""
        shift, place = divmod(offsets.start, GROUP)
        return [row[2 + shift : 2 + shift + self._count] for row in self._sorted[range(place, place + len(offsets))]]


def _merged(first: Sorted, second: Sorted) -> Sorted:
    """Merge two sorted lists of one length."""
    return _ordered([*first, *second[::-1]])


def _middle(first: Sorted, second: Sorted) -> Sorted:
    """Return, sorted, the middle third of ``first``, twice as long as ``second``, and ``second`` together."""
    third = len(second)
    # Of a sorted list and one sorted the other way, pairwise minima are the lower half of both.
    lower = _ordered([np.minimum(a, b) for a, b in zip(first[third:], second[::-1], strict=True)])
    return _ordered([np.maximum(a, b) for a, b in zip(first[:third], lower[::-1], strict=True)])


def _ordered(rows: Sorted) -> Sorted:
    """Sort what rises and then falls, or falls and then rises (Batcher's bitonic merge)."""
    half = len(rows) // 2
    if not half:
        return rows
    pairs = list(zip(rows[:half], rows[half:], strict=True))
    return [*_ordered([np.minimum(*pair) for pair in pairs]), *_ordered([np.maximum(*pair) for pair in pairs])]
