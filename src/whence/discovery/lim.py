"""LiM: the linear model of a table that mixes numbers with binary columns, directions included."""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset, Kind
from whence.discovery._common import knowledge_arrays, open_table, precedence, rows_input
from whence.discovery._lim_scores import MixedScore, parents_of
from whence.discovery._lim_search import Limits, best_graph, climb, removal_loss, reversal_loss
from whence.discovery._lingam import noise_warnings, refuse_dependent
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import marks_of_dag
from whence.registry import Card, Paper, register

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Up to so many columns all graphs are compared: some p * 2**(p - 1) regressions.
EXACT_UP_TO = 8
# Turning an edge around that costs less log-likelihood than this leaves its direction open.
_OPEN = 1e-3

CARD = Card(
    name="lim",
    family="search",
    answers="Which linear model made a table of numbers with non-Gaussian noise and of binary columns?",
    assumes=frozenset({"linear", "non-gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="PDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Zeng, Shimizu, Matsui and Sun",
        "Causal discovery for linear mixed data",
        2022,
        "Causal Learning and Reasoning, PMLR 177, 994-1009",
    ),
)


@register(CARD)
class LiM:
    """The linear mixed model: numbers are linear in their parents, the odds of binary columns are.

    A number is a sum of its parents and noise that is not Gaussian; a binary column is 1 where such a sum with logistic
    noise is positive. The graph of the highest likelihood, less the price of its parameters, is found exactly up to
    eight columns, beyond by putting in, taking out and turning around single edges.

    Parameters
    ----------
    penalty : float
        Multiplies the BIC's price of a parameter.
    per_edge : float, optional
        Price of an edge on top, in log-likelihood; by default log p.
    knowledge : Knowledge, optional
        Kept to in all forms.

    Notes
    -----
    The published score takes one super-Gaussian density for all noise; here the entropy of the residual stands in its
    place, as in `DirectLiNGAM`, so that other shapes are told apart too. The published search starts from a continuous
    optimisation; here none is needed.

    Two binary columns alone fit both ways equally well. An edge whose direction the likelihood leaves open like that is
    returned undirected, and a warning names it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.laplace(size=2000)
    >>> cured = (1.5 * dose + rng.logistic(size=2000) > 0).astype(int)
    >>> days = 2.0 * cured + rng.laplace(size=2000)
    >>> found = LiM().fit({"cured": cured, "days": days, "dose": dose})
    >>> [str(edge) for edge in found.graph.edges()]
    ['cured -> days', 'dose -> cured']
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

        Returns
        -------
        DiscoveryResult
            Evidence holds for every edge what the score loses without it, and the coefficient: in units of a number, or
            of the logarithm of the odds of a binary column, per unit of the cause.

        Raises
        ------
        DataError
            For columns that are no numbers, constant or determined by others; or no more complete rows than columns.
        """
        started = time.perf_counter()
        dataset = open_table(data, self.card)
        given = dataset.names
        # Sorted by name, so that not even rounding or ties depend on the order of the columns.
        ordered = dataset.select(sorted(given))
        required, forbidden = knowledge_arrays(self.knowledge, ordered.names, self.card)
        limits = Limits(required, forbidden, precedence(ordered.names, self.knowledge, required))
        rows = rows_input(ordered)
        refuse_dependent(np.atleast_2d(np.corrcoef(rows.values, rowvar=False)), ordered.names)
        score, scale = self._score(ordered, rows.values)
        exact = len(given) <= EXACT_UP_TO
        adjacency = best_graph(score, limits) if exact else climb(score, limits)
        left_open = [
            (int(i), int(j)) for i, j in np.argwhere(adjacency) if reversal_loss(score, limits, adjacency, i, j) < _OPEN
        ]
        graph = _graph(ordered.names, adjacency, left_open).subgraph(given)
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "penalty": self.penalty,
                "per_edge": score.edge,
                "per_edge_rule": "given" if self.per_edge is not None else f"log p at p = {len(given)}",
                "search": "exact" if exact else "single edges",
                "search_rule": f"exact up to {EXACT_UP_TO} columns",
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=_evidence(graph, ordered.names, score, adjacency, scale),
            rows_used=len(rows.values),
            seconds=time.perf_counter() - started,
            warnings=(*rows.warnings, *_warnings(ordered.names, score, adjacency, left_open)),
            details={
                "score": score.total(adjacency),
                "binary": [name for name, binary in zip(ordered.names, score.binary) if binary],
            },
            library=dataset.library,
        )

    def _score(self, data: Dataset, values: Array) -> tuple[MixedScore, Array]:
        """Return the score, and the unit of each of its columns in those of the table."""
        if not self.penalty > 0:
            raise ParameterError("E316", f"the penalty is {self.penalty}.", "Give a positive number; 1 is the BIC.")
        n, p = values.shape
        kinds = data.kinds()
        binary = np.array([kinds[name] is Kind.BINARY for name in data.names])
        scale = values.std(axis=0)
        standard = (values - values.mean(axis=0)) / scale
        standard[:, binary] = values[:, binary] > values[:, binary].min(axis=0)
        scale[binary] = np.ptp(values[:, binary], axis=0)
        edge = math.log(p) if self.per_edge is None else self.per_edge
        return MixedScore(standard, binary, self.penalty * math.log(n) / 2.0, edge), scale


def _graph(names: tuple[str, ...], adjacency: Flags, left_open: list[tuple[int, int]]) -> Graph:
    marks = marks_of_dag(adjacency)
    for i, j in left_open:
        marks[i, j] = marks[j, i] = Mark.TAIL
    return Graph(names, marks, "PDAG")


def _evidence(
    graph: Graph, names: tuple[str, ...], score: MixedScore, adjacency: Flags, scale: Array
) -> tuple[EdgeEvidence, ...]:
    place = {name: k for k, name in enumerate(names)}
    found = []
    for edge in graph.edges():
        i, j = place[edge.source], place[edge.target]
        if not adjacency[i, j]:
            i, j = j, i
        parents = parents_of(adjacency, j)
        slope = float(score.coefficients(j, parents)[parents.index(i)])
        weight = slope / scale[i] * (1.0 if score.binary[j] else scale[j])
        found.append(
            EdgeEvidence(
                edge.source,
                edge.target,
                score_difference=removal_loss(score, adjacency, i, j),
                weight=float(weight) if edge.is_directed else None,
            )
        )
    return tuple(found)


def _warnings(
    names: tuple[str, ...], score: MixedScore, adjacency: Flags, left_open: list[tuple[int, int]]
) -> list[str]:
    warnings = []
    if left_open:
        pairs = [f"{names[i]} - {names[j]}" for i, j in left_open]
        warnings.append(f"The likelihood is the same in both directions of {quote_names(pairs, 4)}: left undirected.")
    numbers = np.flatnonzero(~score.binary)
    if len(numbers) > 1:
        noise = np.column_stack([score.residual(int(k), parents_of(adjacency, int(k))) for k in numbers])
        warnings += noise_warnings(noise, tuple(names[k] for k in numbers))
    return warnings
