"""Smooth measures of cycles in a matrix of non-negative strengths, each 0 exactly where there is none.

``strengths[i, j]`` is that of ``i -> j``, for linear models the squared coefficient. Each function returns the measure
and its gradient, both shape (p, p) arrays where not a number; inf where the measure is not defined.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgetrf, dgetri

from whence.graph.orientation import is_acyclic

Array = NDArray[np.float64]

# Strengths whose walks sum up to more than this have cycles beyond all measure.
_MOST_NORM = 64.0
# 1/k! for the polynomial of degree 9, and up to which norm it is exact to rounding.
_SERIES = tuple(1.0 / math.factorial(k) for k in range(10))
_SMALL_NORM = 0.25


def trace_exponential(strengths: Array) -> tuple[float, Array]:
    """Return the trace of the matrix exponential less p: Zheng et al. (2018), equation 7.

    It counts the closed walks of every length k, each weighed by ``1 / k!`` and the product of its strengths.

    >>> trace_exponential(np.array([[0.0, 5.0], [0.0, 0.0]]))[0], round(trace_exponential(np.ones((2, 2)))[0], 3)
    (0.0, 6.389)
    """
    norm = float(strengths.sum(axis=0).max(initial=0.0))
    if not norm <= _MOST_NORM:
        return math.inf, np.zeros_like(strengths)
    walks = _exponential_less_one(strengths, norm)
    value = float(np.trace(walks))
    walks.flat[:: len(walks) + 1] += 1.0
    return value, walks.T


def _exponential_less_one(matrix: Array, norm: float) -> Array:
    """Return exp(matrix) - 1 by its series at a share of the matrix, and doubling: nothing cancels."""
    doublings = max(0, math.ceil(math.log2(norm / _SMALL_NORM))) if norm > _SMALL_NORM else 0
    one = matrix * 0.5**doublings
    two = one @ one
    three = two @ one
    stride = len(matrix) + 1
    found = _SERIES[9] * three
    for k in (6, 3):
        found += _SERIES[k + 2] * two
        found += _SERIES[k + 1] * one
        found.flat[::stride] += _SERIES[k]
        found = found @ three
    found += _SERIES[2] * two
    found += one
    for _ in range(doublings):
        found = 2.0 * found + found @ found
    return found


def log_determinant(strengths: Array, scale: float) -> tuple[float, Array]:
    """Return ``-log det(scale - strengths) + p log scale``: Bello, Aragam and Ravikumar (2022), theorem 1.

    Defined where ``scale - strengths`` is an M-matrix: where no cycle's strength reaches a power of the scale.

    >>> log_determinant(np.array([[0.0, 5.0], [0.0, 0.0]]), 1.0)[0]
    0.0
    >>> round(log_determinant(np.array([[0.0, 0.5], [0.5, 0.0]]), 1.0)[0], 3)
    0.288
    """
    p = len(strengths)
    matrix = -strengths
    matrix.flat[:: p + 1] += scale
    factors, pivots, failed = dgetrf(matrix)
    diagonal = np.diag(factors)
    if failed or not np.isfinite(diagonal).all():
        return math.inf, np.zeros_like(strengths)
    inverse, failed = dgetri(factors, pivots)
    # A matrix with no positive entry beside its diagonal is an M-matrix where its inverse has no negative entry.
    if failed or inverse.min() < -1e-12 * inverse.max():
        return math.inf, np.zeros_like(strengths)
    return float(p * math.log(scale) - np.log(np.abs(diagonal)).sum()), inverse.T


def acyclic_part(strength: Array, required: NDArray[np.bool_], threshold: float) -> tuple[NDArray[np.bool_], float]:
    """Return the edges stronger than the least threshold from the given one on that leaves no cycle, and it.

    Parameters
    ----------
    strength : float array, shape (p, p)
        Not squared.
    required : bool array, shape (p, p)
        Edges that stay however weak; they make no cycle.
    threshold : float
    """
    free = np.where(required, 0.0, strength)
    cuts = np.concatenate([[threshold], np.unique(free[free > threshold])])
    low, high = 0, len(cuts) - 1  # at the last cut only what is required is left
    while low < high:
        middle = (low + high) // 2
        if is_acyclic((free > cuts[middle]) | required):
            high = middle
        else:
            low = middle + 1
    return (free > cuts[low]) | required, float(cuts[low])
