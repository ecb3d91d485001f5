"""Fitting the linear-leaky model by its likelihood, the mechanisms solved for in closed form.

Given the latent variables, the best mechanisms are regressions: of rows shared by all domains on the pooled moments, of
the others on the moments of each domain. What is left to search for is the mixing, m (m + 1) numbers, and L-BFGS finds
these from all rows in seconds. Two things matter for the result:

- A rectifier's density jumps at its kink, and the derivative of the count of values below it is zero almost everywhere:
  the gradient of the likelihood as it stands misses how many rows cross the kink. Here the kink is rounded with a width
  that is taken towards zero, each width a likelihood of its own.
- The likelihood has many local maxima if mechanisms are shared, and few if none are. So the model without sharing is
  fitted first; its latent variables tell which of them change least between domains, and these are shared.

Axes: D domains, m latent variables, N rows in all; columns are rows of the table here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
from scipy.optimize import minimize

from whence.systems.domains.linear import LinearDomainModel, unleaky
from whence.systems.domains.mechanisms import DomainMechanisms, Floats

Form = Literal["relax_can", "can", "dense"]
Dense = list[tuple[float, Floats]]
"""Optima of the model that shares nothing: value and unmixing, best first."""

WIDTHS = (0.5, 0.2, 0.05)
LAST_WIDTH = 0.02
SEARCH_ROWS = 2000
MOST_SUBSETS = 500


@dataclass(frozen=True, slots=True)
class Whitened:
    """Rows of all domains, whitened together, with a row of ones below.

    Attributes
    ----------
    values : ndarray (m + 1, N)
    parts : list of slice
        The columns of each domain.
    root : ndarray (m, m)
        Symmetric root of the pooled covariance; every domain counts the same.
    mean : ndarray (m,)
    """

    values: Floats
    parts: list[slice]
    root: Floats
    mean: Floats

    @classmethod
    def of(cls, groups: Sequence[Floats]) -> Whitened:
        """Whiten the rows (n_d, m) of each domain by the moments of all."""
        means = np.stack([group.mean(axis=0) for group in groups])
        second = np.mean([group.T @ group / len(group) for group in groups], axis=0)
        mean = means.mean(axis=0)
        spread, axes = np.linalg.eigh(second - np.outer(mean, mean))
        root = (axes * np.sqrt(spread)) @ axes.T
        back = (axes / np.sqrt(spread)) @ axes.T
        whole = np.concatenate([(group - mean) @ back for group in groups]).T
        edges = np.cumsum([0, *map(len, groups)])
        parts = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        return cls(np.vstack([whole, np.ones(whole.shape[1])]), parts, root, mean)

    def first(self, rows: int) -> Whitened:
        """Return at most so many rows of each domain."""
        kept = [self.values[:, part][:, :rows] for part in self.parts]
        edges = np.cumsum([0, *(one.shape[1] for one in kept)])
        parts = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        return Whitened(np.ascontiguousarray(np.concatenate(kept, axis=1)), parts, self.root, self.mean)


@dataclass(frozen=True, slots=True)
class Shape:
    """Which mechanisms are shared: the first ``shared`` of them, in domain 0 none if ``anchored``."""

    shared: int
    slope: float
    anchored: bool = False


def moments(latents: Floats, parts: Sequence[slice]) -> tuple[Floats, Floats]:
    """Return means (D, m) and covariances (D, m, m) of latent variables (m, N) by domain."""
    means = np.stack([latents[:, part].mean(axis=1) for part in parts])
    seconds = [latents[:, part] @ latents[:, part].T / (part.stop - part.start) for part in parts]
    return means, np.stack(seconds) - means[:, :, None] * means[:, None, :]


def mechanism_nll(means: Floats, covariances: Floats, shape: Shape) -> tuple[float, Floats, Floats]:
    """Return the least negative log-likelihood of latent variables over the mechanisms, and its slope.

    Returns
    -------
    value : float
        Mean over domains, of latent variables with these moments.
    matrices : ndarray (D, m, m)
    centres : ndarray (D, m)
        The derivative in a latent row h of domain d is ``matrices_d h - centres_d``, times the row's weight.
    """
    n_domains, m = means.shape
    s = shape.shared
    value = 0.5 * m * (1 + math.log(2 * math.pi))
    matrices, centres = np.zeros_like(covariances), np.zeros_like(means)
    anchored = slice(0, 1 if shape.anchored else 0)
    if s and not shape.anchored:
        pooled_mean = means[:, :s].mean(axis=0)
        apart = means[:, :s] - pooled_mean
        pooled = covariances[:, :s, :s].mean(axis=0) + apart.T @ apart / n_domains
        inverse = np.linalg.inv(pooled)
        value += 0.5 * np.linalg.slogdet(pooled)[1]
        matrices[:, :s, :s] += inverse
        centres[:, :s] += inverse @ pooled_mean
    elif s:  # the shared mechanisms are the noise itself: f_0 = identity
        seconds = np.einsum("dii->di", covariances) + means**2
        value += 0.5 * (seconds[:, :s].sum(axis=1).mean() - s)
        matrices[:, :s, :s] += np.eye(s)
    if s < m:
        own = np.linalg.inv(covariances)
        terms = np.linalg.slogdet(covariances)[1]
        if s:
            own[:, :s, :s] -= np.linalg.inv(covariances[:, :s, :s])
            terms = terms - np.linalg.slogdet(covariances[:, :s, :s])[1]
        shifts = np.einsum("dij,dj->di", own, means)
        if shape.anchored:
            second = np.diagonal(covariances[0])[s:] + means[0, s:] ** 2
            terms[0] = second.sum() - (m - s)
            own[anchored], shifts[anchored] = np.diag(np.arange(m) >= s), 0.0
        value += 0.5 * terms.mean()
        matrices += own
        centres += shifts
    return value, matrices, centres


def nll_and_slope(flat: Floats, rows: Whitened, shape: Shape, width: float) -> tuple[float, Floats]:
    """Return the negative log-likelihood of whitened rows and its derivative in the unmixing (m, m + 1), flattened.

    The inverse of the rectifier is ``h = a y - c (sqrt(y^2 + w^2) - w)``, with slopes a - c = 1 and a + c = 1 / slope
    far from zero, so the log-determinant is exact for every width w.
    """
    m = len(rows.values) - 1
    unmixing = flat.reshape(m, m + 1)
    steep, bend = (1 / shape.slope + 1) / 2, (1 / shape.slope - 1) / 2
    y = unmixing @ rows.values
    root = np.sqrt(y * y + width * width)
    rise = steep - bend * y / root
    latents = steep * y - bend * (root - width)
    means, covariances = moments(latents, rows.parts)
    value, matrices, centres = mechanism_nll(means, covariances, shape)
    logs = np.log(rise.prod(axis=0))
    sign, log_determinant = np.linalg.slogdet(unmixing[:, :m])
    if sign == 0:
        return math.inf, np.zeros_like(flat)
    slope = bend * width * width / (root * root * root * rise)
    for part, matrix, centre in zip(rows.parts, matrices, centres):
        n = part.stop - part.start
        value -= logs[part].mean() / len(rows.parts)
        slope[:, part] += (matrix @ latents[:, part] - centre[:, None]) * rise[:, part]
        slope[:, part] /= n * len(rows.parts)
    gradient = slope @ rows.values.T
    gradient[:, :m] -= np.linalg.inv(unmixing[:, :m]).T
    return value - log_determinant, gradient.ravel()


def descend(start: Floats, rows: Whitened, shape: Shape, width: float, steps: int) -> tuple[float, Floats]:
    """Return the value and the unmixing that L-BFGS reaches."""
    found = minimize(
        nll_and_slope,
        start.ravel(),
        (rows, shape, width),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxcor": 20},
    )
    return float(found.fun), found.x.reshape(start.shape)


def dense_starts(m: int, count: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield unmixings to start from: the identity, then random rotations."""
    for k in range(count):
        turn = np.eye(m) if k == 0 else np.linalg.qr(rng.standard_normal((m, m)))[0]
        yield np.hstack([turn, np.zeros((m, 1))])


def fit_dense(rows: Whitened, slope: float, starts: int, rng: np.random.Generator) -> Dense:
    """Return the optima of the model that shares nothing, on part of the rows, best first."""
    some, shape = rows.first(SEARCH_ROWS), Shape(0, slope)
    found = []
    for start in dense_starts(len(rows.values) - 1, starts, rng):
        value, unmixing = math.inf, start
        for width in WIDTHS:
            value, unmixing = descend(unmixing, some, shape, width, 100)
        found.append((value, unmixing))
    return sorted(found, key=lambda one: one[0])


def orders(unmixing: Floats, rows: Whitened, shape: Shape, count: int) -> list[list[int]]:
    """Return orders of the latent variables, those that change least first, the most likely orders first.

    All sets of that size are tried where there are at most 500 of them; else mechanisms are shared one by one.
    """
    m = len(unmixing)
    latents = unleaky(unmixing @ rows.values, shape.slope)
    means, covariances = moments(latents, rows.parts)

    def value(order: Sequence[int]) -> float:
        picked = list(order)
        return mechanism_nll(means[:, picked], covariances[:, picked][:, :, picked], Shape(shape.shared, shape.slope))[
            0
        ]

    if math.comb(m, shape.shared) <= MOST_SUBSETS:
        tried = [
            [*chosen, *(j for j in range(m) if j not in chosen)] for chosen in combinations(range(m), shape.shared)
        ]
        return sorted(tried, key=value)[:count]
    chosen: list[int] = []
    while len(chosen) < shape.shared:
        rest = [j for j in range(m) if j not in chosen]
        partial = Shape(len(chosen) + 1, shape.slope)

        def with_one(j: int, partial: Shape = partial, rest: list[int] = rest) -> float:
            picked = [*chosen, j, *(i for i in rest if i != j)]
            return mechanism_nll(means[:, picked], covariances[:, picked][:, :, picked], partial)[0]

        chosen.append(min(rest, key=with_one))
    return [[*chosen, *(j for j in range(m) if j not in chosen)]]


def fit_shape(rows: Whitened, dense: Dense, shape: Shape, candidates: int = 3) -> tuple[float, Floats]:
    """Return the negative log-likelihood of all rows and the unmixing of the best model of a shape."""
    if shape.shared == 0 and not shape.anchored:
        return descend(dense[0][1], rows, shape, LAST_WIDTH, 200)
    some = rows.first(SEARCH_ROWS)
    tried = []
    for _, unmixing in dense[:2]:
        for order in orders(unmixing, rows, shape, candidates):
            value, found = math.inf, unmixing[order]
            for width in WIDTHS[1:]:
                value, found = descend(found, some, shape, width, 150)
            tried.append((value, found))
    best = min(tried, key=lambda one: one[0])
    return descend(best[1], rows, shape, LAST_WIDTH, 200)


def model_of(unmixing: Floats, rows: Whitened, shape: Shape) -> LinearDomainModel:
    """Return the model of an unmixing with its best mechanisms; pooled latent variables have deviation one."""
    m = len(unmixing)
    y = unmixing @ rows.values
    if not shape.anchored:
        deviations = unleaky(y, shape.slope).std(axis=1)
        unmixing = unmixing / deviations[:, None]
        y = y / deviations[:, None]
    mixing = rows.root @ np.linalg.inv(unmixing[:, :m])
    means, covariances = moments(unleaky(y, shape.slope), rows.parts)
    return LinearDomainModel(
        mechanisms_of(means, covariances, shape), mixing, rows.mean - mixing @ unmixing[:, m], shape.slope
    )


def mechanisms_of(means: Floats, covariances: Floats, shape: Shape) -> DomainMechanisms:
    """Return the regressions of each latent variable on earlier ones: pooled where shared, else by domain."""
    n_domains, m = means.shape
    s = shape.shared
    weights, scales, intercepts = np.zeros((n_domains, m, m)), np.ones((n_domains, m)), np.zeros((n_domains, m))
    centre = means.mean(axis=0)
    apart = means - centre
    pooled = covariances.mean(axis=0) + apart.T @ apart / n_domains
    for i in range(m):
        for d in range(n_domains):
            if shape.anchored and (i < s or d == 0):
                continue
            mean, covariance = (centre, pooled) if i < s else (means[d], covariances[d])
            slopes, scale = _regression(covariance, i)
            weights[d, i, :i], scales[d, i] = slopes, scale
            intercepts[d, i] = mean[i] - slopes @ mean[:i]
    return DomainMechanisms.structural(weights, scales, intercepts)


def _regression(covariance: Floats, i: int) -> tuple[Floats, float]:
    slopes = np.linalg.solve(covariance[:i, :i], covariance[:i, i])
    return slopes, math.sqrt(max(float(covariance[i, i] - slopes @ covariance[:i, i]), 1e-12))
