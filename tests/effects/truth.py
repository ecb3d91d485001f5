"""Truths from outside the library: linear models whose effects and covariances are known in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product

import numpy as np
from numpy.typing import NDArray

from whence.graph import Graph


def subsets(items: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(items, k) for k in range(len(items) + 1))


def random_dag(p: int, density: float, rng: np.random.Generator) -> Graph:
    """Return a DAG whose column order says nothing about its causal order."""
    order = rng.permutation(p)
    upper = np.triu(rng.random((p, p)) < density, k=1)
    adjacency = np.zeros((p, p), dtype=bool)
    adjacency[np.ix_(order, order)] = upper
    return Graph.from_adjacency([f"v{k}" for k in range(p)], adjacency)


def random_admg(p: int, density: float, confounding: float, rng: np.random.Generator) -> Graph:
    """Return an ADMG, bows included."""
    dag = random_dag(p, density, rng)
    edges = [str(edge) for edge in dag.edges()]
    edges += [f"{a} <-> {b}" for a, b in combinations(dag.names, 2) if rng.random() < confounding]
    return Graph.from_edges(edges, names=dag.names, kind="ADMG")


@dataclass(frozen=True)
class LinearModel:
    """x = B' x + e with independent errors; hidden common causes are columns behind the graph's own.

    ``weights[i, j]`` is the direct effect of i on j.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def on(cls, graph: Graph, rng: np.random.Generator) -> LinearModel:
        """Draw weights for a DAG or ADMG."""
        pairs = [(edge.source, edge.target) for edge in graph.edges() if edge.is_directed]
        names = list(graph.names)
        for edge in graph.edges():
            if edge.is_bidirected:
                hidden = f"hidden {edge.source} {edge.target}"
                names.append(hidden)
                pairs += [(hidden, edge.source), (hidden, edge.target)]
        index = {name: k for k, name in enumerate(names)}
        weights = np.zeros((len(names), len(names)))
        for source, target in pairs:
            weights[index[source], index[target]] = rng.uniform(0.4, 1.5) * rng.choice([-1, 1])
        total = np.linalg.inv(np.eye(len(names)) - weights)
        noise = np.diag(rng.uniform(0.5, 2.0, len(names)))
        return cls(tuple(names), weights, total.T @ noise @ total)

    def effect(self, treatments: Sequence[str], outcome: str) -> NDArray[np.float64]:
        """Return the slopes of E[outcome | do(treatments)]."""
        x = [self.names.index(name) for name in treatments]
        weights = self.weights.copy()
        weights[:, x] = 0
        total = np.linalg.inv(np.eye(len(weights)) - weights)
        return total[x, self.names.index(outcome)]

    def slopes(self, outcome: str, regressors: Sequence[str]) -> NDArray[np.float64]:
        """Return the population coefficients of a least-squares regression."""
        rows, y = [self.names.index(name) for name in regressors], self.names.index(outcome)
        return np.linalg.solve(self.covariance[np.ix_(rows, rows)], self.covariance[rows, y])

    def adjusted(self, treatments: Sequence[str], outcome: str, adjustment: Sequence[str]) -> NDArray[np.float64]:
        """Return what regression on treatments and adjustment set gives for the treatments."""
        return self.slopes(outcome, [*treatments, *adjustment])[: len(treatments)]

    def partial_covariance(self, a: str, b: str, given: Sequence[str]) -> float:
        """Return the covariance of a and b after regression on ``given``."""
        i, j = self.names.index(a), self.names.index(b)
        rows = [self.names.index(name) for name in given]
        if not rows:
            return float(self.covariance[i, j])
        inner = self.covariance[np.ix_(rows, rows)]
        return float(
            self.covariance[i, j] - self.covariance[i, rows] @ np.linalg.solve(inner, self.covariance[rows, j])
        )

    def asymptotic_variance(self, treatment: str, outcome: str, adjustment: Sequence[str]) -> float:
        """Return n times the variance of the least-squares slope of the treatment."""
        residual = self.partial_covariance(outcome, outcome, [treatment, *adjustment])
        return residual / self.partial_covariance(treatment, treatment, adjustment)


def gives_the_effect(
    models: Sequence[LinearModel], treatments: Sequence[str], outcome: str, adjustment: Sequence[str]
) -> bool:
    """Tell whether adjustment gives the true effect in every one of the random models."""
    return all(
        np.allclose(model.adjusted(treatments, outcome, adjustment), model.effect(treatments, outcome), atol=1e-7)
        for model in models
    )


class BinaryModel:
    """A random model of binary variables on an ADMG: every distribution is a table, so that formulas can be checked."""

    def __init__(self, graph: Graph, rng: np.random.Generator) -> None:
        hidden = [(edge.source, edge.target) for edge in graph.edges() if edge.is_bidirected]
        self.names = [*graph.names, *(f"hidden {a} {b}" for a, b in hidden)]
        parents = {name: list(graph.parents(name)) for name in graph.names}
        for (a, b), name in zip(hidden, self.names[len(graph.names) :]):
            parents[name] = []
            parents[a].append(name)
            parents[b].append(name)
        self._factors = {name: (parents[name], rng.uniform(0.05, 0.95, (2,) * len(parents[name]))) for name in parents}
        self.observational = self._joint({})

    def _joint(self, do: dict[str, int]) -> NDArray[np.float64]:
        """Return the truncated factorisation as one table, an axis for each name."""
        states = np.indices((2,) * len(self.names))
        table = np.ones((2,) * len(self.names))
        for k, name in enumerate(self.names):
            parents, rates = self._factors[name]
            rate = rates[tuple(states[self.names.index(parent)] for parent in parents)]
            factor = (states[k] == do[name]) if name in do else np.where(states[k] == 1, rate, 1 - rate)
            table = table * factor
        return table

    def probability(self, values: dict[str, int], do: dict[str, int] | None = None) -> float:
        """Return P(values | do)."""
        table = self.observational if do is None else self._joint(do)
        return float(table[tuple(values.get(name, slice(None)) for name in self.names)].sum())

    def conditional(self, values: dict[str, int], given: dict[str, int]) -> float:
        """Return P(values | given)."""
        return self.probability({**values, **given}) / self.probability(given)


def states(names: Sequence[str]) -> Iterator[dict[str, int]]:
    """Yield all assignments of 0 and 1."""
    for values in product((0, 1), repeat=len(names)):
        yield dict(zip(names, values))
