"""Columns of whole numbers side by side: how often each value occurs, and codes, found for all columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CLOSE = 65_536
_LARGEST = 2**63 - 1
# Values that are counted together.
_AT_ONCE = 2**20


class WholeNumbers:
    """Columns of whole numbers, none missing.

    Parameters
    ----------
    values : integer array, shape (n, p), n > 0
    widest : int
        A column whose values lie further apart than this is not close, and not counted by position.

    Examples
    --------
    >>> numbers = WholeNumbers(np.array([[3, 0], [5, 1], [3, 1]]))
    >>> numbers.levels(0), numbers.distinct(1), numbers.codes([0], [(3, 5)]).ravel().tolist()
    ((3, 5), 2, [0, 1, 0])
    """

    def __init__(self, values: NDArray[Any], widest: int = _CLOSE) -> None:
        self.values = values
        self.low: list[int] = values.min(axis=0).tolist()
        self.high: list[int] = values.max(axis=0).tolist()
        ends = zip(self.low, self.high)
        self.close = np.array([high - low <= widest and high <= _LARGEST for low, high in ends], dtype=bool)
        spans = [
            (low, high - low + 1) if close else (0, 0) for low, high, close in zip(self.low, self.high, self.close)
        ]
        lowest, widths = np.array(spans, dtype=np.int64).T
        self._begin = np.concatenate([[0], np.cumsum(widths)])
        self._shift = self._begin[:-1] - lowest  # from a value to its place among the counts
        self._levels: dict[int, tuple[int, ...]] = {}

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """How often each value occurs, from the lowest up, one column after another; nothing for columns not close."""
        counts = np.zeros(self._begin[-1], dtype=np.int64)
        chosen = np.flatnonzero(self.close)
        rows = max(_AT_ONCE // max(len(chosen), 1), 1)
        for start in range(0, len(self.values), rows):
            counts += np.bincount(self._placed(slice(start, start + rows), chosen).ravel("K"), minlength=len(counts))
        return counts

    @cached_property
    def _occurring(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places among the counts of values that occur, and where those of each column begin."""
        places = np.flatnonzero(self._counts)
        return places, np.searchsorted(places, self._begin)

    @cached_property
    def _listed(self) -> tuple[list[int], list[int], list[int]]:
        """The values that occur, one column after another, how often each does, and where each column's begin."""
        places, begin = self._occurring
        values = places - np.repeat(self._shift, np.diff(begin))
        return values.tolist(), self._counts[places].tolist(), begin.tolist()

    @cached_property
    def _codes(self) -> NDArray[np.int32]:
        """The place of each value among those that occur in its column, -1 for others."""
        places, begin = self._occurring
        codes = np.full(len(self._counts), -1, dtype=np.int32)
        codes[places] = np.arange(len(places)) - np.repeat(begin[:-1], np.diff(begin))
        return codes

    def _placed(self, rows: slice, columns: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the values of columns stand among the counts, shape (rows, columns)."""
        part = self.values[rows]
        if not np.array_equal(columns, np.arange(part.shape[1])):
            part = part.take(columns, axis=1)
        return np.asarray(part.astype(np.int64, copy=False) + self._shift[columns])

    def distinct(self, column: int) -> int:
        """Return how many values of a close column occur."""
        return len(self.levels(column))

    def levels(self, column: int) -> tuple[int, ...]:
        """Return the values of a close column in order."""
        if column not in self._levels:
            values, _, begin = self._listed
            self._levels[column] = tuple(values[begin[column] : begin[column + 1]])
        return self._levels[column]

    def counts(self, column: int) -> list[int]:
        """Return how often each level of a close column occurs."""
        _, counts, begin = self._listed
        return counts[begin[column] : begin[column + 1]]

    def codes(self, columns: Sequence[int], levels: Sequence[tuple[Any, ...]]) -> NDArray[np.int32]:
        """Return the place of each value among the levels of its column, shape (n, columns); -1 if it is none."""
        table = self._codes
        other = [(k, listed) for k, listed in zip(columns, levels) if listed is not self._levels.get(k)]
        if other:
            table = table.copy()
        for column, listed in other:
            self._enter(table[self._begin[column] : self._begin[column + 1]], self.low[column], listed)
        return np.asarray(table[self._placed(slice(None), columns)])

    @staticmethod
    def _enter(table: NDArray[np.int32], low: int, levels: tuple[Any, ...]) -> None:
        table[:] = -1
        for code, level in enumerate(levels):
            if 0 <= level - low < len(table):
                table[level - low] = code
