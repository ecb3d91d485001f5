"""Ranks of a column, and how far apart its values lie."""

from __future__ import annotations

import numpy as np

from whence.compile import kernel


@kernel("int64[::1](float64[::1], int64[::1])")
def doubled_ranks(values, order):  # type: ignore[no-untyped-def]
    """Return twice the rank of each value, ties at their mean rank, shape (n,); ``order`` sorts the values."""
    n = len(values)
    ranks = np.empty(n, dtype=np.int64)
    start = 0
    while start < n:
        end = start + 1
        while end < n and values[order[end]] == values[order[start]]:
            end += 1
        for place in range(start, end):
            ranks[order[place]] = start + 1 + end
        start = end
    return ranks


@kernel("int64(float64[::1], float64)")
def gaps_up_to(ordered, limit):  # type: ignore[no-untyped-def]
    """Return how many pairs of sorted values lie no more than the limit apart."""
    count = 0
    upper = 0
    for lower in range(len(ordered)):
        while upper < len(ordered) and ordered[upper] - ordered[lower] <= limit:
            upper += 1
        count += upper - lower - 1
    return count


@kernel("float64(float64[::1], int64)")
def nth_gap(ordered, place):  # type: ignore[no-untyped-def]
    """Return the gap of a place, counted from 1, among those of all pairs of sorted values, by halving."""
    low, high = 0.0, ordered[-1] - ordered[0]
    while True:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            return high
        if gaps_up_to(ordered, middle) >= place:
            high = middle
        else:
            low = middle


@kernel("float64(float64[::1])")
def median_gap(ordered):  # type: ignore[no-untyped-def]
    """Return the median of the gaps between sorted values over all pairs that differ; two at least must."""
    n = len(ordered)
    same = gaps_up_to(ordered, 0.0)
    apart = n * (n - 1) // 2 - same
    return 0.5 * (nth_gap(ordered, same + (apart + 1) // 2) + nth_gap(ordered, same + apart // 2 + 1))
