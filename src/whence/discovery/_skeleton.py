"""The skeleton of PC-stable: pairs are separated by sets of their neighbours, one size of set after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.discovery._scan import Booleans, Integers, Neighbours, Scan, Scanner, no_mids


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
    """

    adjacency: Booleans
    level: NDArray[np.int16]
    sets: dict[tuple[int, int], tuple[int, ...]]
    p_values: dict[tuple[int, int], float]
    statistics: dict[tuple[int, int], float]
    tests: int
    stopped: int

    def adjacency_at(self, size: int) -> Booleans:
        """Return which pairs were still joined when sets of a size were tried."""
        at: Booleans = self.adjacency | (self.level >= size)
        return at


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
    pairs = np.argwhere(np.triu(adjacency)).astype(np.int64)
    p_value, statistic = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    sets: dict[tuple[int, int], tuple[int, ...]] = {}
    tests = stopped = 0
    deepest = scan.deepest if max_depth is None else min(scan.deepest, max_depth)
    for size in range(deepest + 1):
        near = Neighbours.of(adjacency & ~forbidden.T if size else np.zeros_like(adjacency))
        if size and near.most < size:
            break
        found = scan(pairs, near, (size, size), alpha, most_sets, no_mids(pairs))
        tests += found.tests
        stopped += found.stopped
        weaker = ~(found.p_value <= p_value) & ~np.isnan(found.p_value)
        p_value = np.where(weaker, found.p_value, p_value)
        statistic = np.where(weaker, found.statistic, statistic)
        removed = (found.separating > 0) & ~kept[pairs[:, 0], pairs[:, 1]]
        _record(found, removed, pairs, sets)
        x, y = pairs[removed].T
        adjacency[x, y] = adjacency[y, x] = False
        level[x, y] = level[y, x] = size
        pairs, p_value, statistic = pairs[~removed], p_value[~removed], statistic[~removed]
        if not found.tests:
            break
    keys = list(map(tuple, pairs.tolist()))
    p_values, statistics = (dict(zip(keys, values.tolist())) for values in (p_value, statistic))
    return Skeleton(adjacency, level, sets, p_values, statistics, tests, stopped)


def _record(found: Scan, removed: Booleans, pairs: Integers, sets: dict[tuple[int, int], tuple[int, ...]]) -> None:
    chosen = np.flatnonzero(removed & (found.size > 0))
    sets.update(zip(map(tuple, pairs[chosen].tolist()), found.sets_of(chosen)))
