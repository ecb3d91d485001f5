"""GES: the equivalence class with the best score, climbed edge by edge."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from whence.discovery._score_search import ScoreSearch, climb_classes, narrow, result_of
from whence.discovery.result import DiscoveryResult
from whence.graph.orientation import cpdag_of_dag
from whence.registry import Card, Paper, register

CARD = Card(
    name="ges",
    family="search",
    answers="Which class of graphs explains the table best, by a score that charges for each edge?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper("Chickering", "Optimal structure identification with greedy search", 2002, "JMLR 3, 507-554"),
)


DIRECTED = (
    "The score differs between graphs of a class, and this search compares classes: edges that one direction alone "
    "explains may be missing. The search 'boss' scores graphs."
)


@register(CARD)
class GES(ScoreSearch):
    """Greedy equivalence search.

    From the empty graph (or the required edges), the insertion that raises the score most is made until none does, then
    the deletion. Each step moves between equivalence classes: no direction is claimed that the score cannot tell.

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
        Price of an edge on top, in log-likelihood; by default log p, for numbers 2 log p - log(n) / 2 where that is
        more, which keeps the number of false edges from growing with the columns. ``per_edge=0`` is the plain score.
    ess : float
        Equivalent sample size of BDeu.
    most_parents : int, optional
        Parents and clique members that an insertion may condition on.
    knowledge : Knowledge, optional
        A step that leads to a class without a member that keeps to it is not made.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> cure = dose + age + rng.normal(size=500)
    >>> GES().fit({"dose": dose, "age": age, "cure": cure}).graph.parents("cure")
    ('dose', 'age')
    """

    card: ClassVar[Card]

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that a score cannot take, or too few complete rows.
        """
        started = time.perf_counter()
        found = self._input(data)
        marks = cpdag_of_dag(found.required)
        most_parents = self.most_parents or len(found.names)
        climb = climb_classes(found, marks, known=bool(self.knowledge), most_parents=most_parents)
        marks, narrowed = narrow(marks, found.forbidden)
        return result_of(
            found,
            marks,
            "PDAG" if narrowed else "CPDAG",
            self.card,
            started,
            interrupted=climb.interrupted,
            parameters={"most_parents": self.most_parents},
            details={"insertions": climb.insertions, "deletions": climb.deletions},
            warnings=() if found.score.equivalent else (DIRECTED,),
        )
