"""Which mechanisms change and who is joined to whom, given the index; then the directions that invariance gives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset
from whence.discovery._orient import Orientation, break_cycles, orient
from whence.discovery._scan import Booleans, Integers, Neighbours, PlainScanner, Scan
from whence.discovery._skeleton import Skeleton, find_skeleton
from whence.discovery.pc import MOST_SETS
from whence.errors import ParameterError
from whence.graph import Mark
from whence.graph.orientation import Marks
from whence.independence import KCI, IndependenceTest, RCoT, ResidualInvariance, TestResult
from whence.independence.result import Query
from whence.parallel import Progress

TestMaker = Callable[[Any], IndependenceTest]
TEST_NAMES = ("residual-invariance", "rcot", "kci")


class GivenIndex:
    """Tests of pairs given a set and, always, the index; tests of the index itself given a set. Answers are kept.

    Conditioning on the index opens no path, since nothing causes it, and takes out whatever is a function of it: hidden
    causes that follow the index included.

    Parameters
    ----------
    test : IndependenceTest
        Over columns and index.
    index : str
        The index, the last of the names.
    of_index : IndependenceTest, optional
        For pairs with the index; by default the same.
    """

    def __init__(
        self,
        test: IndependenceTest,
        index: str,
        of_index: IndependenceTest | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.test = test
        self.of_index = of_index or test
        self.index = index
        self.names: tuple[str, ...] = test.names
        self.rows_used: int = test.rows_used
        self.made: dict[tuple[frozenset[str], frozenset[str]], TestResult] = {}
        self._progress = progress

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair given the set, and the index unless it is one of the two."""
        chosen = frozenset((given,) if isinstance(given, str) else given)
        with_index = self.index in (x, y)
        if not with_index:
            chosen |= {self.index}
        key = (frozenset((x, y)), chosen)
        if key not in self.made:
            test = self.of_index if with_index else self.test
            self.made[key] = test(x, y, tuple(name for name in self.names if name in chosen))
            if self._progress is not None:
                self._progress("tests", len(self.made), len(self.made))
        return self.made[key]

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.array([self(*query).p_value for query in queries], dtype=np.float64)

    def table(self) -> dict[str, list[Any]]:
        """Return all tests made, one row each: the pair, what was given, statistic and p-value."""
        place = {name: k for k, name in enumerate(self.names)}
        columns: dict[str, list[Any]] = {name: [] for name in ("x", "y", "given", "statistic", "p_value")}
        for (pair, given), result in self.made.items():
            x, y = sorted(pair, key=place.__getitem__)
            row = (x, y, ", ".join(sorted(given, key=place.__getitem__)), result.statistic, result.p_value)
            for column, value in zip(columns.values(), row):
                column.append(value)
        return columns


def make_test(
    test: str | TestMaker, table: Dataset, index: str, random_state: int, progress: Progress
) -> tuple[str, GivenIndex]:
    """Return the name of a test and the test given the index.

    Raises
    ------
    ParameterError
        If there is no test of that name.
    """
    if not isinstance(test, str):
        made = test(table)
        name = getattr(getattr(made, "card", None), "name", getattr(test, "__name__", "given"))
        return name, GivenIndex(made, index, progress=progress)
    if test == "auto":
        test = "residual-invariance"
    if test not in TEST_NAMES:
        raise ParameterError(
            "E311",
            f"there is no test {test!r} here.",
            f"Choose auto, {', '.join(TEST_NAMES)}, or pass a class of tests.",
        )
    if test == "kci":
        return test, GivenIndex(KCI(table), index, progress=progress)
    invariance = ResidualInvariance(table, index=index, random_state=random_state)
    if test == "rcot":
        return test, GivenIndex(RCoT(table, random_state=random_state), index, invariance, progress)
    return test, GivenIndex(invariance, index, progress=progress)


class IndexScanner:
    """Sets of neighbours among the columns; the index is in every separating set of two columns."""

    def __init__(self, test: GivenIndex) -> None:
        self._plain = PlainScanner(test)
        self._index = test.names.index(test.index)
        self.deepest = len(test.names) - 2
        self.pairs_at_once = self._plain.pairs_at_once

    def __call__(
        self,
        pairs: Integers,
        near: Neighbours,
        sizes: tuple[int, int],
        alpha: float,
        most_sets: float,
        mids: Neighbours,
    ) -> Scan:
        """Call the test for every set; sizes do not count the index."""
        index = self._index
        keep = near.nodes != index
        owner = np.repeat(np.arange(len(near.start) - 1), np.diff(near.start))[keep]
        start = np.searchsorted(owner, np.arange(len(near.start)))
        found = self._plain(pairs, Neighbours(start.astype(np.int64), near.nodes[keep]), sizes, alpha, most_sets, mids)
        among = (pairs != index).all(axis=1)
        members = np.column_stack([found.members, np.zeros(len(pairs), np.int64)])
        rows = np.flatnonzero(among)
        members[rows, found.size[rows]] = index
        containing = found.containing.copy()
        held = np.repeat(np.where(among, found.separating, 0), np.diff(mids.start))
        at_index = mids.nodes == index
        containing[at_index] = held[at_index]
        return replace(found, members=members, size=found.size + among, containing=containing)


@dataclass(frozen=True)
class Found:
    """Skeleton and marks over columns and index, in the order of the test's names."""

    skeleton: Skeleton
    oriented: Orientation
    cut: list[tuple[int, int]]

    @property
    def marks(self) -> Marks:
        """Marks of shape (p + 1, p + 1), the index last."""
        return self.oriented.marks


def search(test: GivenIndex, alpha: float, required: Booleans, forbidden: Booleans, max_depth: int | None) -> Found:
    """Return who is joined to whom, and what colliders, the index as a cause and Meek's rules direct.

    With the index known to have no cause, its edges point away from it, and an unshielded triple
    ``index -> k - l`` is settled by whether k is in the sets that separate l from the index: these are the directions
    that invariance gives (Huang et al. 2020, section 4.1).
    """
    scan = IndexScanner(test)
    most = MOST_SETS if max_depth is None else np.inf
    skeleton = find_skeleton(scan, alpha, required, forbidden, max_depth=max_depth, most_sets=most)
    skeleton, cut = break_cycles(skeleton, required, forbidden)
    oriented = orient(skeleton, scan, alpha, forbidden, rule="majority", max_depth=max_depth, most_sets=most)
    return Found(skeleton, oriented, cut)


def provenance(marks: Marks, known: Booleans, by_changes: set[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Return for each edge (i, j) with i < j what settles its marks, the index being the last column.

    ``"index"``: from the index. ``"invariance"``: an unshielded triple with the index. ``"collider"``: one without.
    ``"changes"``: independence of changes. ``"knowledge"``. ``"rules"``: Meek's. ``"skeleton"``: it is undirected.
    """
    index = len(marks) - 1
    joined = marks != Mark.NONE
    found = {}
    for i, j in np.argwhere(np.triu(joined)).tolist():
        cause, effect = (i, j) if marks[i, j] == Mark.ARROW else (j, i)
        if index in (i, j):
            found[i, j] = "index"
        elif marks[cause, effect] != Mark.ARROW:
            found[i, j] = "skeleton"
        elif known[cause, effect]:
            found[i, j] = "knowledge"
        elif (cause, effect) in by_changes:
            found[i, j] = "changes"
        elif joined[index, effect] != joined[index, cause]:
            found[i, j] = "invariance"
        elif _collides(marks, joined, cause, effect, index):
            found[i, j] = "collider"
        else:
            found[i, j] = "rules"
    return found


def _collides(marks: Marks, joined: Booleans, cause: int, effect: int, index: int) -> bool:
    others = np.flatnonzero((marks[:, effect] == Mark.ARROW) & ~joined[cause])
    return any(other not in (cause, index) for other in others.tolist())
