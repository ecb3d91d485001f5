"""DirectLiNGAM: the causal order from non-Gaussian noise, one exogenous column at a time."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import dependent_columns, knowledge_arrays, open_table, precedence, rows_input
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import DataError, quote_names
from whence.graph import Graph, Knowledge
from whence.graph.orientation import marks_of_dag
from whence.kernels import Kernels
from whence.parallel import default_jobs, fan_out
from whence.registry import Card, Paper, register
from whence.scores import LocalScore, gaussian_bic

_kernels = Kernels("whence.discovery._kernels_lingam")

Array = NDArray[np.float64]

# A noise term counts as Gaussian where D'Agostino and Pearson's test does not reject it at this level.
LEVEL = 0.05
_THREADED_FROM = 2e6

CARD = Card(
    name="direct-lingam",
    family="search",
    answers="Which linear model with non-Gaussian noise made the table, every direction included?",
    assumes=frozenset({"linear", "non-gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="DAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Shimizu, Inazumi, Sogawa, Hyvärinen, Kawahara, Washio, Hoyer and Bollen",
        "DirectLiNGAM: a direct method for learning a linear non-Gaussian structural equation model",
        2011,
        "JMLR 12, 1225-1248",
    ),
)


@register(CARD)
class DirectLiNGAM:
    """Direct estimation of a linear non-Gaussian acyclic model.

    The column whose residuals on it look most independent of it, by the entropies of all pairs, comes first; it is
    regressed out of the others and the next is looked for. Parents are then chosen among the columns before each by
    growing and shrinking on the Gaussian BIC, and the coefficients are those of least squares.

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
    >>> result = DirectLiNGAM().fit({"dose": 0.8 * age + noise, "age": age})
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
        ordered = dataset.select(sorted(given))
        required, forbidden = knowledge_arrays(self.knowledge, ordered.names, self.card)
        rows = rows_input(ordered)
        correlation = np.atleast_2d(np.corrcoef(rows.values, rowvar=False))
        dependent = dependent_columns(correlation, ordered.names)
        if dependent:
            raise DataError(
                "E318",
                f"{quote_names(dependent, 4)} follows exactly from other columns, which leaves no noise to tell "
                "order by.",
                f"Leave {quote_names(dependent, 4)} out.",
            )
        before = precedence(ordered.names, self.knowledge, required)
        order = causal_order(rows.values, before)
        n = len(rows.values)
        score = gaussian_bic(correlation, n, penalty=self.penalty, per_edge=self.per_edge)
        adjacency, weights = _prune(score, order, rows.values, required, forbidden)
        back = [ordered.names.index(name) for name in given]
        adjacency, weights, values = adjacency[np.ix_(back, back)], weights[np.ix_(back, back)], rows.values[:, back]
        graph = Graph(given, marks_of_dag(adjacency), "DAG")
        index = {name: k for k, name in enumerate(given)}
        gaussian = gaussian_noise(values - (values - values.mean(axis=0)) @ weights)
        warnings = list(rows.warnings)
        if gaussian.sum() > 1:
            named = quote_names([name for name, is_gaussian in zip(given, gaussian) if is_gaussian], 4)
            warnings.append(
                f"The noise of {int(gaussian.sum())} of {len(given)} columns cannot be told from Gaussian ({named}): "
                "directions among them are guesses."
            )
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "penalty": self.penalty,
                "per_edge": score.edge,
                "per_edge_rule": "given" if self.per_edge is not None else f"log p at p = {len(given)}",
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=tuple(
                EdgeEvidence(e.source, e.target, weight=float(weights[index[e.source], index[e.target]]))
                for e in graph.edges()
            ),
            rows_used=n,
            seconds=time.perf_counter() - started,
            warnings=tuple(warnings),
            details={"causal_order": [ordered.names[k] for k in order]},
            library=dataset.library,
        )


def causal_order(values: Array, before: NDArray[np.bool_] | None = None) -> list[int]:
    """Return the columns of a table in causal order.

    Parameters
    ----------
    values : ndarray, shape (n, p)
    before : bool array, shape (p, p), optional
        ``before[i, j]``: i must come before j.

    Each time the column is taken that minimises ``sum over j of min(0, I(i, j))^2``, where I is positive if i is the
    likelier cause of j: Hyvärinen and Smith (2013), equation 19.
    """
    n, p = values.shape
    before = np.zeros((p, p), dtype=bool) if before is None else before
    rows = np.ascontiguousarray((values - values.mean(axis=0)).T)
    rows /= rows.std(axis=1, keepdims=True)
    correlation = rows @ rows.T / n
    nothing = np.zeros(n)
    entropy = np.array([_kernels.residual_entropy(row, nothing, 0.0, 1.0) for row in rows])
    left = np.arange(p)
    gains = np.zeros((p, p))
    order = []
    while len(left) > 1:
        jobs = default_jobs() if len(left) ** 2 * n > _THREADED_FROM else 1

        def compare(first: int, left: NDArray[np.int64] = left, jobs: int = jobs) -> None:
            _kernels.compare_pairs(rows, left, correlation, entropy, gains, first, jobs)

        for _ in fan_out(compare, range(jobs), n_jobs=jobs):
            pass
        doubt = (np.minimum(gains[np.ix_(left, left)], 0.0) ** 2).sum(axis=1)
        free = ~before[np.ix_(left, left)].any(axis=0)
        chosen = int(left[np.argmin(np.where(free, doubt, np.inf))])
        order.append(chosen)
        left = left[left != chosen]
        _kernels.take_out(rows, left, chosen, correlation, entropy)
    return [*order, *left.tolist()]


def _prune(
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
