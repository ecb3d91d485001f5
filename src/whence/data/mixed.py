"""Tables that mix numbers and categories: as correlations of numbers and indicators, or as rows of both sorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import Kind
from whence.data.statistics import moments_of
from whence.data.table import Stored

NOMINAL = frozenset({Kind.CATEGORICAL, Kind.CONSTANT})
"""Kinds that become indicators; all others enter as one number."""

CELLS = NOMINAL | {Kind.BINARY}
"""Kinds that divide the rows into cells."""

# Rows that are embedded at once, so that a table needs little room beside itself.
_STRETCH = 65_536

_Tables = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The correlation of a table's columns after embedding, over complete rows.

    Attributes
    ----------
    names : tuple of str, length p
    first : int64 array, shape (p + 1,)
        Column j of the table is columns ``first[j]`` to ``first[j + 1] - 1`` here: one for a number, one fewer than the
        levels that occur for a category, none for a column that does not vary.
    correlation : float array, shape (q, q)
        Identity within each column's block, so that the singular values between two blocks are the canonical
        correlations of the two columns.
    n : int
        Complete rows.
    """

    names: tuple[str, ...]
    first: NDArray[np.int64]
    correlation: NDArray[np.float64]
    n: int

    @property
    def owner(self) -> tuple[str, ...]:
        """The table's column that each embedded column belongs to, length q."""
        widths = np.diff(self.first).tolist()
        return tuple(name for name, width in zip(self.names, widths) for _ in range(width))


@dataclass(frozen=True, slots=True)
class MixedRows:
    """The complete rows of a table, numbers and categories apart.

    Attributes
    ----------
    names : tuple of str, length p
    values : float array, shape (p1, n)
        Numbers as rows, with mean 0 and variance 1; all zero for one that does not vary.
    codes : int32 array, shape (p2, n)
        Categories and binary columns as rows, codes ``0 .. sizes[k] - 1``, each of which occurs.
    sizes : int64 array, shape (p2,)
    place : int64 array, shape (p,)
        Column j is row ``place[j]`` of the values if that is not negative, else row ``-1 - place[j]`` of the codes.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    codes: NDArray[np.int32]
    sizes: NDArray[np.int64]
    place: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Complete rows."""
        return int(self.values.shape[1])


@dataclass(frozen=True, slots=True)
class IncompleteRows:
    """The rows of a table, numbers and categories apart, with the values that are missing.

    Attributes
    ----------
    names : tuple of str, length p
    numbers, nominal : tuple of str
        The columns that enter as one number, and those that become indicators.
    values : float array, shape (n, p1)
        NaN where missing.
    codes : int32 array, shape (n, p2)
        -1 where missing.
    """

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    nominal: tuple[str, ...]
    values: NDArray[np.float64]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, data: Dataset) -> IncompleteRows:
        """Read a table, binary columns as numbers.

        Raises
        ------
        DataError
            For times and identifiers, or infinite values.
        """
        nominal = tuple(name for name, kind in data.kinds().items() if kind in NOMINAL)
        numbers = tuple(name for name in data.names if name not in nominal)
        return cls(data.names, numbers, nominal, *_both(data, numbers, nominal))

    def embedded(self, names: tuple[str, ...]) -> Embedded:
        """Return the correlation of some columns after embedding, over the rows that have them all; see `embed`."""
        if names == self.names:
            return _embed_rows(names, self.numbers, self.nominal, *_seen(self.values, self.codes))
        numbers = tuple(name for name in names if name in self.numbers)
        nominal = tuple(name for name in names if name in self.nominal)
        values = self.values[:, [self.numbers.index(name) for name in numbers]]
        codes = self.codes[:, [self.nominal.index(name) for name in nominal]]
        return _embed_rows(names, numbers, nominal, *_seen(values, codes))


def mixed_rows(data: Dataset) -> MixedRows:
    """Return the complete rows of a table, with binary columns among the categories.

    Raises
    ------
    DataError
        For times and identifiers, or infinite values.

    Examples
    --------
    >>> from whence.data import read
    >>> rows = mixed_rows(read({"size": [1.0, 2.0, 6.0], "colour": ["red", "blue", "green"]}))
    >>> rows.codes.tolist(), rows.place.tolist()
    ([[2, 0, 1]], [0, -1])
    """
    kinds = data.kinds()
    coded = [name for name in data.names if kinds[name] in CELLS]
    numbers = tuple(name for name in data.names if kinds[name] not in CELLS)
    values, codes = _seen(*_both(data, numbers, coded))
    moments = moments_of(values, numbers)
    scale = np.sqrt(np.diag(moments.covariance) * ((len(values) - 1) / max(len(values), 1)))
    values = (values - moments.mean) / np.where(scale > 0, scale, 1.0)
    found = [np.unique(column, return_inverse=True) for column in codes.T]
    rows = np.array([inverse for _, inverse in found], dtype=np.int32).reshape(len(coded), len(values))
    place = [numbers.index(name) if name in numbers else -1 - coded.index(name) for name in data.names]
    return MixedRows(
        data.names,
        np.ascontiguousarray(values.T),
        rows,
        np.array([len(levels) for levels, _ in found], dtype=np.int64),
        np.array(place, dtype=np.int64),
    )


def embed(data: Dataset) -> Embedded:
    """Return the correlation of a table with categories as indicators (Andrews, Ramsey and Cooper 2019, section 3).

    A category is a block of combinations of its indicators that are uncorrelated and have variance one.

    Beyond memory it takes one aggregate query for the numbers, one for each category and one for each pair of
    categories; a table there with missing values is brought into memory.

    Raises
    ------
    DataError
        For times and identifiers, or infinite values.

    Examples
    --------
    >>> from whence.data import read
    >>> table = read({"size": [1.0, 2.0, 3.0, 4.0], "colour": ["red", "red", "blue", "green"]})
    >>> embedded = embed(table)
    >>> embedded.first.tolist(), embedded.owner
    ([0, 1, 3], ('size', 'colour', 'colour'))
    """
    beyond = not data.in_memory and isinstance(data._table, Stored)
    if beyond and any(column.missing for column in data.columns.values()):
        data, beyond = data.complete(), False
    if not beyond:
        return IncompleteRows.of(data).embedded(data.names)
    nominal = [name for name, kind in data.kinds().items() if kind in NOMINAL]
    return _embed_stored(data, tuple(name for name in data.names if name not in nominal), nominal)


def indicator_scores(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coordinates of each level, shape (k, number of levels that occur - 1): mean 0, covariance identity.

    The columns span the indicators of the levels; which basis of that space they are changes no determinant.

    Parameters
    ----------
    shares : float array, shape (k,)
        How often each level occurs, adding up to one.
    """
    occurring = np.flatnonzero(shares > 0)
    roots = np.sqrt(shares[occurring])
    mirror = roots.copy()
    mirror[0] += 1.0  # the Householder reflection that takes the roots to the first axis; roots are positive
    basis = np.eye(len(roots)) - np.outer(mirror, mirror) / (1.0 + roots[0])
    scores = np.zeros((len(shares), max(len(roots) - 1, 0)))
    scores[occurring] = basis[:, 1:] / roots[:, None]
    return scores


def _both(
    data: Dataset, numbers: Sequence[str], nominal: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return numbers and codes, shapes (n, p1) and (n, p2)."""
    n = data.n_rows  # a database answers no question about no column
    values = data.numeric(tuple(numbers)) if numbers else np.empty((n, 0))
    codes = data.codes(list(nominal)).codes if nominal else np.empty((n, 0), dtype=np.int32)
    return values, codes


def _seen(values: NDArray[np.float64], codes: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the rows that are complete in both."""
    complete = ~np.isnan(values).any(axis=1) & (codes >= 0).all(axis=1)
    return (values, codes) if complete.all() else (values[complete], codes[complete])


def _embed_rows(
    names: tuple[str, ...],
    numbers: tuple[str, ...],
    nominal: tuple[str, ...],
    values: NDArray[np.float64],
    codes: NDArray[np.int32],
) -> Embedded:
    """Embed complete rows, shapes (n, p1) and (n, p2)."""
    n = len(values)
    if not n:
        return Embedded(names, np.zeros(len(names) + 1, np.int64), np.zeros((0, 0)), 0)
    moments = moments_of(values, numbers)
    scale = np.sqrt(np.diag(moments.covariance) * (n - 1) / n)
    shares = {name: np.bincount(column) / n for name, column in zip(nominal, codes.T)}
    tables = {name: indicator_scores(of) for name, of in shares.items()}
    first, places = _places(names, numbers, scale, tables)
    correlation = np.zeros((first[-1], first[-1]))
    vary = scale > 0
    for start in range(0, n, _STRETCH):
        stretch = slice(start, start + _STRETCH)
        part = np.empty((len(values[stretch]), first[-1]))
        part[:, places] = (values[stretch][:, vary] - moments.mean[vary]) / scale[vary]
        for name, column in zip(nominal, codes.T):
            begin = first[names.index(name)]
            part[:, begin : begin + tables[name].shape[1]] = tables[name][column[stretch]]
        correlation += part.T @ part
    return Embedded(names, first, _unit_blocks(correlation / n, first), n)


def _embed_stored(data: Dataset, numbers: tuple[str, ...], nominal: list[str]) -> Embedded:
    """Embed a table without missing values from aggregates alone."""
    n = data.n_rows
    moments = data.moments(numbers) if numbers else moments_of(np.empty((n, 0)), ())
    scale = np.sqrt(np.diag(moments.covariance) * ((n - 1) / n))
    shares = {name: data.counts([name]).table / n for name in nominal}
    tables = {name: indicator_scores(of) for name, of in shares.items()}
    first, places = _places(data.names, numbers, scale, tables)
    correlation = np.zeros((first[-1], first[-1]))
    vary = scale > 0
    correlation[np.ix_(places, places)] = moments.correlation[np.ix_(vary, vary)]
    blocks = {name: np.arange(first[k], first[k + 1]) for k, name in enumerate(data.names)}
    for name in nominal if vary.any() else ():
        groups = data.moments(numbers, by=name)
        present = [k for k, group in enumerate(groups.values()) if group.n]
        means = np.array([group.mean[vary] for group in groups.values() if group.n])
        off = (means - moments.mean[vary]) / scale[vary] * shares[name][present, None]
        across = off.T @ tables[name][present]
        correlation[np.ix_(places, blocks[name])] = across
        correlation[np.ix_(blocks[name], places)] = across.T
    for one, other in combinations(nominal, 2):
        across = tables[one].T @ (data.counts([one, other]).table / n) @ tables[other]
        correlation[np.ix_(blocks[one], blocks[other])] = across
        correlation[np.ix_(blocks[other], blocks[one])] = across.T
    return Embedded(data.names, first, _unit_blocks(correlation, first), n)


def _places(
    names: tuple[str, ...], numbers: tuple[str, ...], scale: NDArray[np.float64], tables: _Tables
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each column's block begins, shape (p + 1,), and the places of the numbers that vary."""
    width = {name: int(spread > 0) for name, spread in zip(numbers, scale)}
    width |= {name: table.shape[1] for name, table in tables.items()}
    first = np.concatenate(([0], np.cumsum([width[name] for name in names]))).astype(np.int64)
    places = [first[names.index(name)] for name in numbers if width[name]]
    return first, np.array(places, dtype=np.int64)


def _unit_blocks(correlation: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix with an exact identity within each block, where rounding left one only nearly."""
    for start, stop in pairwise(first):
        correlation[start:stop, start:stop] = np.eye(stop - start)
    return np.ascontiguousarray(correlation)
