"""Correlations over the rows that a test keeps, compiled: each pair of columns once for each set of rows."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel


@kernel("float64(float64[::1], int32[::1], float64[::1])", reassociate=True)
def centre(column, rows, centred):  # type: ignore[no-untyped-def]
    """Write a column over rows less its mean there; return its sum of squares, exactly zero if it does not vary."""
    origin = column[rows[0]]
    total = 0.0
    for r in range(len(rows)):
        value = column[rows[r]] - origin
        centred[r] = value
        total += value
    mean = total / len(rows)
    square = 0.0
    for r in range(len(rows)):
        centred[r] -= mean
        square += centred[r] * centred[r]
    return square


@kernel(
    "void(float64[:,::1], int32[::1], int64[::1], boolean[:,::1], float64[:,::1])",
    reassociate=True,
)
def fill_correlations(values, rows, members, known, correlation):  # type: ignore[no-untyped-def]
    """Write the correlations among ``members`` over ``rows`` that are not known yet; zero beside a constant column.

    ``values`` holds columns as rows, shape (p, n). Values are taken relative to the first row kept and centred before
    products are formed, so that a column that does not vary has a variance of exactly zero.
    """
    k = len(members)
    m = len(rows)
    centred = np.empty((k, m))
    inverse = np.zeros(k)
    for a in range(k):
        needed = False
        for b in range(k):
            if not known[members[a], members[b]]:
                needed = True
        if not needed:
            continue
        row = centred[a]
        square = centre(values[members[a]], rows, row)
        inverse[a] = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
    for a in range(k):
        i = members[a]
        for b in range(a):
            j = members[b]
            if known[i, j]:
                continue
            total = 0.0
            one = centred[a]
            other = centred[b]
            for r in range(m):
                total += one[r] * other[r]
            correlation[i, j] = correlation[j, i] = total * inverse[a] * inverse[b]
            known[i, j] = known[j, i] = True
        correlation[i, i] = 1.0
        known[i, i] = True


@kernel("float64(float64[:,::1], int32[::1], int64[::1])", reassociate=True)
def spread_together(values, rows, members):  # type: ignore[no-untyped-def]
    """Return how the spreads of the first two columns given the others go together over rows: 1 if they do not.

    With residuals e and f of the two on the others, ``mean(e^2 f^2) / (mean(e^2) mean(f^2))``: the variance of the
    correlation of residuals of independent columns, times the number of rows. NaN if a residual vanishes.
    """
    k = len(members)
    m = len(rows)
    centred = np.empty((k, m))
    for a in range(k - 1, -1, -1):  # the columns given first, each against those before it
        row = centred[a]
        square = centre(values[members[a]], rows, row)
        left = square
        for _ in range(2):  # once leaves rounding errors of the first order
            for b in range(k - 1, max(a, 1), -1):
                other = centred[b]
                along = 0.0
                for r in range(m):
                    along += other[r] * row[r]
                for r in range(m):
                    row[r] -= along * other[r]
            left = 0.0
            for r in range(m):
                left += row[r] * row[r]
        settled = left <= 1e-10 * square
        if settled and a < 2:
            return math.nan
        scale = 0.0 if settled else 1.0 / math.sqrt(left)
        for r in range(m):
            row[r] *= scale
    total = 0.0
    for r in range(m):
        product = centred[0, r] * centred[1, r]
        total += product * product
    return total * m
