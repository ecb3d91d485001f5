"""Tables with missing values: tests that use every row that has their columns, and what complete rows would cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset
from whence.data.mixed import IncompleteRows
from whence.discovery._common import SAME, Sort, constant_columns, same_columns, same_values
from whence.independence import DegenerateGaussian, GSquare, TestwiseDeletion

TEST_WISE_RULE = "{} columns with missing values: each test on all rows that have its columns"
# Rows below which a test of numbers with missing values says nothing, and two categories are not called the same.
_FEWEST_ROWS = 10


def has_gaps(data: Dataset) -> bool:
    """Return whether a table in memory lacks values; one beyond memory is searched by its moments."""
    return data.in_memory and any(column.missing for column in data.columns.values())


def deletion_test(data: Dataset, sort: Sort) -> tuple[TestwiseDeletion | GSquare | DegenerateGaussian, tuple[str, ...]]:
    """Return the test for columns of a sort that leaves out rows test by test, and what there is to say.

    Raises
    ------
    DataError
        For a column that does not vary, or two that are the same wherever both were seen: numbers up to scale,
        categories up to the names of their values.
    """
    seen = np.column_stack([~data.is_missing(name) for name in data.names])
    if sort == "numeric":
        values = data.numeric()
        _refuse_numbers(data.names, values)
        named, correction = "fisher-z", '; else use test="missing-value-fisher-z"'
        return TestwiseDeletion(data, dropouts=False, min_rows=_FEWEST_ROWS), (_said(seen, named, correction),)
    if sort == "mixed":
        rows = IncompleteRows.of(data)
        _refuse_numbers(rows.numbers, rows.values)
        if rows.nominal:
            _refuse_categories(GSquare(data.select(rows.nominal), missing="test-wise"))
        return DegenerateGaussian(data, missing="test-wise"), (_said(seen, "degenerate-gaussian"),)
    counted = GSquare(data, missing="test-wise")
    _refuse_categories(counted)
    return counted, (_said(seen, "g-square"),)


def _said(seen: NDArray[np.bool_], named: str, correction: str = "") -> str:
    """Return what incomplete rows, shape (n, p), meant for the tests."""
    n = len(seen)
    complete = int(seen.all(axis=1).sum())
    shared = seen.astype(np.float64)
    fewest = int((shared.T @ shared)[np.triu_indices(seen.shape[1], k=1)].min())
    return (
        f"{n - complete:,} of {n:,} rows have a missing value: each test used all rows that have its columns, "
        f"{fewest:,} or more for a pair, instead of the {complete:,} complete ones. This is right if no value's "
        f'absence depends on other incomplete columns{correction}. For complete rows alone, use test="{named}".'
    )


def _refuse_numbers(names: tuple[str, ...], values: NDArray[np.float64]) -> None:
    flat = [name for name, column in zip(names, values.T) if np.ptp(column[~np.isnan(column)]) == 0]
    if flat:
        raise constant_columns(flat)
    same = np.argwhere(np.triu(np.abs(pairwise_correlation(values)) > SAME, k=1))
    if same.size:
        raise same_columns(*(names[k] for k in same[0]))


def _refuse_categories(test: GSquare) -> None:
    flat = [name for name, levels in zip(test.names, test.sizes - test.gaps) if levels < 2]
    if flat:
        raise constant_columns(flat)
    same = np.argwhere(np.triu(_determine_each_other(test), k=1))
    if same.size:
        raise same_values(*(test.names[k] for k in same[0]))


def _determine_each_other(test: GSquare) -> NDArray[np.bool_]:
    """Return which discrete columns are the same up to the names of their values, shape (p, p).

    Judged by the rows that have both; False for columns with so many values that their rows are not kept as sets.
    """
    _, sizes, _, first, *_, gaps, shared = test.counted_tables
    same = np.zeros((len(sizes), len(sizes)), dtype=bool)
    kept = np.flatnonzero(first >= 0)
    if not len(shared) or not len(kept):
        return same
    levels = (sizes - gaps)[kept]
    start = np.cumsum(levels) - levels
    seen = np.repeat(first[kept] - start, levels) + np.arange(levels.sum())
    counts = shared[np.ix_(seen, seen)].astype(np.int64)

    def summed(cells: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
        return np.asarray(np.add.reduceat(cells, start, axis=axis))

    rows = summed(summed(counts, 0), 1)
    filled = summed(summed((counts > 0).astype(np.int64), 0), 1)
    met = summed((summed(counts, 1) > 0).astype(np.int64), 0)  # levels of one column that occur beside the other
    same[np.ix_(kept, kept)] = (filled == met) & (filled == met.T) & (met > 1) & (rows >= _FEWEST_ROWS)
    return same


def pairwise_correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of each pair of columns over the rows that have both, shape (p, p); NaN where none varies.

    Parameters
    ----------
    values : float array, shape (n, p)
        NaN where missing.

    Examples
    --------
    >>> values = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, np.nan], [4.0, 8.0]])
    >>> pairwise_correlation(values).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    seen = (~np.isnan(values)).astype(np.float64)
    spread = np.nanstd(values, axis=0)
    held = np.where(seen > 0, (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = seen.T @ seen
        mean = held.T @ seen / rows  # of the first column over the rows that have both
        square = (held * held).T @ seen / rows - mean * mean
        covariance = held.T @ held / rows - mean * mean.T
        found: NDArray[np.float64] = covariance / np.sqrt(square * square.T)
    return found
