"""The Gaussian BIC, compiled: all candidates for one target share one factorisation."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.scores._kernels import GAINS_OF, LOSSES_OF

# A conditional variance below this share of the column's own is taken for zero: the column is determined by the others.
_DETERMINED = 1e-10
# Up to this share ten terms of the series of log(1 - share) are exact to the last digits.
_SMALL = 0.25
# With less than one wanted column in so many, each is looked at by itself.
_FEW = 8


@kernel("boolean(float64[:,::1], int64[::1], int64, float64[:,::1])")
def factorise(correlation, given, count, factor):  # type: ignore[no-untyped-def]
    """Write the Cholesky factor of the correlation of ``given[:count]``; False if it is singular."""
    for i in range(count):
        for j in range(i + 1):
            total = correlation[given[i], given[j]]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if total <= _DETERMINED:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return True


@kernel("float64(float64[:,::1], int64, int64[::1], int64, float64[:,::1], float64[::1])")
def solve(correlation, column, given, count, factor, solved):  # type: ignore[no-untyped-def]
    """Write a column's coordinates along the factor of ``given[:count]``; return what is left of its variance."""
    left = 1.0
    for i in range(count):
        total = correlation[given[i], column]
        for j in range(i):
            total -= factor[i, j] * solved[j]
        solved[i] = total / factor[i, i]
        left -= solved[i] * solved[i]
    return left


@kernel(GAINS_OF)
def single_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write what `gaussian_gains` does, one wanted column at a time."""
    correlation, n, unit = score[1], score[6], score[7] + score[8]
    factor = np.empty((count, count))
    if not factorise(correlation, given, count, factor):
        return
    of_target, of_other = np.empty(count), np.empty(count)
    own = solve(correlation, target, given, count, factor, of_target)
    if own <= _DETERMINED:
        return
    for x in range(len(wanted)):
        if not wanted[x] or x == target:
            continue
        left = solve(correlation, x, given, count, factor, of_other)
        between = correlation[target, x]
        for i in range(count):
            between -= of_target[i] * of_other[i]
        if left > _DETERMINED:
            gains[x] = -0.5 * n * math.log1p(-min(between * between / (own * left), 1.0 - 1e-15)) - unit
    for i in range(count):
        gains[given[i]] = -np.inf


@kernel(GAINS_OF, as_argument=True)
def gaussian_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for every column by how much the score of ``target`` rises if it joins ``given[:count]`` as a parent.

    The rise is ``-n/2 log(1 - r^2) - price`` with r the partial correlation given the set (Chickering 2002).
    """
    correlation, n, unit = score[1], score[6], score[7] + score[8]
    p = correlation.shape[0]
    gains[:] = -np.inf
    few = 0
    for x in range(p):
        few += wanted[x]
    if few * _FEW < p:
        single_gains(score, target, given, count, wanted, gains)
        return
    rows = np.empty((count + 2, p))  # of the Cholesky factor, along all columns; then two more
    for i in range(count):
        for x in range(p):
            rows[i, x] = correlation[given[i], x]
        for j in range(i):
            scale = rows[j, given[i]]
            for x in range(p):
                rows[i, x] -= scale * rows[j, x]
        if rows[i, given[i]] <= _DETERMINED:
            return
        scale = 1.0 / math.sqrt(rows[i, given[i]])
        for x in range(p):
            rows[i, x] *= scale
    between, variance = rows[count], rows[count + 1]
    for x in range(p):
        between[x], variance[x] = correlation[target, x], 1.0
    for i in range(count):
        scale = rows[i, target]
        for x in range(p):
            between[x] -= scale * rows[i, x]
            variance[x] -= rows[i, x] * rows[i, x]
    own = variance[target]
    if own <= _DETERMINED:
        return
    for x in range(p):  # with r = share / (2 - share), -log(1 - share) / 2 = r + r^3 / 3 + ...: many columns at a time
        square = between[x] * between[x]
        r = square / (2.0 * own * variance[x] - square)
        q = r * r
        series = q * (1 / 13 + q * (1 / 15 + q * (1 / 17 + q / 19)))
        series = q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + series)))))
        gains[x] = n * r * (1.0 + series) - unit
    for x in range(p):
        share = between[x] * between[x]
        if variance[x] <= _DETERMINED:
            gains[x] = -np.inf
        elif share > _SMALL * own * variance[x]:
            gains[x] = -0.5 * n * math.log1p(-min(share / (own * variance[x]), 1.0 - 1e-15)) - unit
    gains[target] = -np.inf
    for i in range(count):
        gains[given[i]] = -np.inf


@kernel("float64(float64[:,::1], int64, int64[::1], int64)")
def residual_variance(correlation, target, given, count):  # type: ignore[no-untyped-def]
    """Return the variance of a column given others, as a share of its own; -1 if the others are collinear."""
    factor = np.empty((count, count))
    if not factorise(correlation, given, count, factor):
        return -1.0
    return solve(correlation, target, given, count, factor, np.empty(count))


@kernel(LOSSES_OF, as_argument=True)
def gaussian_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the score of ``target`` falls for each of ``given[:count]`` that leaves; return the score.

    The score of collinear columns is -inf; a loss is 0 where it stays there, -inf where it is left.

    With M the inverse of the Cholesky factor of all of them and the target last, the squared partial correlation of
    parent j and the target given the others is ``M[-1, j]^2 / sum_i M[i, j]^2``.
    """
    correlation, n, unit = score[1], score[6], score[7] + score[8]
    if count == 0:
        return 0.0
    members = np.empty(count + 1, np.int64)
    for k in range(count):
        members[k] = given[k]
    members[count] = target
    factor = np.empty((count + 1, count + 1))
    if not factorise(correlation, members, count + 1, factor):
        for out in range(count):
            for k in range(count - 1):
                members[k] = given[k] if k < out else given[k + 1]
            losses[out] = -np.inf if residual_variance(correlation, target, members, count - 1) > _DETERMINED else 0.0
        return -np.inf
    column = np.empty(count + 1)
    for j in range(count):
        column[j] = 1.0 / factor[j, j]
        square = column[j] * column[j]
        for i in range(j + 1, count + 1):
            total = 0.0
            for k in range(j, i):
                total -= factor[i, k] * column[k]
            column[i] = total / factor[i, i]
            square += column[i] * column[i]
        share = column[count] * column[count] / square
        losses[j] = -0.5 * n * math.log1p(-min(share, 1.0 - 1e-15)) - unit
    return -n * math.log(factor[count, count]) - unit * count
