"""Rows in memory: an Arrow table, and the arrays that are computed from it once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whence.data.kinds import Column, Kind, level_numbers, plain
from whence.data.statistics import Codes, Counts, Moments, check_cells, moments_of
from whence.data.whole_numbers import WholeNumbers
from whence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


class MemoryTable:
    """A table in memory. Columns become float or code arrays on first use and are kept, read-only.

    Parameters
    ----------
    table : pyarrow.Table, optional
    names : sequence of str, optional
        Column names of ``numbers``.
    numbers : array of floats or of whole numbers, shape (n, p), optional
        In place of the table: an Arrow table is made of it when one is asked for.

    Attributes
    ----------
    names : tuple of str
    numbers : array of shape (n, p) or None
    """

    in_memory = True

    def __init__(
        self,
        table: pa.Table | None = None,
        *,
        names: Sequence[str] = (),
        numbers: NDArray[Any] | None = None,
    ) -> None:
        self.numbers = numbers
        if table is not None:
            self.table = table
        self.names = tuple(names if table is None else table.column_names)
        self._floats: dict[tuple[str, Kind], NDArray[np.float64]] = {}
        self._whole: dict[str, WholeNumbers | None] = {}
        self._codes: dict[tuple[str, Kind], tuple[NDArray[np.int32], tuple[Any, ...]]] = {}

    @cached_property
    def table(self) -> pa.Table:
        """The rows as an Arrow table."""
        import pyarrow as pa

        numbers = np.zeros((0, 0)) if self.numbers is None else self.numbers
        return pa.table([pa.array(column) for column in np.ascontiguousarray(numbers.T)], names=list(self.names))

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return len(self.numbers) if self.numbers is not None else int(self.table.num_rows)

    def floating(self, at_once: int) -> Iterator[tuple[Sequence[str], NDArray[np.float64]]]:
        """Yield names and values, shape (p, n), of the columns stored as floats, about so many values at once."""
        import pyarrow as pa

        floats: Sequence[str]
        if self.numbers is not None:
            floats = self.names if self.numbers.dtype.kind == "f" else ()
        else:
            floats = [field.name for field in self.table.schema if pa.types.is_floating(field.type)]
        columns = max(at_once // max(self.n_rows, 1), 1)
        for start in range(0, len(floats), columns):
            part = floats[start : start + columns]
            if self.numbers is not None:
                yield part, self.numbers[:, start : start + columns].T
            else:
                yield part, np.array([self.table.column(name).to_numpy() for name in part], dtype=np.float64)

    def arrow(self, names: Sequence[str]) -> pa.Table:
        """Return columns as an Arrow table."""
        return self.table.select(list(names))

    def first(self, names: Sequence[str], rows: int) -> pa.Table:
        """Return the first rows."""
        return self.arrow(names).slice(0, rows)

    def described(self, kinds: Mapping[str, Kind | str], units: Mapping[str, str | None]) -> list[Column]:
        """Return columns anew, with the kinds given."""
        from whence.data.reading import column_of

        return [column_of(n, self.table.column(n), kind=kind, unit=units.get(n)) for n, kind in kinds.items()]

    def sample(self, columns: Sequence[Column], rows: int, seed: int) -> pa.Table:
        """Return random rows, in their order."""
        chosen = np.random.default_rng(seed).permutation(self.n_rows)[:rows]
        return self.arrow([column.name for column in columns]).take(np.sort(chosen))

    def floats(self, column: Column) -> NDArray[np.float64]:
        """Return a column as floats of shape (n,), NaN where missing; binary as 0 and 1, ordinal text as ranks."""
        key = (column.name, column.kind)
        if key not in self._floats:
            self._floats[key] = self._as_floats(column)
        return self._floats[key]

    def _as_floats(self, column: Column) -> NDArray[np.float64]:
        if self.numbers is not None and column.kind is not Kind.BINARY:
            values = np.ascontiguousarray(self.numbers[:, self._place[column.name]], dtype=np.float64)
        elif column.name in self._stored_as_numbers and column.kind is not Kind.BINARY:
            values = np.asarray(self.table.column(column.name).to_numpy(), dtype=np.float64)
        else:
            codes, levels = self.coded(column)
            values = np.array([*level_numbers(column.kind, levels), np.nan])[codes]
        values.flags.writeable = False
        return values

    def coded(self, column: Column) -> tuple[NDArray[np.int32], tuple[Any, ...]]:
        """Return a column's codes of shape (n,), -1 where missing, and the value behind each code."""
        key = (column.name, column.kind)
        if key not in self._codes:
            levels = column.levels if column.levels is not None else self.levels(column.name)
            found = self.whole(column.name) if _are_whole(levels) else None
            if found is not None:
                codes = found[0].codes([found[1]], [levels])[:, 0]
            else:
                codes = _looked_up(self.table.column(column.name), levels)
            codes.flags.writeable = False
            self._codes[key] = (codes, levels)
        return self._codes[key]

    def levels(self, name: str) -> tuple[Any, ...]:
        """Return the distinct values of a column in order: an ordered category's own, else sorted."""
        if (found := self.whole(name)) is not None:
            return found[0].levels(found[1])
        return tuple(sorted_levels(self.table.column(name)))

    def whole(self, name: str) -> tuple[WholeNumbers, int] | None:
        """Return whole numbers and the place of a column among them; None unless its values are such, close together.

        A column with a gap is none.
        """
        if self.numbers is not None:
            whole, place = self._all_whole, self._place[name]
            return (whole, place) if whole is not None and whole.close[place] else None
        if name not in self._whole:
            self._whole[name] = _whole_column(self.table.column(name))
        alone = self._whole[name]
        return (alone, 0) if alone is not None else None

    @cached_property
    def _all_whole(self) -> WholeNumbers | None:
        fits = self.numbers is not None and self.numbers.dtype.kind in "iu" and len(self.numbers)
        return WholeNumbers(self.numbers) if fits else None  # type: ignore[arg-type]

    @cached_property
    def _as_numbers(self) -> NDArray[np.float64]:
        return np.asarray(self.numbers, dtype=np.float64)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.names)}

    @cached_property
    def _stored_as_numbers(self) -> frozenset[str]:
        """The columns that are stored as numbers."""
        import pyarrow as pa

        stored = {field.name: field.type for field in self.table.schema}
        return frozenset(n for n, kind in stored.items() if pa.types.is_floating(kind) or pa.types.is_integer(kind))

    def moments(self, columns: Sequence[Column]) -> Moments:
        """Return the moments over rows complete in the columns."""
        names = tuple(column.name for column in columns)
        values, places = self._placed(columns)
        return moments_of(values, names, places=places, complete=not any(column.missing for column in columns))

    def grouped_moments(self, columns: Sequence[Column], by: Column) -> dict[Any, Moments]:
        """Return the moments of the rows of each level of ``by``."""
        names = tuple(column.name for column in columns)
        codes, levels = self.coded(by)
        matrix, placed = self.matrix(columns), np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[placed], np.arange(len(levels) + 1))
        groups = (placed[start:end] for start, end in pairwise(ends))
        return {level: moments_of(matrix[rows], names) for level, rows in zip(levels, groups)}

    def block_moments(self, columns: Sequence[Column], blocks: int) -> list[Moments]:
        """Return the moments of ``blocks`` consecutive stretches of rows."""
        names = tuple(column.name for column in columns)
        return [moments_of(part, names) for part in np.array_split(self.matrix(columns), blocks) if len(part)]

    def matrix(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """Return columns side by side, shape (n, p), C-contiguous."""
        values, places = self._placed(columns)
        return values if places is None else values.take(places, axis=1)

    def _placed(self, columns: Sequence[Column]) -> tuple[NDArray[np.float64], list[int] | None]:
        """Return an array that holds columns, and where they stand in it; None if it holds them alone."""
        if self.numbers is not None and not any(column.kind is Kind.BINARY for column in columns):
            return self._as_numbers, [self._place[column.name] for column in columns]
        matrix = np.empty((self.n_rows, len(columns)))
        for k, column in enumerate(columns):
            matrix[:, k] = self.floats(column)
        return matrix, None

    def codes(self, columns: Sequence[Column]) -> Codes:
        """Return columns as codes side by side."""
        names = tuple(column.name for column in columns)
        whole = self._all_whole
        if whole is not None and all(self.whole(name) for name in names):
            levels = [column.levels if column.levels is not None else self.levels(column.name) for column in columns]
            if all(map(_are_whole, levels)):
                return Codes(whole.codes([self._place[name] for name in names], levels), tuple(levels), names)
        coded = [self.coded(column) for column in columns]
        matrix = np.empty((self.n_rows, len(columns)), dtype=np.int32)
        for k, (codes, _) in enumerate(coded):
            matrix[:, k] = codes
        return Codes(matrix, tuple(levels for _, levels in coded), names)

    def counts(self, columns: Sequence[Column]) -> Counts:
        """Return the contingency table of the columns."""
        coded = self.codes(columns)
        shape = check_cells(coded.names, coded.levels)
        complete = coded.codes[(coded.codes >= 0).all(axis=1)]
        cells = np.ravel_multi_index(tuple(complete.T), shape) if shape else np.zeros(len(complete), dtype=int)
        table = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
        return Counts(coded.names, coded.levels, table.astype(np.int64), len(complete))


def _whole_column(column: pa.ChunkedArray) -> WholeNumbers | None:
    import pyarrow as pa

    if not pa.types.is_integer(column.type) or column.null_count or not len(column):
        return None
    found = WholeNumbers(column.to_numpy()[:, None])
    return found if found.close[0] else None


def _are_whole(levels: tuple[Any, ...]) -> bool:
    return all(isinstance(level, int) for level in levels)


def _looked_up(column: pa.ChunkedArray, levels: tuple[Any, ...]) -> NDArray[np.int32]:
    """Return the place of each value among the levels; -1 where it is missing or none of them."""
    place = {level: k for k, level in enumerate(levels)}
    encoded = column.combine_chunks().dictionary_encode()
    parts = []
    for chunk in encoded.chunks if hasattr(encoded, "chunks") else [encoded]:
        codes = np.array([place.get(plain(v), -1) for v in chunk.dictionary.to_pylist()] + [-1], dtype=np.int32)
        indices = chunk.indices.fill_null(len(codes) - 1) if chunk.null_count else chunk.indices
        parts.append(codes[indices.to_numpy(zero_copy_only=False)])
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)


def sorted_levels(column: pa.ChunkedArray) -> list[Any]:
    """Return the distinct values of a column in order: an ordered category's own, else sorted."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        chunk = column.unify_dictionaries().chunk(0) if column.num_chunks else None
        dictionary = [] if chunk is None else [plain(value) for value in chunk.dictionary.to_pylist()]
        present = {plain(value) for value in column.unique().to_pylist()}
        kept = [value for value in dictionary if value in present]
        return kept if column.type.ordered else sorted(kept, key=order)
    return sorted((plain(value) for value in column.unique().to_pylist() if not _absent(value)), key=order)


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def order(value: Any) -> tuple[int, Any]:
    """Return the key that sorts levels: numbers before text."""
    return (0, float(value)) if isinstance(value, (int, float)) else (1, str(value))


def not_numeric(column: Column) -> DataError:
    """Return the error for a column that is asked for as numbers and is none."""
    return DataError(
        "E120",
        f"column {column.name!r} is {column.kind} ({column.reason}) and cannot be used as numbers.",
        "Category codes are not numbers. Leave it out, turn it into 0/1 columns, or declare it ordinal: "
        f"wh.read(..., kinds={{{column.name!r}: 'ordinal'}}).",
    )


def not_discrete(column: Column) -> DataError:
    """Return the error for a continuous column that is asked for as categories."""
    return DataError(
        "E121",
        f"column {column.name!r} is {column.kind} and cannot be used as categories.",
        "Cut it into a few levels first, or use a method for numbers.",
    )
