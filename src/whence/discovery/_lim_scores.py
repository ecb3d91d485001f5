"""Local scores of linear models for numbers and binary columns: the likelihood of a column given others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whence.kernels import Kernels

Array = NDArray[np.float64]
Parents = tuple[int, ...]

_kernels = Kernels("whence.discovery._kernels_lingam")

# Keeps the coefficients of a logistic regression finite where a column separates the two values.
RIDGE = 1e-3
_STEPS = 30


@dataclass
class MixedScore:
    """The score of every column given parents; each is computed once.

    A number given its parents has the likelihood of the entropy of its residual by least squares, which takes noise of
    any shape (Hyvärinen 1998, as in `DirectLiNGAM`); a binary column has that of a logistic regression. From it goes
    the price of the parameters.

    Attributes
    ----------
    values : float array, shape (n, p)
        Standardised columns; 0 and 1 in binary ones.
    binary : bool array, shape (p,)
    unit, edge : float
        Price of a parameter, and of an edge on top, in log-likelihood.
    """

    values: Array
    binary: NDArray[np.bool_]
    unit: float
    edge: float
    _kept: dict[tuple[int, Parents], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._centred = self.values - self.values.mean(axis=0)
        self._products = self._centred.T @ self._centred
        self._nothing = np.zeros(len(self.values))

    def local(self, target: int, parents: Parents) -> float:
        """Return the score of a column given parents, in rising order."""
        key = (target, parents)
        if key not in self._kept:
            likelihood = self._logistic(target, parents) if self.binary[target] else self._linear(target, parents)
            self._kept[key] = likelihood - (self.unit + self.edge) * len(parents)
        return self._kept[key]

    def total(self, adjacency: NDArray[np.bool_]) -> float:
        """Return the score of a graph, ``[i, j]`` for i -> j."""
        return sum(self.local(node, parents_of(adjacency, node)) for node in range(len(adjacency)))

    def coefficients(self, target: int, parents: Parents) -> Array:
        """Return the slopes of a column on its parents: of least squares, or of the logarithm of the odds."""
        if self.binary[target]:
            return logistic(self._centred[:, parents], self.values[:, target])[0][1:]
        return self._slopes(target, parents)

    def residual(self, target: int, parents: Parents) -> Array:
        """Return what least squares leaves of a column, shape (n,)."""
        centred = self._centred[:, target]
        return np.asarray(centred - self._centred[:, parents] @ self._slopes(target, parents)) if parents else centred

    def _slopes(self, target: int, parents: Parents) -> Array:
        listed = list(parents)
        return np.linalg.solve(self._products[np.ix_(listed, listed)], self._products[listed, target])

    def _linear(self, target: int, parents: Parents) -> float:
        left = self.residual(target, parents)
        n = len(left)
        spread = math.sqrt(max(float(left @ left) / n, 1e-300))
        entropy = _kernels.residual_entropy(np.ascontiguousarray(left), self._nothing, 0.0, 1.0 / spread)
        return -n * (math.log(spread) + float(entropy))

    def _logistic(self, target: int, parents: Parents) -> float:
        return logistic(self._centred[:, parents], self.values[:, target])[1]


def parents_of(adjacency: NDArray[np.bool_], node: int) -> Parents:
    """Return the parents of a node in rising order."""
    return tuple(np.flatnonzero(adjacency[:, node]).tolist())


def logistic(given: Array, outcome: Array) -> tuple[Array, float]:
    """Return intercept and slopes, and the log-likelihood, of a logistic regression on columns of shape (n, k).

    Newton's method; a weak ridge on the slopes keeps them finite.
    """
    design = np.column_stack([np.ones(len(given)), given])
    share = float(outcome.mean())
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = math.log(share / (1.0 - share))
    ridge = np.full(design.shape[1], RIDGE)
    ridge[0] = 0.0
    for _ in range(_STEPS if given.shape[1] else 0):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -35.0, 35.0)))
        slope = design.T @ (outcome - chance) - ridge * coefficients
        bend = (design.T * (chance * (1.0 - chance))) @ design
        bend[np.diag_indices_from(bend)] += ridge + 1e-9
        step = np.linalg.solve(bend, slope)
        coefficients += step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < 1e-8:
            break
    odds = design @ coefficients
    return coefficients, float(odds @ outcome - np.logaddexp(0.0, odds).sum())
