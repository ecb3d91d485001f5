"""How mechanisms change along an index: embeddings of P(X | c) and P(Y | X, c), their Gram matrices and dependence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from whence.kernels import Kernels

_gram = Kernels("whence.independence._kernels_gram")

Floats = NDArray[np.float64]

WIDTH = 1.0
"""Of the Gaussian kernels that embed columns, in standard deviations."""

WIDTHS_OF_TIME = (0.03, 0.1)
"""Within which the kernel over time is fitted, as a share of the record."""

FIXED_TIME, FIXED_RIDGE = 0.05, 0.3
"""Without fitting: width over time, as a share of the record, and noise in units of the signal's variance."""

DRIVER_MEDIANS = 10.0
"""Kernels this many median squared distances wide show a one-dimensional drive as one component.

At one median, as dependence is measured, it bends into a curve of several.
"""

TUNING_ROWS = 200
SHIFT = 0.1
"""Circular shifts by less than this share of the record are no draws from the null: they nearly are the data."""

PERMUTATIONS = 500
_TOLERANCE = 1e-3
RANKS = (20, 60)
"""Most columns of the factor of a Gram matrix: of an effect, of its causes."""


@dataclass(frozen=True)
class Index:
    """Where each row stands: a place on the record from 0 to 1, or the code of a domain.

    Attributes
    ----------
    places : float array, shape (n,)
    timed : bool
        False for domains, which have no order.
    grid : float array, shape (m,)
        The places at which changes are compared.
    """

    places: Floats
    timed: bool
    grid: Floats

    def distances(self, at: Floats) -> Floats:
        """Return squared distances over the index from places to all rows; infinite between different domains."""
        apart = at[:, None] - self.places[None, :]
        return apart * apart if self.timed else np.where(apart == 0.0, 0.0, np.inf)


@dataclass(frozen=True)
class Widths:
    """Settings of a regression over causes and index.

    The kernel is ``exp(-|x - x'|**2 / (2 causes**2) - (c - c')**2 / (2 time**2))``;
    ``noise`` is the variance of what the regression leaves, in units of the variance of what it explains.
    """

    causes: float
    time: float
    noise: float


def points_of(columns: Sequence[Floats]) -> Floats:
    """Return the coordinates of some columns, shape (n, w), in kernel widths of one column times the root of how many.

    With more columns the distances grow; the joint width grows with them.
    """
    return np.hstack(columns) / (WIDTH * math.sqrt(len(columns)))


def factor(points: Floats, most: int) -> Floats:
    """Return F of shape (n, r) with ``F @ F.T`` the Gaussian Gram matrix of points in kernel widths, nearly."""
    rows = _gram.gaussian_factor(np.ascontiguousarray(points.T), _TOLERANCE * len(points), most)
    return np.ascontiguousarray(rows.T)


def fit_widths(response: Floats, causes: Floats | None, index: Index) -> Widths:
    """Fit a Gaussian process to the leading directions of a response's embedding, by marginal likelihood.

    All share one kernel. At most 200 rows enter, evenly along the index.

    Parameters
    ----------
    response : float array, shape (n, r)
        A factor of the response's Gram matrix.
    causes : float array, shape (n, w), or None
        In units in which a kernel width of 1 is the fixed one.
    """
    order = np.argsort(index.places, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, TUNING_ROWS).round().astype(int))]
    targets = _leading(response)[chosen]
    squares = [cdist(causes[chosen], causes[chosen], "sqeuclidean")] if causes is not None else []
    over_index = index.distances(index.places[chosen])[:, chosen]
    same = np.isfinite(over_index)
    bounds = [(math.log(0.1), math.log(30.0))] * len(squares)
    if index.timed:
        squares.append(over_index)
        bounds.append((math.log(WIDTHS_OF_TIME[0]), math.log(WIDTHS_OF_TIME[1])))
    likelihood = _Likelihood(targets, squares, same)
    bounds += [(math.log(1e-2), math.log(1e3)), (math.log(1e-3), math.log(1e3))]
    start = np.zeros(len(bounds))
    if index.timed:
        start[len(squares) - 1] = np.mean(bounds[len(squares) - 1])
    found = np.exp(
        minimize(likelihood, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25, "ftol": 1e-5}).x
    )
    widths = list(found[: len(squares)])
    time = widths.pop() if index.timed else FIXED_TIME
    return Widths(float(widths[0]) if widths else 1.0, float(time), float(found[-1] / found[-2]))


def _leading(response: Floats) -> Floats:
    """Return eigenvectors of the Gram matrix, each scaled by the root of its eigenvalue, the first to variance 4."""
    values, vectors = np.linalg.eigh(response.T @ response)
    kept = values > 1e-4 * values[-1]
    return np.asarray(response @ vectors[:, kept] * (2.0 * math.sqrt(len(response) / values[-1])))


class _Likelihood:
    """Negative log marginal likelihood of zero-mean Gaussian processes with one kernel, and its gradient."""

    def __init__(self, targets: Floats, squares: list[Floats], same: NDArray[np.bool_]) -> None:
        self.targets = targets
        self.squares = squares
        self.same = same

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        """Evaluate at the logs of the widths, of the signal's variance and of the noise's."""
        n, count = self.targets.shape
        *widths, signal, noise = np.exp(logs)
        exponent = np.zeros((n, n))
        for square, width in zip(self.squares, widths):
            exponent -= square / (2.0 * width * width)
        covariance = np.where(self.same, signal * np.exp(exponent), 0.0)
        noisy = covariance.copy()
        noisy[np.diag_indices(n)] += noise + 1e-9 * signal
        root = cho_factor(noisy, lower=True, overwrite_a=True, check_finite=False)
        inverse = cho_solve(root, np.eye(n), overwrite_b=True, check_finite=False)
        weights = inverse @ self.targets
        value = count * np.log(np.diag(root[0])).sum() + 0.5 * (self.targets * weights).sum()
        slope = 0.5 * (count * inverse - weights @ weights.T)
        by_entry = slope * covariance
        gradient = [np.vdot(by_entry, square) / width**2 for square, width in zip(self.squares, widths)]
        gradient += [by_entry.sum(), noise * np.trace(slope)]
        return float(value) / n, np.array(gradient) / n


def embed_marginal(own: Floats, widths: Widths, index: Index) -> Floats:
    """Return the embedding of P(X | c) at each place of the grid, shape (m, r): a kernel ridge regression on c.

    With ``own`` of shape (n, r) a factor of the Gram matrix of X, products of its rows are the entries of
    ``K_C (K_C + s I)^-1 K_X (K_C + s I)^-1 K_C``.
    """
    onto = _over_index(index, index.grid, widths)
    if not index.timed:  # the matrix is block diagonal: shrunken means
        return np.asarray((onto @ own) / (onto.sum(axis=1, keepdims=True) + widths.noise))
    between = _over_index(index, index.places, widths)
    return np.asarray(onto @ _solve(between, widths.noise, own))


def embed_conditional(own: Floats, causes: Floats, of_causes: Floats, widths: Widths, index: Index) -> Floats:
    """Return the embedding of P(Y | X, c), averaged over all X, at each place of the grid.

    ``mu_c = mean over t of phi(x_t) (x) E[psi(Y) | x_t, c]``, with the expectation by kernel ridge regression on X and
    c together. Products of rows are the entries of ``K_C [(K_X K_X K_X) o (A K_Y A)] K_C / n**2``.

    Parameters
    ----------
    own : float array, shape (n, r)
        Factor of the Gram matrix of Y.
    causes : float array, shape (n, w)
        X, in units in which a width of 1 is the fixed one.
    of_causes : float array, shape (n, s)
        Factor of the Gram matrix of X.

    Returns
    -------
    float array, shape (m, r * s)
    """
    n = len(own)
    over_causes = np.exp(-cdist(causes, causes, "sqeuclidean") / (2.0 * widths.causes**2))
    between = over_causes * _over_index(index, index.places, widths)
    weights = _solve(between, widths.noise, own)
    averaged = over_causes @ of_causes / n
    onto = _over_index(index, index.grid, widths)
    return np.hstack([onto @ (averaged * column[:, None]) for column in weights.T])


def _over_index(index: Index, at: Floats, widths: Widths) -> Floats:
    squares = index.distances(at)
    if not index.timed:
        return np.asarray(squares == 0.0, dtype=np.float64)
    return np.asarray(np.exp(-squares / (2.0 * widths.time**2)))


def _solve(matrix: Floats, ridge: float, right: Floats) -> Floats:
    matrix[np.diag_indices(len(matrix))] += max(ridge, 1e-6)
    root = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(root, right, check_finite=False))


def change_gram(embedding: Floats, medians: float = 1.0) -> Floats:
    """Return the centred Gaussian Gram matrix over embeddings, shape (m, m).

    ``2 * medians`` times their median squared distance divides the exponent.
    """
    squares = cdist(embedding, embedding, "sqeuclidean")
    median = float(np.median(squares[np.tril_indices(len(squares), -1)]))
    gram = np.exp(-squares / (2.0 * medians * median)) if median > 0.0 else np.ones_like(squares)
    means = gram.mean(axis=0)
    return np.asarray(gram - means - means[:, None] + means.mean())


def dependence(first: Floats, second: Floats) -> float:
    """Return the normalised Hilbert-Schmidt criterion of two centred Gram matrices: 0 to 1."""
    norm = math.sqrt(float((first * first).sum()) * float((second * second).sum()))
    return float((first * second).sum()) / norm if norm > 0.0 else 0.0


def null_orders(m: int, timed: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return orders of the grid under which two changes are not aligned, shape (k, m).

    Circular shifts along time, by a tenth of the record or more; random permutations of domains.
    """
    if timed:
        least = max(1, math.ceil(SHIFT * m))
        shifts = np.arange(least, m - least + 1)
        return (np.arange(m)[None, :] + shifts[:, None]) % m
    return np.array([rng.permutation(m) for _ in range(PERMUTATIONS)], dtype=np.int64).reshape(-1, m)


def reordered_dependence(first: Floats, second: Floats, orders: NDArray[np.int64]) -> Floats:
    """Return the dependence under each order of the second, shape (k,)."""
    norm = math.sqrt(float((first * first).sum()) * float((second * second).sum()))
    found = np.array([float((first * second[np.ix_(order, order)]).sum()) for order in orders])
    return found / norm if norm > 0.0 else np.zeros(len(orders))


def components(gram: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the first components of a centred Gram matrix, shape (m, count), and the eigenvalues, largest first.

    A component is an eigenvector times the root of its eigenvalue; its sign is such that its largest entry is positive.
    """
    m = len(gram)
    count = min(count, m)
    values, vectors = eigh(gram, subset_by_index=(m - count, m - 1))
    values, vectors = values[::-1].clip(0.0), vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(count)])
    return vectors * np.sqrt(values), values


def swings(driver: Floats) -> int:
    """Return how often a driver crosses its mean.

    >>> swings(np.sin(np.linspace(0.1, 6 * np.pi, 100)))
    5
    """
    above = driver > driver.mean()
    return int((above[1:] != above[:-1]).sum())
