"""Searches over orders of the columns, on trees that remember which parents a prefix gives a column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.discovery._score_search import ScoreInput
from whence.kernels import Kernels
from whence.scores import LocalScore

_kernels = Kernels("whence.discovery._kernels_boss")
_grasp = Kernels("whence.discovery._kernels_grasp")

Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

# Parents that a column may grow at first; where one reaches them without a limit being given, the limit doubles.
_FIRST_LIMIT = 30
# Tree nodes held at once, where each has room for 31 parents.
_STORE = 400_000
# Over how many columns, times their number, a search runs before it listens to an interrupt.
_COLUMNS_AT_ONCE = 200_000


@dataclass(frozen=True)
class BestOrder:
    """Where a search over orders ends: the DAG of its last order.

    Attributes
    ----------
    adjacency : bool array, shape (p, p)
    moves, nodes, sweeps : int
        Changes of the order, tree nodes made, and rounds over all columns (of tucks: how many were tried).
    cut : bool
        Whether some column grew as many parents as it may.
    interrupted : bool
        Whether the user interrupted the search before its end.
    """

    adjacency: Booleans
    moves: int
    nodes: int
    sweeps: int
    cut: bool
    interrupted: bool


class _Trees:
    """Grow-shrink trees, one a column, in common arrays; forgotten and grown again whenever these are full."""

    def __init__(self, score: LocalScore, required: Booleans, forbidden: Booleans, most_parents: int) -> None:
        by_target = (np.ascontiguousarray(required.T), np.ascontiguousarray(forbidden.T))
        self.score, self.forms = (*score.kernels, score.packed), (*by_target, most_parents)
        self.columns, self.width = len(required), most_parents + 1
        self.made = 0
        self._make(min(_STORE, 4000 * self.columns) * 31 // max(self.width, 31))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the kernels take first."""
        return (*self.score, (*self.arrays, self.used, self.roots, *self.listed), self.forms)

    @property
    def nodes_made(self) -> int:
        return self.made + int(self.used[0])

    @property
    def cut(self) -> bool:
        return bool(self.used[2])

    def place(self, state: tuple[Integers, Integers, Integers]) -> None:
        """Find the places and nodes of the columns in their order, making room as often as that takes."""
        full = False
        while not _kernels.place_columns(*self.arguments, *state):
            self.forget(larger=full)
            full = True

    def graph(self, node_of: Integers) -> Booleans:
        """Return the DAG in which each column has the parents that its node keeps."""
        adjacency = np.zeros((self.columns, self.columns), dtype=bool)
        _kernels.write_graph(self.arrays[0], self.arrays[3], node_of, adjacency)
        return adjacency

    def forget(self, *, larger: bool) -> None:
        """Make room, by forgetting everything; and twice the room where one step fills it all."""
        self.made += int(self.used[0])
        cut = self.used[2]
        if larger:
            self._make(2 * len(self.arrays[0]))
        self.roots[:] = -1
        self.used[:] = 0, 0, cut
        for which in self.listed:
            which[:] = False

    def _make(self, store: int) -> None:
        room = max(16 * store, 4 * self.columns)
        self.arrays = (
            np.empty((store, 4), np.int64),
            np.empty(room, np.int64),
            np.empty((store, self.width), np.int32),
            np.empty((store, self.width), np.int32),
            np.empty(store),
            np.empty(room, np.int32),
        )
        self.used = np.zeros(3, np.int64)
        self.roots = np.full(self.columns, -1)
        self.listed = np.zeros((2, self.columns, self.columns), dtype=bool)


def improve_order(
    score: LocalScore, required: Booleans, forbidden: Booleans, most_parents: int, before: Booleans, order: Integers
) -> BestOrder:
    """Move one column after the other to its best place, in place, until none has a better one.

    Andrews et al. (2023), algorithm 1.

    Parameters
    ----------
    before : bool array, shape (p, p)
        Which column must stand before which.
    order : int array, shape (p,)
        Columns, first causes first.
    """
    trees = _Trees(score, required, forbidden, most_parents)
    p = len(order)
    at_once = max(1, _COLUMNS_AT_ONCE // p)
    state = (order, np.empty(p, np.int64), np.empty(p, np.int64))
    turns, moved = order.copy(), np.zeros(1, np.int64)
    sweeps = moves = 0
    bound = bool(before.any())
    interrupted = False
    trees.place(state)
    try:
        while True:
            moved[0] = 0
            done, full = 0, -1
            while done < p:
                stop = min(done + at_once, p)
                done = _kernels.move_columns(*trees.arguments, before, bound, *state, turns, done, stop, moved)
                if done < stop:
                    trees.forget(larger=done == full)
                    trees.place(state)
                    full = done
            sweeps, moves = sweeps + 1, moves + int(moved[0])
            if not moved[0]:
                break
    except KeyboardInterrupt:
        interrupted = True
        trees.forget(larger=False)
        trees.place(state)
    return BestOrder(trees.graph(state[2]), moves, trees.nodes_made, sweeps, trees.cut, interrupted)


def improve_by_tucks(
    score: LocalScore,
    required: Booleans,
    forbidden: Booleans,
    most_parents: int,
    before: Booleans,
    order: Integers,
    depth: int,
) -> BestOrder:
    """Tuck edges, in place, until no sequence of up to ``depth`` tucks raises the score.

    Lam, Andrews and Ramsey (2022), algorithm 2; only the first tuck of a sequence may be of an edge that is not
    covered. Other parameters are those of `improve_order`.
    """
    trees = _Trees(score, required, forbidden, most_parents)
    p = len(order)
    at_once = max(1, _COLUMNS_AT_ONCE // p)
    state = (order, np.empty(p, np.int64), np.empty(p, np.int64))
    turns, steps = order.copy(), np.zeros(2, np.int64)
    start, full, interrupted = 0, False, False
    trees.place(state)
    try:
        while start >= 0:
            reached = _grasp.climb_often(*trees.arguments, before, *state, turns, start, depth, at_once, steps)
            if reached == -2:
                trees.forget(larger=full)
                trees.place(state)
                full = True
            else:
                start, full = reached, False
    except KeyboardInterrupt:
        interrupted = True
        trees.forget(larger=False)
        trees.place(state)
    return BestOrder(trees.graph(state[2]), int(steps[1]), trees.nodes_made, int(steps[0]), trees.cut, interrupted)


def search_from(
    improve: Callable[..., BestOrder], found: ScoreInput, before: Booleans, order: Integers, limit: int, **own: Any
) -> BestOrder:
    """Search from one order, with room for few parents first: most columns need no more."""
    width = min(max(_FIRST_LIMIT, int(found.required.sum(axis=0).max())), limit)
    while True:
        best = improve(found.score, found.required, found.forbidden, width, before, order.copy(), **own)
        if not best.cut or width >= limit or best.interrupted:
            return best
        width = min(2 * width, limit)


def start_order(score: LocalScore) -> Integers:
    """Return the columns, those that others say least about first, so that names do not decide the search."""
    tied = [np.sort(np.maximum(score.gains(node, []), 0.0)).sum() for node in range(score.n_columns)]
    return np.argsort(tied, kind="stable")
