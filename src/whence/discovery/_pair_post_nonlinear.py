"""The post-nonlinear model of a pair, fitted by maximum likelihood: ``g(effect) = f(cause) + noise``, g increasing.

Zhang and Hyvärinen (2009) separate cause and noise by networks; here g and f are splines of few coefficients, and the
density of the noise is a mixture of three Gaussians as there, all fitted together by a quasi-Newton method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.optimize import minimize

from whence.discovery._pair_regression import normal_scores, standardised
from whence.kernels import Kernels

Array = NDArray[np.float64]

_kernels = Kernels("whence.discovery._kernels_pair")

KNOTS = 8
SPLINES = 9
PARTS = 3
# Penalty on squared second differences of the coefficients: the likelihood alone bends g in the tails.
SMOOTHNESS = 1e-3
# The narrowest part of the noise, in standard deviations of the outcome: a spike on tied rows would fit without bound.
NARROWEST = 0.05
_MOST_STEPS = 400


@dataclass(frozen=True, slots=True)
class PostNonlinearFit:
    """What is left of the effect: noise of shape (n,), and the mean log-likelihood of the effect's normal scores."""

    noise: Array
    likelihood: float


@dataclass(frozen=True)
class Splines:
    """Where each row lies on the splines of effect and cause.

    Attributes
    ----------
    place : int64 array, shape (n,)
        The last knot of g at or before the row.
    share : float array, shape (n,)
        How far the row is on the way to the next knot.
    step : float
        Distance of the knots of g.
    first : int64 array, shape (n,)
        The first of the four cubic B-splines of f that are not zero at the row.
    basis : float array, shape (n, 4)
        Their values.
    """

    place: NDArray[np.int64]
    share: Array
    step: float
    first: NDArray[np.int64]
    basis: Array

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many parameters g and f have, and of how many parts the noise is."""
        return np.array([KNOTS, int(self.first.max()) + self.basis.shape[1], PARTS], dtype=np.int64)

    def loss(self, parameters: Array) -> tuple[float, Array]:
        """Return the penalised mean negative log-likelihood and its gradient."""
        gradient = np.empty_like(parameters)
        value = _kernels.post_nonlinear_loss(
            parameters, self.place, self.share, self.step, self.first, self.basis, self.sizes, gradient
        )
        start = 0
        for size in self.sizes[:2]:
            bends = np.diff(parameters[start : start + size], 2)
            value += SMOOTHNESS * float(bends @ bends)
            for offset, weight in enumerate((2.0, -4.0, 2.0)):
                gradient[start + offset : start + offset + size - 2] += weight * SMOOTHNESS * bends
            start += size
        return value, gradient

    def outer(self, slopes: Array) -> Array:
        """Return g at the rows from its slopes at the knots."""
        risen = np.concatenate([[0.0], np.cumsum(0.5 * self.step * (slopes[1:] + slopes[:-1]))])
        left, right, t = slopes[self.place], slopes[self.place + 1], self.share
        return np.asarray(risen[self.place] + self.step * (left * t + 0.5 * (right - left) * t * t))

    def inner(self) -> Array:
        """Return the B-splines of f at the rows, shape (n, number of splines)."""
        design = np.zeros((len(self.first), int(self.sizes[1])))
        for k in range(self.basis.shape[1]):
            design[np.arange(len(design)), self.first + k] = self.basis[:, k]
        return design


def fit_post_nonlinear(cause: Array, effect: Array) -> PostNonlinearFit:
    """Fit the model in one direction, from two starts: g as the effect stands, and g as its normal scores."""
    scores, levels = normal_scores(effect[:, None])[:, 0], standardised(effect[:, None])[:, 0]
    knots = np.linspace(scores.min(), scores.max(), KNOTS)
    splines = _splines(scores, knots, normal_scores(cause[:, None])[:, 0])
    order = np.argsort(scores, kind="stable")
    steepness = np.gradient(np.interp(knots, scores[order], levels[order]), knots)
    best = PostNonlinearFit(scores, -np.inf)
    for start in (np.zeros(KNOTS), np.log(np.maximum(steepness, 0.02))):
        found = _maximise(splines, start)
        if found.likelihood > best.likelihood:
            best = found
    return best


def _maximise(splines: Splines, outer: Array) -> PostNonlinearFit:
    target, design = splines.outer(np.exp(outer)), splines.inner()
    ridge = design.T @ design + 1e-3 * len(target) * np.eye(design.shape[1])
    inner = np.linalg.solve(ridge, design.T @ target)
    left = target - design @ inner
    spread = max(float(left.std()), NARROWEST)
    means = left.mean() + spread * np.linspace(-0.7, 0.7, PARTS)
    start = np.concatenate([outer, inner, np.zeros(PARTS), means, np.full(PARTS, np.log(0.8 * spread))])
    free = (None, None)
    bounds = [(-6.0, 6.0)] * KNOTS + [free] * (len(inner) + 2 * PARTS) + [(np.log(NARROWEST), 3.0)] * PARTS
    options = {"maxiter": _MOST_STEPS, "maxcor": 20}
    found = minimize(splines.loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    noise = splines.outer(np.exp(found.x[:KNOTS])) - design @ found.x[KNOTS : KNOTS + len(inner)]
    return PostNonlinearFit(noise, -float(found.fun))


def _splines(scores: Array, knots: Array, cause: Array) -> Splines:
    step = float(knots[1] - knots[0])
    place = np.clip(((scores - knots[0]) / step).astype(np.int64), 0, KNOTS - 2)
    share = np.clip((scores - knots[0]) / step - place, 0.0, 1.0)
    inner = np.unique(np.quantile(cause, np.linspace(0.0, 1.0, SPLINES - 2)))
    design = BSpline.design_matrix(cause, np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3]), 3)
    first = design.indices.reshape(len(cause), 4)[:, 0].astype(np.int64)
    return Splines(place, share, step, first, np.ascontiguousarray(design.data.reshape(len(cause), 4)))
