"""Scores of tables that mix numbers and categories: the degenerate and the conditional Gaussian BIC."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data.mixed import Embedded
from whence.kernels import Kernels
from whence.registry import Card, Paper, register
from whence.scores._kernels import GAUSSIAN
from whence.scores.local import NO_CODES, LocalScore, _edge, _unit

_degenerate = Kernels("whence.scores._kernels_degenerate")
_conditional = Kernels("whence.scores._kernels_conditional")
_KINDS = frozenset({"continuous", "count", "ordinal", "binary", "categorical"})
_NO_SETS = np.zeros((0, 0), dtype=np.uint64)


@dataclass(frozen=True)
class MixedScore(LocalScore):
    """A local score of columns of both sorts; `degenerate_gaussian_bic` and `conditional_gaussian_bic` make one.

    Attributes
    ----------
    place : int64 array
        Where each column is: beginnings of blocks, or rows of the numbers and of the categories.
    columns : int
        The number of columns p.
    conditional : bool
        Which of the two it is.
    """

    place: NDArray[np.int64] | None = None
    columns: int = 0
    conditional: bool = False

    @property
    def n_columns(self) -> int:
        """The number of columns p."""
        return self.columns

    @cached_property
    def kernels(self) -> tuple[Any, Any]:
        """The gains and the losses as compiled functions."""
        if self.conditional:
            return _conditional.conditional_gains, _conditional.conditional_losses
        return _degenerate.degenerate_gains, _degenerate.degenerate_losses

    @cached_property
    def packed(self) -> tuple[Any, ...]:
        """The score as its kernels take it; see `whence.scores._kernels_degenerate` and its sibling."""
        statistics = (self.mode, self.correlation, self.codes, self.sizes, _NO_SETS, self.place)
        return (*statistics, self.n, self.unit, self.edge, self.ess, np.zeros(0))


@register(
    Card(
        name="degenerate-gaussian",
        family="score",
        answers="how well a linear regression on numbers and indicators of categories fits a column of either sort",
        assumes=frozenset({"linear", "gaussian", "iid"}),
        kinds=_KINDS,
        output="local score",
        missing="complete-rows",
        moments_only=True,
        paper=Paper(
            "Andrews, Ramsey and Cooper",
            "Learning high-dimensional directed acyclic graphs with mixed data-types",
            2019,
            "Proceedings of Machine Learning Research 104, 4-21",
        ),
    )
)
def degenerate_gaussian_bic(embedded: Embedded, *, penalty: float = 1.0, per_edge: float | None = None) -> MixedScore:
    """Return the degenerate Gaussian BIC of a mixed table.

    A category of k levels enters as k - 1 indicators, and all columns are scored as if they were jointly Gaussian:
    ``-n/2 log |block given parents|`` less ``penalty log(n) / 2`` for each pair of an embedded column of the target and
    one of the parents. On numbers alone it is the Gaussian BIC. Equivalent graphs have the same score.

    Parameters
    ----------
    embedded : Embedded
        From `whence.data.mixed.embed`.
    penalty : float
        Multiplies ``log(n) / 2`` for each parameter; 1 is the BIC.
    per_edge : float, optional
        Price of an edge beside its parameters, in log-likelihood; log p by default.

    References
    ----------
    Andrews, Ramsey and Cooper (2019), section 3.

    Examples
    --------
    >>> from whence.data import read
    >>> from whence.data.mixed import embed
    >>> colour = np.repeat(["red", "green", "blue"], 50)
    >>> size = np.repeat([0.0, 1.0, 5.0], 50) + np.random.default_rng(0).normal(size=150)
    >>> score = degenerate_gaussian_bic(embed(read({"colour": colour, "size": size})))
    >>> bool(score.gains(1, [])[0] > 50), bool(np.isclose(score.gains(1, [])[0], score.gains(0, [])[1]))
    (True, True)
    """
    p = len(embedded.names)
    return MixedScore(
        GAUSSIAN,
        float(embedded.n),
        _unit(penalty, embedded.n),
        _edge(per_edge, p),
        correlation=embedded.correlation,
        codes=NO_CODES,
        sizes=np.diff(embedded.first),
        place=embedded.first,
        columns=p,
    )


@register(
    Card(
        name="conditional-gaussian",
        family="score",
        answers="how well Gaussians within the cells of categories fit columns of either sort, less their parameters",
        assumes=frozenset({"linear", "gaussian", "iid"}),
        kinds=_KINDS,
        output="local score",
        missing="complete-rows",
        paper=Paper(
            "Andrews, Ramsey and Cooper",
            "Scoring Bayesian networks of mixed variables",
            2018,
            "International Journal of Data Science and Analytics 6, 3-18",
        ),
    )
)
def conditional_gaussian_bic(
    values: NDArray[np.float64],
    codes: NDArray[np.int32],
    sizes: NDArray[np.int64],
    place: NDArray[np.int64],
    *,
    penalty: float = 1.0,
    per_edge: float | None = None,
) -> MixedScore:
    """Return the conditional Gaussian BIC of a mixed table.

    The numbers are Gaussian within each cell of the categories. The score of a column given parents is the BIC of their
    joint distribution less that of the parents, so that equivalent graphs have the same score. Each joint distribution
    has a covariance for every cell or one for all cells, whichever scores higher; where cells hold too few rows for
    their own, the common one is used.

    Parameters
    ----------
    values : float array, shape (p1, n)
        Numbers as rows with mean 0 and variance 1.
    codes : int32 array, shape (p2, n)
        Categories as rows.
    sizes : int64 array, shape (p2,)
    place : int64 array, shape (p,)
        Column j is row ``place[j]`` of the values if that is not negative, else row ``-1 - place[j]`` of the codes.
    penalty, per_edge : float
        As for `degenerate_gaussian_bic`.

    References
    ----------
    Andrews, Ramsey and Cooper (2018), section 3.1; the common covariance for sparse cells is ours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = rng.integers(0, 2, (1, 200)).astype(np.int32)
    >>> values = codes + rng.normal(size=(1, 200))
    >>> values = (values - values.mean()) / values.std()
    >>> score = conditional_gaussian_bic(values, codes, np.array([2]), np.array([-1, 0]))
    >>> bool(score.gains(1, [])[0] > 0)
    True
    """
    p, n = len(place), max(values.shape[1], codes.shape[1])
    return MixedScore(
        GAUSSIAN,
        float(n),
        _unit(penalty, n),
        _edge(per_edge, p),
        correlation=values,
        codes=codes,
        sizes=sizes,
        place=place,
        columns=p,
        conditional=True,
    )
