"""Partial correlations from a correlation matrix, by a small Cholesky factor that grows with the conditioning set."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

# Variance left of a standardised column given others, below which it counts as determined by them.
DETERMINED = 1e-10


@kernel(
    "void(float64[:,::1], int64, int64, int64[::1], int64, int64, float64[:,::1], float64[::1], float64[::1])",
    allocates=False,
)
def grow_factor(correlation, x, y, given, start, size, factor, with_x, with_y):  # type: ignore[no-untyped-def]
    """Compute rows ``start`` to ``size - 1`` of the factor of the columns given, and of x and y against it.

    The diagonal holds inverses. A column determined by those before it gets a zero row: it adds nothing, so that a
    singular set gives the same answer as any of its largest regular subsets.
    """
    for i in range(start, size):
        s = given[i]
        left = 1.0
        for j in range(i):
            value = correlation[s, given[j]]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            value *= factor[j, j]
            factor[i, j] = value
            left -= value * value
        inverse = 1.0 / math.sqrt(left) if left > DETERMINED else 0.0
        factor[i, i] = inverse
        to_x = correlation[x, s]
        to_y = correlation[y, s]
        for j in range(i):
            to_x -= factor[i, j] * with_x[j]
            to_y -= factor[i, j] * with_y[j]
        with_x[i] = to_x * inverse
        with_y[i] = to_y * inverse


@kernel("float64(float64, int64, float64[::1], float64[::1])", allocates=False)
def correlation_given(correlation, size, with_x, with_y):  # type: ignore[no-untyped-def]
    """Return the partial correlation from the rows of `grow_factor`; NaN if x or y is determined by the set."""
    left_x = 1.0
    left_y = 1.0
    for i in range(size):
        correlation -= with_x[i] * with_y[i]
        left_x -= with_x[i] * with_x[i]
        left_y -= with_y[i] * with_y[i]
    if left_x <= DETERMINED or left_y <= DETERMINED:
        return math.nan
    return max(-1.0, min(1.0, correlation / math.sqrt(left_x * left_y)))


@kernel("float64(float64[:,::1], int64, int64, int64)", allocates=False)
def correlation_given_one(correlation, x, y, s):  # type: ignore[no-untyped-def]
    """Return the partial correlation given one column, the same as with a factor of one row."""
    to_x, to_y = correlation[x, s], correlation[y, s]
    left_x, left_y = 1.0 - to_x * to_x, 1.0 - to_y * to_y
    if left_x <= DETERMINED or left_y <= DETERMINED:
        return math.nan
    return max(-1.0, min(1.0, (correlation[x, y] - to_x * to_y) / math.sqrt(left_x * left_y)))


@kernel("float64[::1](float64[:,::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def partial_correlations(correlation, first, second, start, given):  # type: ignore[no-untyped-def]
    """Return the partial correlation of each pair given ``given[start[q]:start[q + 1]]``."""
    count = len(first)
    found = np.empty(count)
    largest = 1
    for q in range(count):
        largest = max(largest, start[q + 1] - start[q])
    factor = np.empty((largest, largest))
    with_x = np.empty(largest)
    with_y = np.empty(largest)
    for q in range(count):
        size = start[q + 1] - start[q]
        x, y = first[q], second[q]
        grow_factor(correlation, x, y, given[start[q] : start[q + 1]], 0, size, factor, with_x, with_y)
        found[q] = correlation_given(correlation[x, y], size, with_x, with_y)
    return found
