"""Tables with missing values: tests that use every row that has their columns, and what complete rows would cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset
from whence.discovery._common import SAME, constant_columns, same_columns
from whence.independence import TestwiseDeletion

TEST_WISE_RULE = "numeric columns with missing values: each test on all rows that have its columns"
# Rows below which a test of numbers with missing values says nothing.
_FEWEST_ROWS = 10


def has_gaps(data: Dataset) -> bool:
    """Return whether a table in memory lacks values; one beyond memory is searched by its moments."""
    return data.in_memory and any(column.missing for column in data.columns.values())


def deletion_test(data: Dataset) -> tuple[TestwiseDeletion, tuple[str, ...]]:
    """Return the test of numeric columns that deletes rows test by test, and what there is to say.

    Raises
    ------
    DataError
        For a column that does not vary, or two that are the same up to scale wherever both were seen.
    """
    values = data.numeric()
    flat = [name for name, column in zip(data.names, values.T) if np.ptp(column[~np.isnan(column)]) == 0]
    if flat:
        raise constant_columns(flat)
    same = np.argwhere(np.triu(np.abs(pairwise_correlation(values)) > SAME, k=1))
    if same.size:
        raise same_columns(*(data.names[k] for k in same[0]))
    gaps = np.isnan(values)
    complete = int((~gaps.any(axis=1)).sum())
    shared = (~gaps).astype(np.float64)
    fewest = int((shared.T @ shared)[np.triu_indices(len(data.names), k=1)].min())
    said = (
        f"{data.n_rows - complete:,} of {data.n_rows:,} rows have a missing value: each test used all rows that have "
        f"its columns, {fewest:,} or more for a pair, instead of the {complete:,} complete ones. This is right if no "
        'value\'s absence depends on other incomplete columns; else use test="missing-value-fisher-z". For complete '
        'rows alone, use test="fisher-z".'
    )
    return TestwiseDeletion(data, dropouts=False, min_rows=_FEWEST_ROWS), (said,)


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
