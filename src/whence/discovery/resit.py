"""RESIT: the order of many columns under additive noise, by regressions and tests of what they leave."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import knowledge_arrays, open_table, precedence, rows_input
from whence.discovery._pair_hsic import Side, dependence, side
from whence.discovery._pair_regression import Regression, smooth_regression
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge
from whence.graph.orientation import marks_of_dag
from whence.registry import Card, Paper, register

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

CARD = Card(
    name="resit",
    family="search",
    answers="Which graph makes every column a curved function of its parents plus noise that does not depend on them?",
    assumes=frozenset({"additive-noise", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal"}),
    output="DAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Peters, Mooij, Janzing and Schölkopf",
        "Causal discovery with continuous additive noise models",
        2014,
        "JMLR 15, 2009-2053",
    ),
)


@register(CARD)
class RESIT:
    """Regression with subsequent independence test: `AdditiveNoise` for many columns.

    The column whose regression on all others leaves what depends least on any of them is last; it is set aside and the
    next is looked for. Then each column gives up parents among those before it as long as the marginal likelihood of
    its regression does not fall. It is meant for up to some fifteen columns and a few thousand rows.

    Parameters
    ----------
    alpha : float
        Level of the tests, made at the end, whether additive noise fits each column; those it does not fit are named in
        a warning.
    per_edge : float, optional
        Price of an edge in log-likelihood; by default log p.
    knowledge : Knowledge, optional
        No order against required edges, tiers, roots and leaves; forbidden edges are never parents.

    Notes
    -----
    Regressions are Gaussian processes, of all inputs together or of a sum of functions of one each. The paper drops a
    parent if the residual without it is still independent; the marginal likelihood used here asks the question with
    more power, and also where additive noise does not fit exactly.

    References
    ----------
    Peters et al. (2014), algorithm 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(-2, 2, size=400)
    >>> dose = age**2 + 0.5 * rng.normal(size=400)
    >>> found = RESIT().fit({"cure": np.sin(dose) + 0.2 * rng.normal(size=400), "dose": dose, "age": age})
    >>> [str(edge) for edge in found.graph.edges()], found.details["causal_order"]
    (['dose -> cure', 'age -> dose'], ['age', 'dose', 'cure'])
    """

    card: ClassVar[Card]

    def __init__(
        self, *, alpha: float = 0.05, per_edge: float | None = None, knowledge: Knowledge | None = None
    ) -> None:
        self.alpha = alpha
        self.per_edge = per_edge
        self.knowledge = knowledge

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that are no numbers, constant or the same up to scale; or no more complete rows than columns.
        """
        started = time.perf_counter()
        if not 0 < self.alpha < 1:
            raise ParameterError("E311", f"the level alpha is {self.alpha}.", "Give a number between 0 and 1.")
        dataset = open_table(data, self.card)
        given = dataset.names
        # Sorted by name, so that not even rounding depends on the order of the columns.
        ordered = dataset.select(sorted(given))
        required, forbidden = knowledge_arrays(self.knowledge, ordered.names, self.card)
        rows = rows_input(ordered)
        columns = _Columns(rows.values)
        order = columns.order(precedence(ordered.names, self.knowledge, required))
        price = math.log(len(given)) if self.per_edge is None else self.per_edge
        adjacency = np.zeros_like(required)
        losses = np.zeros(required.shape)
        p_values = {}
        for place, node in enumerate(order):
            allowed = [other for other in order[:place] if not forbidden[other, node]]
            parents, lost = columns.prune(node, allowed, required[:, node], price)
            adjacency[parents, node], losses[parents, node] = True, lost
            p_values[ordered.names[node]] = columns.independence(node, parents)
        back = [ordered.names.index(name) for name in given]
        graph = Graph(given, marks_of_dag(adjacency[np.ix_(back, back)]), "DAG")
        place_of = {name: k for k, name in enumerate(ordered.names)}
        unfit = [name for name in given if p_values[name] <= self.alpha]
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "alpha": self.alpha,
                "per_edge": price,
                "per_edge_rule": "given" if self.per_edge is not None else f"log p at p = {len(given)}",
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=tuple(
                EdgeEvidence(e.source, e.target, score_difference=float(losses[place_of[e.source], place_of[e.target]]))
                for e in graph.edges()
            ),
            rows_used=len(rows.values),
            seconds=time.perf_counter() - started,
            warnings=(*rows.warnings, *_unfit_warning(unfit)),
            details={"causal_order": [ordered.names[k] for k in order], "p_values": p_values},
            library=dataset.library,
        )


def _unfit_warning(unfit: list[str]) -> list[str]:
    if not unfit:
        return []
    return [
        f"Additive noise does not fit {quote_names(unfit, 4)}: what is left depends on the parents, so the noise acts "
        "in another way or a hidden cause is at work."
    ]


@dataclass
class _Columns:
    """The columns with the regressions made of them, each once.

    Attributes
    ----------
    values : float array, shape (n, p)
    """

    values: Array
    _kept: dict[tuple[int, tuple[int, ...]], Regression] = field(default_factory=dict)
    _sides: dict[int, Side] = field(default_factory=dict)

    def regress(self, node: int, inputs: list[int]) -> Regression:
        key = node, tuple(sorted(inputs))
        if key not in self._kept:
            self._kept[key] = smooth_regression(self.values[:, list(key[1])], self.values[:, node])
        return self._kept[key]

    def order(self, before: Flags) -> list[int]:
        """Return the columns in causal order, ``before[i, j]`` for i before j: the last one is found first."""
        left = list(range(self.values.shape[1]))
        order: list[int] = []
        while len(left) > 1:
            free = [node for node in left if not before[node, left].any()]
            fit = [self._fit(node, [other for other in left if other != node]) for node in free]
            last = free[int(np.argmax(fit))]
            left.remove(last)
            order.insert(0, last)
        return left + order

    def _fit(self, node: int, inputs: list[int]) -> float:
        """Return the logarithm of the p-value of independence of a column's residual and its inputs.

        Each input is tested by itself, and the smallest p-value multiplied by their number (Bonferroni).
        """
        noise = side(self.regress(node, inputs).residuals)
        return min(dependence(self._side(other), noise).log_p for other in inputs) + math.log(len(inputs))

    def _side(self, node: int) -> Side:
        if node not in self._sides:
            self._sides[node] = side(self.values[:, node])
        return self._sides[node]

    def prune(self, node: int, allowed: list[int], required: Flags, price: float) -> tuple[list[int], list[float]]:
        """Return parents, each worth more evidence than its price, and what the evidence loses without each."""
        parents = sorted(allowed)
        while True:
            full = self.regress(node, parents).evidence
            losses = [full - self.regress(node, [o for o in parents if o != out]).evidence for out in parents]
            worth = [math.inf if required[out] else loss for out, loss in zip(parents, losses)]
            if not worth or min(worth) > price:
                return parents, losses
            del parents[int(np.argmin(worth))]

    def independence(self, node: int, parents: list[int]) -> float:
        """Return the p-value of independence of a column's residual and its parents; 1 without parents."""
        return min(1.0, math.exp(self._fit(node, parents))) if parents else 1.0
