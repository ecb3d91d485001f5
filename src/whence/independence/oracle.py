"""Separation in a known graph, called like a test: what a search would find with unlimited data."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from whence.graph import Graph
from whence.graph.separation import connected, representative
from whence.independence.result import Query, TestResult


class Oracle:
    """Answer 1 where a graph separates the pair and 0 where it does not.

    Parameters
    ----------
    graph : Graph
    names : sequence of str, optional
        The observed nodes; the others are hidden from the search.

    Examples
    --------
    >>> test = Oracle(Graph.from_edges(["age -> dose", "dose -> cure"]))
    >>> test("age", "cure").p_value, test("age", "cure", ["dose"]).p_value
    (0.0, 1.0)
    """

    def __init__(self, graph: Graph, names: Sequence[str] | None = None) -> None:
        self.graph = graph
        self.names: tuple[str, ...] = tuple(graph.names if names is None else names)
        self.rows_used: int = 0
        self._model = representative(graph)
        self._open: dict[tuple[str, frozenset[str]], set[int]] = {}

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Return 1 or 0 as p-value, and the opposite as statistic."""
        key = (x, frozenset([given] if isinstance(given, str) else given))
        if key not in self._open:  # all that x is connected to, for the other pairs of x with the same set
            self._open[key] = connected(self._model, {self.graph.index(x)}, set(self.graph.indices(key[1])))
        apart = float(self.graph.index(y) not in self._open[key])
        return TestResult(p_value=apart, statistic=1.0 - apart, rows_used=self.rows_used)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return 1 or 0 for many queries, shape (number of queries,)."""
        return np.array([self(*query).p_value for query in queries])
