"""Test-wise deletion: each test on the rows that may speak to it, for zeros that hide values and for missing values."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from whence.data import Dataset, as_dataset
from whence.data.statistics import Moments, moments_of
from whence.errors import DataError, ParameterError
from whence.independence._dropouts import Transform, cells_of, negative_values, numbers_of
from whence.independence._queries import as_arrays
from whence.independence.result import IndependenceTest, Query, TestResult
from whence.kernels import Kernels
from whence.registry import Card, Paper, lookup, register
from whence.results import make_frame

Delete = Literal["conditioned", "all"]
# Bytes of correlations and row numbers that one test keeps, for the sets of columns asked about last.
_MOST_KEPT = 2**27

_kernels = Kernels("whence.independence._kernels_deletion")
_gaussian = Kernels("whence.independence._kernels_gaussian")

CARD = Card(
    name="testwise-deletion",
    family="test",
    answers="Are two columns independent given others, when a zero or a gap may hide what a value was?",
    assumes=frozenset({"linear", "gaussian", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="p-value",
    missing="test-wise",
    paper=Paper(
        "Dai, Ng, Luo, Spirtes, Stojanov and Zhang",
        "Gene Regulatory Network Inference in the Presence of Dropouts: a Causal View",
        2024,
        "ICLR; arXiv 2403.15500",
    ),
)


@dataclass
class _Rows:
    """The rows that are kept for one set of columns, and the correlations computed over them so far."""

    rows: NDArray[np.int32]
    correlation: NDArray[np.float64]
    known: NDArray[np.bool_]


@register(CARD)
class TestwiseDeletion:
    """A test of independence that leaves out, query by query, the rows in which a column given was not seen.

    Single-cell expression reads zero where a gene was silent and where it was missed. If what hides a gene's value
    depends on nothing but that value, x and y are independent given S exactly if they are so among the rows in which no
    column of S is zero (Dai et al. 2024, theorem 1). Zeros of x and y stay in; with nothing given no row goes. Rows in
    which x, y or a column given is missing (NaN or null) are left out as well. Both are decided for each query, so that
    a sparse column costs rows only where it is asked about.

    A query with fewer than ``min_rows`` rows left after deletion says nothing: its p-value is NaN, it is counted in
    ``starved`` and told in ``warnings``.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
    test : str or callable
        ``"fisher-z"``, which has a fast path; the name of another test; or a callable that makes a test from a Dataset,
        such as the class of a test. That test is made anew on the rows and columns of each query.
    dropouts : bool or collection of str
        Columns whose exact zeros mean "not seen": True for all columns of counts and continuous numbers, False for none
        (only missing values are deleted), or names. Covariates whose zero is a zero must not be among them. Negative
        values are never zeros.
    delete : {"conditioned", "all"}
        Whether zeros of the columns given go, or those of x and y too: as valid, on fewer rows.
    min_rows : int
        Rows that a query must have left, if any were deleted.
    transform : {"log1p", "log-nonzero"}, optional
        Taken of the columns with dropouts: ``log(1 + value)``, under which zero stays zero, or the logarithm of what
        was seen, with the zeros at its smallest value. Which rows go is decided before.
    robust : bool
        Whether Fisher's z allows for spreads that go together: a column with zeros spreads more where its values are
        large, and so do two of them where a common cause is large. The plain statistic then rejects true independences
        given others too often, twice as often as its level in a chain of three with 60 % zeros.

    Attributes
    ----------
    names : tuple of str
    rows_used : int
        Rows that some query can use: all of them. Each `TestResult` has its own.
    zero_rates : dict of str to float
        Share of zeros by column with dropouts.
    queries, starved : int
        Tests made so far, and those of them with too few rows.

    Raises
    ------
    DataError
        If there are fewer than five rows, a column is not numeric for a test on numbers, or a logarithm of negative
        values is asked for.

    Notes
    -----
    For missing values this is the test-wise deletion of MVPC (Tu et al. 2019), which is right if no value's absence
    depends on its own or on other incomplete columns in a way that the columns given leave open. The correction that
    MVPC adds for those cases is that of `MissingValueFisherZ`.

    Examples
    --------
    >>> from whence.data import simulate
    >>> cells = simulate.expression_scm([("a", "b"), ("b", "c")], 4000, weights=(0.8, 0.8), random_state=4)
    >>> seen = simulate.drop_out(cells, simulate.Constant((0.5, 0.5)), random_state=0)
    >>> test = TestwiseDeletion(seen.data)
    >>> test("a", "c").rows_used, test("a", "c", ["b"]).rows_used < 2100, test("a", "c", ["b"]).p_value > 0.05
    (4000, True, True)
    """

    __test__: ClassVar[bool] = False  # not a test case of pytest
    card: ClassVar[Card]

    def __init__(
        self,
        data: Any,
        test: str | Callable[[Dataset], IndependenceTest] = "fisher-z",
        *,
        dropouts: Collection[str] | bool = True,
        delete: Delete = "conditioned",
        min_rows: int = 50,
        transform: Transform | None = None,
        robust: bool = True,
    ) -> None:
        if delete not in ("conditioned", "all"):
            raise ParameterError("E311", f"there is no deletion {delete!r}.", "Choose conditioned or all.")
        if min_rows < 5:
            raise ParameterError("E311", f"min_rows is {min_rows}.", "Give 5 rows or more.")
        dataset = as_dataset(data)
        if dataset.n_rows < 5:
            raise DataError(
                "E306", f"{dataset.source} has {dataset.n_rows} rows; a test needs at least 5.", "Add rows."
            )
        self.delete: Delete = delete
        self.min_rows = min_rows
        self.robust = robust
        self.names: tuple[str, ...] = dataset.names
        self.rows_used: int = dataset.n_rows
        self._cells = cells_of(dataset, dropouts)
        self.dropouts = self._cells.dropouts
        self.zero_rates = self._cells.zero_rates
        self.queries = self.starved = 0
        self._starved_of: Counter[str] = Counter()
        self._library = dataset.library
        self._index = {name: k for k, name in enumerate(self.names)}
        self._kept: OrderedDict[frozenset[int], _Rows] = OrderedDict()
        self._whole: _Rows | None = None
        self._make = None if test == "fisher-z" else lookup("test", test) if isinstance(test, str) else test
        if self._make is None:
            self._values = numbers_of(dataset, transform, self._cells)
            if all(held is None for held in self._cells.present):
                self._keep_whole(dataset.moments() if transform is None else moments_of(self._values.T, self.names))
        else:
            self._data = dataset if transform is None else _transformed(dataset, transform, self._cells.dropouts)

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair on the rows of this query; NaN where too few are left."""
        return self._test(x, y, given)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.array([self._test(*query).p_value for query in queries])

    def partial_correlation(self, x: str, y: str, given: Collection[str] = ()) -> float:
        """Return the partial correlation of two columns over the rows of the query; for Fisher's z only."""
        if self._make is not None:
            raise ParameterError("E311", "only test='fisher-z' computes partial correlations.", "Call the test itself.")
        members = self._members(x, y, given)
        kept = self._rows(members)
        return self._partial(kept, members) if len(kept.rows) >= 2 else float("nan")

    def rows_kept(self, x: str, y: str, given: Collection[str] = ()) -> NDArray[np.int32]:
        """Return which rows a query uses, by position."""
        return self._rows(self._members(x, y, given)).rows

    def table(self, queries: Sequence[Query]) -> Any:
        """Return one line for each query: x, y, given, p-value, statistic, rows used, share deleted, starved.

        In the library of the data.
        """
        listed = list(queries)
        found = [self._test(*query) for query in listed]
        rows = [len(self.rows_kept(*query)) for query in listed]
        return make_frame(
            {
                "x": [x for x, _, _ in listed],
                "y": [y for _, y, _ in listed],
                "given": [", ".join([given] if isinstance(given, str) else given) for _, _, given in listed],
                "p_value": [result.p_value for result in found],
                "statistic": [result.statistic for result in found],
                "rows_used": rows,
                "share_deleted": [1.0 - kept / self.rows_used for kept in rows],
                "starved": [self._too_few(kept) for kept in rows],
            },
            self._library,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the results should know so far: starved tests, negative values."""
        found = []
        if self.starved:
            worst = [name for name, _ in self._starved_of.most_common(3)]
            rates = [f" ({self.zero_rates[name]:.0%} zeros)" if name in self.zero_rates else "" for name in worst]
            listed = ", ".join(f"{name!r}{rate}" for name, rate in zip(worst, rates))
            found.append(
                f"{self.starved:,} of {self.queries:,} tests had fewer than {self.min_rows} rows left after deletion "
                f"and say nothing; most often with {listed}. Leave such columns out or lower min_rows."
            )
        return (*found, *negative_values(self._cells))

    def _test(self, x: str, y: str, given: Collection[str]) -> TestResult:
        members = self._members(x, y, given)
        kept = self._rows(members)
        count = len(kept.rows)
        self.queries += 1
        if self._too_few(count):
            self.starved += 1
            self._starved_of.update(self.names[k] for k in (members[2:] if len(members) > 2 else members))
            return TestResult(float("nan"), float("nan"), count)
        if self._make is not None:
            names = [self.names[k] for k in members]
            table = self._data.select(names)
            made = self._make(table.take(kept.rows) if count < self.rows_used else table)
            return made(names[0], names[1], tuple(names[2:]))
        freedom = count - len(members) - 1  # n - |S| - 3, of which x and y are two members
        if freedom <= 0:
            return TestResult(float("nan"), float("nan"), count)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.sqrt(freedom) * np.arctanh(abs(self._partial(kept, members)))
            if self.robust and self._zeros_stay(members):
                statistic /= np.sqrt(_kernels.spread_together(self._values, kept.rows, members))
        return TestResult(float(2.0 * ndtr(-statistic)), float(statistic), count)

    def _zeros_stay(self, members: NDArray[np.int64]) -> bool:
        """Return whether x or y keeps zeros in a test given others; with none given z is right for any spread."""
        zeros = any(self._cells.seen[k] is not None for k in members[:2].tolist())
        return zeros and self.delete == "conditioned" and len(members) > 2

    def _too_few(self, count: int) -> bool:
        return count < self.rows_used and count < self.min_rows

    def _members(self, x: str, y: str, given: Collection[str]) -> NDArray[np.int64]:
        chosen = (x, y, *((given,) if isinstance(given, str) else given))
        members = [self._index.get(name, -1) for name in chosen]
        if -1 in members or len(set(members)) < len(members):
            as_arrays(self.names, [(x, y, given)])  # raises, saying which name is absent or there twice
        return np.array(members, dtype=np.int64)

    def _rows(self, members: NDArray[np.int64]) -> _Rows:
        """Return the rows in which nothing hides what the query needs, from the ones asked about last if there."""
        p = len(self.names)
        zeros = members if self.delete == "all" else members[2:]
        hiding = [k for k in zeros.tolist() if self._cells.seen[k] is not None]
        hiding += [k + p for k in members.tolist() if self._cells.present[k] is not None]
        key = frozenset(hiding)
        if not key and self._whole is not None:
            return self._whole
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        masks = [self._cells.seen[k] if k < p else self._cells.present[k - p] for k in sorted(key)]
        shown = reduce(np.logical_and, masks) if masks else np.ones(self.rows_used, dtype=bool)
        # Columns with missing values make rows of its own for almost every test: no correlation is asked for twice.
        size = p if self._make is None and max(key, default=0) < p else 0
        made = _Rows(np.flatnonzero(shown).astype(np.int32), np.eye(size), np.zeros((size, size), dtype=bool))
        self._kept[key] = made
        most = max(2, _MOST_KEPT // (9 * size * size + 4 * self.rows_used))
        while len(self._kept) > most:
            self._kept.popitem(last=False)
        return made

    def _keep_whole(self, moments: Moments) -> None:
        """Take the correlations of the whole table, so that a test that deletes no row is the base test itself."""
        size = len(self.names)
        rows = np.arange(self.rows_used, dtype=np.int32)
        whole = np.ascontiguousarray(moments.correlation)
        self._whole = _Rows(rows, whole, np.ones((size, size), dtype=bool))

    def _partial(self, kept: _Rows, members: NDArray[np.int64]) -> float:
        correlation = kept.correlation
        if not len(correlation):
            size = len(members)
            order = np.argsort(members)
            correlation, unknown = np.eye(size), np.zeros((size, size), dtype=bool)
            columns = np.ascontiguousarray(self._values[members[order]])
            members = np.argsort(order)
            _kernels.fill_correlations(columns, kept.rows, np.arange(size), unknown, correlation)
        elif not kept.known[np.ix_(members, members)].all():
            _kernels.fill_correlations(self._values, kept.rows, np.sort(members), kept.known, kept.correlation)
        start = np.array([0, len(members) - 2], dtype=np.int64)
        found = _gaussian.partial_correlations(correlation, members[:1], members[1:2], start, members[2:])
        return float(found[0])


def _transformed(data: Dataset, transform: Transform, dropouts: Collection[str]) -> Dataset:
    values = numbers_of(data.select(dropouts), transform, cells_of(data.select(dropouts), dropouts))
    for name, column in zip(dropouts, values):
        data = data.with_column(name, column)
    return data
