"""Determinants of blocks of a correlation matrix given others, compiled: what tests of mixed tables rest on."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

# Variance left of a standardised column given others, below which it counts as determined by them.
_DETERMINED = 1e-10
# What a variance that vanishes counts as, so that its logarithm exists.
_LEAST = 1e-300


@kernel("int64(float64[:,::1], int64, int64, float64[:,::1], int64)")
def eliminate(correlation, start, stop, reduced, rank):  # type: ignore[no-untyped-def]
    """Take columns ``start`` to ``stop - 1`` out of all columns, after ``rank`` others; return the new rank.

    Row k of ``reduced`` is what the k-th elimination takes off each column. Columns that follow from those before them
    take nothing off.
    """
    q = len(correlation)
    for column in range(start, stop):
        for x in range(q):
            reduced[rank, x] = correlation[column, x]
        for j in range(rank):
            scale = reduced[j, column]
            for x in range(q):
                reduced[rank, x] -= scale * reduced[j, x]
        left = reduced[rank, column]
        if left > _DETERMINED:
            scale = 1.0 / math.sqrt(left)
            for x in range(q):
                reduced[rank, x] *= scale
            rank += 1
    return rank


@kernel("float64(float64[:,::1], float64[:,::1], int64, int64, int64, int64, float64[:,::1])")
def log_shrinkage(correlation, reduced, before, after, start, stop, factor):  # type: ignore[no-untyped-def]
    """Return log |A| - log |B| for a block with covariance A after ``before`` eliminations and B after ``after``.

    Columns of the block that follow from others after ``before`` eliminations are left out of both.
    """
    d = stop - start
    kept = np.zeros(d, np.bool_)
    total = 0.0
    for used in (before, after):
        for i in range(d):
            for j in range(i + 1):
                value = correlation[start + i, start + j]
                for k in range(used):
                    value -= reduced[k, start + i] * reduced[k, start + j]
                for k in range(j):
                    if kept[k]:
                        value -= factor[i, k] * factor[j, k]
                if i > j:
                    factor[i, j] = value / factor[j, j] if kept[j] else 0.0
                elif used == before:
                    kept[i] = value > _DETERMINED
                    if kept[i]:
                        factor[i, i] = math.sqrt(value)
                        total += math.log(value)
                elif kept[i]:
                    value = max(value, _LEAST)
                    factor[i, i] = math.sqrt(value)
                    total -= math.log(value)
    return total


@kernel("float64[:,::1](float64[:,::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def block_tests(correlation, first, one, other, start, given):  # type: ignore[no-untyped-def]
    """Return for each pair of columns given others four numbers, shape (k, 4).

    ``-log`` of Wilks' lambda, how many columns are left of either block given the others, and the rank of those. Column
    x of the table is ``first[x]`` to ``first[x + 1] - 1`` of the correlation.
    """
    widest = 1
    for query in range(len(one)):
        wide = first[one[query] + 1] - first[one[query]] + first[other[query] + 1] - first[other[query]]
        for k in range(start[query], start[query + 1]):
            wide += first[given[k] + 1] - first[given[k]]
        widest = max(widest, wide)
    found = np.zeros((len(one), 4))
    columns = np.empty(widest, np.int64)
    reduced, factor = np.empty((widest + 1, widest)), np.empty((widest, widest))
    for query in range(len(one)):
        x, y = one[query], other[query]
        q = 0
        for k in range(start[query], start[query + 1]):
            for column in range(first[given[k]], first[given[k] + 1]):
                columns[q] = column
                q += 1
        at_y, at_x = q, q + first[y + 1] - first[y]
        for column in range(first[y], first[y + 1]):
            columns[q] = column
            q += 1
        for column in range(first[x], first[x + 1]):
            columns[q] = column
            q += 1
        part = np.empty((q, q))
        for i in range(q):
            for j in range(q):
                part[i, j] = correlation[columns[i], columns[j]]
        rank = eliminate(part, 0, at_y, reduced, 0)
        of_y = eliminate(part, at_y, at_x, reduced, rank) - rank
        of_x = eliminate(part, at_x, q, reduced, rank) - rank
        if of_x > 0 and of_y > 0:
            found[query, 0] = log_shrinkage(part, reduced, rank, rank + of_x, at_y, at_x, factor)
        found[query, 1], found[query, 2], found[query, 3] = of_x, of_y, rank
    return found
