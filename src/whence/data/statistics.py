"""The sufficient statistics that searches and estimators run on: moments, codes, counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError, quote_names

MOST_CELLS = 50_000_000
# Values that are centred together, unless there are more columns than rows in so many.
_AT_ONCE = 2**16


@dataclass(frozen=True)
class Moments:
    """Mean and covariance over complete rows.

    Attributes
    ----------
    names : tuple of str, length p
    n : int
        Rows used: those without a missing value in any of the columns.
    mean : float array, shape (p,)
    covariance : float array, shape (p, p)
        With divisor n - 1.
    rows : int
        Rows there are, used or not.
    """

    names: tuple[str, ...]
    n: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    rows: int

    @property
    def rows_used(self) -> int:
        """The rows that entered."""
        return self.n

    @cached_property
    def correlation(self) -> NDArray[np.float64]:
        """The correlation matrix, shape (p, p); zero beside a column that does not vary; computed once."""
        scale = np.sqrt(np.diag(self.covariance))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        correlation = self.covariance * inverse[:, None] * inverse[None, :]
        np.fill_diagonal(correlation, 1.0)
        return correlation


@dataclass(frozen=True, slots=True)
class Codes:
    """Discrete columns as whole numbers from zero; -1 where missing.

    Attributes
    ----------
    codes : int32 array, shape (n, p)
    levels : tuple of tuple
        For each column the value behind each code.
    names : tuple of str
    """

    codes: NDArray[np.int32]
    levels: tuple[tuple[Any, ...], ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each combination of values occurs, over rows complete in the columns.

    Attributes
    ----------
    names : tuple of str
    levels : tuple of tuple
    table : int64 array, shape (number of levels of each column)
    rows_used : int
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]
    table: NDArray[np.int64]
    rows_used: int


def moments_of(
    values: NDArray[np.float64],
    names: tuple[str, ...],
    *,
    places: Sequence[int] | None = None,
    complete: bool = False,
) -> Moments:
    """Return the moments of an array of shape (n, p), complete rows only; two passes over centred values.

    Values are taken relative to the first row, so that a column that does not vary has a variance of exactly zero, and
    some rows at a time, so that no second table is made.

    Parameters
    ----------
    places : sequence of int, optional
        Where the columns named stand in the array; by default it holds them alone.
    complete : bool
        Whether no value is known to be missing.
    """
    rows = len(values)
    if not complete:
        absent = np.isnan(values).any(axis=1)
        values = values[~absent] if absent.any() else values
    n, p = len(values), len(names)
    if not n:
        return no_moments(names, rows)
    first = values[0] if places is None else values[0, places]
    at_once = max(_AT_ONCE // max(p, 1), p, 1)
    room = np.empty((min(at_once, n), p))

    def blocks() -> Iterator[NDArray[np.float64]]:
        for start in range(0, n, at_once):
            part = values[start : start + at_once]
            block = room[: len(part)]
            if places is None:
                np.subtract(part, first, out=block)
            else:
                np.take(part, places, axis=1, out=block, mode="clip")
                block -= first
            yield block

    with np.errstate(over="ignore", invalid="ignore"):
        shift = sum((block.sum(axis=0) for block in blocks()), np.zeros(p)) / n
        scatter = np.zeros((p, p))
        for block in blocks():
            scatter += (centred := np.subtract(block, shift, out=block)).T @ centred
    check_scatter(scatter, names)
    return Moments(names, n, first + shift, scatter / max(n - 1, 1), rows)


def no_moments(names: tuple[str, ...], rows: int) -> Moments:
    """Return the moments of no complete row: NaN."""
    p = len(names)
    return Moments(names, 0, np.full(p, np.nan), np.full((p, p), np.nan), rows)


def check_scatter(scatter: NDArray[np.float64], names: Sequence[str]) -> None:
    """Raise DataError if values are so large that their squares are no numbers."""
    broken = ~np.isfinite(np.diag(scatter))
    if broken.any():
        raise DataError(
            "E104",
            f"column {names[int(np.argmax(broken))]!r} has values so large that their squares overflow.",
            "Divide the column by its unit, or declare the values missing with wh.read(..., missing=[...]).",
        )


def check_cells(names: Sequence[str], levels: Sequence[Sequence[Any]]) -> tuple[int, ...]:
    """Return the shape of a contingency table, or raise DataError if it does not fit into memory."""
    shape = tuple(len(listed) for listed in levels)
    if prod(shape) > MOST_CELLS:
        raise DataError(
            "E124",
            f"the table of {quote_names(names)} has {' x '.join(map(str, shape))} cells.",
            "Count fewer columns at once, or merge rare values first.",
        )
    return shape


def pool(parts: list[Moments]) -> Moments:
    """Return the moments of several blocks of rows taken together (Chan, Golub and LeVeque 1983)."""
    n, rows = sum(part.n for part in parts), sum(part.rows for part in parts)
    if not n:
        return no_moments(parts[0].names, rows)
    mean = np.sum([part.n * part.mean for part in parts if part.n], axis=0) / n
    scatter = np.zeros_like(parts[0].covariance)
    for part in parts:
        if part.n:
            gap = part.mean - mean
            scatter += (part.n - 1) * part.covariance + part.n * np.outer(gap, gap)
    return Moments(parts[0].names, n, mean, scatter / max(n - 1, 1), rows)
