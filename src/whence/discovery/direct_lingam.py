"""DirectLiNGAM: the causal order from non-Gaussian noise, one exogenous column at a time."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._lingam import LinearNonGaussianSearch, Order
from whence.kernels import Kernels
from whence.parallel import default_jobs, fan_out
from whence.registry import Card, Paper, register

_kernels = Kernels("whence.discovery._kernels_lingam")

Array = NDArray[np.float64]

_THREADED_FROM = 2e6

CARD = Card(
    name="direct-lingam",
    family="search",
    answers="Which linear model with non-Gaussian noise made the table, every direction included?",
    assumes=frozenset({"linear", "non-gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="DAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Shimizu, Inazumi, Sogawa, Hyvärinen, Kawahara, Washio, Hoyer and Bollen",
        "DirectLiNGAM: a direct method for learning a linear non-Gaussian structural equation model",
        2011,
        "JMLR 12, 1225-1248",
    ),
)


@register(CARD)
class DirectLiNGAM(LinearNonGaussianSearch):
    """Direct estimation of a linear non-Gaussian acyclic model.

    The column whose residuals on it look most independent of it, by the entropies of all pairs, comes first; it is
    regressed out of the others and the next is looked for. Parents are then chosen among the columns before each by
    growing and shrinking on the Gaussian BIC, and the coefficients are those of least squares.

    Parameters
    ----------
    penalty : float
        Multiplies the BIC's price of a parent.
    per_edge : float, optional
        Price of an edge on top, in log-likelihood; by default log p, or 2 log p - log(n) / 2 where that is more.
    knowledge : Knowledge, optional
        No order against required edges, tiers, roots and leaves; forbidden edges are never parents.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, noise = rng.laplace(size=(2, 800))
    >>> result = DirectLiNGAM().fit({"dose": 0.8 * age + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()], round(result.evidence[0].weight, 1)
    (['age -> dose'], 0.8)
    """

    card: ClassVar[Card]

    def _order(self, values: Array, before: NDArray[np.bool_]) -> Order:
        return Order(causal_order(values, before))


def causal_order(values: Array, before: NDArray[np.bool_] | None = None) -> list[int]:
    """Return the columns of a table in causal order.

    Parameters
    ----------
    values : ndarray, shape (n, p)
    before : bool array, shape (p, p), optional
        ``before[i, j]``: i must come before j.

    Each time the column is taken that minimises ``sum over j of min(0, I(i, j))^2``, where I is positive if i is the
    likelier cause of j: Hyvärinen and Smith (2013), equation 19.
    """
    n, p = values.shape
    before = np.zeros((p, p), dtype=bool) if before is None else before
    rows = np.ascontiguousarray((values - values.mean(axis=0)).T)
    rows /= rows.std(axis=1, keepdims=True)
    correlation = rows @ rows.T / n
    nothing = np.zeros(n)
    entropy = np.array([_kernels.residual_entropy(row, nothing, 0.0, 1.0) for row in rows])
    left = np.arange(p)
    gains = np.zeros((p, p))
    order = []
    while len(left) > 1:
        jobs = default_jobs() if len(left) ** 2 * n > _THREADED_FROM else 1

        def compare(first: int, left: NDArray[np.int64] = left, jobs: int = jobs) -> None:
            _kernels.compare_pairs(rows, left, correlation, entropy, gains, first, jobs)

        for _ in fan_out(compare, range(jobs), n_jobs=jobs):
            pass
        doubt = (np.minimum(gains[np.ix_(left, left)], 0.0) ** 2).sum(axis=1)
        free = ~before[np.ix_(left, left)].any(axis=0)
        chosen = int(left[np.argmin(np.where(free, doubt, np.inf))])
        order.append(chosen)
        left = left[left != chosen]
        _kernels.take_out(rows, left, chosen, correlation, entropy)
    return [*order, *left.tolist()]
