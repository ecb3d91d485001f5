"""What the tests look at: at most a few thousand rows, as arrays, with the rule that chose them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import NUMERIC, Kind
from whence.parallel import RandomState, generator

# Tests run on at most this many rows, and on at most this many cells: more would only make trifles significant.
MOST_ROWS = 10_000
MOST_CELLS = 2_000_000
FEWEST_ROWS = 1_000
# A count with fewer values than this is too coarse for tests of linearity and of the noise.
_FEWEST_VALUES = 10


@dataclass(frozen=True)
class View:
    """Rows and columns as the tests see them.

    Attributes
    ----------
    data : Dataset
        The whole table.
    numeric : tuple of str
        Continuous, count, ordinal and binary columns.
    values : ndarray, shape (m, len(numeric))
        Of a random part of the rows, in their order; NaN where missing. Each column is divided by a power of two
        near its largest value: no test looks at the scale, and none can overflow.
    coded : tuple of str
        Categorical columns.
    codes : ndarray of int, shape (m, len(coded))
        Of the same rows as ``values``; -1 where missing.
    smooth : ndarray of int
        Positions in ``numeric`` of continuous columns and of counts with many values.
    part : Dataset
        The same rows with all columns.
    first : Dataset or None
        As many rows from the start, which keep their neighbours; None where rows have no order.
    rows : ndarray of int, shape (m,), or None
        Which rows of the table ``values`` holds; None where rows have no order.
    rule : str
        How the rows were chosen, in words.
    """

    data: Dataset
    numeric: tuple[str, ...]
    values: NDArray[np.float64]
    coded: tuple[str, ...]
    codes: NDArray[np.int32]
    smooth: NDArray[np.intp]
    part: Dataset
    first: Dataset | None
    rows: NDArray[np.intp] | None
    rule: str


def make_view(data: Dataset, random_state: RandomState, leave_out: tuple[str, ...] = ()) -> View:
    """Choose the rows and turn the columns into arrays; ``leave_out`` names columns that are no variables."""
    kinds = data.kinds()
    numeric = tuple(name for name, kind in kinds.items() if kind in NUMERIC and name not in leave_out)
    coded = tuple(name for name, kind in kinds.items() if kind is Kind.CATEGORICAL and name not in leave_out)
    wanted = min(MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // max(len(numeric) + len(coded), 1)))
    part, first, rows = _choose_rows(data, wanted, generator(random_state))
    whole = part.n_rows == data.n_rows
    rule = f"all {data.n_rows:,} rows" if whole else f"a random {part.n_rows:,} of {data.n_rows:,} rows"
    if not data.in_memory:
        rule += ", correlations on all"
    values = unit_range(part.numeric(numeric))
    kept = [kinds[name] for name in numeric]
    smooth = [
        place
        for place, kind in enumerate(kept)
        if kind is Kind.CONTINUOUS or (kind is Kind.COUNT and _distinct(values[:, place]) >= _FEWEST_VALUES)
    ]
    codes = part.codes(coded).codes if coded else np.zeros((part.n_rows, 0), dtype=np.int32)
    return View(data, numeric, values, coded, codes, np.array(smooth, dtype=np.intp), part, first, rows, rule)


def unit_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return columns divided by powers of two, which is exact, so that no value is larger than 1."""
    largest = np.abs(np.nan_to_num(values)).max(axis=0, initial=0.0)
    return np.asarray(np.ldexp(values, -np.frexp(largest)[1]))


def _choose_rows(
    data: Dataset, wanted: int, rng: np.random.Generator
) -> tuple[Dataset, Dataset | None, NDArray[np.intp] | None]:
    """Return random rows, the first rows, and the positions of the random ones; rows in a database have no order."""
    if not data.in_memory:
        return data.sample(wanted, rng), None, None
    if data.n_rows <= wanted:
        return data, data, np.arange(data.n_rows)
    rows = np.sort(rng.choice(data.n_rows, wanted, replace=False))
    return data.take(rows), data.take(np.arange(wanted)), rows


def _distinct(column: NDArray[np.float64]) -> int:
    return len(np.unique(column[~np.isnan(column)]))
