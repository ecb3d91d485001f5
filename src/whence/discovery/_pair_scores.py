"""How well each direction of a pair fits, as numbers of which the larger speaks for the direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from whence.discovery._pair_hsic import dependence, side
from whence.discovery._pair_post_nonlinear import fit_post_nonlinear
from whence.discovery._pair_regression import smooth_regression, standardised

Array = NDArray[np.float64]
Reference = Literal["uniform", "gaussian"]
Estimator = Literal["slope", "entropy"]
Curve = Literal["polynomial", "smooth"]


@dataclass(frozen=True, slots=True)
class Way:
    """What speaks for one direction.

    Attributes
    ----------
    score : float
        The larger, the better the direction fits.
    p_value : float or None
        Of the test that what is left of the effect is independent of the cause; None for methods without a test.
    """

    score: float
    p_value: float | None = None


def additive_noise(cause: Array, effect: Array) -> Way:
    """Score ``effect = f(cause) + noise`` by the logarithm of the p-value of independence (Hoyer et al. 2009)."""
    found = dependence(side(cause), side(smooth_regression(cause[:, None], effect).residuals))
    return Way(found.log_p, found.p_value)


def post_nonlinear(cause: Array, effect: Array) -> Way:
    """Score ``g(effect) = f(cause) + noise`` by its log-likelihood (Zhang and Hyvärinen 2009).

    It is that of the normal scores of the effect. Those of both columns have the same distribution, so the two
    likelihoods compare: they differ by n times the difference in mutual information of cause and noise.
    """
    fitted = fit_post_nonlinear(cause, effect)
    return Way(len(cause) * fitted.likelihood, dependence(side(cause), side(fitted.noise)).p_value)


def regression_error(cause: Array, effect: Array, *, curve: Curve, degree: int) -> Way:
    """Score a direction by minus the logarithm of the mean squared error, both columns scaled to [0, 1].

    Blöbaum et al. (2018), algorithm 1: the error is the smaller in the causal direction if the noise is small and the
    function does not depend on the distribution of the cause.
    """
    x, y = (_unit_interval(column) for column in (cause, effect))
    if curve == "smooth":
        error = float(np.mean(smooth_regression(x[:, None], y).residuals ** 2))
    else:
        design = np.polynomial.chebyshev.chebvander(2.0 * x - 1.0, min(degree, len(np.unique(x)) - 1))
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        error = float(np.mean((y - fitted) ** 2))
    return Way(-float(np.log(max(error, 1e-300))))


def information_geometry(cause: Array, effect: Array, *, reference: Reference, estimator: Estimator) -> Way:
    """Score a direction by how little the density of the cause knows of the slope (Daniusis et al. 2010; Janzing 2012).

    With the estimator ``"slope"``, minus the mean of ``log |dy / dx|`` between neighbours by x; with ``"entropy"``,
    the entropy of the cause less that of the effect. Both after scaling to [0, 1] or to standard deviations.
    """
    scaled = _unit_interval if reference == "uniform" else _standard
    x, y = scaled(cause), scaled(effect)
    return Way(-_mean_log_slope(x, y) if estimator == "slope" else _spacing_entropy(x) - _spacing_entropy(y))


def _mean_log_slope(x: Array, y: Array) -> float:
    """Return the mean of log |dy / dx| over neighbours; values of y at one x are averaged, steps without rise skipped.

    Each step counts as often as its left end occurs (Mooij et al. 2016, section 3.2 on repeated values).
    """
    levels, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=y) / counts
    rise, run, weight = np.abs(np.diff(means)), np.diff(levels), counts[:-1]
    kept = rise > 1e-12
    if not kept.any():
        return 0.0
    return float(np.average(np.log(rise[kept] / run[kept]), weights=weight[kept]))


def _spacing_entropy(values: Array) -> float:
    """Return the entropy from gaps between neighbours (Kraskov et al. 2004, as in Mooij et al. 2016, equation 20)."""
    gaps = np.diff(np.sort(values))
    gaps = gaps[gaps > 1e-12]
    n = len(values)
    return float(digamma(n) - digamma(1) + np.log(gaps).mean()) if len(gaps) else 0.0


def _unit_interval(values: Array) -> Array:
    return np.asarray((values - values.min()) / np.ptp(values))


def _standard(values: Array) -> Array:
    return standardised(values[:, None])[:, 0]


def dependence_of_pair(x: Array, y: Array) -> float:
    """Return the p-value of the Hilbert-Schmidt criterion of two columns."""
    return dependence(side(x), side(y)).p_value
