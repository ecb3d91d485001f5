"""BOSS: the order of the columns whose best parents score highest."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from whence.discovery._common import order_within, precedence
from whence.discovery._orders import improve_order, search_from, start_order
from whence.discovery._score_search import (
    ScoreName,
    check_settings,
    climb_classes,
    narrow,
    result_of,
    score_input,
)
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.graph.orientation import cpdag_of_dag
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
class BOSS:
    """Best order score search.

    Columns are moved one at a time to the place in the order that raises the score most, the parents of each being
    grown and shrunk among those before it, until no move helps. The class of the graph found is then polished by
    greedy equivalence search, which can only raise its score.

    Parameters
    ----------
    score : {"auto", "bic", "bdeu"}
        Gaussian BIC on numbers, discrete BIC on categories, or BDeu on categories.
    penalty : float
        Multiplies the BIC's price of a parameter.
    per_edge : float, optional
        Price of an edge on top, in log-likelihood; by default log p.
    ess : float
        Equivalent sample size of BDeu.
    restarts : int
        Searches from further random orders; the best result is kept.
    most_parents : int, optional
        Parents that one column may have; by default there is no limit.
    knowledge : Knowledge, optional
        No order against required edges, tiers, roots and leaves is tried; forbidden edges are never grown.
    random_state : int
        Seed of the restarts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> cure = dose + age + rng.normal(size=500)
    >>> BOSS().fit({"dose": dose, "age": age, "cure": cure}).graph.parents("cure")
    ('dose', 'age')
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        score: ScoreName = "auto",
        penalty: float = 1.0,
        per_edge: float | None = None,
        ess: float = 1.0,
        restarts: int = 0,
        most_parents: int | None = None,
        knowledge: Knowledge | None = None,
        random_state: int = 0,
    ) -> None:
        check_settings(score, most_parents)
        if restarts < 0:
            raise ParameterError("E311", f"restarts is {restarts}.", "Give 0 or more.")
        self.score: ScoreName = score
        self.penalty = penalty
        self.per_edge = per_edge
        self.ess = ess
        self.restarts = restarts
        self.most_parents = most_parents
        self.knowledge = knowledge
        self.random_state = random_state

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that a score cannot take, or too few complete rows.
        """
        started = time.perf_counter()
        found = score_input(
            data,
            self.card,
            score=self.score,
            penalty=self.penalty,
            per_edge=self.per_edge,
            ess=self.ess,
            knowledge=self.knowledge,
        )
        before = precedence(found.names, self.knowledge, found.required)
        p = len(found.names)
        limit = p if self.most_parents is None else max(self.most_parents, int(found.required.sum(axis=0).max()))
        rng = np.random.default_rng(self.random_state)
        wishes = [start_order(found.score), *(rng.permutation(p) for _ in range(self.restarts))]
        attempts = [search_from(improve_order, found, before, order_within(before, wish), limit) for wish in wishes]
        best = max(attempts, key=lambda attempt: found.score.total(attempt.adjacency))
        marks = cpdag_of_dag(best.adjacency)
        climb_classes(found, marks, known=bool(self.knowledge), most_parents=limit)
        marks, narrowed = narrow(marks, found.forbidden)
        cut = self.most_parents is not None and any(attempt.cut for attempt in attempts)
        return result_of(
            found,
            marks,
            "PDAG" if narrowed else "CPDAG",
            self.card,
            started,
            parameters={
                "restarts": self.restarts,
                "most_parents": self.most_parents,
                "random_state": self.random_state,
            },
            details={"moves": best.moves, "tree_nodes": best.nodes, "sweeps": best.sweeps},
            warnings=[f"Some columns reached the limit of {limit} parents: others may be missing."] if cut else [],
        )
