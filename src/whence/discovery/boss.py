"""BOSS: the order of the columns whose best parents score highest."""

from __future__ import annotations

from typing import Any

from whence.discovery._order_search import OrderSearch
from whence.discovery._orders import improve_order
from whence.discovery.result import DiscoveryResult
from whence.registry import Card, Paper, register

CARD = Card(
    name="boss",
    family="search",
    answers="Which class of graphs explains the table best, searched over orders of the columns?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper(
        "Andrews, Ramsey, Sánchez Romero, Camchong and Kummerfeld",
        "Fast scalable and accurate discovery of DAGs using the best order score search and grow-shrink trees",
        2023,
        "NeurIPS 36",
    ),
)


@register(CARD)
class BOSS(OrderSearch):
    """Best order score search.

    Columns are moved one at a time to the place in the order that raises the score most, the parents of each being
    grown and shrunk among those before it, until no move helps. The class of the graph found is then polished by
    greedy equivalence search, which can only raise its score.

    Parameters
    ----------
    score : str
        ``"auto"`` and ``"bic"``: the Gaussian BIC on numbers, the discrete one on categories, the degenerate Gaussian
        BIC on both. ``"bdeu"``: on categories. ``"degenerate-gaussian"`` and ``"conditional-gaussian"``: on any table.
        ``"extended-bic"``: the BIC with a price by edge for many columns; see `extended_bic`. ``"kernel"``: relations
        of any form, for more time.
    penalty : float
        Multiplies the BIC's price of a parameter.
    per_edge : float, optional
        Price of an edge on top, in log-likelihood; by default log p, or for numbers
        2 log p - log(n) / 2 where that is more.
    ess : float
        Equivalent sample size of BDeu.
    restarts : int, optional
        Searches from further random orders; the best result is kept. By default 5 up to 20 columns, where they cost
        milliseconds, and none from there on or with the kernel score. One restart finds most of what none misses, in
        about twice the time.
    most_parents : int, optional
        Parents that one column may have; by default there is no limit.
    knowledge : Knowledge, optional
        No order against required edges, tiers, roots and leaves is tried; forbidden edges are never grown.
    random_state : int
        Seed of the restarts.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> cure = dose + age + rng.normal(size=500)
    >>> BOSS().fit({"dose": dose, "age": age, "cure": cure}).graph.parents("cure")
    ('dose', 'age')
    """

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that a score cannot take, or too few complete rows.
        """
        return self._search(data, improve_order, ("moves", "sweeps"))
