"""ICA-LiNGAM: the linear model from independent components, all directions at once."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import dependent_columns, knowledge_arrays, open_table, precedence, rows_input
from whence.discovery._ica import independent_components
from whence.discovery._ica_order import effects, order_of
from whence.discovery.direct_lingam import _prune, gaussian_noise
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import DataError, quote_names
from whence.graph import Graph, Knowledge
from whence.graph.orientation import marks_of_dag
from whence.registry import Card, Paper, register
from whence.scores import gaussian_bic

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
class ICALiNGAM:
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
        Price of an edge on top, in log-likelihood; by default log p.
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
        score = gaussian_bic(correlation, n, penalty=self.penalty, per_edge=self.per_edge)
        standard = (rows.values - rows.values.mean(axis=0)) / rows.values.std(axis=0)
        found = independent_components(standard)
        order = order_of(effects(found.unmixing), precedence(ordered.names, self.knowledge, required))
        adjacency, weights = _prune(score, order, rows.values, required, forbidden)
        warnings = list(rows.warnings)
        if not found.converged:
            warnings.append(
                f"FastICA did not come to rest in {found.steps} steps: with {n:,} rows for {p} columns the components, "
                "and so the directions, are uncertain."
            )
        noise = rows.values - (rows.values - rows.values.mean(axis=0)) @ weights
        warnings += noise_warnings(noise, ordered.names)
        back = [ordered.names.index(name) for name in given]
        adjacency, weights = adjacency[np.ix_(back, back)], weights[np.ix_(back, back)]
        graph = Graph(given, marks_of_dag(adjacency), "DAG")
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "penalty": self.penalty,
                "per_edge": score.edge,
                "per_edge_rule": "given" if self.per_edge is not None else f"log p at p = {p}",
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=weights_of(graph, weights),
            rows_used=n,
            seconds=time.perf_counter() - started,
            warnings=tuple(warnings),
            details={
                "causal_order": [ordered.names[k] for k in order],
                "ica_steps": found.steps,
                "ica_converged": found.converged,
            },
            library=dataset.library,
        )


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
