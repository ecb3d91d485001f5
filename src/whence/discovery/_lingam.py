"""What the searches for a linear model with non-Gaussian noise share: all but how they order the columns."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import dependent_columns, knowledge_arrays, open_table, precedence, rows_input
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import DataError, quote_names
from whence.graph import Graph, Knowledge
from whence.graph.orientation import marks_of_dag
from whence.registry import Card
from whence.scores import LocalScore, gaussian_bic
from whence.scores.local import gaussian_rule

Array = NDArray[np.float64]

# A noise term counts as Gaussian where D'Agostino and Pearson's test does not reject it at this level.
LEVEL = 0.05


@dataclass(frozen=True)
class Order:
    """Columns, first causes first, and what finding them had to say."""

    columns: list[int]
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


class LinearNonGaussianSearch:
    """Orders the columns, then takes parents among those before by the Gaussian BIC, coefficients by least squares."""

    card: ClassVar[Card]

    def __init__(
        self, *, penalty: float = 1.0, per_edge: float | None = None, knowledge: Knowledge | None = None
    ) -> None:
        self.penalty = penalty
        self.per_edge = per_edge
        self.knowledge = knowledge

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that are no numbers, constant or determined by others; or no more complete rows than columns.
        """
        started = time.perf_counter()
        dataset = open_table(data, self.card)
        given = dataset.names
        # Sorted by name, so that not even rounding depends on the order of the columns.
        ordered = dataset.select(sorted(given))
        required, forbidden = knowledge_arrays(self.knowledge, ordered.names, self.card)
        rows = rows_input(ordered)
        correlation = np.atleast_2d(np.corrcoef(rows.values, rowvar=False))
        refuse_dependent(correlation, ordered.names)
        n, p = rows.values.shape
        order = self._order(rows.values, precedence(ordered.names, self.knowledge, required))
        score = gaussian_bic(correlation, n, penalty=self.penalty, per_edge=self.per_edge)
        adjacency, weights = prune(score, order.columns, rows.values, required, forbidden)
        back = [ordered.names.index(name) for name in given]
        noise = rows.values - (rows.values - rows.values.mean(axis=0)) @ weights
        graph = Graph(given, marks_of_dag(adjacency[np.ix_(back, back)]), "DAG")
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "penalty": self.penalty,
                "per_edge": score.edge,
                "per_edge_rule": "given" if self.per_edge is not None else gaussian_rule(n, p),
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=weights_of(graph, weights[np.ix_(back, back)]),
            rows_used=n,
            seconds=time.perf_counter() - started,
            warnings=(*rows.warnings, *order.warnings, *noise_warnings(noise[:, back], given)),
            details={"causal_order": [ordered.names[k] for k in order.columns], **order.details},
            library=dataset.library,
        )

    def _order(self, values: Array, before: NDArray[np.bool_]) -> Order:
        """Return the order of the columns of a table, shape (n, p); ``before[i, j]``: i must come before j."""
        raise NotImplementedError


def refuse_dependent(correlation: NDArray[np.float64], names: tuple[str, ...]) -> None:
    """Raise DataError for columns that follow exactly from others and so have no noise of their own."""
    dependent = dependent_columns(correlation, names)
    if dependent:
        raise DataError(
            "E318",
            f"{quote_names(dependent, 4)} follows exactly from other columns, which leaves no noise to tell order by.",
            f"Leave {quote_names(dependent, 4)} out.",
        )


def noise_warnings(noise: NDArray[np.float64], names: tuple[str, ...]) -> list[str]:
    """Return the warning that more than one noise term, of shape (n, p), cannot be told from Gaussian, if so."""
    gaussian = gaussian_noise(noise)
    if gaussian.sum() < 2:
        return []
    named = quote_names([name for name, is_gaussian in zip(names, gaussian) if is_gaussian], 4)
    return [
        f"The noise of {int(gaussian.sum())} of {len(names)} columns cannot be told from Gaussian ({named}): "
        "directions among them are guesses."
    ]


def weights_of(graph: Graph, weights: NDArray[np.float64]) -> tuple[EdgeEvidence, ...]:
    """Return the coefficient of every directed edge as its evidence; weights ``[i, j]`` for i -> j, in node order."""
    index = {name: k for k, name in enumerate(graph.names)}
    return tuple(
        EdgeEvidence(
            edge.source,
            edge.target,
            weight=float(weights[index[edge.source], index[edge.target]]) if edge.is_directed else None,
        )
        for edge in graph.edges()
    )


def prune(
    score: LocalScore, order: list[int], values: Array, required: NDArray[np.bool_], forbidden: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], Array]:
    """Return for every column its parents among those before it, and their coefficients in units of the columns."""
    p = len(order)
    adjacency, weights = np.zeros((p, p), dtype=bool), np.zeros((p, p))
    centred = values - values.mean(axis=0)
    for place, target in enumerate(order):
        allowed = np.zeros(p, dtype=bool)
        allowed[order[:place]] = True
        parents = grow_and_shrink(
            score, target, allowed & ~forbidden[:, target], np.flatnonzero(required[:, target]).tolist()
        )
        adjacency[parents, target] = True
        if parents:
            weights[parents, target] = np.linalg.lstsq(centred[:, parents], centred[:, target], rcond=None)[0]
    return adjacency, weights


def grow_and_shrink(score: LocalScore, target: int, allowed: NDArray[np.bool_], required: list[int]) -> list[int]:
    """Return parents of a target: the allowed column that gains most joins until none does, then the worst leave."""
    parents = list(required)
    while True:
        gains = np.where(allowed, score.gains(target, parents), -np.inf)
        best = int(gains.argmax())
        if not gains[best] > 0:
            break
        parents.append(best)
    while len(parents) > len(required):
        losses = [
            np.inf if parent in required else loss for parent, loss in zip(parents, score.losses(target, parents))
        ]
        worst = int(np.argmin(losses))
        if not losses[worst] < 0:
            break
        del parents[worst]
    return sorted(parents)


def gaussian_noise(noise: Array) -> NDArray[np.bool_]:
    """Return for each noise term whether D'Agostino and Pearson's (1973) test cannot tell it from Gaussian."""
    from scipy.stats import normaltest

    if len(noise) < 20:
        return np.ones(noise.shape[1], dtype=bool)
    return np.asarray(normaltest(noise, axis=0).pvalue > LEVEL)
