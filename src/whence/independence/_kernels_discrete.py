"""Contingency tables straight from codes, and the upper tail of the chi-square distribution."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel


@kernel("float64(float64, float64)")
def chi_square_tail(statistic, freedom):  # type: ignore[no-untyped-def]
    """Return P(chi-square with ``freedom`` degrees > statistic): the regularised upper incomplete gamma function.

    A power series below the mean, a continued fraction above it (Abramowitz and Stegun 6.5.29 and 6.5.31).
    """
    a = 0.5 * freedom
    x = 0.5 * statistic
    if x <= 0.0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = 1.0 / a
        total = term
        k = a
        while abs(term) > abs(total) * 1e-16:
            k += 1.0
            term *= x / k
            total += term
        return max(0.0, 1.0 - total * scale)
    tiny = 1e-300
    b = x + 1.0 - a
    c = 1.0 / tiny
    d = 1.0 / b
    fraction = d
    for k in range(1, 10_000):
        numerator = -k * (k - a)
        b += 2.0
        d = numerator * d + b
        d = 1.0 / (d if abs(d) > tiny else tiny)
        c = b + numerator / c
        c = c if abs(c) > tiny else tiny
        step = c * d
        fraction *= step
        if abs(step - 1.0) < 1e-15:
            break
    return scale * fraction


@kernel("void(int32[::1], int32[::1], int64, int32[::1])")
def refine_strata(strata, codes, size, refined):  # type: ignore[no-untyped-def]
    """Write into ``refined`` the stratum of each row once a column of ``size`` values is added to the set."""
    for row in range(len(codes)):
        refined[row] = strata[row] * size + codes[row]


@kernel("UniTuple(float64, 2)(int32[::1], int32[::1], int32[::1], int64, int64, int64, boolean, float64[:,:,::1])")
def table_statistic(x, y, strata, count, size_x, size_y, pearson, table):  # type: ignore[no-untyped-def]
    """Return the statistic (Pearson's, else the likelihood ratio G2) and its degrees of freedom over all strata.

    Values that do not occur in a stratum take no degree of freedom there; a stratum in which one of the two does not
    vary takes none at all. ``table`` is room of shape (count, size_x + 1, size_y + 1), the last places for margins.
    """
    table[:count] = 0.0
    for row in range(len(x)):
        table[strata[row], x[row], y[row]] += 1.0
    statistic = 0.0
    freedom = 0.0
    for s in range(count):
        cells = table[s]
        total = 0.0
        rows = 0
        columns = 0
        for i in range(size_x):
            for j in range(size_y):
                cells[i, size_y] += cells[i, j]
                cells[size_x, j] += cells[i, j]
            total += cells[i, size_y]
            rows += cells[i, size_y] > 0.0
        for j in range(size_y):
            columns += cells[size_x, j] > 0.0
        if rows < 2 or columns < 2:
            continue
        freedom += (rows - 1) * (columns - 1)
        for i in range(size_x):
            for j in range(size_y):
                expected = cells[i, size_y] * cells[size_x, j] / total
                if pearson and expected > 0.0:
                    statistic += (cells[i, j] - expected) ** 2 / expected
                elif cells[i, j] > 0.0:
                    statistic += 2.0 * cells[i, j] * math.log(cells[i, j] / expected)
    return statistic, freedom


@kernel("float64[:,::1](int32[:,::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], boolean, float64)")
def contingency_tests(codes, sizes, first, second, start, given, pearson, most_cells):  # type: ignore[no-untyped-def]
    """Return statistic, degrees of freedom and p-value of each test, shape (k, 3).

    The p-value is NaN where conditioning needs more than ``most_cells`` cells or leaves nothing to compare.
    """
    count = len(first)
    n = codes.shape[1]
    found = np.empty((count, 3))
    strata = np.empty((2, n), np.int32)
    for q in range(count):
        x, y = first[q], second[q]
        cells = float(sizes[x] * sizes[y])
        for k in range(start[q], start[q + 1]):
            cells *= sizes[given[k]]
        if start[q + 1] > start[q] and cells > most_cells:
            found[q, 0] = 0.0
            found[q, 1] = 0.0
            found[q, 2] = math.nan
            continue
        strata[0, :] = 0
        here = 0
        groups = 1
        for k in range(start[q], start[q + 1]):
            refine_strata(strata[here], codes[given[k]], sizes[given[k]], strata[1 - here])
            here = 1 - here
            groups *= sizes[given[k]]
        table = np.empty((groups, sizes[x] + 1, sizes[y] + 1))
        statistic, freedom = table_statistic(
            codes[x], codes[y], strata[here], groups, sizes[x], sizes[y], pearson, table
        )
        found[q, 0] = statistic
        found[q, 1] = freedom
        found[q, 2] = chi_square_tail(statistic, freedom) if freedom > 0.0 else math.nan
    return found
