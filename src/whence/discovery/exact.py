"""Exact search: the class of graphs with the highest score there is, by dynamic programming over sets of columns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from whence.discovery._score_search import ScoreInput, ScoreSearch, narrow, result_of
from whence.discovery.result import DiscoveryResult
from whence.errors import DataError
from whence.graph.orientation import cpdag_of_dag
from whence.kernels import Kernels
from whence.parallel import Progress, silent
from whence.registry import Card, Paper, register
from whence.scores import LocalScore
from whence.scores._kernels import DISCRETE_BIC, GAUSSIAN

_kernels = Kernels("whence.discovery._kernels_exact")

Booleans = NDArray[np.bool_]
# Sets of up to this many columns are numbered at once: some 13 bytes for each, 0.9 GB.
_MOST_COLUMNS = 26
_MOST_BITS = 62

CARD = Card(
    name="exact",
    family="search",
    answers="Which class of graphs has the highest score of all, provably, for a few columns?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper(
        "Silander and Myllymäki",
        "A simple approach for finding the globally optimal Bayesian network structure",
        2006,
        "UAI 22",
    ),
    most_columns=12,
)


@dataclass(frozen=True)
class ParentSets:
    """The sets of parents of one column that score higher than all their subsets, best first.

    Attributes
    ----------
    masks : int64 array, shape (m,)
        Bit i for column i.
    scores : float array, shape (m,)
    """

    masks: NDArray[np.int64]
    scores: NDArray[np.float64]


@register(CARD)
class ExactSearch(ScoreSearch):
    """The graphs with the highest score, by dynamic programming over sets of columns.

    Every set of parents is scored and those that score no higher than a subset are dropped, which loses nothing. The
    columns then fall into groups that may cause each other; within each, the best graph on every set of columns follows
    from those on its subsets. The result is the equivalence class of a graph that no other beats, among those that keep
    to the knowledge and the limit of parents.

    Time and memory double with every column: 13 bytes for each of the 2^p sets, so 14 MB for 20 columns, 220 MB for 24
    and 0.9 GB for the most, 26. With more columns, knowledge has to leave each at most 25 possible parents. On numbers
    a score costs two look-ups; on categories a count over the rows, of which the BIC spares most and BDeu none:
    set ``most_parents`` there from about 15 columns on.

    Parameters
    ----------
    score : {"auto", "bic", "bdeu", "degenerate-gaussian", "conditional-gaussian"}
        The BIC that fits the columns, or one of the scores by name, as in `GES`.
    penalty : float
        Multiplies the BIC's price of a parameter.
    per_edge : float, optional
        Price of an edge on top, in log-likelihood; by default log p, or for numbers
        2 log p - log(n) / 2 where that is more.
    ess : float
        Equivalent sample size of BDeu.
    most_parents : int, optional
        Parents that one column may have; by default there is no limit.
    knowledge : Knowledge, optional
        Only graphs that keep to it are compared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> cure = dose + age + rng.normal(size=500)
    >>> ExactSearch().fit({"dose": dose, "age": age, "cure": cure}).graph.parents("cure")
    ('dose', 'age')
    """

    card: ClassVar[Card]

    def fit(self, data: Any, *, progress: Progress = silent) -> DiscoveryResult:
        """Search a table.

        Parameters
        ----------
        data : table
        progress : callable, optional
            Called with a stage's name, the columns done and how many there are.

        Raises
        ------
        DataError
            For columns that a score cannot take, too few complete rows, or more columns than can be searched exactly.
        """
        started = time.perf_counter()
        found = self._input(data)
        p = len(found.names)
        _check_size(found, int((~found.forbidden).sum(axis=0).max()) + 1)
        limit = p if self.most_parents is None else max(self.most_parents, int(found.required.sum(axis=0).max()))
        sets = []
        for done, listed in enumerate(parent_sets(found, limit)):
            sets.append(listed)
            progress("parent sets", done + 1, p)
        groups = groups_of(sets)
        _check_size(found, max(len(group) for group in groups))
        adjacency = np.zeros((p, p), dtype=bool)
        for group in groups:
            best_graph(sets, group, adjacency)
        marks, narrowed = narrow(cpdag_of_dag(adjacency), found.forbidden)
        return result_of(
            found,
            marks,
            "PDAG" if narrowed else "CPDAG",
            self.card,
            started,
            parameters={"most_parents": self.most_parents},
            details={
                "parent_sets": sum(len(listed.masks) for listed in sets),
                "largest_group": max(len(group) for group in groups),
            },
        )


def parent_sets(found: ScoreInput, most_parents: int) -> Iterator[ParentSets]:
    """Yield for each column the sets of parents that keep to the knowledge and beat all their subsets.

    A set that does not beat a subset is in no best graph that the subset is not in: Silander and Myllymäki (2006),
    step 2.
    """
    score = found.score
    p = score.n_columns
    logs = None
    if type(score) is LocalScore and score.mode == GAUSSIAN and p <= _MOST_COLUMNS:
        logs = np.empty(2**p)
        _kernels.log_determinants(np.ascontiguousarray(score.correlation), logs)
    for target in range(p):
        members = np.flatnonzero(~found.forbidden[:, target])
        scores = np.empty(2 ** len(members))
        needed = int((1 << np.flatnonzero(found.required[members, target])).sum())
        if logs is not None:
            candidates = int((1 << members).sum())
            price = score.unit + score.edge
            _kernels.determinant_scores(logs, target, candidates, score.n, price, most_parents, scores)
        else:
            scores[0] = score.local(target, [])
            required = members[found.required[members, target]].tolist()
            # Only the BIC says from the number of cells what a set can reach at best.
            least = score.local(target, required) if score.mode == DISCRETE_BIC else -np.inf
            gains, packed = score.kernels[0], score.packed
            _kernels.gain_scores(gains, packed, p, target, members, most_parents, least, scores)
        useful = np.empty(len(scores), dtype=bool)
        _kernels.mark_useful(scores, len(members), needed, useful)
        kept = np.flatnonzero(useful)
        if not kept.size:
            raise DataError(
                "E318",
                f"the required parents of {found.names[target]!r} follow exactly from one another or determine it.",
                "Require fewer of them, or leave one out.",
            )
        order = kept[np.argsort(-scores[kept], kind="stable")]
        masks = ((order[:, None] >> np.arange(len(members)) & 1) << members).sum(axis=1)
        yield ParentSets(masks.astype(np.int64), scores[order])


def groups_of(sets: list[ParentSets]) -> list[NDArray[np.int64]]:
    """Return the columns in groups that may cause each other: no cycle leaves one (Fan, Malone and Yuan 2014)."""
    ever = np.array([np.bitwise_or.reduce(listed.masks) for listed in sets])
    may = ever >> np.arange(len(sets))[:, None] & 1
    count, label = connected_components(csr_array(may), directed=True, connection="strong")
    return [np.flatnonzero(label == k) for k in range(count)]


def best_graph(sets: list[ParentSets], group: NDArray[np.int64], adjacency: Booleans) -> None:
    """Write the parents of the columns of a group in the best graph on it; parents outside cannot make a cycle."""
    k = len(group)
    within = [(listed.masks[:, None] >> group & 1) @ (1 << np.arange(k)) for listed in (sets[v] for v in group)]
    # Of sets that are alike within the group the first is the best.
    firsts = [np.sort(np.unique(masks, return_index=True)[1]) for masks in within]
    first = np.concatenate([[0], np.cumsum([len(kept) for kept in firsts])])
    masks = np.concatenate([part[kept] for part, kept in zip(within, firsts)])
    scores = np.concatenate([sets[v].scores[kept] for v, kept in zip(group, firsts)])
    totals, sinks = np.empty(2**k), np.empty(2**k, dtype=np.int8)
    _kernels.best_sinks(first, masks, scores, totals, sinks)
    columns = 2**k - 1
    while columns:
        sink = int(sinks[columns])
        columns ^= 1 << sink
        fitting = np.flatnonzero(within[sink] & ~columns == 0)[0]
        target = group[sink]
        adjacency[:, target] = sets[target].masks[fitting] >> np.arange(len(sets)) & 1


def _check_size(found: ScoreInput, columns: int) -> None:
    if columns > _MOST_COLUMNS or len(found.names) > _MOST_BITS:
        raise DataError(
            "E344",
            f"exact search takes up to {_MOST_COLUMNS} columns that may cause each other; here {columns} may "
            f"({found.rows_used:,} rows for {len(found.names)} columns), which would need "
            f"{13 * 2.0 ** (columns - 30):,.0f} GB.",
            "Select fewer columns, give tiers or forbidden edges, or use the searches 'boss' or 'grasp', which are not "
            "exact but near.",
        )
