"""Searches over orders of the columns, on trees that remember which parents a prefix gives a column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.discovery._score_search import kernel_addresses
from whence.kernels import Kernels
from whence.scores import LocalScore

_kernels = Kernels("whence.discovery._kernels_boss")
_grasp = Kernels("whence.discovery._kernels_grasp")
_score = Kernels("whence.discovery._kernels_score")

Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

# What a compiled search tells of itself: it is done, or its store ran full.
_DONE, _FULL = 0, 2
# Tree nodes held at once.
_STORE = 400_000
# Gains held at once when columns are put into their first order.
_GAINS_AT_ONCE = 1_000_000
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
    """Grow-shrink trees, one a column, in common arrays that grow with them; forgotten where these may not."""

    def __init__(self, score: LocalScore, required: Booleans, forbidden: Booleans, most_parents: int) -> None:
        by_target = (np.ascontiguousarray(required.T), np.ascontiguousarray(~forbidden.T))
        self.score, self.forms = (*kernel_addresses(score), score.packed), (*by_target, most_parents)
        self.columns, self.made = len(required), 0
        self.most = min(_STORE, 4000 * self.columns)
        self._full_at = -2
        self._empty(min(self.most, 32 * self.columns))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the kernels take first."""
        return (*self.score, (*self.stored, self.used, self.roots, *self.listed, *self.room), self.forms)

    @property
    def nodes_made(self) -> int:
        return self.made + int(self.used[0])

    @property
    def cut(self) -> bool:
        return bool(self.used[4])

    def make_room(self, progress: Integers) -> None:
        """Make room after a search had none: more of it, or else that of all that is known, to be placed anew.

        The limit doubles where one step fills it all.
        """
        if len(self.stored[0]) < self.most:
            self._resize(min(self.most, 4 * len(self.stored[0])))
            return
        stopped_at = int(progress[1]) if progress[0] else -1
        if stopped_at == self._full_at:
            self.most *= 2
        self._full_at = stopped_at
        self.forget(progress)

    def forget(self, progress: Integers) -> None:
        """Forget everything but whether a column ran into its limit of parents."""
        self.made += int(self.used[0])
        cut = self.used[4]
        self._empty(self.most)
        self.used[4] = cut
        progress[0] = 0

    def graph(self, node_of: Integers) -> Booleans:
        """Return the DAG in which each column has the parents that its node keeps."""
        adjacency = np.zeros((self.columns, self.columns), dtype=bool)
        _kernels.write_graph(*self.stored[:2], node_of, adjacency)
        return adjacency

    def _empty(self, store: int) -> None:
        p = self.columns
        self.stored = self._stored(store)
        self.used, self.roots = np.zeros(5, np.int64), np.full(p, -1)
        lists = np.zeros((2, p, p), dtype=bool)
        self.listed = (lists[0], lists[1], np.full(p, -1, np.int32), self._links())
        self.room = (np.empty(p + 1, np.int64), np.empty(p + 1))

    def _resize(self, store: int) -> None:
        """Move to larger arrays."""
        links, smaller = self.listed[3], self.stored
        self.stored = self._stored(store)
        self.listed = (*self.listed[:3], self._links())
        for old, new in ((links, self.listed[3]), *zip(smaller, self.stored)):
            new[: len(old)] = old

    def _stored(self, store: int) -> tuple[Any, ...]:
        room = max(16 * store, 4 * self.columns)
        return (
            np.empty((store, 5), np.int64),
            np.empty(room, np.int32),
            np.empty(store),
            np.empty(room, np.int32),
            np.empty(room, np.int32),
        )

    def _links(self) -> NDArray[np.int32]:
        """Return room for a link from each candidate to each tree that lists it."""
        return np.empty((min(len(self.stored[3]), self.columns**2), 2), np.int32)


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
    return _improve(_kernels.move_columns, trees, before, order)


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
    return _improve(_grasp.climb_often, trees, before, order, depth)


def _improve(search: Callable[..., int], trees: _Trees, before: Booleans, order: Integers, *settings: int) -> BestOrder:
    """Call a compiled search until it is done, making room and listening to an interrupt in between."""
    p = len(order)
    at_once = max(1, _COLUMNS_AT_ONCE // p)
    state = (order, np.empty(p, np.int64), np.empty(p, np.int64))
    fixed = (order.copy(), *settings)
    bound = bool(before.any())
    # Whether all are placed, the next turn, and counts; the last two are changes made, and sweeps ended or tucks tried.
    progress = np.zeros(5, np.int64)
    left = at_once
    interrupted = False
    while True:
        try:
            told = search(*trees.arguments, before, bound, *state, *fixed, progress, left)
            if told == _FULL:
                trees.make_room(progress)
            elif told == _DONE or not left:
                break
        except KeyboardInterrupt:
            interrupted = True
            trees.forget(progress)
            left = 0  # place the columns in the best order found, and end
    moves, rounds = progress[3:].tolist()
    return BestOrder(trees.graph(state[2]), moves, trees.nodes_made, rounds, trees.cut, interrupted)


def start_order(score: LocalScore) -> Integers:
    """Return the columns, those that others say least about first, so that names do not decide the search."""
    p = score.n_columns
    tied = np.empty(p)
    gains = np.empty((max(1, min(p, _GAINS_AT_ONCE // p)), p))
    for first in range(0, p, len(gains)):
        block = gains[: p - first]
        _score.single_gains(kernel_addresses(score)[0], score.packed, first, block)
        tied[first : first + len(block)] = np.sort(np.maximum(block, 0.0), axis=1).sum(axis=1)
    return np.argsort(tied, kind="stable")
