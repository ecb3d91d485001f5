"""Tests on counts: Pearson's chi-square and the likelihood ratio G2, within the strata of the columns given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from whence.counting import count_inverses, count_logs, row_sets
from whence.data import as_dataset
from whence.data.statistics import Codes
from whence.errors import DataError, ParameterError
from whence.independence._queries import as_arrays
from whence.independence.result import Query, TestResult
from whence.kernels import Kernels
from whence.registry import Card, Paper, register

_kernels = Kernels("whence.independence._kernels_discrete")

Missing = Literal["complete-rows", "test-wise"]

# Given one column, and given more; `benchmarks.pc_rules` compares others.
ROWS_PER_CELL = 0.5, 2.5
# With more values than this in all columns together, the rows that each two share are not counted ahead (64 MiB).
_MOST_COUNTED = 4_096
_KINDS = frozenset({"binary", "categorical", "ordinal", "count"})


def check_missing(missing: str) -> None:
    """Raise ParameterError for a way with missing values that does not exist."""
    if missing not in get_args(Missing):
        raise ParameterError("E311", f"missing={missing!r} is not known.", "Choose complete-rows or test-wise.")


def most_cells(rows: int, rows_per_cell: float | tuple[float, float]) -> tuple[float, float]:
    """Return the cells that a test may spread all rows over given one column, and given more."""
    wanted = tuple(rows_per_cell) if isinstance(rows_per_cell, Sequence) else (rows_per_cell, rows_per_cell)
    if len(wanted) != 2 or min(wanted) < 0:
        remedy = "Give a number, or one given one column and one given more; 0 for no limit."
        raise ParameterError("E311", f"rows_per_cell is {rows_per_cell}.", remedy)
    given_one, given_more = (rows / least if least else 1e7 for least in wanted)
    return given_one, given_more


class _Contingency:
    """Both tests; they differ in the statistic alone."""

    card: ClassVar[Card]
    pearson: ClassVar[bool]

    def __init__(
        self,
        data: Any,
        *,
        rows_per_cell: float | tuple[float, float] = ROWS_PER_CELL,
        missing: Missing = "complete-rows",
    ) -> None:
        check_missing(missing)
        coded = data if isinstance(data, Codes) else as_dataset(data).codes()
        codes = coded.codes
        if codes.min(initial=0) < 0:
            seen = codes >= 0
            codes = codes[seen.all(axis=1) if missing == "complete-rows" else seen.any(axis=1)]
        if not len(codes):
            raise DataError("E306", "there is no complete row to count.", "Leave out columns with many missing values.")
        self.names: tuple[str, ...] = coded.names
        self.codes: NDArray[np.int32] = np.ascontiguousarray(codes.T)
        self.sizes: NDArray[np.int64] = self.codes.max(axis=1).astype(np.int64) + 1
        # Missing values are a last value of their own, whose rows no test counts.
        self.gaps: NDArray[np.int64] = (self.codes.min(axis=1) < 0).astype(np.int64)
        if self.gaps.any():
            self.codes = np.where(self.codes < 0, self.sizes[:, None], self.codes).astype(np.int32)
            self.sizes = self.sizes + self.gaps
        self.rows_used: int = int(self.codes.shape[1])
        self.most_cells = most_cells(self.rows_used, rows_per_cell)

    @cached_property
    def tables(self) -> tuple[Any, ...]:
        """What the kernels count."""
        sets, first = row_sets(self.codes, self.sizes)
        ready = (count_inverses if self.pearson else count_logs)(self.rows_used)
        uncounted = np.zeros((0, 0), np.int32)
        return self.codes, self.sizes, sets, first, ready, self.pearson, self.most_cells, self.gaps, uncounted

    @cached_property
    def counted_tables(self) -> tuple[Any, ...]:
        """The same with the rows that each two values share, for a search that asks for all pairs of columns."""
        sets = self.tables[2]
        if len(sets) > _MOST_COUNTED:
            return self.tables
        shared = np.empty((len(sets), len(sets)), np.int32)
        _kernels.shared_rows(sets, shared)
        return (*self.tables[:-1], shared)

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; NaN where the set given is too fine for the rows, or determines x or y."""
        statistic, freedom, p_value = self._test([(x, y, given)])[0]
        return TestResult(float(p_value), float(statistic), self._rows_of(x, y, given), int(freedom))

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.ascontiguousarray(self._test(queries)[:, 2])

    def _rows_of(self, x: str, y: str, given: Collection[str]) -> int:
        """Return how many rows have all columns of a query."""
        members = [self.names.index(name) for name in (x, y, *((given,) if isinstance(given, str) else given))]
        members = [k for k in members if self.gaps[k]]
        if not members:
            return self.rows_used
        seen = self.codes[members] < self.sizes[members, None] - 1
        return int(seen.all(axis=0).sum())

    def _test(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = _kernels.contingency_tests(self.tables, *as_arrays(self.names, queries))
        return found


@register(
    Card(
        name="chi-square",
        family="test",
        answers="Are two discrete columns independent once others are held fixed, by Pearson's statistic?",
        assumes=frozenset({"discrete", "iid"}),
        kinds=_KINDS,
        output="p-value",
        missing="complete-rows",
        moments_only=True,
        paper=Paper(
            "Pearson",
            "On the criterion that a given system of deviations from the probable in the case of a correlated system "
            "of variables is such that it can be reasonably supposed to have arisen from random sampling",
            1900,
            "Philosophical Magazine 50, 157-175",
        ),
    )
)
class ChiSquare(_Contingency):
    """Pearson's chi-square test of conditional independence.

    Degrees of freedom count only rows and columns that occur, stratum by stratum. A conditional test whose table would
    hold fewer than ``rows_per_cell`` rows a cell on average is not made: its p-value is NaN (Tsamardinos, Brown and
    Aliferis 2006, section 4, with 5). The defaults were chosen by PC's accuracy on simulated tables. Given a single
    column less is enough: two columns of many values could be given none otherwise, and would stay joined in any
    search. Where cells hold few rows, p-values of Pearson's statistic stay near their level; those of `GSquare` are too
    small, most with many strata.

    Parameters
    ----------
    data : Dataset, Codes, or anything `whence.read` takes
        Discrete columns.
    rows_per_cell : float or (float, float)
        Rows that a cell must hold on average: given one column and given more, or a number for both; 0 for no limit.
        Tests without conditioning are always made.
    missing : {"complete-rows", "test-wise"}
        Which rows are counted where values are missing: those that lack none, or in each test those that lack none of
        its columns. The latter is right if no value's absence depends on other incomplete columns.

    Examples
    --------
    >>> coin = np.random.default_rng(0).integers(0, 2, 400)
    >>> test = ChiSquare({"coin": coin, "copy": np.where(np.arange(400) % 5, coin, 1 - coin)})
    >>> test("coin", "copy").p_value < 1e-9, test("coin", "copy").degrees_of_freedom
    (True, 1)
    """

    pearson = True


@register(
    Card(
        name="g-square",
        family="test",
        answers="Are two discrete columns independent once others are held fixed, by the likelihood ratio?",
        assumes=frozenset({"discrete", "iid"}),
        kinds=_KINDS,
        output="p-value",
        missing="complete-rows",
        moments_only=True,
        paper=Paper(
            "Wilks",
            "The large-sample distribution of the likelihood ratio for testing composite hypotheses",
            1938,
            "Annals of Mathematical Statistics 9, 60-62",
        ),
    )
)
class GSquare(_Contingency):
    """The likelihood ratio test G2 of conditional independence; sparse counts are treated as in `ChiSquare`.

    Examples
    --------
    >>> coin = np.random.default_rng(0).integers(0, 2, 400)
    >>> test = GSquare({"coin": coin, "row": np.arange(400) % 2})
    >>> 0 < test("coin", "row").p_value <= 1
    True
    """

    pearson = False
