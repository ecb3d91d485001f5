"""Gaussian Gram matrices as products of a few columns, by Cholesky's factorisation with pivots."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel


@kernel("float64[:,::1](float64[:,::1], float64, int64)", reassociate=True)
def gaussian_factor(points, tolerance, most):  # type: ignore[no-untyped-def]
    """Return rows L, shape (m, n), with ``L.T @ L`` the Gram matrix ``exp(-|a - b|**2 / 2)`` of n points, nearly.

    The next pivot is the point that those before it explain least. It stops once the trace of what is left, and so each
    of its entries, is at most ``tolerance``, or after ``most`` pivots (Fine and Scheinberg 2001, figure 2).

    ``points`` has shape (w, n): coordinates in kernel widths.
    """
    width, n = points.shape
    most = min(most, n)
    factor = np.empty((most, n))
    left = np.ones(n)
    for m in range(most):
        pivot = 0
        total = 0.0
        for i in range(n):
            total += left[i]
            if left[i] > left[pivot]:
                pivot = i
        if total <= tolerance:
            return factor[:m].copy()
        row = factor[m]
        row[:] = 0.0
        for k in range(width):
            at = points[k, pivot]
            for i in range(n):
                gap = points[k, i] - at
                row[i] += gap * gap
        for i in range(n):
            row[i] = math.exp(-0.5 * row[i])
        for k in range(0, m - 3, 4):  # four at a time, so that the row is read and written once for all of them
            a, b, c, d = factor[k, pivot], factor[k + 1, pivot], factor[k + 2, pivot], factor[k + 3, pivot]
            for i in range(n):
                row[i] -= a * factor[k, i] + b * factor[k + 1, i] + c * factor[k + 2, i] + d * factor[k + 3, i]
        for k in range(m - m % 4, m):
            at = factor[k, pivot]
            for i in range(n):
                row[i] -= at * factor[k, i]
        scale = 1.0 / math.sqrt(left[pivot])
        for i in range(n):
            row[i] *= scale
            left[i] = max(0.0, left[i] - row[i] * row[i])
        left[pivot] = 0.0
    return factor


@kernel("float64(float32[:,::1], float32[:,::1])", reassociate=True)
def squared_products(first, second):  # type: ignore[no-untyped-def]
    """Return the sum of ``first**2 * second**2`` over all entries of two blocks of the same shape."""
    total = 0.0
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            product = float(first[i, j]) * float(second[i, j])
            total += product * product
    return total
