"""GRaSP: orders of the columns improved by tucking single edges."""

from __future__ import annotations

from typing import Any

from whence.discovery._order_search import OrderSearch
from whence.discovery._orders import improve_by_tucks
from whence.discovery._score_choice import ScoreName
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.registry import Card, Paper, register

CARD = Card(
    name="grasp",
    family="search",
    answers="Which class of graphs explains the table best, from an order whose edges are turned one at a time?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper(
        "Lam, Andrews and Ramsey", "Greedy relaxations of the sparsest permutation algorithm", 2022, "UAI, PMLR 180"
    ),
)


@register(CARD)
class GRaSP(OrderSearch):
    """Greedy relaxation of the sparsest permutation.

    Every column has the parents, among those before it in an order, that score best. The end of an edge is tucked in
    before its start, with the ancestors between; where no tuck raises the score, sequences of tucks of covered edges,
    which leave it as it is, are followed to one that does. The class of the graph found is then polished by greedy
    equivalence search, which can only raise its score and leads from any order to the true class in large samples.

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
    depth : int
        Tucks in a sequence.
    restarts : int, optional
        Searches from further random orders; the best result is kept. By default 5 up to 20 columns, and none from
        there on or with the kernel score: where causes determine an effect without noise, as in the network asia, one
        order in twenty to one in three ends in a class that no sequence of tucks improves.
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
    >>> GRaSP().fit({"dose": dose, "age": age, "cure": cure}).graph.parents("cure")
    ('dose', 'age')
    """

    def __init__(
        self,
        *,
        score: ScoreName = "auto",
        penalty: float = 1.0,
        per_edge: float | None = None,
        ess: float = 1.0,
        depth: int = 3,
        restarts: int | None = None,
        most_parents: int | None = None,
        knowledge: Knowledge | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            score=score,
            penalty=penalty,
            per_edge=per_edge,
            ess=ess,
            restarts=restarts,
            most_parents=most_parents,
            knowledge=knowledge,
            random_state=random_state,
        )
        if depth < 1:
            raise ParameterError("E311", f"depth is {depth}.", "Give 1 or more.")
        self.depth = depth

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that a score cannot take, or too few complete rows.
        """
        return self._search(data, improve_by_tucks, ("tucks", "tucks_tried"), depth=self.depth)
