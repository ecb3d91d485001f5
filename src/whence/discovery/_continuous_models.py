"""What is minimised: linear models by their second moments, with the strength of every edge as a smooth function.

A model has a vector of parameters, the price of each, where to start, and three functions: the loss with its gradient,
the strengths ``A[i, j]`` of all edges, and ``pull``, the gradient of ``sum(D * A)`` in the parameters. The searches
combine these with a measure of cycles and know no more of a model.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Loss = Literal["squares", "equal-variances", "unequal-variances"]


class Model(Protocol):
    """Equations for all columns whose edges have smooth strengths."""

    start: Array
    price: Array

    def loss(self, x: Array) -> tuple[float, Array]:
        """Return the loss and its gradient."""

    def strengths(self, x: Array) -> Array:
        """Return the squared strength of every edge, shape (p, p)."""

    def pull(self, x: Array, weight: Array) -> Array:
        """Return the gradient of ``sum(weight * strengths)``."""


class LinearModel:
    """Coefficients of the allowed edges of a linear model, judged by a covariance: no step depends on the rows.

    Parameters
    ----------
    covariance : float array, shape (p, p)
    allowed : bool array, shape (p, p)
        ``allowed[i, j]``: the coefficient of ``i -> j`` may differ from 0.
    free : bool array, shape (p, p)
        Coefficients without a price.
    price : float
        Of the size of a coefficient, in units of the loss.
    loss : {"squares", "equal-variances", "unequal-variances"}
        Half the sum of the residual variances (Zheng et al. 2018, equation 3), or less the Gaussian log-likelihood over
        n with one noise variance for all columns or one each (Ng, Ghassami and Zhang 2020, equations 2 and 1).
    start : float array, shape (p, p), optional
        Coefficients to start from; 0 by default.
    """

    def __init__(
        self,
        covariance: Array,
        allowed: NDArray[np.bool_],
        free: NDArray[np.bool_],
        price: float,
        *,
        loss: Loss = "squares",
        start: Array | None = None,
    ) -> None:
        self.covariance = np.ascontiguousarray(covariance)
        self._places = np.flatnonzero(allowed)
        self._criterion = loss
        self.price = np.where(free.ravel()[self._places], 0.0, price)
        self.start = np.zeros(len(self._places)) if start is None else start.ravel()[self._places]

    def coefficients(self, x: Array) -> Array:
        """Return the parameters as a matrix, ``[i, j]`` for ``i -> j``."""
        filled = np.zeros(self.covariance.size)
        filled[self._places] = x
        return filled.reshape(self.covariance.shape)

    def loss(self, x: Array) -> tuple[float, Array]:
        """Return the loss and its gradient."""
        weights = self.coefficients(x)
        crossed = self.covariance - self.covariance @ weights  # the covariance of the columns with the residuals
        variances = np.diag(crossed) - np.einsum("ij,ij->j", weights, crossed)
        if self._criterion == "squares":
            return 0.5 * float(variances.sum()), -crossed.ravel()[self._places]
        if not variances.min() > 0:
            return math.inf, np.zeros(len(x))
        rest = np.eye(len(weights)) - weights
        sign, log_volume = np.linalg.slogdet(rest)
        if sign == 0:
            return math.inf, np.zeros(len(x))
        if self._criterion == "equal-variances":
            value = 0.5 * len(weights) * math.log(variances.sum())
            gradient = -crossed * (len(weights) / variances.sum())
        else:
            value = 0.5 * float(np.log(variances).sum())
            gradient = -crossed / variances
        gradient += np.linalg.inv(rest).T
        return value - float(log_volume), gradient.ravel()[self._places]

    def strengths(self, x: Array) -> Array:
        """Return the squared coefficients."""
        weights = self.coefficients(x)
        return weights * weights

    def pull(self, x: Array, weight: Array) -> Array:
        """Return the gradient of ``sum(weight * strengths)``."""
        return 2.0 * x * weight.ravel()[self._places]
