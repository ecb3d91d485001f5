"""Decomposable local scores behind one signature: ``score.local(target, parents) -> float``, by position.

A graph's score is the sum of its nodes' local scores. The price of a parameter is ``penalty * log(n) / 2``, the plain
BIC at ``penalty=1``; each edge costs ``log(p)`` more unless ``per_edge`` says otherwise. The plain BIC takes in more
and more false edges as columns are added, because the number of pairs grows with p squared; at two log p on the
deviance scale their expected number among pairs stays about constant (the extended BIC of Foygel and Drton 2010 at
gamma = 1/2). The Gaussian BIC of many columns and few rows costs more: see `gaussian_price`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.counting import count_logs, row_sets
from whence.errors import ParameterError
from whence.kernels import Kernels
from whence.registry import Card, Paper, register
from whence.scores._kernels import BDEU, DISCRETE_BIC, GAUSSIAN

_gaussian = Kernels("whence.scores._kernels_gaussian")
_discrete = Kernels("whence.scores._kernels_discrete")
NO_CORRELATION = np.empty((0, 0))
NO_CODES = np.empty((0, 0), dtype=np.int32)
NO_SIZES = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class LocalScore:
    """A local score with its statistics; `gaussian_bic`, `discrete_bic` and `bdeu` make one.

    Attributes
    ----------
    mode : int
        Which formula the kernels use.
    correlation : float array, shape (p, p)
        For the Gaussian score.
    codes : int32 array, shape (p, n)
        For the discrete scores, one row for each column.
    sizes : int64 array, shape (p,)
    n : float
        Rows.
    unit, edge : float
        Price of a parameter and of an edge, in log-likelihood.
    ess : float
        Equivalent sample size of BDeu.
    """

    mode: int
    n: float
    unit: float
    edge: float
    correlation: NDArray[np.float64] = field(default_factory=lambda: NO_CORRELATION)
    codes: NDArray[np.int32] = field(default_factory=lambda: NO_CODES)
    sizes: NDArray[np.int64] = field(default_factory=lambda: NO_SIZES)
    ess: float = 1.0

    @property
    def n_columns(self) -> int:
        """The number of columns p."""
        return len(self.correlation) if self.mode == GAUSSIAN else len(self.sizes)

    @property
    def equivalent(self) -> bool:
        """Whether all graphs of an equivalence class have the same score, which searches over classes rely on."""
        return True

    @cached_property
    def kernels(self) -> tuple[Any, Any]:
        """The gains and the losses of this score as compiled functions; see `whence.scores._kernels`."""
        if self.mode == GAUSSIAN:
            return _gaussian.gaussian_gains, _gaussian.gaussian_losses
        return _discrete.discrete_gains, _discrete.discrete_losses

    @cached_property
    def packed(self) -> tuple[Any, ...]:
        """The score as its kernels take it."""
        sets, first = row_sets(self.codes, self.sizes)
        logs = count_logs(self.codes.shape[1])
        statistics = (self.mode, self.correlation, self.codes, self.sizes, sets, first)
        return (*statistics, self.n, self.unit, self.edge, self.ess, logs)

    def local(self, target: int, parents: Sequence[int]) -> float:
        """Return the score of a node given its parents, in log-likelihood; -inf if the parents are collinear."""
        return self._losses(target, parents)[0]

    def gains(self, target: int, parents: Sequence[int]) -> NDArray[np.float64]:
        """Return by how much the score rises for each further parent, shape (p,); -inf for those that cannot join."""
        given = np.array(parents, dtype=np.int64)
        gains = np.empty(self.n_columns)
        self.kernels[0](self.packed, target, given, len(given), np.ones(self.n_columns, dtype=bool), gains)
        return gains

    def losses(self, target: int, parents: Sequence[int]) -> NDArray[np.float64]:
        """Return by how much the score falls for each parent that leaves, in their order; negative if it rises."""
        return self._losses(target, parents)[1]

    def total(self, adjacency: NDArray[np.bool_]) -> float:
        """Return the score of a DAG, ``adjacency[i, j]`` for ``i -> j``."""
        return sum(self.local(node, np.flatnonzero(adjacency[:, node]).tolist()) for node in range(self.n_columns))

    def _losses(self, target: int, parents: Sequence[int]) -> tuple[float, NDArray[np.float64]]:
        given = np.array(parents, dtype=np.int64)
        losses = np.zeros(len(given))
        return float(self.kernels[1](self.packed, target, given, len(given), losses)), losses


@register(
    Card(
        name="gaussian-bic",
        family="score",
        answers="how well a linear Gaussian regression on the parents fits a column, less the price of its parameters",
        assumes=frozenset({"linear", "gaussian", "iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
        output="local score",
        missing="complete-rows",
        moments_only=True,
        paper=Paper("Foygel and Drton", "Extended Bayesian information criteria for Gaussian graphical models", 2010),
    )
)
def gaussian_bic(
    correlation: NDArray[np.float64], n: int, *, penalty: float = 1.0, per_edge: float | None = None
) -> LocalScore:
    """Return the Gaussian BIC of columns with a correlation matrix over n rows.

    Parameters
    ----------
    correlation : float array, shape (p, p)
    n : int
        Rows behind it.
    penalty : float
        Multiplies ``log(n) / 2`` for each parameter; 1 is the BIC.
    per_edge : float, optional
        Price of an edge beside its parameter, in log-likelihood; by default `gaussian_price`, 0 for the plain BIC.

    Examples
    --------
    >>> score = gaussian_bic(np.array([[1.0, 0.5], [0.5, 1.0]]), 100, per_edge=0.0)
    >>> round(score.local(1, [0]), 3)
    12.082
    """
    p = len(correlation)
    matrix = np.ascontiguousarray(correlation, dtype=np.float64)
    edge = gaussian_price(n, p) if per_edge is None else float(per_edge)
    return LocalScore(GAUSSIAN, float(n), _unit(penalty, n), edge, correlation=matrix)


def gaussian_price(n: int, p: int) -> float:
    """Return the default price of an edge of the Gaussian BIC: ``max(log p, 2 log p - log(n) / 2)``.

    This is the extended BIC at ``gamma = max(1/2, 1 - log n / (4 log p))``. Gamma must exceed the second to find the
    graph as n and p grow (Foygel and Drton 2010, theorem 2), which 1/2 does up to as many columns as the root of the
    rows; beyond, the sets of parents that a search compares outgrow the pairs.

    ``benchmarks/price_rules.py`` compares it with eight others, among them those of the peers: under this one BOSS and
    GRaSP fell below the peers' price in none of 99 sorts of tables of 10 to 300 columns and exceeded it in a third.

    Examples
    --------
    >>> round(gaussian_price(1000, 10), 3), round(gaussian_price(1000, 300), 3)
    (2.303, 7.954)
    """
    return max(math.log(p), 2.0 * math.log(p) - math.log(n) / 2.0)


def gaussian_rule(n: int, p: int) -> str:
    """Return how `gaussian_price` came about, for the record."""
    if 2.0 * math.log(p) > math.log(n):
        return f"2 log p - log(n) / 2, more than log p, at n = {n}, p = {p}"
    return f"log p at p = {p}"


@register(
    Card(
        name="discrete-bic",
        family="score",
        answers="how well a table of the parents' values predicts a category, less the price of its cells",
        assumes=frozenset({"discrete", "iid"}),
        kinds=frozenset({"categorical", "binary", "ordinal"}),
        output="local score",
        missing="complete-rows",
        paper=Paper("Schwarz", "Estimating the dimension of a model", 1978, "Annals of Statistics 6"),
    )
)
def discrete_bic(
    codes: NDArray[np.int32], sizes: NDArray[np.int64], *, penalty: float = 1.0, per_edge: float | None = None
) -> LocalScore:
    """Return the discrete BIC of coded columns, shape (p, n), with ``sizes[j]`` values each."""
    p, n = codes.shape
    return LocalScore(DISCRETE_BIC, float(n), _unit(penalty, n), _edge(per_edge, p), codes=codes, sizes=sizes)


@register(
    Card(
        name="bdeu",
        family="score",
        answers="the marginal likelihood of a category given its parents' values under a uniform Dirichlet prior",
        assumes=frozenset({"discrete", "iid"}),
        kinds=frozenset({"categorical", "binary", "ordinal"}),
        output="local score",
        missing="complete-rows",
        paper=Paper("Heckerman, Geiger and Chickering", "Learning Bayesian networks", 1995, "Machine Learning 20"),
    )
)
def bdeu(
    codes: NDArray[np.int32], sizes: NDArray[np.int64], *, ess: float = 1.0, per_edge: float | None = None
) -> LocalScore:
    """Return the BDeu score of coded columns with equivalent sample size ``ess``."""
    p, n = codes.shape
    if ess <= 0:
        raise ParameterError(
            "E316", f"the equivalent sample size {ess!r} is not positive.", "Give ess > 0, often 1 to 10."
        )
    return LocalScore(BDEU, float(n), 0.0, _edge(per_edge, p), codes=codes, sizes=sizes, ess=float(ess))


def _unit(penalty: float, n: int) -> float:
    if penalty <= 0:
        raise ParameterError("E316", f"the penalty {penalty!r} is not positive.", "Give penalty > 0; 1 is the BIC.")
    return penalty * math.log(n) / 2


def _edge(per_edge: float | None, p: int) -> float:
    return math.log(p) if per_edge is None else float(per_edge)
