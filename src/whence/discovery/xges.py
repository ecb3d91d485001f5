"""XGES: deletions before insertions, and a second look at every edge."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from whence.discovery._score_search import (
    ScoreInput,
    ScoreSearch,
    insertions,
    kernel_addresses,
    narrow,
    result_of,
    with_lists,
)
from whence.discovery.ges import DIRECTED
from whence.discovery.result import DiscoveryResult
from whence.graph.orientation import Marks, cpdag_of_dag
from whence.kernels import Kernels
from whence.registry import Card, Paper, register

CARD = Card(
    name="xges",
    family="search",
    answers="Which class of graphs explains the table best, by a search that takes edges back as soon as that helps?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper("Nazaret and Blei", "Extremely greedy equivalence search", 2024, "UAI, PMLR 244"),
)

_kernels = Kernels("whence.discovery._kernels_xges")
# Steps, or edges tried, times the number of columns, between which the search listens to an interrupt.
_STEPS_AT_ONCE = 200_000
# A deletion that raises the score by less, and by less than this share of the rows, is rounding.
_TIE, _TIE_SHARE = 1e-9, 1e-13


@register(CARD)
class XGES(ScoreSearch):
    """Extremely greedy equivalence search.

    Like GES, but a deletion that raises the score is made before any further insertion, so that a false edge is taken
    back before it leads to others. From where no step raises the score, every edge is deleted once, the best first, and
    the search goes on with that insertion barred; what it comes to is kept where its score is higher. An edge can
    thereby be turned. Like GES it ends in the true class in large samples, and in small ones often at a higher score.

    Parameters
    ----------
    score : str
        ``"auto"`` and ``"bic"``: the Gaussian BIC on numbers, the discrete one on categories, the degenerate Gaussian
        BIC on both. ``"bdeu"``: on categories. ``"degenerate-gaussian"`` and ``"conditional-gaussian"``: on any table.
        ``"extended-bic"``: the BIC with a price by edge for many columns; see `extended_bic`. ``"kernel"``: relations
        of any form, for more time.
    penalty : float
        Multiplies the BIC's price of a parameter.
    per_edge : float, optional
        Price of an edge on top, in log-likelihood; by default log p, for numbers 2 log p - log(n) / 2 where that is
        more, which keeps the number of false edges from growing with the columns. ``per_edge=0`` is the plain score.
    ess : float
        Equivalent sample size of BDeu.
    most_parents : int, optional
        Parents and clique members that an insertion may condition on.
    knowledge : Knowledge, optional
        A step that leads to a class without a member that keeps to it is not made.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> cure = dose + age + rng.normal(size=500)
    >>> XGES().fit({"dose": dose, "age": age, "cure": cure}).graph.parents("cure")
    ('dose', 'age')
    """

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that a score cannot take, or too few complete rows.
        """
        started = time.perf_counter()
        found = self._input(data)
        climb = _Climb(found, cpdag_of_dag(found.required), bool(self.knowledge), self.most_parents)
        try:
            climb.climb()
            climb.try_every_edge()
        except KeyboardInterrupt:  # heard between calls: the marks kept are a class
            climb.interrupted = True
        marks, narrowed = narrow(climb.marks, found.forbidden)
        return result_of(
            found,
            marks,
            "PDAG" if narrowed else "CPDAG",
            self.card,
            started,
            interrupted=climb.interrupted,
            parameters={"most_parents": self.most_parents},
            details={"insertions": climb.made[0], "deletions": climb.made[1], "trials_kept": climb.trials_kept},
            warnings=() if found.score.equivalent else (DIRECTED,),
        )


class _Climb:
    """A search over classes, what it knows of its steps, and a copy of both to go back to from a trial.

    Attributes
    ----------
    made : tuple of (int, int)
        Insertions and deletions on the way to the class; those of trials that were not kept do not count.
    """

    def __init__(self, found: ScoreInput, marks: Marks, known: bool, most_parents: int | None) -> None:
        p = len(marks)
        self.graph, self.state = with_lists(marks), insertions(p)
        self.score = (kernel_addresses(found.score)[0], found.score.packed)
        self.required = found.required
        self.fixed = (found.required, found.forbidden, known, most_parents or p)
        self.scratch = (np.zeros((p, p), dtype=np.int8), np.zeros((3, p, p), dtype=np.int8))
        self.look = np.ones(p, dtype=bool)
        self.least = _TIE + _TIE_SHARE * found.score.n
        self.steps, self.rise = np.zeros(3, dtype=np.int64), np.zeros(1)
        self.at_once = max(1, _STEPS_AT_ONCE // p)
        self.kept: _Kept | None = None
        self.made, self.trials_kept, self.interrupted = (0, 0), 0, False

    @property
    def marks(self) -> Marks:
        """The class that the search has come to: of two, the one that no trial is changing."""
        return self.graph[0] if self.kept is None else self.kept.graph[0]

    def climb(self) -> None:
        """Make steps that raise the score until none is left."""
        while not _kernels.climb_greedily(
            *self.score,
            *self.graph,
            *self.fixed,
            *self.scratch,
            self.state,
            self.look,
            self.least,
            self.at_once,
            self.steps,
            self.rise,
        ):
            pass
        self.made = (int(self.steps[0]), int(self.steps[1]))

    def try_every_edge(self) -> None:
        """Delete each edge in turn and climb on, until no such trial raises the score."""
        p = len(self.look)
        self.kept = kept = _Kept(
            (self.graph[0].copy(), self.graph[1].copy(), self.graph[2].copy()),
            tuple(part.copy() for part in self.state),
        )
        self.state[9][:] = False
        ends, worth = np.empty((p * p, 2), dtype=np.int64), np.empty(p * p)
        again = True
        while again:
            again = False
            count = _kernels.list_deletions(*self.score, *self.graph, self.required, ends, worth)
            order = ends[np.argsort(-worth[:count], kind="stable")]
            first = 0
            while first < count:
                stop = min(first + self.at_once, count)
                tried = self._try(kept, order, first, stop)
                again = again or tried >= 0
                first = stop if tried < 0 else tried + 1

    def _try(self, kept: _Kept, ends: Any, first: int, stop: int) -> int:
        """Try the deletions ``ends[first:stop]``; return which of them was the first to be kept, -1 if none was."""
        tried = int(
            _kernels.try_deletions(
                *self.score,
                *self.graph,
                *kept.graph,
                *self.fixed,
                *self.scratch,
                self.state,
                kept.state,
                self.look,
                ends,
                first,
                stop,
                self.least,
                self.steps,
                self.rise,
            )
        )
        if tried < 0:
            return tried
        self.climb()
        _kernels.keep(*self.graph, *kept.graph, self.scratch[1], self.state, kept.state, int(self.steps[2]))
        self.trials_kept += 1
        return tried


@dataclass(frozen=True)
class _Kept:
    """A class with its lists, and what is known of its insertions."""

    graph: tuple[Any, ...]
    state: tuple[Any, ...]
