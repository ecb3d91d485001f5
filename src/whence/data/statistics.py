"""The sufficient statistics that searches and estimators run on: moments, codes, counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
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

    @property
    def correlation(self) -> NDArray[np.float64]:
        """The correlation matrix, shape (p, p); zero beside a column that does not vary."""
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


def moments_of(values: NDArray[np.float64], names: tuple[str, ...]) -> Moments:
    """Return the moments of an array of shape (n, p), complete rows only; two passes over centred values."""
    rows = len(values)
    complete = values[~np.isnan(values).any(axis=1)] if np.isnan(values).any() else values
    n = len(complete)
    if n == 0:
        nothing = np.full(len(names), np.nan)
        return Moments(names, 0, nothing, np.full((len(names), len(names)), np.nan), rows)
    mean = complete.mean(axis=0)
    centred = complete - mean
    return Moments(names, n, mean, (centred.T @ centred) / max(n - 1, 1), rows)


def pool(parts: list[Moments]) -> Moments:
    """Return the moments of several blocks of rows taken together (Chan, Golub and LeVeque 1983)."""
    n = sum(part.n for part in parts)
    mean = np.sum([part.n * part.mean for part in parts if part.n], axis=0) / n
    scatter = np.zeros_like(parts[0].covariance)
    for part in parts:
        if part.n:
            gap = part.mean - mean
            scatter += max(part.n - 1, 0) * np.nan_to_num(part.covariance) + part.n * np.outer(gap, gap)
    return Moments(parts[0].names, n, mean, scatter / max(n - 1, 1), sum(part.rows for part in parts))
