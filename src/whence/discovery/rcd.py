"""RCD, repetitive causal discovery: a linear non-Gaussian model in which some causes may be hidden."""

from __future__ import annotations

import time
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import knowledge_arrays, open_table, precedence, rows_input
from whence.discovery._lingam import refuse_dependent
from whence.discovery._rcd_ancestors import Levels, closure, correlation_p, find_ancestors, gaussian_p, left_over
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge, Mark
from whence.registry import Card, Paper, register

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

CARD = Card(
    name="rcd",
    family="search",
    answers="Which linear non-Gaussian model made the table, and which pairs have a hidden cause in common?",
    assumes=frozenset({"linear", "non-gaussian", "acyclic", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal"}),
    output="ADMG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Maeda and Shimizu",
        "RCD: Repetitive causal discovery of linear non-Gaussian acyclic models with latent confounders",
        2020,
        "AISTATS, PMLR 108, 735-745",
    ),
)


@register(CARD)
class RCD:
    """Repetitive causal discovery of linear non-Gaussian models with hidden causes.

    A column has others as ancestors if what is left of it, after regression on them, does not depend on them. Found
    ancestors explain away what other columns share, so that further ones come to light, until nothing changes. Parents
    are the ancestors whose effect no others carry. Two columns without a directed edge whose residuals on their parents
    still correlate are joined by ``a <-> b``: a cause of both is hidden, or the rows did not suffice for a direction.

    Parameters
    ----------
    alpha : float
        Level of the tests of correlation.
    independence_alpha : float
        Level of the tests whether a residual is independent, by the Hilbert-Schmidt criterion.
    gaussian_alpha : float
        Nothing is claimed of columns whose residual is not found non-Gaussian at this level.
    most_causes : int
        Columns that one is regressed on at most in the search for ancestors; the cost grows with ``p**most_causes``.
    knowledge : Knowledge, optional
        No ancestors against required edges, tiers, roots and leaves; forbidden edges are never parents. Hidden causes
        are not ruled out by any of it.

    References
    ----------
    Maeda and Shimizu (2020), algorithms 1 to 3. The regression that minimises the dependence of residuals (section
    4.2) is not used.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> habit, age, a, b, c = rng.exponential(size=(5, 1000))
    >>> dose = age + habit + 0.5 * a
    >>> pain = habit + 0.5 * b
    >>> found = RCD().fit({"age": age, "dose": dose, "pain": pain, "cost": dose + c})
    >>> [str(edge) for edge in found.graph.edges()]
    ['age -> dose', 'dose <-> pain', 'dose -> cost']
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        alpha: float = 0.01,
        independence_alpha: float = 0.01,
        gaussian_alpha: float = 0.01,
        most_causes: int = 2,
        knowledge: Knowledge | None = None,
    ) -> None:
        self.alpha = alpha
        self.independence_alpha = independence_alpha
        self.gaussian_alpha = gaussian_alpha
        self.most_causes = most_causes
        self.knowledge = knowledge

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Returns
        -------
        DiscoveryResult
            With an ADMG. Evidence holds the coefficient of each directed edge and the p-value of the correlation behind
            each bidirected one; ``details`` has the ancestors of every column.

        Raises
        ------
        DataError
            For columns that are no numbers, constant or determined by others; or no more complete rows than columns.
        """
        started = time.perf_counter()
        levels = self._levels()
        dataset = open_table(data, self.card)
        required, forbidden = knowledge_arrays(self.knowledge, dataset.names, self.card)
        rows = rows_input(dataset)
        refuse_dependent(np.atleast_2d(np.corrcoef(rows.values, rowvar=False)), rows.names)
        scale = rows.values.std(axis=0)
        values = (rows.values - rows.values.mean(axis=0)) / scale
        before = precedence(rows.names, self.knowledge, required)
        ancestors = find_ancestors(values, before, closure(required), levels, self.most_causes)
        parents = find_parents(values, ancestors, self.alpha) & ~forbidden | required
        noise, weights = _on_parents(values, parents)
        hidden = shared_causes(noise, parents)
        graph = _graph(rows.names, parents, hidden < self.alpha)
        silent = [name for name, column in zip(rows.names, noise.T) if gaussian_p(column) > self.gaussian_alpha]
        warnings = list(rows.warnings)
        if silent:
            warnings.append(
                f"What is left of {quote_names(silent, 4)} cannot be told from Gaussian: no direction is claimed from "
                "it, and its edges may be <-> for that alone."
            )
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "alpha": self.alpha,
                "independence_alpha": self.independence_alpha,
                "gaussian_alpha": self.gaussian_alpha,
                "most_causes": self.most_causes,
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=_evidence(graph, weights * scale / scale[:, None], hidden),
            rows_used=len(values),
            seconds=time.perf_counter() - started,
            warnings=tuple(warnings),
            details={
                "ancestors": {
                    name: [rows.names[k] for k in np.flatnonzero(ancestors[:, node])]
                    for node, name in enumerate(rows.names)
                }
            },
            library=dataset.library,
        )

    def _levels(self) -> Levels:
        for name in ("alpha", "independence_alpha", "gaussian_alpha"):
            level = getattr(self, name)
            if not 0 < level < 1:
                raise ParameterError("E311", f"the level {name} is {level}.", "Give a number between 0 and 1.")
        if not isinstance(self.most_causes, int) or self.most_causes < 1:
            raise ParameterError("E311", f"most_causes is {self.most_causes!r}.", "Give a whole number from 1 up.")
        return Levels(self.alpha, self.independence_alpha, self.gaussian_alpha)


def find_parents(values: Array, ancestors: Flags, alpha: float) -> Flags:
    """Return which ancestors are parents: ``[j, i]`` for j of i, shape (p, p). Maeda and Shimizu (2020), algorithm 2.

    j is a parent of i if what the other ancestors of i leave of i correlates with what the common ancestors of both
    leave of j.
    """
    parents = np.zeros_like(ancestors)
    for j, i in np.argwhere(ancestors):
        others = ancestors[:, i].copy()
        others[j] = False
        common = ancestors[:, i] & ancestors[:, j]
        effect, cause = left_over(values[:, i], values[:, others]), left_over(values[:, j], values[:, common])
        parents[j, i] = correlation_p(cause, effect) < alpha
    return parents


def shared_causes(noise: Array, parents: Flags) -> Array:
    """Return the p-value of correlation of the residuals of each pair without a directed edge, shape (p, p), else 1."""
    p = len(parents)
    found = np.ones((p, p))
    for i, j in combinations(range(p), 2):
        if not (parents[i, j] or parents[j, i]):
            found[i, j] = found[j, i] = correlation_p(noise[:, i], noise[:, j])
    return found


def _on_parents(values: Array, parents: Flags) -> tuple[Array, Array]:
    """Return residuals on the parents, shape (n, p), and coefficients ``[j, i]`` of j in the equation of i."""
    noise, weights = values.copy(), np.zeros(parents.shape)
    for node in np.flatnonzero(parents.any(axis=0)):
        mine = np.flatnonzero(parents[:, node])
        weights[mine, node] = np.linalg.lstsq(values[:, mine], values[:, node], rcond=None)[0]
        noise[:, node] -= values[:, mine] @ weights[mine, node]
    return noise, weights


def _graph(names: tuple[str, ...], parents: Flags, hidden: Flags) -> Graph:
    marks = np.zeros(parents.shape, dtype=np.int8)
    marks[parents] = Mark.ARROW
    marks.T[parents] = Mark.TAIL
    marks[hidden] = Mark.ARROW
    return Graph(names, marks, "ADMG")


def _evidence(graph: Graph, weights: Array, hidden: Array) -> tuple[EdgeEvidence, ...]:
    found = []
    for edge in graph.edges():
        i, j = graph.index(edge.source), graph.index(edge.target)
        if edge.is_directed:
            found.append(EdgeEvidence(edge.source, edge.target, weight=float(weights[i, j])))
        else:
            found.append(EdgeEvidence(edge.source, edge.target, p_value=float(hidden[i, j])))
    return tuple(found)
