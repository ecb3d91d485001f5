"""Regression on a smooth function whose smoothness the data choose: a Gaussian process in few columns.

The Gram matrix is kept as a product of the few columns that carry it, so that a fit costs some ``n * m**2`` and its
marginal likelihood is known for every amount of noise at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import ndtri

from whence.kernels import Kernels

Array = NDArray[np.float64]

_gram = Kernels("whence.independence._kernels_gram")

# Kernel widths that are tried, in standard deviations, and the variance of the noise in that of the function.
WIDTHS = (0.25, 0.5, 1.0, 2.0)
NOISE = np.geomspace(1e-4, 1e4, 41)
# Straight lines are hardly shrunk: their prior variance is this many times that of the curve.
_LINE = 100.0
_TOLERANCE = 1e-5
_WIDTHS_OF_MANY = (0.7, 1.5)
_MOST = 150
_MOST_JOINT = 80
_MOST_ADDED = 12
_LEAST_EIGENVALUE = 1e-10


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted smooth function.

    Attributes
    ----------
    residuals : float array, shape (n,)
    evidence : float
        Logarithm of the marginal likelihood of the target, maximised over width, noise and scale, less that of the mean
        alone.
    """

    residuals: Array
    evidence: float


def smooth_regression(inputs: Array, target: Array) -> Regression:
    """Regress a target of shape (n,) on inputs of shape (n, k) by a Gaussian process with a Gaussian kernel.

    One input is taken in standard deviations or as normal scores of its ranks, several as one function or as a sum of
    functions of one each: the marginal likelihood chooses among these and the kernel widths (Rasmussen and Williams
    2006, equation 5.8). Without inputs the mean is taken.
    """
    centred = target - target.mean()
    spread = float(centred.std())
    if inputs.shape[1] == 0 or spread == 0.0:
        return Regression(centred, 0.0)
    best = Regression(centred, -math.inf)
    for features in _candidates(inputs):
        found = _fit(features, centred / spread)
        if found.evidence > best.evidence:
            best = Regression(found.residuals * spread, found.evidence)
    return best


def standardised(columns: Array) -> Array:
    """Return columns less their mean in standard deviations; one that does not vary becomes zero."""
    centred = columns - columns.mean(axis=0)
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 0.0, spread, 1.0))


def normal_scores(columns: Array) -> Array:
    """Return standardised normal scores of the ranks of each column, ties sharing a rank."""
    from scipy.stats import rankdata

    return standardised(ndtri(rankdata(columns, axis=0) / (len(columns) + 1.0)))


def _candidates(inputs: Array) -> Iterator[Array]:
    """Yield centred features, shape (n, m), whose products are the Gram matrices to choose from."""
    k = inputs.shape[1]
    if k == 1:
        for points in (standardised(inputs), normal_scores(inputs)):
            for width in WIDTHS:
                yield np.hstack([_features(points, width, _MOST), _LINE**0.5 * points])
        return
    points = standardised(inputs)
    for width in _WIDTHS_OF_MANY:
        parts = [_features(points[:, [j]], width, _MOST_ADDED) for j in range(k)]
        yield np.hstack([*parts, _LINE**0.5 * points])
        yield np.hstack([_features(points, width * math.sqrt(k), _MOST_JOINT), _LINE**0.5 * points])


def _features(points: Array, width: float, most: int) -> Array:
    factor = _gram.gaussian_factor(np.ascontiguousarray(points.T / width), _TOLERANCE * len(points), most)
    return np.asarray((factor - factor.mean(axis=1, keepdims=True)).T)


def _fit(features: Array, target: Array) -> Regression:
    """Return the posterior mean's residuals at the noise of the highest marginal likelihood.

    With ``F @ F.T`` of eigenvalues l and projections c of the target on its eigenvectors, the target has the variances
    ``l + d`` along them and d elsewhere, all times a scale that the likelihood sets.
    """
    n = len(target)
    values, vectors = eigh(features.T @ features, check_finite=False)
    kept = values > _LEAST_EIGENVALUE * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    projected = vectors.T @ (features.T @ target)
    squares = projected**2 / values
    outside = max(float(target @ target) - float(squares.sum()), 1e-12 * n)
    spread = values[:, None] + NOISE
    scale = ((squares[:, None] / spread).sum(axis=0) + outside / NOISE) / n
    freedom = n - 1  # one went with the mean
    evidence = -0.5 * (freedom * np.log(scale) + np.log(spread).sum(axis=0) + (freedom - len(values)) * np.log(NOISE))
    chosen = int(np.argmax(evidence))
    fitted = features @ (vectors @ (projected / spread[:, chosen]))
    return Regression(target - fitted, float(evidence[chosen]))
