"""Likelihood ratios of Gaussians within the cells of categories, compiled, with their means under independence."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.data._kernels_cells import TABLE, cell_moments, common_covariance, own_covariances

# Variance left of a standardised number given others, below which it counts as determined by them.
_DETERMINED = 1e-9
# Rows that every cell has beyond its numbers, where cells have covariances of their own.
_SPARE = 4


@kernel("float64(float64)")
def digamma(x):  # type: ignore[no-untyped-def]
    """Return the derivative of log gamma for x > 0 (Bernardo 1976)."""
    total = 0.0
    while x < 6.0:
        total -= 1.0 / x
        x += 1.0
    square = 1.0 / (x * x)
    tail = square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0)))
    return total + math.log(x) - 0.5 / x - tail


@kernel("int64(float64[:,:,::1], int64, boolean[::1])")
def find_determined(scatter, n, kept):  # type: ignore[no-untyped-def]
    """Write which numbers do not follow from those before them within cells; return how many."""
    d = scatter.shape[1]
    factor = np.zeros((d, d))
    found = 0
    for i in range(d):
        for j in range(i + 1):
            value = 0.0
            for cell in range(len(scatter)):
                value += scatter[cell, i, j]
            value /= n
            for k in range(j):
                if kept[k]:
                    value -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = value / factor[j, j] if kept[j] else 0.0
            else:
                kept[i] = value > _DETERMINED
                if kept[i]:
                    factor[i, i] = math.sqrt(value)
                    found += 1
    return found


@kernel("float64(int64[::1], int64, boolean)")
def expected_loss(rows, d, own):  # type: ignore[no-untyped-def]
    """Return the mean of ``-n/2 log |covariance|`` of d independent standard normal columns, summed over the cells."""
    total = 0.0
    n = occupied = 0
    for count in rows:
        n += count
        occupied += count > 0
        if own and count > 0:
            for i in range(1, d + 1):
                total -= 0.5 * count * (digamma(0.5 * (count - i)) + math.log(2.0 / count))
    if not own:
        for i in range(1, d + 1):
            total -= 0.5 * n * (digamma(0.5 * (n - occupied - i + 1)) + math.log(2.0 / n))
    return total


@kernel(f"void({TABLE}, int64[::1], int64, boolean, float64, float64[::1])")
def add_fit(values, codes, sizes, place, members, count, own, sign, totals):  # type: ignore[no-untyped-def]
    """Add, with a sign, a set's log-likelihood, its parameters, and its loss and cell shares as expected."""
    rows, scatter, _ = cell_moments(values, codes, sizes, place, members, count)
    d = scatter.shape[1]
    occupied = 0
    for cell in range(len(rows)):
        occupied += rows[cell] > 0
    spread = d * (d + 1) // 2
    totals[0] += sign * (own_covariances(rows, scatter) if own else common_covariance(rows, scatter))
    totals[1] += sign * (occupied - 1 + occupied * d + (spread * occupied if own else spread))
    totals[2] += sign * (expected_loss(rows, d, own) + 0.5 * occupied)


@kernel(f"float64[:,::1]({TABLE}, int64[::1], int64[::1], int64[::1], int64[::1], float64)")
def cell_tests(values, codes, sizes, place, one, other, start, given, most_cells):  # type: ignore[no-untyped-def]
    """Return the likelihood ratio, its degrees of freedom and its mean under independence, shape (k, 3).

    NaN where the columns given determine one of the two, or leave too few rows: where both are categories their cells
    may be ``most_cells``, else the freedom for one more covariance must be left.
    """
    found = np.full((len(one), 3), np.nan)
    for query in range(len(one)):
        x, y = one[query], other[query]
        size = start[query + 1] - start[query]
        members = np.empty(size + 2, np.int64)
        kept = np.empty(size + 2, np.bool_)
        # The columns given, less numbers that follow from others.
        for k in range(size):
            members[k] = given[start[query] + k]
        rows, scatter, _ = cell_moments(values, codes, sizes, place, members, size)
        if len(rows) == 0:
            continue
        n = rows.sum()
        given_cells = (rows > 0).sum()
        find_determined(scatter, n, kept)
        count = number = 0
        for k in range(size):
            if place[members[k]] >= 0:
                number += 1
                if not kept[number - 1]:
                    continue
            members[count] = members[k]
            count += 1
        settled = False
        for column in (x, y):
            members[count] = column
            rows, scatter, _ = cell_moments(values, codes, sizes, place, members, count + 1)
            if len(rows) == 0:
                settled = True
            elif place[column] >= 0:
                d = scatter.shape[1]
                settled = settled or find_determined(scatter, n, kept) < d
            else:
                settled = settled or (rows > 0).sum() == given_cells
        if settled:
            continue
        members[count], members[count + 1] = x, y
        rows, scatter, combinations = cell_moments(values, codes, sizes, place, members, count + 2)
        d = scatter.shape[1]
        occupied = (rows > 0).sum()
        if len(rows) == 0 or n - occupied < d + 1:
            continue
        if place[x] < 0 and place[y] < 0 and size > 0 and combinations > most_cells:
            continue
        own = True
        for cell in range(len(rows)):
            own = own and (rows[cell] == 0 or rows[cell] >= d + _SPARE)
        totals = np.zeros(3)
        add_fit(values, codes, sizes, place, members, count + 2, own, 1.0, totals)
        add_fit(values, codes, sizes, place, members, count + 1, own, -1.0, totals)
        members[count] = y
        add_fit(values, codes, sizes, place, members, count + 1, own, -1.0, totals)
        add_fit(values, codes, sizes, place, members, count, own, 1.0, totals)
        found[query, 0], found[query, 1], found[query, 2] = 2.0 * totals[0], totals[1], 2.0 * totals[2]
    return found
