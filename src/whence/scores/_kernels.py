"""Compiled local scores. One call answers for one target and all candidate parents, so that they share a factorisation.

``mode`` 0 is the Gaussian BIC on a correlation matrix, 1 the discrete BIC and 2 the BDeu score on codes. The statistics
that a mode does not use are passed as empty arrays.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

GAUSSIAN = 0
DISCRETE_BIC = 1
BDEU = 2
# A conditional variance below this share of the column's own is taken for zero: the column is determined by the others.
_DETERMINED = 1e-10


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


@kernel("void(float64[:,::1], float64, float64, int64, int64[::1], int64, float64[::1])")
def gaussian_gains(correlation, n, unit, target, given, count, gains):  # type: ignore[no-untyped-def]
    """Write for every column by how much the score of ``target`` rises if it joins ``given[:count]`` as a parent.

    The rise is ``-n/2 log(1 - r^2) - unit`` with r the partial correlation given the set (Chickering 2002).
    """
    p = correlation.shape[0]
    gains[:] = -np.inf
    factor = np.empty((count, count))
    if not factorise(correlation, given, count, factor):
        return
    reduced = np.empty((count, p))
    for i in range(count):
        reduced[i] = correlation[given[i]]
        for j in range(i):
            scale = factor[i, j]
            for x in range(p):
                reduced[i, x] -= scale * reduced[j, x]
        scale = 1.0 / factor[i, i]
        for x in range(p):
            reduced[i, x] *= scale
    between = correlation[target].copy()
    variance = np.ones(p)
    for i in range(count):
        scale = reduced[i, target]
        for x in range(p):
            between[x] -= scale * reduced[i, x]
            variance[x] -= reduced[i, x] * reduced[i, x]
    own = variance[target]
    if own <= _DETERMINED:
        return
    for x in range(p):
        if variance[x] > _DETERMINED:
            share = between[x] * between[x] / (own * variance[x])
            gains[x] = -0.5 * n * math.log1p(-min(share, 1.0 - 1e-15)) - unit
    gains[target] = -np.inf
    for i in range(count):
        gains[given[i]] = -np.inf


@kernel("float64(float64[:,::1], int64, int64[::1], int64)")
def residual_variance(correlation, target, given, count):  # type: ignore[no-untyped-def]
    """Return the variance of a column given others, as a share of its own; -1 if the others are collinear."""
    factor = np.empty((count, count))
    if not factorise(correlation, given, count, factor):
        return -1.0
    solved = np.empty(count)
    left = 1.0
    for i in range(count):
        total = correlation[given[i], target]
        for j in range(i):
            total -= factor[i, j] * solved[j]
        solved[i] = total / factor[i, i]
        left -= solved[i] * solved[i]
    return left


@kernel("int64(int32[:,::1], int64[::1], int64[::1], int64, int64[::1])")
def strata(codes, sizes, given, count, cells):  # type: ignore[no-untyped-def]
    """Write the number of each row's combination of values of ``given[:count]``; return how many numbers there are.

    Numbers are closed up whenever they would outgrow the rows, so that tables stay small.
    """
    n = codes.shape[1]
    cells[:] = 0
    total = 1
    for k in range(count):
        column = given[k]
        size = sizes[column]
        for row in range(n):
            cells[row] = cells[row] * size + codes[column, row]
        total *= size
        if total > 2 * n + 64:
            order = np.argsort(cells)
            seen = -1
            before = np.int64(-1)
            for place in range(n):
                value = cells[order[place]]
                if value != before:
                    seen += 1
                    before = value
                cells[order[place]] = seen
            total = seen + 1
    return total


@kernel("float64(int64, int32[:,::1], int64[::1], float64, float64, int64, int64[::1], int64, float64)")
def table_score(  # type: ignore[no-untyped-def]
    mode, codes, sizes, unit, ess, target, cells, total, configurations
):
    """Return the discrete score of a target in the given strata.

    ``configurations`` is the number of combinations the parents can take, seen or not. BIC: Schwarz (1978); BDeu:
    Heckerman, Geiger and Chickering (1995), equation 28, with equivalent sample size ``ess``.
    """
    n = codes.shape[1]
    size = sizes[target]
    counts = np.zeros(total * size, np.int64)
    for row in range(n):
        counts[cells[row] * size + codes[target, row]] += 1
    score = 0.0
    if mode == BDEU:
        whole, part = ess / configurations, ess / (configurations * size)
        whole_constant, part_constant = math.lgamma(whole), math.lgamma(part)
    for stratum in range(total):
        margin = 0
        for value in range(size):
            count = counts[stratum * size + value]
            margin += count
            if count > 0:
                if mode == BDEU:
                    score += math.lgamma(part + count) - part_constant
                else:
                    score += count * math.log(count)
        if margin > 0:
            if mode == BDEU:
                score += whole_constant - math.lgamma(whole + margin)
            else:
                score -= margin * math.log(margin)
    if mode != BDEU:
        score -= unit * configurations * (size - 1)
    return score


@kernel(
    "void(int64, float64[:,::1], int32[:,::1], int64[::1], float64, float64, float64, float64, int64, int64[::1], "
    "int64, boolean[::1], float64[::1])"
)
def local_gains(  # type: ignore[no-untyped-def]
    mode, correlation, codes, sizes, n, unit, edge, ess, target, given, count, wanted, gains
):
    """Write the rise of the target's score for every wanted column that joins ``given[:count]``.

    ``unit`` is the price of a parameter, ``edge`` that of a parent.
    """
    if mode == GAUSSIAN:
        gaussian_gains(correlation, n, unit + edge, target, given, count, gains)
        return
    gains[:] = -np.inf
    rows = codes.shape[1]
    cells = np.empty(rows, np.int64)
    total = strata(codes, sizes, given, count, cells)
    configurations = 1.0
    for k in range(count):
        configurations *= sizes[given[k]]
    before = table_score(mode, codes, sizes, unit, ess, target, cells, total, configurations)
    joined = np.empty(rows, np.int64)
    for x in range(len(sizes)):
        inside = x == target or not wanted[x]
        for k in range(count):
            inside = inside or given[k] == x
        if inside:
            continue
        size = sizes[x]
        for row in range(rows):
            joined[row] = cells[row] * size + codes[x, row]
        after = table_score(mode, codes, sizes, unit, ess, target, joined, total * size, configurations * size)
        gains[x] = after - before - edge


@kernel(
    "float64(int64, float64[:,::1], int32[:,::1], int64[::1], float64, float64, float64, float64, int64, int64[::1],"
    " int64)"
)
def local_score(  # type: ignore[no-untyped-def]
    mode, correlation, codes, sizes, n, unit, edge, ess, target, given, count
):
    """Return the local score of a target with parents ``given[:count]``; -inf if they are collinear."""
    if mode == GAUSSIAN:
        left = residual_variance(correlation, target, given, count)
        if left <= _DETERMINED:
            return -np.inf
        return -0.5 * n * math.log(left) - (unit + edge) * count
    cells = np.empty(codes.shape[1], np.int64)
    total = strata(codes, sizes, given, count, cells)
    configurations = 1.0
    for k in range(count):
        configurations *= sizes[given[k]]
    return table_score(mode, codes, sizes, unit, ess, target, cells, total, configurations) - edge * count


@kernel(
    "void(int64, float64[:,::1], int32[:,::1], int64[::1], float64, float64, float64, float64, int64, int64[::1],"
    " int64, float64[::1])"
)
def local_losses(  # type: ignore[no-untyped-def]
    mode, correlation, codes, sizes, n, unit, edge, ess, target, given, count, losses
):
    """Write by how much the target's score falls for each of ``given[:count]`` that leaves; 0 where it stays at -inf.

    Gaussian: with M the inverse of the Cholesky factor of all of them and the target last, the squared partial
    correlation of parent j and the target given the others is ``M[-1, j]^2 / sum_i M[i, j]^2``.
    """
    if count == 0:
        return
    members = np.empty(count + 1, np.int64)
    members[:count] = given[:count]
    members[count] = target
    factor = np.empty((count + 1, count + 1))
    if mode == GAUSSIAN and factorise(correlation, members, count + 1, factor):
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
            losses[j] = -0.5 * n * math.log1p(-min(share, 1.0 - 1e-15)) - unit - edge
        return
    here = local_score(mode, correlation, codes, sizes, n, unit, edge, ess, target, given, count)
    others = np.empty(count, np.int64)
    for out in range(count):
        for k in range(count - 1):
            others[k] = given[k] if k < out else given[k + 1]
        value = local_score(mode, correlation, codes, sizes, n, unit, edge, ess, target, others, count - 1)
        losses[out] = here - value if value > -np.inf else 0.0
