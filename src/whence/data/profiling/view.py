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
        Of a random part of the rows, in their order; NaN where missing.
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
    rows : ndarray of int, shape (m,)
        Which rows of the table ``values`` holds.
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
    rows: NDArray[np.intp]
    rule: str

    @property
    def complete(self) -> bool:
        """True if the tests see every row."""
        return len(self.rows) == self.data.n_rows


def make_view(data: Dataset, random_state: RandomState, leave_out: tuple[str, ...] = ()) -> View:
    """Choose the rows and turn the columns into arrays; ``leave_out`` names columns that are no variables."""
    kinds = data.kinds()
    numeric = tuple(name for name, kind in kinds.items() if kind in NUMERIC and name not in leave_out)
    coded = tuple(name for name, kind in kinds.items() if kind is Kind.CATEGORICAL and name not in leave_out)
    wanted = min(MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // max(len(numeric) + len(coded), 1)))
    if data.n_rows <= wanted:
        rows, rule = np.arange(data.n_rows), f"all {data.n_rows:,} rows"
    else:
        rows = np.sort(generator(random_state).choice(data.n_rows, wanted, replace=False))
        rule = f"a random {wanted:,} of {data.n_rows:,} rows"
    part = data.take(rows)
    values = part.numeric(numeric)
    first = part if len(rows) == data.n_rows else data.take(np.arange(wanted))
    kept = [kinds[name] for name in numeric]
    smooth = [
        place
        for place, kind in enumerate(kept)
        if kind is Kind.CONTINUOUS or (kind is Kind.COUNT and _distinct(values[:, place]) >= _FEWEST_VALUES)
    ]
    codes = part.codes(coded).codes if coded else np.zeros((len(rows), 0), dtype=np.int32)
    return View(data, numeric, values, coded, codes, np.array(smooth, dtype=np.intp), part, first, rows, rule)


def _distinct(column: NDArray[np.float64]) -> int:
    return len(np.unique(column[~np.isnan(column)]))
