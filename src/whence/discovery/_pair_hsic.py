"""Is a residual independent of a cause: the Hilbert-Schmidt criterion, with logarithms of its p-values.

Where neither direction of a pair fits, both p-values are too small for a float; their logarithms still tell which is
the smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammaln

from whence.independence._columns import Scale, _numbers
from whence.independence.kernel import TOLERANCE, _between_rows, _centred_factor, _row_norms

Array = NDArray[np.float64]

_TINY = 1e-280


@dataclass(frozen=True, slots=True)
class Dependence:
    """The criterion and its p-value.

    Attributes
    ----------
    statistic : float
        ``trace(K L) / n`` of the centred Gram matrices.
    log_p : float
        Natural logarithm of the p-value, finite also where the p-value is zero as a float.
    """

    statistic: float
    log_p: float

    @property
    def p_value(self) -> float:
        """The p-value, at times zero."""
        return math.exp(self.log_p)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sides of the criterion, prepared once for many tests.

    Attributes
    ----------
    factor : float array, shape (n, m)
        The centred Gram matrix is ``factor @ factor.T``, nearly.
    trace, squares : float
        Trace of the Gram matrix, and sum of its squared entries less the bias of the rows with themselves.
    """

    factor: Array
    trace: float
    squares: float


def side(values: Array, scale: Scale = "ranks") -> Side:
    """Return a column of shape (n,) as one side, with a Gaussian kernel of median width as in `KCI`.

    A column that does not vary gives a side that is independent of everything.
    """
    n = len(values)
    column = _numbers(values, scale, "residual")
    if column.constant:
        return Side(np.zeros((n, 1)), 0.0, 0.0)
    width = column.width * min(1.0, math.pow(200.0 / n, 0.1))
    factor = _centred_factor(np.ascontiguousarray(column.values.T / width), TOLERANCE * n)
    inner = factor.T @ factor
    squares = _between_rows(float((inner * inner).sum()), _row_norms(factor), n)
    return Side(factor, float(np.trace(inner)), squares)


def dependence(first: Side, second: Side) -> Dependence:
    """Return the criterion of two sides, with the gamma distribution of Gretton et al. (2007) as its null."""
    n = len(first.factor)
    across = first.factor.T @ second.factor
    statistic = float((across * across).sum()) / n
    mean = first.trace * second.trace / n**2
    variance = 2.0 * first.squares * second.squares / n**4
    if not (mean > 0.0 and variance > 0.0):
        return Dependence(0.0, 0.0)
    return Dependence(statistic, log_gamma_tail(mean * mean / variance, statistic * mean / variance))


def log_gamma_tail(shape: float, x: float) -> float:
    """Return the logarithm of the upper tail of a gamma distribution of scale one.

    Where the tail is too small for a float, by the continued fraction of the incomplete gamma function (Abramowitz and
    Stegun 6.5.31), from its sixtieth term backwards.
    """
    tail = float(gammaincc(shape, x))
    if tail > _TINY:
        return math.log(tail)
    fraction = 0.0
    for k in range(60, 0, -1):
        fraction = k * (shape - k) / (x + 2.0 * k + 1.0 - shape + fraction)
    return shape * math.log(x) - x - math.log(x + 1.0 - shape + fraction) - float(gammaln(shape))
