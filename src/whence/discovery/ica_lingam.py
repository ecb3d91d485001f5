"""ICA-LiNGAM: the linear model from independent components, all directions at once."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._ica import independent_components
from whence.discovery._ica_order import effects, order_of
from whence.discovery._lingam import LinearNonGaussianSearch, Order
from whence.registry import Card, Paper, register

CARD = Card(
    name="ica-lingam",
    family="search",
    answers="Which linear model with non-Gaussian noise made the table, read off its independent components?",
    assumes=frozenset({"linear", "non-gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="DAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Shimizu, Hoyer, Hyvärinen and Kerminen",
        "A linear non-Gaussian acyclic model for causal discovery",
        2006,
        "JMLR 7, 2003-2030",
    ),
)


@register(CARD)
class ICALiNGAM(LinearNonGaussianSearch):
    """The linear non-Gaussian acyclic model by independent component analysis.

    The noise terms are the independent components of the table. FastICA finds them, an assignment gives each to its
    column, and the order of the columns is the one that leaves the least effect from later ones on earlier ones.
    Parents and coefficients are then those of `DirectLiNGAM`: growing and shrinking on the Gaussian BIC, and least
    squares. Much quicker than `DirectLiNGAM` on many columns, and less sure of the order on few rows. Nothing is drawn:
    FastICA starts from the whitened columns as they are.

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
    >>> result = ICALiNGAM().fit({"dose": 0.8 * age + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()], round(result.evidence[0].weight, 1)
    (['age -> dose'], 0.8)
    """

    card: ClassVar[Card]

    def _order(self, values: NDArray[np.float64], before: NDArray[np.bool_]) -> Order:
        n, p = values.shape
        found = independent_components((values - values.mean(axis=0)) / values.std(axis=0))
        columns = order_of(effects(found.unmixing), before)
        details = {"ica_steps": found.steps, "ica_converged": found.converged}
        if found.converged:
            return Order(columns, (), details)
        said = (
            f"FastICA did not come to rest in {found.steps} steps: with {n:,} rows for {p} columns the components, "
            "and so the directions, are uncertain."
        )
        return Order(columns, (said,), details)
