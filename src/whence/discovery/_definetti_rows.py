"""Groups of exchangeable rows as a table of groups, and tests on it: one row per group, columns by position."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data import Codes, Dataset, Kind, as_dataset, read
from whence.data.kinds import DISCRETE
from whence.discovery._common import discrete_input, gaussian_input, open_table
from whence.errors import DataError, ParameterError, quote_names
from whence.independence import ChiSquare, FisherZ, GSquare, IndependenceTest, TestResult
from whence.independence.random_features import RCoT
from whence.independence.result import Query
from whence.parallel import RandomState, generator
from whence.registry import Card

GROUP_ROLES = ("domain", "unit")
FEWEST_GROUPS = 20
FEW_GROUPS = 300
MOST_PAIRINGS = 10
# Beyond this a p-value counts as this much in a combination, so that one near 1 does not outweigh all others.
_LARGEST = 0.99

TestMaker = Callable[[Any], IndependenceTest]


@dataclass(frozen=True)
class GroupedRows:
    """Complete rows of groups with at least two of them, checked.

    Attributes
    ----------
    names : tuple of str, length p
        Sorted.
    values : ndarray, shape (n, p)
        Numbers, and codes of categories; sorted by group.
    categories : frozenset of str
        The columns that are codes without an order.
    discrete : bool
        Whether all columns are discrete, and all values codes.
    start : int64 array, shape (groups + 1,)
        Rows of group g are ``values[start[g] : start[g + 1]]``.
    warnings : tuple of str
    given : tuple of str
        The columns in the user's order.
    group : str
    library : str
    """

    names: tuple[str, ...]
    values: NDArray[Any]
    categories: frozenset[str]
    discrete: bool
    start: NDArray[np.int64]
    warnings: tuple[str, ...]
    given: tuple[str, ...]
    group: str
    library: str

    @property
    def sort(self) -> str:
        """``"discrete"``, ``"numeric"`` or ``"of both sorts"``, for messages."""
        if self.discrete:
            return "discrete"
        return "of both sorts" if self.categories else "numeric"

    @property
    def n_groups(self) -> int:
        """Groups, the unit of every test."""
        return len(self.start) - 1


def group_column(data: Dataset, group: str | None) -> str:
    """Return the column that tells the groups apart: the one named, else the one with the role domain or unit.

    Raises
    ------
    DataError
        If there is no such column.
    """
    if group is not None:
        return data.select([group]).names[0]
    found = [data.roles[role] for role in GROUP_ROLES if role in data.roles]
    if not found:
        raise DataError(
            "E350",
            f"{data.source} does not say which rows belong to one group.",
            f"Name the column: group='site', or give it the role domain. Columns: {quote_names(data.names)}.",
        )
    return found[0]


def read_groups(data: Any, group: str | None, card: Card) -> GroupedRows:
    """Return the rows of a table by group, incomplete rows and groups of a single row left out and said so.

    Raises
    ------
    DataError
        Without a group column, with too few groups of two complete rows, or for columns that a search cannot take.
    """
    dataset = as_dataset(data)
    name = group_column(dataset, group)
    given = open_table(dataset.drop(name), card)
    ordered = given.select(sorted(given.names))
    chosen, sizes, warnings = _rows_of_groups(ordered, dataset, name)
    kept = ordered.take(chosen)
    values, discrete = _values(kept)
    if len(sizes) < FEW_GROUPS:
        warnings.append(f"{len(sizes)} groups are few: below {FEW_GROUPS} many directions stay open, some are wrong.")
    return GroupedRows(
        names=ordered.names,
        values=values,
        categories=frozenset(column for column, kind in kept.kinds().items() if kind is Kind.CATEGORICAL),
        discrete=discrete,
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        warnings=tuple(warnings),
        given=given.names,
        group=name,
        library=dataset.library,
    )


def _rows_of_groups(
    variables: Dataset, data: Dataset, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return the complete rows of groups with two or more of them, group by group, the sizes of these, and warnings."""
    labels = _labels(data, name)
    # Rows are dropped here rather than where columns are read, so that groups and columns stay side by side.
    whole = ~np.any([variables.is_missing(column) for column in variables.names], axis=0)
    warnings = []
    if not whole.all():
        warnings.append(f"{np.sum(~whole):,} of {len(whole):,} rows have a missing value and were left out.")
    homeless = whole & (labels < 0)
    if homeless.any():
        warnings.append(f"{homeless.sum():,} rows without a value of {name!r} belong to no group and were left out.")
    rows = np.flatnonzero(whole & (labels >= 0))
    sizes = np.bincount(labels[rows], minlength=labels.max(initial=-1) + 1)
    single = int(np.sum(sizes == 1))
    _check_groups(name, sizes, single)
    if single:
        warnings.append(f"{single:,} groups of {name!r} have a single complete row and were left out.")
    rows = rows[sizes[labels[rows]] > 1]
    return rows[np.argsort(labels[rows], kind="stable")], sizes[sizes > 1], warnings


def _labels(data: Dataset, name: str) -> NDArray[np.int64]:
    """Return the group of each row as a whole number from 0, -1 where it is missing."""
    column = data.select([name]).to_arrow().column(0).combine_chunks().dictionary_encode()
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(data.is_missing(name), -1, codes)


def _check_groups(name: str, sizes: NDArray[np.int64], single: int) -> None:
    pairs = int(np.sum(sizes > 1))
    if pairs >= FEWEST_GROUPS:
        return
    if single > pairs:
        raise DataError(
            "E351",
            f"{single:,} of {single + pairs:,} groups of {name!r} have a single complete row; two rows of a group are "
            "compared.",
            "Group by a coarser column, or use the search 'pc', which takes rows one by one.",
        )
    raise DataError(
        "E352",
        f"{name!r} makes {pairs} groups of two complete rows or more; the unit of every test is the group, and "
        f"{FEWEST_GROUPS} are the least ({FEW_GROUPS} are advisable).",
        "Group by a finer column, or, for a few groups of many rows, search the rows of each with 'pc'.",
    )


def _values(kept: Dataset) -> tuple[NDArray[Any], bool]:
    """Return the values of complete rows, and whether all columns are discrete.

    Raises
    ------
    DataError
        For columns that do not vary in these rows or are the same.
    """
    kinds = kept.kinds()
    if all(kind in DISCRETE for kind in kinds.values()):
        return np.ascontiguousarray(discrete_input(kept).codes.T), True
    coded = [name for name, kind in kinds.items() if kind is Kind.CATEGORICAL]
    numeric = [name for name in kept.names if name not in coded]
    gaussian_input(kept.select(numeric))  # refuses columns that do not vary or are the same
    values = np.empty((kept.n_rows, len(kept.names)))
    values[:, [kept.names.index(name) for name in numeric]] = kept.numeric(numeric)
    if coded:
        values[:, [kept.names.index(name) for name in coded]] = discrete_input(kept.select(coded)).codes.T
    return values, False


def draw_pairings(
    start: NDArray[np.int64], pairings: int | None, random_state: RandomState
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return pairings, each the first and the second row of every group, shape (groups,) both.

    They come in twos, one the other with its positions exchanged. Over the twos a group's rows are used up, in random
    order, before any is used again. By default there are as many as use the rows of a group of median size once, at
    most 10.
    """
    rng = generator(random_state)
    sizes = np.diff(start)
    count = min(MOST_PAIRINGS, 2 * (int(np.median(sizes)) // 2)) if pairings is None else pairings
    owner = np.repeat(np.arange(len(sizes)), sizes)
    shuffled = np.lexsort((rng.random(len(owner)), owner))
    found = []
    for turn in range(0, count, 2):
        first, second = (shuffled[start[:-1] + (turn + place) % sizes] for place in (0, 1))
        found += [(first, second), (second, first)]
    return found[:count]


def combine(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one p-value for the k of each test, shape (k, tests) to (tests,), however they depend on each other.

    The Cauchy combination of Liu and Xie (2020), with p-values cut at 0.99 as Fang, Chang, Park and Tseng (2023)
    propose; NaN, for tests that could not be made, are left out.

    >>> combine(np.array([[0.01, 0.5], [0.01, 0.5]])).round(3)
    array([0.01, 0.5 ])
    """
    clipped = np.clip(p_values, 1e-300, _LARGEST)
    known = ~np.isnan(clipped)
    terms = np.where(known, 1.0 / np.tan(np.pi * np.where(known, clipped, 0.5)), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = terms.sum(axis=0) / known.sum(axis=0)
    # arccot, exact for small p-values too
    found: NDArray[np.float64] = np.arctan2(1.0, mean) / np.pi
    return found


class PairedTest:
    """Tests between columns at positions, ``"dose@1"`` and ``"cure@2"``, one row of its table for each group.

    Every pairing makes the test and the p-values are combined; answers are kept.

    Parameters
    ----------
    rows : GroupedRows
    test : str or class
    pairings : int or None
    random_state : int or Generator
    """

    def __init__(
        self, rows: GroupedRows, test: str | TestMaker, pairings: int | None, random_state: RandomState
    ) -> None:
        self.names: tuple[str, ...] = tuple(at(name, place) for place in (1, 2) for name in rows.names)
        self.rows_used: int = rows.n_groups
        self.test_name, maker = choose_test(test, rows)
        drawn = draw_pairings(rows.start, pairings, random_state)
        self.tests: tuple[IndependenceTest, ...] = tuple(maker(_table(rows, pairing, self.names)) for pairing in drawn)
        self._kept: dict[tuple[frozenset[str], frozenset[str]], float] = {}

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; the statistic is the cotangent that the p-value was combined from."""
        p_value = float(self.batch([(x, y, given)])[0])
        return TestResult(p_value, 1.0 / np.tan(np.pi * p_value) if p_value > 0 else np.inf, self.rows_used)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the combined p-values of many tests, shape (number of queries,)."""
        keys = [(frozenset((x, y)), frozenset([s] if isinstance(s, str) else s)) for x, y, s in queries]
        new = {key: query for key, query in zip(keys, queries) if key not in self._kept}
        if new:
            found = combine(np.array([test.batch(list(new.values())) for test in self.tests]))
            self._kept.update(zip(new, found.tolist()))
        return np.array([self._kept[key] for key in keys])


def at(name: str, position: int) -> str:
    """Return the name of a column at a position: ``"dose@1"``."""
    return f"{name}@{position}"


def check_pairings(pairings: int | None) -> None:
    """Raise ParameterError unless there is at least one pairing."""
    if pairings is not None and (not isinstance(pairings, (int, np.integer)) or pairings < 1):
        raise ParameterError("E311", f"pairings is {pairings!r}.", "Give a whole number from 1 up, or None.")


def choose_test(test: str | TestMaker, rows: GroupedRows) -> tuple[str, TestMaker]:
    """Return the name of a test and what makes it from a table.

    Raises
    ------
    ParameterError
        If there is no test of that name, or it does not take the columns.
    """
    if not isinstance(test, str):
        return getattr(getattr(test, "card", None), "name", getattr(test, "__name__", "given")), test
    known: dict[str, TestMaker] = {"g-square": GSquare, "chi-square": ChiSquare, "rcot": RCoT, "fisher-z": FisherZ}
    if test == "auto":
        test = "g-square" if rows.discrete else "rcot"
    if test not in known:
        raise ParameterError(
            "E311", f"there is no test {test!r}.", f"Choose auto, {', '.join(known)}, or pass a class of tests."
        )
    counts = test in ("g-square", "chi-square")
    if counts != rows.discrete or (test == "fisher-z" and rows.categories):
        raise ParameterError(
            "E311",
            f"the test {test!r} does not take columns that are {rows.sort}.",
            f"Choose {'g-square or chi-square' if rows.discrete else 'rcot'}, or auto.",
        )
    return test, known[test]


def _table(rows: GroupedRows, pairing: tuple[NDArray[np.int64], NDArray[np.int64]], names: tuple[str, ...]) -> Any:
    """Return one row for each group: its columns at the first and at the second position."""
    values = np.hstack([rows.values[place] for place in pairing])
    if rows.discrete:
        return Codes(np.ascontiguousarray(values, dtype=np.int32), ((),) * len(names), names)
    coded = {at(name, place) for name in rows.categories for place in (1, 2)}
    columns = {
        name: column.astype(np.int64) if name in coded else np.ascontiguousarray(column)
        for name, column in zip(names, values.T)
    }
    return read(columns, kinds=dict.fromkeys(coded, Kind.CATEGORICAL))
