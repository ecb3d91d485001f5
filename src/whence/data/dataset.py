"""The Dataset: the user's rows where they are, with a kind, a count of missing values and a role for each column."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.data.kinds import NUMERIC, Column, Kind
from whence.data.memory import MemoryTable, not_discrete, not_numeric
from whence.data.statistics import Codes, Counts, Moments
from whence.data.table import Stored, Table
from whence.errors import DataError, quote_names, suggest
from whence.parallel import RandomState, generator
from whence.results import make_frame, to_jsonable

if TYPE_CHECKING:
    import pyarrow as pa

ROLES = ("treatment", "outcome", "domain", "unit", "time", "instrument", "weight", "id")


class Dataset:
    """A table with kinds, roles and missing values declared; immutable. `whence.read` makes it.

    Attributes
    ----------
    source : str
        What it was read from, for messages and reports.
    columns : mapping of str to Column
        In the table's order.
    roles : mapping of str to str
        Role to column: ``treatment``, ``outcome``, ``domain``, ``unit``, ``time``, ``instrument``, ``weight``, ``id``.
    library : str
        ``pandas``, ``polars``, ``pyarrow``, ``numpy`` or ``sql``: the kind of table that results come back in.
    notes : tuple of str
        What reading decided, in plain words.
    """

    def __init__(
        self,
        table: Table,
        columns: Iterable[Column],
        *,
        source: str,
        library: str = "pyarrow",
        roles: Mapping[str, str] | None = None,
        notes: Iterable[str] = (),
        native: Any = None,
    ) -> None:
        self._table = table
        self._fingerprint: str | None = None
        self._native = native
        self.source = source
        self.library = library
        self.columns: Mapping[str, Column] = MappingProxyType({column.name: column for column in columns})
        self.notes = tuple(notes)
        self.roles: Mapping[str, str] = MappingProxyType(dict(roles or {}))
        for role, name in self.roles.items():
            if role not in ROLES:
                raise DataError("E122", f"there is no role {role!r}.", f"Roles: {quote_names(ROLES)}.")
            self._column(name)

    # ---- what it holds ------------------------------------------------------------------------------------------

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return self._table.n_rows

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(self.columns)

    @property
    def in_memory(self) -> bool:
        """False where the rows stay in a database or a file."""
        return self._table.in_memory

    def kinds(self) -> dict[str, Kind]:
        """Return the kind of every column."""
        return {name: column.kind for name, column in self.columns.items()}

    def unit(self, name: str) -> str:
        """Return a column's unit, or ``""``."""
        return self._column(name).unit or ""

    def distinct(self, name: str) -> int | None:
        """Return how many different values a column holds; None for rows beyond memory if that was not counted."""
        import pyarrow.compute as pc

        counted = self._column(name).distinct
        if counted is not None or not self.in_memory:
            return counted
        values = self._table.arrow([name]).column(0).unique()
        return len(values) - int(pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0)

    def _column(self, name: str) -> Column:
        if not isinstance(name, str) or name not in self.columns:
            raise DataError("E123", f"there is no column {name!r} in {self.source}.", suggest(name, self.names))
        return self.columns[name]

    def _chosen(self, names: Iterable[str] | None) -> list[Column]:
        return list(self.columns.values()) if names is None else [self._column(name) for name in names]

    # ---- numbers ------------------------------------------------------------------------------------------------

    def numeric(self, names: Iterable[str] | None = None) -> NDArray[np.float64]:
        """Return columns as floats of shape (n, p), NaN where missing, C-contiguous.

        Binary columns become 0 and 1 in the order of their levels, ordinal text its rank.

        Raises
        ------
        DataError
            For a categorical, time or id column: codes are never taken for numbers.
        """
        return self._table.matrix(self._numeric_columns(names))

    def codes(self, names: Iterable[str] | None = None) -> Codes:
        """Return discrete columns as codes of shape (n, p), -1 where missing.

        Raises
        ------
        DataError
            For a continuous column.
        """
        columns = self._chosen(names)
        for column in columns:
            if column.kind is Kind.CONTINUOUS:
                raise not_discrete(column)
        return self._table.codes(columns)

    def moments(self, names: Iterable[str] | None = None, by: str | None = None) -> Any:
        """Return mean and covariance over complete rows, in one scan; with ``by``, one `Moments` a value.

        Rows without a value of ``by`` are in no group; how many they are is ``columns[by].missing``.

        Returns
        -------
        Moments or dict of value to Moments
        """
        columns = self._numeric_columns(names)
        if by is None:
            return self._table.moments(columns)
        column = self._column(by)
        if column.kind is Kind.CONTINUOUS:
            raise not_discrete(column)
        wanted = [*(one.name for one in columns), by]
        return self._stored(wanted).grouped_moments(columns, column)

    def block_moments(self, names: Iterable[str] | None = None, *, blocks: int) -> list[Moments]:
        """Return the moments of ``blocks`` disjoint sets of rows in one scan, for a bootstrap beyond memory."""
        return self._table.block_moments(self._numeric_columns(names), blocks)

    def counts(self, names: Iterable[str]) -> Counts:
        """Return the contingency table of a few discrete columns over rows complete in them."""
        columns = self._chosen(names)
        for column in columns:
            if column.kind is Kind.CONTINUOUS:
                raise not_discrete(column)
        return self._table.counts(columns)

    def _stored(self, names: Iterable[str]) -> Stored:
        """Return the table if it describes its rows itself, else these columns of it in memory."""
        table = self._table
        return table if isinstance(table, Stored) else MemoryTable(table.arrow(list(dict.fromkeys(names))))

    def _numeric_columns(self, names: Iterable[str] | None) -> list[Column]:
        columns = self._chosen(names)
        for column in columns:
            if column.kind not in NUMERIC and not (column.kind is Kind.CONSTANT and _holds_numbers(column)):
                raise not_numeric(column)
        return columns

    # ---- other tables -------------------------------------------------------------------------------------------

    def select(self, names: Iterable[str]) -> Dataset:
        """Return the table with some of its columns, in the given order."""
        columns = self._chosen(names)
        kept = {column.name for column in columns}
        return self._like(columns=columns, roles={r: n for r, n in self.roles.items() if n in kept}, native=None)

    def drop(self, names: str | Iterable[str]) -> Dataset:
        """Return the table without some of its columns."""
        left_out = {column.name for column in self._chosen([names] if isinstance(names, str) else names)}
        return self.select(name for name in self.names if name not in left_out) if left_out else self

    def take(self, rows: ArrayLike) -> Dataset:
        """Return some rows, by position; kinds and levels stay as they are."""
        indices = np.asarray(rows)
        table = self.to_arrow().take(indices)
        columns = [_recount(column, table) for column in self.columns.values()]
        return self._like(table=MemoryTable(table), columns=columns, native=None)

    def sample(self, rows: int, random_state: RandomState = None) -> Dataset:
        """Return random rows in memory: exactly so many of a table in memory, about so many of one that is not.

        A table beyond memory is scanned once and brings only the rows that are drawn.
        """
        seed = int(generator(random_state).integers(2**31))
        table = self._table.sample(list(self.columns.values()), rows, seed)
        columns = [_recount(column, table) for column in self.columns.values()]
        return self._like(table=MemoryTable(table), columns=columns, native=None)

    def complete(self, names: Iterable[str] | None = None) -> Dataset:
        """Return the rows without a missing value in the named columns (all by default)."""
        columns = self._chosen(names)
        if not any(column.missing for column in columns):
            return self
        present = ~np.any([self.is_missing(column.name) for column in columns], axis=0)
        return self.take(np.flatnonzero(present))

    def is_missing(self, name: str) -> NDArray[np.bool_]:
        """Return which rows lack a value in a column, shape (n,)."""
        import pyarrow.compute as pc

        column = self._table.arrow([self._column(name).name]).column(0)
        return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False), dtype=bool)

    def with_column(self, name: str, values: Any, kind: Kind | str | None = None, unit: str | None = None) -> Dataset:
        """Return the table with a column added or replaced."""
        from whence.data.reading import column_of, to_arrow_array

        table = self.to_arrow()
        array = to_arrow_array(name, values)
        place = table.column_names.index(name) if name in table.column_names else None
        table = table.append_column(name, array) if place is None else table.set_column(place, name, array)
        made = column_of(name, table.column(name), kind=kind, unit=unit)
        columns = [made if column.name == name else column for column in self.columns.values()]
        columns += [] if name in self.columns else [made]
        return self._like(table=MemoryTable(table), columns=columns, native=None)

    def with_roles(self, **roles: str | None) -> Dataset:
        """Return the table with roles set; None takes a role away."""
        merged = {**self.roles, **roles}
        return self._like(roles={role: name for role, name in merged.items() if name is not None})

    def with_kinds(self, kinds: Mapping[str, Kind | str] | None = None, **named: Kind | str) -> Dataset:
        """Return the table with kinds overridden."""
        wanted = {**(kinds or {}), **named}
        units = {name: self._column(name).unit for name in wanted}
        made = {column.name: column for column in self._stored(wanted).described(wanted, units)}
        return self._like(columns=[made.get(name, column) for name, column in self.columns.items()])

    def with_units(self, units: Mapping[str, str]) -> Dataset:
        """Return the table with units set."""
        from dataclasses import replace

        for name in units:
            self._column(name)
        return self._like(columns=[replace(c, unit=units.get(c.name, c.unit)) for c in self.columns.values()])

    def with_source(self, source: str) -> Dataset:
        """Return the table under another name for messages and reports."""
        return self._like(source=source)

    def _like(self, **changes: Any) -> Dataset:
        settings = {
            "table": self._table,
            "columns": self.columns.values(),
            "source": self.source,
            "library": self.library,
            "roles": self.roles,
            "notes": self.notes,
            "native": self._native,
            **changes,
        }
        return Dataset(settings.pop("table"), settings.pop("columns"), **settings)

    # ---- in and out ---------------------------------------------------------------------------------------------

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table (brought into memory if they are not)."""
        return self._table.arrow(self.names)

    def to_native(self) -> Any:
        """Return the rows as the kind of table they came in."""
        if self._native is not None:
            return self._native
        table = self.to_arrow()
        if self.library != "numpy":
            return self._as_library(table)
        return np.column_stack([column.to_numpy(zero_copy_only=False) for column in table.columns])

    def to_parquet_bytes(self) -> bytes:
        """Return the rows as the bytes of a Parquet file."""
        import io

        import pyarrow.parquet as pq

        buffer = io.BytesIO()
        pq.write_table(self.to_arrow(), buffer, compression="zstd")
        return buffer.getvalue()

    def head(self, rows: int = 5) -> Any:
        """Return the first rows as a table of the user's library (Arrow where that is an array or a database)."""
        return self._as_library(self._stored(self.names).first(self.names, rows))

    def _as_library(self, table: pa.Table) -> Any:
        if self.library == "pandas":
            return table.to_pandas()
        if self.library == "polars":
            import polars as pl

            return pl.from_arrow(table)
        return table

    def fingerprint(self) -> str:
        """Return a hash of names and values, the same whatever library holds them."""
        if self._fingerprint is None:
            digest = hashlib.sha256()
            for name in self.names:
                digest.update(name.encode() + b"\0")
                digest.update(_bytes_of(self._table.arrow([name]).column(0)))
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def table(self) -> Any:
        """Return one row for each column: kind, missing, distinct, unit, reason."""
        columns = list(self.columns.values())
        return make_frame(
            {
                "column": [c.name for c in columns],
                "kind": [str(c.kind) for c in columns],
                "missing": [c.missing for c in columns],
                "distinct": [self.distinct(c.name) for c in columns],
                "unit": [c.unit for c in columns],
                "reason": [c.reason for c in columns],
            },
            self.library,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return source, size, roles and columns as plain JSON values; no rows."""
        return {
            "source": self.source,
            "rows": self.n_rows,
            "roles": dict(self.roles),
            "columns": to_jsonable(list(self.columns.values())),
            "notes": list(self.notes),
        }

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        shown = [f"{c.name} ({c.kind}{f', {c.missing:,} missing' if c.missing else ''})" for c in self.columns.values()]
        more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
        size = f"{self.n_rows:,} row{'s' * (self.n_rows != 1)}, {len(shown)} column{'s' * (len(shown) != 1)}"
        return f"{self.source}: {size}: {', '.join(shown[:20])}{more}"

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{html.escape(c.name)}</td><td>{c.kind}</td><td>{c.missing:,}</td>"
            f"<td>{html.escape(c.unit or '')}</td></tr>"
            for c in self.columns.values()
        )
        head = "<tr><th>column</th><th>kind</th><th>missing</th><th>unit</th></tr>"
        return f"<p>{html.escape(self.source)}: {self.n_rows:,} rows</p><table>{head}{cells}</table>"


def _holds_numbers(column: Column) -> bool:
    return column.levels is None or all(isinstance(level, (int, float)) for level in column.levels)


def _recount(column: Column, table: pa.Table) -> Column:
    from dataclasses import replace

    import pyarrow.compute as pc

    missing = int(pc.sum(pc.is_null(table.column(column.name), nan_is_null=True)).as_py() or 0)
    return replace(column, missing=missing, distinct=None)


def _bytes_of(column: pa.ChunkedArray) -> bytes:
    """Return a column's values as bytes that do not depend on how a library stores them."""
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        values = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        return np.where(np.isnan(values), np.nan, values + 0.0).tobytes()
    return "\x1f".join("\x00" if value is None else str(value) for value in column.to_pylist()).encode()
