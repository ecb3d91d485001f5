"""The skeleton of PC-stable: pairs are separated by sets of their neighbours, one size of set after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whence.discovery._scan import Booleans, Integers, Neighbours, Scan, Scanner, no_mids

# Pairs that are tested together given nothing.
_PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Skeleton:
    """Which of p columns are joined, and why the others are not.

    Attributes
    ----------
    adjacency : bool array, shape (p, p)
    level : int array, shape (p, p)
        Size of the sets among which a pair was separated; -1 where it is joined or was never allowed.
    sets : dict of (int, int) to tuple of int
        The separating set with the largest p-value, for pairs i < j separated by a set that is not empty.
    p_values, statistics : dict of (int, int) to float
        Of each pair that is joined: the largest p-value over all tests, and that test's statistic.
    tests : int
    stopped : int
        Sides of pairs with too many sets of some size to try them all.
    interrupted_at : int or None
        Size of the sets that were being tried when the user interrupted the search: some pairs that are joined were not
        tested with sets of this size, and none with larger ones.
    """

    adjacency: Booleans
    level: NDArray[np.int16]
    sets: dict[tuple[int, int], tuple[int, ...]]
    p_values: dict[tuple[int, int], float]
    statistics: dict[tuple[int, int], float]
    tests: int
    stopped: int
    interrupted_at: int | None = None

    def adjacency_at(self, size: int) -> Booleans:
        """Return which pairs were still joined when sets of a size were tried."""
        at: Booleans = self.adjacency | (self.level >= size)
        return at


class Apart(Protocol):
    """Pairs that something else separated before sets of neighbours are tried."""

    @property
    def tests(self) -> int:
        """Tests that it took."""

    def pairs(self, required: Booleans) -> Booleans:
        """Return which pairs are apart, shape (p, p); a required pair never is."""

    def recorded(self, skeleton: Skeleton, required: Booleans) -> Skeleton:
        """Return the skeleton with what separated those pairs entered."""


def find_skeleton(
    scan: Scanner,
    alpha: float,
    required: Booleans,
    forbidden: Booleans,
    *,
    max_depth: int | None,
    most_sets: float,
) -> Skeleton:
    """Separate pairs level by level; what a level removes is removed at its end, so that the order does not matter.

    Colombo and Maathuis (2014), Order-independent constraint-based causal structure learning, algorithm 4.1. Only
    columns that may be parents are conditioned on: some set of parents of x or of y separates them.

    Parameters
    ----------
    scan : Scanner
    alpha : float
        A pair is separated by a p-value above it.
    required, forbidden : bool arrays, shape (p, p)
        ``[i, j]`` for ``i -> j``. A required pair is never removed; one forbidden both ways is never joined.
    max_depth : int or None
        Largest set; None for no limit but the data's.
    most_sets : float
        A column's neighbours are tried up to the first size with more sets than this.
    """
    p = len(required)
    adjacency = ~(forbidden & forbidden.T)
    np.fill_diagonal(adjacency, val=False)
    kept = required | required.T
    level = np.full((p, p), -1, dtype=np.int16)
    pairs, p_value, statistic, tests = _marginal(scan, adjacency, level, kept, alpha)
    sets: dict[tuple[int, int], tuple[int, ...]] = {}
    stopped = 0
    interrupted_at = None
    deepest = scan.deepest if max_depth is None else min(scan.deepest, max_depth)
    for size in range(1, deepest + 1):
        near = Neighbours.of(adjacency & ~forbidden.T)
        if near.most < size:
            break
        removed = np.zeros(len(pairs), dtype=bool)
        made = tests
        try:  # some pairs at a time, so that an interrupt is heard soon and costs no work that is done
            for start in range(0, len(pairs), scan.pairs_at_once):
                part = slice(start, start + scan.pairs_at_once)
                found = scan(pairs[part], near, (size, size), alpha, most_sets, no_mids(pairs[part]))
                tests += found.tests
                stopped += found.stopped
                weaker = ~(found.p_value <= p_value[part]) & ~np.isnan(found.p_value)
                p_value[part] = np.where(weaker, found.p_value, p_value[part])
                statistic[part] = np.where(weaker, found.statistic, statistic[part])
                removed[part] = (found.separating > 0) & ~kept[pairs[part, 0], pairs[part, 1]]
                _record(found, removed[part], pairs[part], sets)
        except KeyboardInterrupt:
            interrupted_at = size
        x, y = pairs[removed].T
        adjacency[x, y] = adjacency[y, x] = False
        level[x, y] = level[y, x] = size
        pairs, p_value, statistic = pairs[~removed], p_value[~removed], statistic[~removed]
        if tests == made or interrupted_at is not None:
            break
    keys = list(map(tuple, pairs.tolist()))
    p_values, statistics = (dict(zip(keys, values.tolist())) for values in (p_value, statistic))
    return Skeleton(adjacency, level, sets, p_values, statistics, tests, stopped, interrupted_at)


def _marginal(
    scan: Scanner, adjacency: Booleans, level: NDArray[np.int16], kept: Booleans, alpha: float
) -> tuple[Integers, NDArray[np.float64], NDArray[np.float64], int]:
    """Separate pairs given no other column, in place; return the pairs that stay, p-values, statistics and tests.

    Rows of the matrix are taken some at a time: all pairs of 10,000 columns at once would fill gigabytes.
    """
    p = len(adjacency)
    near = Neighbours(np.zeros(p + 1, np.int64), np.zeros(0, np.int64))
    columns = np.arange(p)
    rows = max(_PAIRS_AT_ONCE // p, 1)
    left: list[tuple[Integers, NDArray[np.float64], NDArray[np.float64]]] = []
    tests = 0
    for start in range(0, p, rows):
        later = columns > columns[start : start + rows, None]
        places = np.flatnonzero(adjacency[start : start + rows] & later) + start * p
        x, y = np.divmod(places, p)
        pairs = np.column_stack([x, y])
        found = scan(pairs, near, (0, 0), alpha, np.inf, no_mids(pairs))
        tests += found.tests
        removed = (found.separating > 0) & ~kept.reshape(-1)[places]
        one, other = places[removed], (y * p + x)[removed]
        for matrix, value in ((adjacency, False), (level, 0)):
            flat = matrix.reshape(-1)
            flat[one] = flat[other] = value
        left.append((pairs[~removed], found.p_value[~removed], found.statistic[~removed]))
    pairs, p_value, statistic = map(np.concatenate, zip(*left))
    return pairs, p_value, statistic, tests


def _record(found: Scan, removed: Booleans, pairs: Integers, sets: dict[tuple[int, int], tuple[int, ...]]) -> None:
    chosen = np.flatnonzero(removed & (found.size > 0))
    sets.update(zip(map(tuple, pairs[chosen].tolist()), found.sets_of(chosen)))
