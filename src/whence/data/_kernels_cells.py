"""Moments of numbers within the cells of categories, compiled, and the likelihoods that follow from them.

A mixed table is ``values`` (numbers as standardised rows, shape (p1, n)), ``codes`` (categories as rows, shape
(p2, n)), ``sizes`` (values of each category, shape (p2,)) and ``place`` (shape (p,)): column c of the table is row
``place[c]`` of the values if that is not negative, else row ``-1 - place[c]`` of the codes.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

TABLE = "float64[:,::1], int32[:,::1], int64[::1], int64[::1]"
MOMENTS = "Tuple((int64[::1], float64[:,:,::1], float64))"
# Variance left of a standardised number given others, below which it counts as determined by them.
_DETERMINED = 1e-10
# Cells that may always be counted, however few rows there are.
_FEW_CELLS = 64.0


@kernel(f"{MOMENTS}({TABLE}, int64[::1], int64)")
def cell_moments(values, codes, sizes, place, members, count):  # type: ignore[no-untyped-def]
    """Return rows by cell, shape (cells,), the scatter about each cell's means, shape (cells, d, d), and combinations.

    Cells are those of the categories among ``members[:count]``, d the number of numbers among them, in their order;
    ``combinations`` is how many cells the categories allow, occupied or not. Where they are more than twice the rows,
    nothing is counted: no rows are returned.
    """
    n = codes.shape[1] if codes.shape[0] > 0 else values.shape[1]
    numbers, categories = np.empty(count, np.int64), np.empty(count, np.int64)
    d = c = 0
    combinations = 1.0
    for k in range(count):
        row = place[members[k]]
        if row >= 0:
            numbers[d] = row
            d += 1
        else:
            categories[c] = -1 - row
            combinations *= sizes[-1 - row]
            c += 1
    if combinations > 2.0 * n + _FEW_CELLS:
        return np.empty(0, np.int64), np.empty((0, d, d)), combinations
    total = int(combinations)
    cells = np.zeros(n, np.int64)
    for k in range(c):
        size = sizes[categories[k]]
        column = codes[categories[k]]
        for row in range(n):
            cells[row] = cells[row] * size + column[row]
    rows = np.zeros(total, np.int64)
    mean = np.zeros((total, max(d, 1)))
    for row in range(n):
        rows[cells[row]] += 1
    for i in range(d):
        column = values[numbers[i]]
        for row in range(n):
            mean[cells[row], i] += column[row]
        for cell in range(total):
            mean[cell, i] /= max(rows[cell], 1)
    scatter = np.zeros((total, d, d))
    for i in range(d):
        one = values[numbers[i]]
        for j in range(i + 1):
            other = values[numbers[j]]
            for row in range(n):
                cell = cells[row]
                scatter[cell, i, j] += (one[row] - mean[cell, i]) * (other[row] - mean[cell, j])
    return rows, scatter, combinations


@kernel("float64(float64[:,::1], float64)")
def log_determinant(scatter, rows):  # type: ignore[no-untyped-def]
    """Return the log determinant of ``scatter / rows`` from its lower triangle; what is determined counts as 1e-10."""
    d = len(scatter)
    factor = np.empty((d, d))
    total = 0.0
    for i in range(d):
        own = scatter[i, i] / rows
        left = own
        for j in range(i):
            value = scatter[i, j] / rows
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            factor[i, j] = value / factor[j, j]
            left -= factor[i, j] * factor[i, j]
        left = max(left, _DETERMINED)
        factor[i, i] = math.sqrt(left)
        total += math.log(left)
    return total


@kernel("float64(int64[::1])")
def log_shares(rows):  # type: ignore[no-untyped-def]
    """Return the maximal log-likelihood of which cell each row lies in."""
    n = 0
    total = 0.0
    for count in rows:
        n += count
        if count > 0:
            total += count * math.log(count)
    return total - n * math.log(n)


@kernel("float64(int64[::1], float64[:,:,::1])")
def own_covariances(rows, scatter):  # type: ignore[no-untyped-def]
    """Return the maximal log-likelihood with a mean and a covariance for each cell, less a constant by number.

    NaN if some cell has too few rows for a covariance.
    """
    d = scatter.shape[1]
    total = log_shares(rows)
    for cell in range(len(rows)):
        if rows[cell] > 0 and d > 0:
            if rows[cell] < d + 2:
                return math.nan
            total -= 0.5 * rows[cell] * log_determinant(scatter[cell], float(rows[cell]))
    return total


@kernel("float64(int64[::1], float64[:,:,::1])")
def common_covariance(rows, scatter):  # type: ignore[no-untyped-def]
    """Return the maximal log-likelihood with a mean for each cell and one covariance, less a constant by number.

    NaN if no freedom is left for the covariance.
    """
    d = scatter.shape[1]
    pooled = np.zeros((d, d))
    n = occupied = 0
    for cell in range(len(rows)):
        n += rows[cell]
        occupied += rows[cell] > 0
        pooled += scatter[cell]
    if d > 0 and n - occupied < d + 1:
        return math.nan
    return log_shares(rows) - 0.5 * n * log_determinant(pooled, float(n))


@kernel(f"float64({TABLE}, int64[::1], int64, float64)")
def set_score(values, codes, sizes, place, members, count, unit):  # type: ignore[no-untyped-def]
    """Return the BIC of the joint distribution of some columns, of the better of both forms of covariance.

    ``unit`` is the price of a parameter. -inf if there are too few rows for either form.
    """
    rows, scatter, combinations = cell_moments(values, codes, sizes, place, members, count)
    if len(rows) == 0:
        return -np.inf
    d = scatter.shape[1]
    occupied = 0
    for cell in range(len(rows)):
        occupied += rows[cell] > 0
    spread = d * (d + 1) // 2
    price = unit * (combinations - 1.0 + occupied * d)
    common = common_covariance(rows, scatter) - unit * spread
    best = common if not math.isnan(common) else -np.inf
    if occupied > 1 and d > 0:
        own = own_covariances(rows, scatter) - unit * spread * occupied
        best = own if own > best else best  # not for NaN
    return best - price
