"""The degenerate Gaussian BIC, compiled: determinants of blocks of one correlation matrix.

The tuple of `whence.scores._kernels` is read so: column x is ``correlation[first[x]:first[x + 1]]``, with an identity
within each block; ``sizes`` has one entry a column.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.scores._kernels import GAINS_OF, LOSSES_OF
from whence.scores._kernels_gaussian import factorise

_DETERMINED = 1e-10
# A variance left that is smaller than this is taken for this: a gain stays finite.
_LEAST = 1e-15


@kernel("int64(int64[::1], int64[::1], int64, int64[::1])")
def unfold(first, given, count, wide):  # type: ignore[no-untyped-def]
    """Write the embedded columns of ``given[:count]``; return how many there are."""
    m = 0
    for k in range(count):
        for column in range(first[given[k]], first[given[k] + 1]):
            wide[m] = column
            m += 1
    return m


@kernel("float64(float64[:,::1], int64, int64, int64, boolean, float64[:,::1])")
def log_left(reduced, used, start, stop, may_vanish, factor):  # type: ignore[no-untyped-def]
    """Return the log determinant of a block of unit covariance after ``used`` eliminations.

    Row k of ``reduced`` holds what the k-th elimination took off every column. Where a column follows from others the
    result is -inf, or with ``may_vanish`` some low number.
    """
    total = 0.0
    for i in range(stop - start):
        for j in range(i + 1):
            value = 1.0 if i == j else 0.0
            for k in range(used):
                value -= reduced[k, start + i] * reduced[k, start + j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = value / factor[j, j]
            else:
                if value <= _DETERMINED and not may_vanish:
                    return -np.inf
                value = max(value, _LEAST)
                factor[i, i] = math.sqrt(value)
                total += math.log(value)
    return total


@kernel(GAINS_OF, as_argument=True)
def degenerate_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for every wanted column what it adds to ``given[:count]`` as a parent of ``target``.

    With A and B the covariances of its block given the set, without and with the target's block, the gain is
    ``n/2 (log |A| - log |B|)`` less the price of the parameters between the two blocks.
    """
    correlation, sizes, first, n, unit, edge = score[1], score[3], score[5], score[6], score[7], score[8]
    p, q = len(sizes), len(correlation)
    gains[:] = -np.inf
    wide = np.empty(q, np.int64)
    before = unfold(first, given, count, wide)
    own = first[target + 1] - first[target]
    for k in range(own):
        wide[before + k] = first[target] + k
    after = before + own
    reduced = np.empty((after, q))
    for i in range(after):
        column = wide[i]
        for x in range(q):
            reduced[i, x] = correlation[column, x]
        for j in range(i):
            scale = reduced[j, column]
            for x in range(q):
                reduced[i, x] -= scale * reduced[j, x]
        if reduced[i, column] <= _DETERMINED:
            return
        scale = 1.0 / math.sqrt(reduced[i, column])
        for x in range(q):
            reduced[i, x] *= scale
    factor = np.empty((q, q))
    for x in range(p):
        if not wanted[x] or x == target:
            continue
        width = first[x + 1] - first[x]
        ratio = log_left(reduced, before, first[x], first[x + 1], False, factor)
        if ratio > -np.inf:
            ratio -= log_left(reduced, after, first[x], first[x + 1], True, factor)
            gains[x] = 0.5 * n * ratio - unit * width * own - edge
    gains[target] = -np.inf
    for k in range(count):
        gains[given[k]] = -np.inf


@kernel("float64(float64[:,::1], int64[::1], int64, int64, float64[:,::1])")
def log_given(correlation, wide, m, count, factor):  # type: ignore[no-untyped-def]
    """Return log |wide[m:count] given wide[:m]|; NaN if any of them follows from the rest."""
    if not factorise(correlation, wide, count, factor):
        return math.nan
    total = 0.0
    for k in range(m, count):
        total += 2.0 * math.log(factor[k, k])
    return total


@kernel(LOSSES_OF, as_argument=True)
def degenerate_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the score of ``target`` falls for each of ``given[:count]`` that leaves; return the score.

    Where the columns determine each other the score is -inf; a loss is 0 where it stays there, -inf where it is left.
    """
    correlation, first, n, unit, edge = score[1], score[5], score[6], score[7], score[8]
    own = first[target + 1] - first[target]
    q = len(correlation)
    wide, factor = np.empty(q, np.int64), np.empty((q, q))
    others = np.empty(count + 1, np.int64)
    for k in range(count):
        others[k] = given[k]
    others[count] = target
    m = unfold(first, others, count + 1, wide) - own
    here = -0.5 * n * log_given(correlation, wide, m, m + own, factor) - unit * own * m - edge * count
    for out in range(count):
        for k in range(count - 1):
            others[k] = given[k] if k < out else given[k + 1]
        others[count - 1] = target
        fewer = unfold(first, others, count, wide) - own
        there = -0.5 * n * log_given(correlation, wide, fewer, fewer + own, factor)
        there -= unit * own * fewer + edge * (count - 1)
        if math.isnan(here):
            losses[out] = 0.0 if math.isnan(there) else -np.inf
        else:
            losses[out] = here - there
    return -np.inf if math.isnan(here) else here
