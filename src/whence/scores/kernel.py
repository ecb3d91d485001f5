"""The generalised score: how well parents predict a column by relations of any form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from whence.data.mixed import MixedRows, indicator_scores
from whence.errors import ParameterError
from whence.kernels import Kernels
from whence.registry import Card, Paper, register
from whence.scores._kernels import GAUSSIAN
from whence.scores.local import NO_CODES, LocalScore, _edge

_kernels = Kernels("whence.scores._kernels_regression")
_NO_SETS = np.zeros((0, 0), dtype=np.uint64)
# Values whose distances set the width of a kernel, at most.
_THIN = 100


@dataclass(frozen=True)
class RegressionScore(LocalScore):
    """A score by regressions on waves of the parents; `kernel_score` makes one.

    Attributes
    ----------
    first : int64 array, shape (p + 1,)
        Where each column's block begins among the rows of ``correlation``; angles follow after the last.
    """

    first: NDArray[np.int64] | None = None

    @property
    def n_columns(self) -> int:
        """The number of columns p."""
        return len(self.sizes)

    @property
    def equivalent(self) -> bool:
        """False: a smooth function need not have a smooth inverse."""
        return False

    @cached_property
    def kernels(self) -> tuple[Any, Any]:
        """The gains and the losses as compiled functions."""
        return _kernels.regression_gains, _kernels.regression_losses

    @cached_property
    def packed(self) -> tuple[Any, ...]:
        """The score as its kernels take it; see `whence.scores._kernels_regression`."""
        statistics = (self.mode, self.correlation, NO_CODES, self.sizes, _NO_SETS, self.first)
        return (*statistics, self.n, self.unit, self.edge, self.ess, np.zeros(0))


@register(
    Card(
        name="kernel",
        family="score",
        answers="how well parents predict a column of either sort by smooth relations of any form",
        assumes=frozenset({"iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="local score",
        missing="complete-rows",
        paper=Paper(
            "Huang, Zhang, Lin, Schölkopf and Glymour",
            "Generalized score functions for causal discovery",
            2018,
            "KDD, 1551-1560",
        ),
    )
)
def kernel_score(
    rows: MixedRows, *, per_edge: float | None = None, waves: int | None = None, random_state: int = 0
) -> RegressionScore:
    """Return the generalised score of a table by marginal likelihoods.

    A column given parents is a Gaussian process: a linear function of them and a smooth one with a Gaussian kernel over
    all of them together, plus noise. The score is its log marginal likelihood, with the share of the noise at its best
    value, more than that of noise alone. Complicated relations pay for themselves, so that there is no price of a
    parameter. The kernel is approached by random waves, as many as `default_waves` says, so that one score of k parents
    costs ``n * waves * (k + waves)`` steps and not n cubed.

    Categories are their indicators. Equivalent graphs do not have the same score, because a smooth function need not
    have a smooth inverse: `BOSS` and `GRaSP`, which score graphs, get on with that better than `GES`, which scores
    classes and may take out an edge again that one direction alone explains.

    Parameters
    ----------
    rows : MixedRows
        From `whence.data.mixed.mixed_rows`.
    per_edge : float, optional
        Price of an edge, in log-likelihood; log p by default.
    waves : int, optional
        Random frequencies, each with a cosine and a sine.
    random_state : int
        Seed of the frequencies.

    Raises
    ------
    ParameterError
        If there is no wave.

    References
    ----------
    Huang et al. (2018), section 4.2, with the column itself as the only feature of the target: features of its kernel,
    which also see that a spread changes, made searches on our simulations less accurate. Rahimi and Recht (2007) for
    waves.

    Examples
    --------
    >>> from whence.data import read
    >>> from whence.data.mixed import mixed_rows
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.uniform(-2, 2, 300)
    >>> score = kernel_score(mixed_rows(read({"dose": dose, "cure": dose**2 + 0.3 * rng.normal(size=300)})))
    >>> bool(score.gains(1, [])[0] > 100)
    True
    """
    n = rows.n
    count = default_waves(n) if waves is None else waves
    if count < 1:
        raise ParameterError("E316", f"the score was asked for {waves} waves.", "Give 1 or more, often 10 to 30.")
    rng = np.random.default_rng(random_state)
    blocks, angles = [], []
    for place in rows.place.tolist():
        if place >= 0:
            values = rows.values[place]
            blocks.append(values[None, :])
            # One frequency from each of equally likely ranges, in random order, so that none is drawn twice.
            places = (rng.permutation(count) + rng.uniform(0.25, 0.75, count)) / count
            angles.append((ndtri(places) / median_distance(values))[:, None] * values)
        else:
            codes, size = rows.codes[-1 - place], int(rows.sizes[-1 - place])
            blocks.append(indicator_scores(np.bincount(codes, minlength=size) / n)[codes].T)
            angles.append(rng.uniform(0.0, 2.0 * math.pi, (count, size))[:, codes])
    first = np.concatenate(([0], np.cumsum([len(block) for block in blocks]))).astype(np.int64)
    return RegressionScore(
        GAUSSIAN,
        float(n),
        0.0,
        _edge(per_edge, len(rows.names)),
        correlation=np.ascontiguousarray(np.vstack([*blocks, *angles])),
        sizes=(rows.place >= 0).astype(np.int64),
        first=first,
    )


def default_waves(n: int) -> int:
    """Return how many random frequencies n rows carry: the cube root of n, 10 to 30.

    Searches of up to 1000 simulated rows, linear and not, gained nothing by more than ten.

    >>> default_waves(50), default_waves(8000), default_waves(10**6)
    (10, 20, 30)
    """
    return int(min(30, max(10, round(n ** (1 / 3)))))


def median_distance(values: NDArray[np.float64]) -> float:
    """Return the median distance between two different values of a column, of at most 100 of them evenly by rank.

    >>> median_distance(np.array([0.0, 1.0, 3.0]))
    2.0
    """
    ordered = np.sort(values)
    if len(ordered) > _THIN:
        ordered = ordered[np.linspace(0, len(ordered) - 1, _THIN).round().astype(int)]
    distances = np.abs(ordered[:, None] - ordered[None, :])
    apart = distances[distances > 0.0]
    return float(np.median(apart)) if apart.size else 1.0
