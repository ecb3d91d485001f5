"""What counting needs: sets of rows as bits, so that a table is counted 64 rows a step, and c log c and 1 / c."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Counts up to here have their c log c or 1 / c ready: as much as the processor's cache holds.
_MOST_READY = 65_536
# A column with more values than this has no sets: they would take more room than its codes.
_MOST_VALUES = 100
# Codes that are compared together.
_COMPARED = 2**18


def row_sets(codes: NDArray[np.int32], sizes: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return for every value of every column the set of its rows, and where a column's sets begin, or -1.

    Parameters
    ----------
    codes : int32 array, shape (p, n)
        Whole numbers from zero.
    sizes : int64 array, shape (p,)
        Values of each column.

    Returns
    -------
    sets : uint64 array, shape (s, ceil(n / 64))
        Bit r of word w of a set tells whether it holds row 64 w + r.
    first : int64 array, shape (p,)

    Examples
    --------
    >>> sets, first = row_sets(np.array([[0, 1, 1]], dtype=np.int32), np.array([2]))
    >>> sets[:, 0].tolist(), first.tolist()
    ([1, 6], [0])
    """
    held = np.where(sizes <= _MOST_VALUES, sizes, 0)
    first = np.where(held > 0, np.cumsum(held) - held, -1).astype(np.int64)
    sets = np.zeros((int(held.sum()), (codes.shape[1] + 63) // 64), dtype="<u8")
    bits = sets.view(np.uint8)
    owner = np.repeat(np.arange(len(held)), held)
    value = (np.arange(len(owner)) - np.repeat(first, held)).astype(np.int32)
    at_once = max(_COMPARED // max(codes.shape[1], 1), 1)
    for start in range(0, len(owner), at_once):
        part = slice(start, start + at_once)
        packed = np.packbits(codes[owner[part]] == value[part, None], axis=1, bitorder="little")
        bits[part, : packed.shape[1]] = packed
    return sets.astype(np.uint64, copy=False), first


def count_logs(rows: int) -> NDArray[np.float64]:
    """Return c log c for every count c from 0 to ``rows``, or up to 65,536 where there are more rows.

    >>> count_logs(2).round(3).tolist()
    [0.0, 0.0, 1.386]
    """
    counts = np.arange(min(rows, _MOST_READY) + 1)
    return np.asarray(counts * np.log(np.maximum(counts, 1)), dtype=np.float64)


def count_inverses(rows: int) -> NDArray[np.float64]:
    """Return 1 / c for the same counts, 0 for 0.

    >>> count_inverses(2).tolist()
    [0.0, 1.0, 0.5]
    """
    counts = np.arange(min(rows, _MOST_READY) + 1)
    return np.asarray((counts > 0) / np.maximum(counts, 1), dtype=np.float64)
