"""Gains by test-wise deletion, compiled: partial correlations over the rows that show every column given.

These kernels read the tuple of `whence.scores._kernels` in their own way: ``correlation`` holds standardised columns as
rows, shape (p, n); bit r of ``sets[x]`` says whether column x was seen in row r; ``sizes`` is the fewest rows a gain
may rest on, and how many sets of columns had fewer, which is counted up here.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import count_bits, kernel
from whence.scores._kernels import GAINS_OF, LOSSES_OF

_DETERMINED = 1e-10


@kernel("int64(uint64[:,::1], int64[::1], int64, int64, int64[::1])")
def rows_shown(sets, given, count, n, rows):  # type: ignore[no-untyped-def]
    """Write the rows in which every one of ``given[:count]`` was seen; return how many there are."""
    found = 0
    for word in range(sets.shape[1]):
        shown = ~np.uint64(0)
        for k in range(count):
            shown &= sets[given[k], word]
        if count_bits(shown) == 0:
            continue
        base = word * 64
        for bit in range(min(64, n - base)):
            if (shown >> np.uint64(bit)) & np.uint64(1):
                rows[found] = base + bit
                found += 1
    return found


@kernel("float64(float64[::1], int64[::1], int64, float64[::1])", reassociate=True)
def centre(column, rows, m, centred):  # type: ignore[no-untyped-def]
    """Write a column over rows less its mean there; return its sum of squares."""
    origin = column[rows[0]]
    total = 0.0
    for r in range(m):
        value = column[rows[r]] - origin
        centred[r] = value
        total += value
    mean = total / m
    square = 0.0
    for r in range(m):
        centred[r] -= mean
        square += centred[r] * centred[r]
    return square


@kernel("float64(float64[::1], float64[::1], int64)", reassociate=True)
def product(one, other, m):  # type: ignore[no-untyped-def]
    """Return the inner product of the first m entries."""
    total = 0.0
    for r in range(m):
        total += one[r] * other[r]
    return total


@kernel("float64(float64[:,::1], int64, float64[::1], float64, int64)", reassociate=True)
def make_orthogonal(basis, size, vector, square, m):  # type: ignore[no-untyped-def]
    """Take the first ``size`` unit vectors out of a vector in place, twice; return the square of what is left."""
    left = square
    for _ in range(2):  # once leaves rounding errors of the first order
        for k in range(size):
            along = product(basis[k], vector, m)
            for r in range(m):
                vector[r] -= along * basis[k, r]
        left = product(vector, vector, m)
    return left


@kernel(GAINS_OF, as_argument=True)
def deletion_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for every wanted column what it adds to ``given[:count]`` as a parent of ``target``.

    Whether it adds anything is decided on the m rows kept, by the authors' rescaled correlation: with
    ``s = sqrt(m - 3) artanh |r|`` and ``|r*| = tanh(s / sqrt(n - 3))`` the gain is
    ``-n/2 log(1 - r*^2) - price = n log cosh(s / sqrt(n - 3)) - price``. Where that is positive, r takes the place of
    r*: a gain that shrinks with the rows prefers few columns given, and so directs colliders the wrong way.
    """
    values, sizes, sets, price = score[1], score[3], score[4], score[7] + score[8]
    p, n = values.shape
    gains[:] = -np.inf
    rows = np.empty(n, np.int64)
    m = rows_shown(sets, given, count, n, rows)
    if (m < sizes[0] and m < n) or m - count <= 3:
        sizes[1] += 1
        return
    basis = np.empty((count + 1, m))
    size = 0
    for k in range(count):
        vector = basis[size]
        square = centre(values[given[k]], rows, m, vector)
        left = make_orthogonal(basis, size, vector, square, m)
        if left > _DETERMINED * square:
            vector /= math.sqrt(left)
            size += 1
    residual = basis[size]
    square = centre(values[target], rows, m, residual)
    left = make_orthogonal(basis, size, residual, square, m)
    if left <= _DETERMINED * square:
        return
    residual /= math.sqrt(left)
    vector = np.empty(m)
    scale = math.sqrt((m - 3.0) / (n - 3.0))
    for x in range(p):
        if not wanted[x] or x == target:
            continue
        square = centre(values[x], rows, m, vector)
        left = square
        for k in range(size):
            along = product(basis[k], vector, m)
            left -= along * along
        if left <= _DETERMINED * square:
            continue
        partial = min(abs(product(residual, vector, m)) / math.sqrt(left), 1.0 - 1e-15)
        gains[x] = n * math.log(math.cosh(scale * math.atanh(partial))) - price
        if gains[x] > 0.0:
            gains[x] = -0.5 * n * math.log1p(-partial * partial) - price
    for k in range(count):
        gains[given[k]] = -np.inf


@kernel(LOSSES_OF, as_argument=True)
def deletion_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write what each of ``given[:count]`` adds to the others; return the gains of joining one after another.

    A column for which too few rows are left adds nothing.
    """
    p = score[1].shape[0]
    gains = np.empty(p)
    wanted = np.zeros(p, np.bool_)
    others = np.empty(count + 1, np.int64)
    total = 0.0
    for j in range(count):
        for k in range(count - 1):
            others[k] = given[k] if k < j else given[k + 1]
        wanted[given[j]] = True
        deletion_gains(score, target, others, count - 1, wanted, gains)
        losses[j] = gains[given[j]] if gains[given[j]] > -np.inf else 0.0
        deletion_gains(score, target, given, j, wanted, gains)
        if gains[given[j]] > -np.inf:
            total += gains[given[j]]
        wanted[given[j]] = False
    return total
