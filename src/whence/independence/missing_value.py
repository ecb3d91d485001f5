"""Fisher's z where values are missing for reasons that other columns hold: the correction that MVPC makes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from whence.data import Dataset, as_dataset
from whence.errors import ParameterError
from whence.independence._columns import FEWEST_ROWS
from whence.independence.deletion import TestwiseDeletion
from whence.independence.result import Query, TestResult
from whence.registry import Card, Paper, register

# Share of the largest eigenvalue below which a covariance is singular.
_SINGULAR = 1e-10

Causes = dict[str, tuple[str, ...]]


@register(
    Card(
        name="missing-value-fisher-z",
        family="test",
        answers="Are two columns linearly independent given others, if other columns decide which values are missing?",
        assumes=frozenset({"linear", "gaussian", "iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
        output="p-value",
        missing="test-wise",
        paper=Paper(
            "Tu, Zhang, Ackermann, Mohan, Kjellström and Zhang",
            "Causal discovery in the presence of missing data",
            2019,
            "Proceedings of Machine Learning Research 89, 1762-1770",
        ),
    )
)
class MissingValueFisherZ:
    """Fisher's z by test-wise deletion, corrected where deletion would make columns dependent.

    Rows in which a column of the query is missing cannot be used. If what decides the missing values is caused by both
    x and y, the rows that are left show a dependence that is not there, and PC keeps a false edge. First the columns
    that decide whether each incomplete one is missing are found, by tests of its indicator of absence. A query is then
    tested plainly, unless absence of one of its columns depends on columns beyond those given and x, or those given and
    y. There the covariance of the query's columns in all rows is put together from their regression on what decides,
    in the rows that are left, and the covariance of the latter in all rows; z is divided by its standard error, from
    the influence of each row on both. With nothing missing it is `FisherZ`.

    ``PC(test=MissingValueFisherZ(data)).fit()`` is MVPC; FCI takes it the same way.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
        Numeric columns.
    alpha : float
        Level of the tests that find what decides the missing values.
    max_depth : int
        Columns that those tests condition on at most.
    min_rows : int
        Rows that a query must have left, if any were deleted: else its p-value is NaN.

    Attributes
    ----------
    causes : dict of str to tuple of str
        For each incomplete column, those that decide whether it is missing; () where it is by chance.
    rows_used : int
        All rows; each result has its own.
    corrected : int
        Tests made so far that were corrected.

    Raises
    ------
    ParameterError
        For a level, depth or number of rows that does not exist.

    Notes
    -----
    Assumed are the conditions of Tu et al. (2019): no column decides its own absence, and absence causes nothing.
    Relations to what decides are linear with even noise. Columns that decide and are incomplete themselves are taken
    where they were seen, as if they were missing by chance. The paper draws virtual rows from the regressions; for
    correlations the formula of Pearson and Lawley gives their limit. The standard error is that of many rows: of 200
    rows, a third of them left out, 6 to 8 % of true independences were rejected at a level of 5 %; of 1000, 3 to 6 %.

    References
    ----------
    Tu et al. (2019), sections 3 and 4, algorithm 1; Lawley (1943) for the covariance under selection.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> dose, age = rng.normal(size=(2, 3000))
    >>> pain = dose + age + 0.5 * rng.normal(size=3000)
    >>> table = {"dose": dose, "age": np.where(pain > 0.5, np.nan, age), "pain": pain}
    >>> test = MissingValueFisherZ(table)
    >>> test.causes, test("dose", "age").p_value > 0.05
    ({'age': ('pain',)}, True)
    >>> TestwiseDeletion(table)("dose", "age").p_value < 1e-6
    True
    """

    card: ClassVar[Card]

    def __init__(self, data: Any, *, alpha: float = 0.01, max_depth: int = 2, min_rows: int = 50) -> None:
        if not 0 < alpha < 1:
            raise ParameterError("E311", f"the level alpha is {alpha}.", "Give a number between 0 and 1.")
        if max_depth < 0:
            raise ParameterError("E311", f"max_depth is {max_depth}.", "Give 0 or more.")
        dataset = as_dataset(data)
        self._plain = TestwiseDeletion(dataset, dropouts=False, min_rows=min_rows)
        self.names: tuple[str, ...] = dataset.names
        self.rows_used: int = dataset.n_rows
        self.min_rows = min_rows
        self.causes: Causes = causes_of_absence(dataset, alpha=alpha, max_depth=max_depth, min_rows=min_rows)
        self.corrected = 0
        self._values: NDArray[np.float64] = dataset.numeric()

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; NaN where too few rows are left or the columns given determine one of the two."""
        chosen = [given] if isinstance(given, str) else list(given)
        plain = self._plain(x, y, chosen)
        deciding = self._deciding(x, y, chosen)
        if not deciding or np.isnan(plain.p_value):
            return plain
        self.corrected += 1
        x, y = sorted((x, y))
        columns = [self.names.index(name) for name in (x, y, *sorted(chosen))]
        reasons = [self.names.index(name) for name in deciding]
        seen = np.asarray(~np.isnan(self._values[:, reasons]).any(axis=1))
        kept = np.asarray(seen & ~np.isnan(self._values[:, columns]).any(axis=1))
        rows = int(kept.sum())
        if rows < max(self.min_rows, len(columns) + len(reasons) + 3):
            return TestResult(float("nan"), float("nan"), rows)
        statistic = corrected_z(self._values[:, columns], self._values[:, reasons], kept, seen)
        return TestResult(float(2.0 * ndtr(-statistic)), statistic, rows)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.array([self(*query).p_value for query in queries])

    def _deciding(self, x: str, y: str, given: Sequence[str]) -> tuple[str, ...]:
        """Return what decides the absences of the query's columns, if deletion by them can join x and y.

        The share of rows left is a product over incomplete columns. Where each factor depends on the columns given and
        one of the two alone, the two stay independent.
        """
        causes = [set(self.causes[name]) for name in (x, y, *given) if self.causes.get(name)]
        if all(found <= {x, *given} or found <= {y, *given} for found in causes):
            return ()
        return tuple(sorted(set().union(*causes)))


def causes_of_absence(data: Dataset, *, alpha: float, max_depth: int, min_rows: int) -> Causes:
    """Return for each incomplete column which others its absence depends on directly, as PC finds neighbours.

    Parameters
    ----------
    data : Dataset
        Numeric columns.
    alpha : float
        A column stays while every p-value of it and the indicator of absence is below this, by Fisher's z and, given
        others, by `RCoT`.
    max_depth : int
        Columns that are conditioned on at most.
    min_rows : int
        Rows below which a test says nothing, and the column goes.
    """
    causes: Causes = {}
    for name in (name for name, column in data.columns.items() if 0 < column.missing < data.n_rows):
        label = name + " is missing"
        while label in data.columns:
            label += "'"
        table = data.with_column(label, data.is_missing(name).astype(np.float64))
        table = table.drop(name)
        tests = [
            TestwiseDeletion(table, test, dropouts=False, min_rows=max(min_rows, FEWEST_ROWS))
            for test in ("fisher-z", "rcot")
        ]
        near = [other for other in data.names if other != name]
        for depth in range(max_depth + 1):
            near = [other for other in near if not _separated(tests, label, other, near, depth, alpha)]
        causes[name] = tuple(near)
    return causes


def corrected_z(
    columns: NDArray[np.float64], reasons: NDArray[np.float64], kept: NDArray[np.bool_], seen: NDArray[np.bool_]
) -> float:
    """Return the absolute z of the first two columns given the others, in all rows and not in those kept alone.

    With B and R the slopes and the residual covariance of the columns on the reasons in the rows kept, and V the
    covariance of the reasons wherever they were seen, the covariance in all rows is ``B V B' + R`` (Lawley 1943). NaN
    if it is singular.

    Parameters
    ----------
    columns : float array, shape (n, 2 + number given)
    reasons : float array, shape (n, k)
        What decides whether a row is kept.
    kept, seen : bool arrays, shape (n,)
        Rows without a missing value in both, and in the reasons.
    """
    left, wide = columns[kept], reasons[seen]
    inside = reasons[kept]
    left, inside, wide = (part - part.mean(axis=0) for part in (left, inside, wide))
    within, whole = inside.T @ inside / len(inside), wide.T @ wide / len(wide)
    inverse = np.linalg.pinv(within, hermitian=True)
    slopes = left.T @ inside @ inverse / len(inside)
    residuals = left - inside @ slopes.T
    covariance = slopes @ whole @ slopes.T + residuals.T @ residuals / len(left)
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all() or np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] < _SINGULAR:
        return float("nan")
    precision = np.linalg.inv(covariance)
    own = np.sqrt(np.diag(precision)[:2])
    partial = -precision[0, 1] / (own[0] * own[1])
    # How x and y given the others read a row: the partial correlation changes by what both say together.
    reads = precision[:, :2] / own
    turned = inside @ (inverse @ whole @ slopes.T)
    rest = residuals @ reads
    shape = _change(rest, rest, partial)
    slope = 2.0 * _change(rest, turned @ reads, partial)
    spread = _change(wide @ slopes.T @ reads, wide @ slopes.T @ reads, partial)
    influence = np.zeros(len(columns))
    influence[kept] = (shape - shape.mean() + slope) / len(left)
    influence[seen] += (spread - spread.mean()) / len(wide)
    error = float(np.sqrt(influence @ influence)) / (1.0 - partial**2)
    return float(abs(np.arctanh(partial)) / error)


def _change(one: NDArray[np.float64], other: NDArray[np.float64], partial: float) -> NDArray[np.float64]:
    """Return the change of the partial correlation by a row that adds the symmetric product of two readings.

    With P the inverse covariance, ``dP = -P E P`` for a change E of the covariance.
    """
    across = 0.5 * (one[:, 0] * other[:, 1] + one[:, 1] * other[:, 0])
    return across + 0.5 * partial * (one[:, 0] * other[:, 0] + one[:, 1] * other[:, 1])


def _separated(
    tests: Sequence[TestwiseDeletion], label: str, other: str, near: list[str], depth: int, alpha: float
) -> bool:
    """Return whether some set of so many near columns makes the indicator and a column independent by either test.

    An indicator jumps where its cause passes some value: given that cause, a column that bends with it still correlates
    with the indicator, which a test of any form sees through.
    """
    rest = [name for name in near if name != other]
    for given in combinations(rest, depth):
        if any(not test(label, other, given).p_value <= alpha for test in (tests if depth else tests[:1])):
            return True
    return False
