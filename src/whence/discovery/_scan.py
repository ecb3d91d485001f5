"""All conditioning sets of many pairs at once: compiled for the library's own tests, plain Python for any other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from whence.counting import row_sets
from whence.independence import (
    ChiSquare,
    ConditionalGaussian,
    DegenerateGaussian,
    FisherZ,
    GSquare,
    IndependenceTest,
)
from whence.kernels import Kernels

_kernels = Kernels("whence.discovery._kernels_pc")
_NO_ROWS = np.zeros((1, 0), np.int32), np.ones(1, np.int64)
_NO_TABLES = (
    *_NO_ROWS,
    *row_sets(*_NO_ROWS),
    np.zeros(1),
    False,
    (0.0, 0.0),
    np.zeros(1, np.int64),
    np.zeros((0, 0), np.int32),
)

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Neighbours:
    """Lists of neighbours: those of column v are ``nodes[start[v]:start[v + 1]]``, ascending."""

    start: Integers
    nodes: Integers

    @classmethod
    def of(cls, adjacency: Booleans) -> Neighbours:
        """List the neighbours in a matrix of shape (p, p)."""
        p = len(adjacency)
        places = np.flatnonzero(adjacency)  # several times as fast as asking for rows and columns
        return cls(np.searchsorted(places, np.arange(p + 1) * p), places % p if p else places)

    def __getitem__(self, node: int) -> Integers:
        return self.nodes[self.start[node] : self.start[node + 1]]

    @property
    def most(self) -> int:
        """Neighbours of the column that has the most."""
        return int(self.lengths.max(initial=0))

    @property
    def lengths(self) -> Integers:
        """Neighbours of each column."""
        return self.start[1:] - self.start[:-1]


@dataclass(frozen=True)
class Scan:
    """What the sets of k pairs said.

    Attributes
    ----------
    p_value, statistic : shape (k,)
        Of the set with the largest p-value; NaN where no set could be tested.
    sets : list of tuple of int, length k
        That set.
    separating : shape (k,)
        How many sets had a p-value above the level.
    containing : shape (length of mids,)
        How many of those hold each mid.
    tests, stopped : int
        Tests made; sides of a pair with too many sets to try all.
    """

    p_value: NDArray[np.float64]
    statistic: NDArray[np.float64]
    size: Integers
    members: Integers
    separating: Integers
    containing: Integers
    tests: int
    stopped: int

    def sets_of(self, pairs: Integers | list[int]) -> list[tuple[int, ...]]:
        """Return the set with the largest p-value for each of some pairs, by their position."""
        sizes, members = self.size[pairs].tolist(), self.members[pairs].tolist()
        return [tuple(nodes[:size]) for size, nodes in zip(sizes, members)]


class Scanner(Protocol):
    """Tries sets of neighbours of ``sizes[0]`` to ``sizes[1]`` columns for each pair."""

    @property
    def deepest(self) -> int:
        """Columns that can at most be conditioned on."""

    @property
    def pairs_at_once(self) -> int:
        """Pairs to be passed together, so that an interrupt is heard within moments."""

    def __call__(
        self,
        pairs: Integers,
        near: Neighbours,
        sizes: tuple[int, int],
        alpha: float,
        most_sets: float,
        mids: Neighbours,
    ) -> Scan:
        """Test pairs of shape (k, 2); ``mids`` lists by pair the columns to look for in separating sets."""


def no_mids(pairs: Integers) -> Neighbours:
    """Return empty lists for as many pairs."""
    return Neighbours(np.zeros(len(pairs) + 1, np.int64), np.zeros(0, np.int64))


def scanner_of(test: IndependenceTest) -> Scanner:
    """Return the compiled scanner of the library's own tests, the plain one for any other."""
    if isinstance(test, FisherZ):
        return GaussianScanner(test)
    if isinstance(test, (ChiSquare, GSquare)):
        return DiscreteScanner(test)
    return MixedScanner(test) if isinstance(test, (ConditionalGaussian, DegenerateGaussian)) else PlainScanner(test)


class GaussianScanner:
    """Partial correlations from one correlation matrix."""

    pairs_at_once = 4_000

    def __init__(self, test: FisherZ) -> None:
        self.test = test
        self.deepest = min(test.rows_used - 4, len(test.names) - 2)

    def __call__(
        self,
        pairs: Integers,
        near: Neighbours,
        sizes: tuple[int, int],
        alpha: float,
        most_sets: float,
        mids: Neighbours,
    ) -> Scan:
        """Compare the absolute z with the two-sided quantile of the normal distribution."""
        least = float(ndtri(alpha / 2))
        if not sizes[1]:
            return self._given_nothing(pairs, least, len(mids.nodes))
        root = np.sqrt(np.maximum(self.test.rows_used - 3.0 - np.arange(sizes[1] + 1), 0.0)) / self.test.spread
        data = (True, self.test.correlation, root, _NO_TABLES)
        found, evidence = _compiled(data, pairs, near, sizes, least, most_sets, mids)
        return Scan(2.0 * ndtr(evidence[:, 0]), evidence[:, 1], **found)

    def _given_nothing(self, pairs: Integers, least: float, mids: int) -> Scan:
        k = len(pairs)
        with np.errstate(divide="ignore"):
            found = np.arctanh(np.abs(self.test.correlation[pairs[:, 0], pairs[:, 1]]))
        statistic = found * (np.sqrt(max(self.test.rows_used - 3.0, 0.0)) / self.test.spread)
        none = np.zeros(k, np.int64)
        return Scan(
            p_value=2.0 * ndtr(-statistic),
            statistic=statistic,
            size=none,
            members=none[:, None],
            separating=(-statistic > least).astype(np.int64),
            containing=np.zeros(mids, np.int64),
            tests=k,
            stopped=0,
        )


class DiscreteScanner:
    """Contingency tables from codes."""

    pairs_at_once = 1_000

    def __init__(self, test: ChiSquare | GSquare) -> None:
        self.test = test
        # Each column given has two values or more, so that larger sets are too fine for the rows in any case.
        self.deepest = min(len(test.names) - 2, max(int(math.log2(max(test.most_cells[1] / 4, 1.0))), 1))

    def __call__(
        self,
        pairs: Integers,
        near: Neighbours,
        sizes: tuple[int, int],
        alpha: float,
        most_sets: float,
        mids: Neighbours,
    ) -> Scan:
        """Compare p-values with the level."""
        nothing = np.zeros((1, 1))
        data = (False, nothing, nothing[0], self.test.counted_tables)
        found, evidence = _compiled(data, pairs, near, sizes, alpha, most_sets, mids)
        return Scan(evidence[:, 0], evidence[:, 1], **found)


def _compiled(
    data: tuple[Any, ...],
    pairs: Integers,
    near: Neighbours,
    sizes: tuple[int, int],
    least: float,
    most_sets: float,
    mids: Neighbours,
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    k = len(pairs)
    evidence = np.empty((k, 2))
    found: dict[str, Any] = {
        "size": np.zeros(k, np.int64),
        "members": np.zeros((k, max(sizes[1], 1)), np.int64),
        "separating": np.zeros(k, np.int64),
        "containing": np.zeros(len(mids.nodes), np.int64),
    }
    lists = (np.ascontiguousarray(pairs), near.start, near.nodes, *sizes, least, most_sets, mids.start, mids.nodes)
    found["tests"], found["stopped"] = _kernels.scan(*data, *lists, evidence, *found.values())
    return found, evidence


class PlainScanner:
    """Any test, one call at a time: the reference that the compiled scanners are compared with."""

    pairs_at_once = 1

    def __init__(self, test: IndependenceTest) -> None:
        self.test = test
        self.deepest = len(test.names) - 2

    def __call__(
        self,
        pairs: Integers,
        near: Neighbours,
        sizes: tuple[int, int],
        alpha: float,
        most_sets: float,
        mids: Neighbours,
    ) -> Scan:
        """Call the test for every set."""
        k = len(pairs)
        found = Scan(
            p_value=np.full(k, np.nan),
            statistic=np.full(k, np.nan),
            size=np.zeros(k, np.int64),
            members=np.zeros((k, max(sizes[1], 1)), np.int64),
            separating=np.zeros(k, np.int64),
            containing=np.zeros(len(mids.nodes), np.int64),
            tests=0,
            stopped=0,
        )
        asked: list[tuple[int, tuple[int, ...]]] = []
        stopped = 0
        for q, (x, y) in enumerate(pairs.tolist()):
            tried = list(_sets(x, y, near, sizes, most_sets))
            asked += [(q, given) for given in tried if given is not None]
            stopped += tried.count(None)
        for (q, given), (statistic, p_value) in zip(asked, self._answers(pairs, asked)):
            if math.isnan(found.p_value[q]) or p_value > found.p_value[q]:
                found.p_value[q], found.statistic[q] = p_value, statistic
                found.size[q] = len(given)
                found.members[q, : len(given)] = given
            if p_value > alpha:
                found.separating[q] += 1
                wanted = mids[q].tolist()
                for node in set(given).intersection(wanted):
                    found.containing[mids.start[q] + wanted.index(node)] += 1
        return replace(found, tests=len(asked), stopped=stopped)

    def _answers(self, pairs: Integers, asked: list[tuple[int, tuple[int, ...]]]) -> Iterator[tuple[float, float]]:
        """Yield statistic and p-value of each question: the place of a pair, and a set given."""
        names = self.test.names
        for q, given in asked:
            x, y = pairs[q]
            result = self.test(names[x], names[y], tuple(names[node] for node in given))
            yield result.statistic, result.p_value


class MixedScanner(PlainScanner):
    """The tests of mixed tables, which answer many questions in one call."""

    pairs_at_once = 100

    def __init__(self, test: ConditionalGaussian | DegenerateGaussian) -> None:
        super().__init__(test)
        self.mixed = test

    def _answers(self, pairs: Integers, asked: list[tuple[int, tuple[int, ...]]]) -> Iterator[tuple[float, float]]:
        names = self.test.names
        ends = [(names[x], names[y]) for x, y in pairs.tolist()]
        found = self.mixed.results([(*ends[q], tuple(names[node] for node in given)) for q, given in asked])
        yield from zip(found[:, 0].tolist(), found[:, 2].tolist())


def _sets(
    x: int, y: int, near: Neighbours, sizes: tuple[int, int], most_sets: float
) -> Iterator[tuple[int, ...] | None]:
    """Yield the sets of neighbours of x, then those of y that were not among them; None where a side has too many."""
    tried = 0
    first = set(near[x].tolist())
    for side, (centre, other) in enumerate(((x, y), (y, x))):
        candidates = [node for node in near[centre].tolist() if node != other]
        for size in range(max(sizes[0], side), min(sizes[1], len(candidates)) + 1):
            if math.comb(len(candidates), size) > most_sets:
                yield None
                break
            known = side == 1 and size <= tried
            yield from (given for given in combinations(candidates, size) if not (known and first.issuperset(given)))
            tried = tried if side else size
