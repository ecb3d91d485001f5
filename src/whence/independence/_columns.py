"""Columns as the nonparametric tests see them: coordinates of complete rows, categories as indicators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from whence.data import Kind, as_dataset
from whence.errors import DataError, ParameterError
from whence.kernels import Kernels

_ranks = Kernels("whence.independence._kernels_ranks")

Scale = Literal["ranks", "standard"]
"""Normal scores of the ranks, or the values less their mean in standard deviations."""

FEWEST_ROWS = 20
_THIN = 100
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Coordinates:
    """One column over the complete rows.

    Attributes
    ----------
    values : float array, shape (n, w)
        A number on its scale (w = 1), or one indicator for each level of a nominal column; w = 0 for one that does not
        vary.
    codes : int64 array, shape (n,)
        Twice the rank of a number (ties share a rank), or the code of a level.
    nominal : bool
        Whether the levels have no order.
    """

    values: NDArray[np.float64]
    codes: NDArray[np.int64]
    nominal: bool

    @property
    def constant(self) -> bool:
        """Whether the column holds one value in the complete rows."""
        return int(self.values.shape[1]) == 0

    @cached_property
    def width(self) -> float:
        """The median distance between two different values of the column; of at most 100 of them, evenly by rank."""
        return _median_distance(self.values[:, 0]) if not (self.nominal or self.constant) else 1.0

    @cached_property
    def words(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Two scrambled words for each row that depend on its rank alone, for telling columns apart exactly."""
        first = _scrambled(self.codes.astype(np.uint64))
        return first, _scrambled(first)


def prepare(data: Any, *, scale: Scale, test: str) -> tuple[tuple[str, ...], dict[str, Coordinates], int]:
    """Return names, coordinates by name and the number of complete rows of any table.

    Raises
    ------
    DataError
        For times and identifiers, values that are not finite, or fewer than 20 complete rows.
    """
    if scale not in ("ranks", "standard"):
        raise ParameterError("E311", f"there is no scale {scale!r}.", "Choose ranks or standard.")
    dataset = as_dataset(data)
    kinds = dataset.kinds()
    nominal = {name for name in dataset.names if kinds[name] in (Kind.CATEGORICAL, Kind.CONSTANT)}
    raw: dict[str, NDArray[Any]] = {}
    complete = np.ones(dataset.n_rows, dtype=bool)
    for name in dataset.names:
        if name in nominal:
            raw[name] = dataset.codes([name]).codes[:, 0].astype(np.int64)
            complete &= raw[name] >= 0
        else:
            raw[name] = dataset.numeric([name])[:, 0]
            complete &= ~np.isnan(raw[name])
    rows = int(complete.sum())
    if rows < FEWEST_ROWS:
        raise DataError(
            "E306", f"there are {rows} complete rows for {test}; it needs at least {FEWEST_ROWS}.", "Add rows."
        )
    made = {}
    for name, values in raw.items():
        kept = values[complete]
        made[name] = _levels(kept) if name in nominal else _numbers(kept, scale, name)
    return dataset.names, made, rows


def in_order_of_content(columns: Sequence[Coordinates]) -> list[int]:
    """Return places that put columns into an order set by their ranks alone, jointly with one another.

    So the order in which columns are named, or stand in a table, or in which rows come, changes no result. The keys are
    sums of whole numbers and so exact. Columns with equal keys have equal ranks, and then any order does.
    """
    if len(columns) < 2:
        return list(range(len(columns)))
    total = np.sum([column.words[1] for column in columns], axis=0, dtype=np.uint64)
    keys = [int(np.sum(column.words[0] * (total - column.words[1]), dtype=np.uint64)) for column in columns]
    return sorted(range(len(columns)), key=keys.__getitem__)


def _levels(codes: NDArray[np.int64]) -> Coordinates:
    present, codes = np.unique(codes, return_inverse=True)
    indicators = np.eye(len(present))[codes] if len(present) > 1 else np.empty((len(codes), 0))
    return Coordinates(np.ascontiguousarray(indicators), codes.astype(np.int64), nominal=True)


def _numbers(values: NDArray[np.float64], scale: Scale, name: str) -> Coordinates:
    if not np.isfinite(values).all() and scale == "standard":
        raise DataError(
            "E104", f"column {name!r} holds infinite values.", "Use scale='ranks', or leave those rows out."
        )
    values = np.ascontiguousarray(values)
    order = np.argsort(values)
    codes = _ranks.doubled_ranks(values, order)
    if values[order[0]] == values[order[-1]]:
        return Coordinates(np.empty((len(values), 0)), codes, nominal=False)
    moved = ndtri(codes / (2.0 * len(values) + 2.0)) if scale == "ranks" else values
    moved = moved - moved.mean()
    moved /= math.sqrt(moved @ moved / len(moved))
    return Coordinates(moved[:, None], codes, nominal=False)


def _median_distance(values: NDArray[np.float64]) -> float:
    ordered = np.sort(values)
    if len(ordered) > _THIN:
        ordered = ordered[np.linspace(0, len(ordered) - 1, _THIN).round().astype(int)]
    return float(_ranks.median_gap(ordered))


def _scrambled(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the words after one round of splitmix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        words = words + _MIX[0]
        words = (words ^ (words >> np.uint64(30))) * _MIX[1]
        words = (words ^ (words >> np.uint64(27))) * _MIX[2]
    return words ^ (words >> np.uint64(31))
