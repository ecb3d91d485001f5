"""The sorts of sources: tables of other libraries, arrays, databases. Each becomes Arrow or an SQL relation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whence.data.memory import MemoryTable
from whence.data.reading import check_keys, check_names, to_arrow_array
from whence.errors import DataError, quote_names

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = count(1)
_NUMBER_TYPES = tuple(map(np.dtype, ("float64", "float32", "int64", "int32", "int16", "int8")))


@dataclass(frozen=True)
class Opened:
    """A source that was opened: an Arrow table, or an SQL relation that stays where it is.

    Attributes
    ----------
    label : str
        What it is called in messages.
    library : str
        See `whence.data.Dataset`.
    table : MemoryTable or None
    sql : ibis.Table or None
    run : callable
        From an Ibis expression to an Arrow table: the one place where queries leave the library.
    notes : list of str
    keep_native : bool
        Whether the user's own object holds the same rows.
    """

    label: str
    library: str
    table: MemoryTable | None = None
    sql: Any = None
    run: Callable[[Any], Any] = field(default_factory=lambda: fetch)
    notes: list[str] = field(default_factory=list)
    keep_native: bool = False

    def without(self, names: Sequence[str]) -> Opened:
        """Return the source without some of its columns."""
        if not names:
            return self
        check_keys(names, self.sql.columns if self.table is None else self.table.names, "drop")
        table = MemoryTable(self.table.table.drop_columns(list(names))) if self.table is not None else None
        sql = self.sql.drop(*names) if self.sql is not None else None
        notes = [*self.notes, f"Left out as asked: {quote_names(names)}."]
        return replace(self, table=table, sql=sql, notes=notes, keep_native=False)


def open_source(source: Any, names: Sequence[str] | None, lazy: bool | None) -> Opened:
    """Open anything `whence.read` takes."""
    if names is not None and not isinstance(source, np.ndarray):
        raise DataError(
            "E113", f"names= is for arrays; a {type(source).__name__} names its columns.", "Leave names= out."
        )
    opened = _open(source, names, lazy)
    if opened.sql is None or lazy is not False:
        return opened
    table = MemoryTable(flat(opened.run(opened.sql), opened.label))
    return Opened(opened.label, "pyarrow" if isinstance(source, (str, Path)) else "sql", table)


def _open(source: Any, names: Sequence[str] | None, lazy: bool | None) -> Opened:
    import pyarrow as pa

    if isinstance(source, (str, Path)):
        from whence.data.files import open_path

        return open_path(str(source), lazy)
    if isinstance(source, pa.Table):
        return Opened("the table", "pyarrow", MemoryTable(flat(source)), keep_native=True)
    if isinstance(source, Mapping):
        return _open_mapping(source)
    if isinstance(source, np.ndarray):
        return _open_array(source, names)
    module = type(source).__module__.split(".")[0]
    if module in ("duckdb", "_duckdb"):
        return open_relation(source, "the DuckDB relation", keep_native=True)
    if module == "ibis":
        return Opened("the Ibis table", "sql", sql=source, keep_native=True)
    if module in ("pandas", "polars") or hasattr(source, "__arrow_c_stream__"):
        return _open_frame(source, module)
    raise DataError(
        "E105",
        f"a {type(source).__name__} cannot be read as a table.",
        "Pass a pandas, polars or pyarrow table, an array, a mapping of columns, or the path of a file.",
    )


def _open_mapping(source: Mapping[Any, Any]) -> Opened:
    import pyarrow as pa

    check_names([str(name) for name in source], "the mapping")
    arrays = {
        str(name): to_arrow_array(str(name), np.asarray(values) if isinstance(values, range) else values)
        for name, values in source.items()
    }
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise DataError("E113", f"the columns differ in length: {lengths}.", "Give every column the same rows.")
    return Opened("the table", "pyarrow", MemoryTable(flat(pa.table(arrays))))


def _open_array(source: np.ndarray, names: Sequence[str] | None) -> Opened:
    import pyarrow as pa

    if source.ndim != 2:
        raise DataError("E113", f"an array of {source.ndim} dimensions is not a table.", "Pass shape (rows, columns).")
    notes = [] if names is not None else ["The array came without names; its columns are called x1, x2, ..."]
    listed = [f"x{k + 1}" for k in range(source.shape[1])] if names is None else [str(name) for name in names]
    if len(listed) != source.shape[1]:
        raise DataError(
            "E113", f"{len(listed)} names were given for {source.shape[1]} columns.", "Give one name for each column."
        )
    check_names(listed, "the array")
    if source.dtype in _NUMBER_TYPES:
        numbers = np.array(source, order="C")  # a copy, so that what is read stays as it was
        return Opened("the array", "numpy", MemoryTable(names=listed, numbers=numbers), notes=notes, keep_native=True)
    table = flat(pa.table([to_arrow_array(name, column) for name, column in zip(listed, source.T)], names=listed))
    return Opened("the array", "numpy", MemoryTable(table), notes=notes, keep_native=True)


def _open_frame(source: Any, module: str) -> Opened:
    import narwhals as nw
    import pyarrow as pa

    if module == "pandas":
        check_names([str(name) for name in getattr(source, "columns", ())], "the table")
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    library = module if module in ("pandas", "polars") else "pyarrow"
    if not isinstance(frame, nw.DataFrame):
        return Opened("the table", library, MemoryTable(flat(pa.table(source))), keep_native=True)
    names = [str(name) for name in frame.columns]
    check_names(names, "the table")
    try:
        table = frame.to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        for name, column in zip(names, frame.iter_columns()):
            to_arrow_array(name, column.to_list())
        reason = str(error).splitlines()[0]
        raise DataError("E111", f"a column mixes types ({reason}).", "Bring every column to one type.") from error
    index = [name for name in table.column_names if name.startswith("__index_level_") and name not in names]
    table = flat(table.drop_columns(index).rename_columns(names))
    return Opened("the table", library, MemoryTable(table), keep_native=True)


def open_relation(relation: Any, label: str, notes: Sequence[str] = (), *, keep_native: bool = False) -> Opened:
    """Keep a DuckDB relation where it is: queries are written by Ibis and run on the relation's own connection."""
    import ibis

    alias = f"whence_relation_{next(_NUMBERS)}"
    schema = asked(lambda: relation.limit(0).to_arrow_table()).schema
    types = {}
    for field_ in schema:
        try:
            types[field_.name] = ibis.dtype(field_.type)
        except Exception as error:
            raise no_value(field_.name, field_.type) from error
    check_names(schema.names, label)

    def run(expression: Any) -> pa.Table:
        query = str(ibis.to_sql(expression, dialect="duckdb"))
        found = asked(lambda: relation.query(alias, query).to_arrow_table())
        return found.cast(expression.as_table().schema().to_pyarrow())

    sql = ibis.table(ibis.schema(types), name=alias)
    return Opened(label, "sql", sql=sql, run=run, notes=list(notes), keep_native=keep_native)


def fetch(expression: Any) -> pa.Table:
    """Run a query where its Ibis table is, and return the answer as an Arrow table."""

    def question() -> pa.Table:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Ibis asks DuckDB by a name of its past
            return expression.to_pyarrow()

    return asked(question)


def asked(question: Callable[[], pa.Table]) -> pa.Table:
    """Return what a database answers; its refusals become one-line errors."""
    try:
        return question()
    except Exception as error:
        raise DataError(
            "E109",
            f"the rows cannot be read where they are ({first_line(error)}).",
            "Check that the file or connection is still whole, or bring it into memory with wh.read(..., lazy=False).",
        ) from error


def first_line(error: Exception) -> str:
    """Return the start of another library's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200].rstrip(".") if lines else type(error).__name__


def flat(table: pa.Table, label: str = "the table") -> pa.Table:
    """Bring a table to the few types the library knows: numbers, text, categories, times, booleans."""
    import pyarrow as pa

    check_names(table.column_names, label)
    columns = [_flat_column(name, table.column(name)) for name in table.column_names]
    return pa.table(columns, names=table.column_names) if columns else table


def _flat_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_null(kind) or pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64())
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False).cast(pa.int64()).cast(pa.float64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_dictionary(kind):
        return _flat_categories(name, column)
    numbers = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    if numbers or pa.types.is_string(kind) or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind)):
        return column
    raise no_value(name, kind)


def _flat_categories(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return categories with text, numbers, times or booleans behind them, and missing ones missing."""
    import pyarrow as pa

    chunks = []
    for chunk in column.unify_dictionaries().chunks:
        dictionary = _flat_column(name, pa.chunked_array([chunk.dictionary])).combine_chunks()
        if isinstance(dictionary, pa.ChunkedArray):
            dictionary = dictionary.chunk(0)
        array = pa.DictionaryArray.from_arrays(chunk.indices, dictionary, ordered=column.type.ordered)
        chunks.append(array.cast(dictionary.type).dictionary_encode() if dictionary.null_count else array)
    empty = pa.dictionary(pa.int32(), pa.string(), ordered=column.type.ordered)
    return pa.chunked_array(chunks) if chunks else pa.chunked_array([], type=empty)


def no_value(name: str, kind: Any) -> DataError:
    """Return the error for a column of lists, structures or bytes."""
    return DataError(
        "E111", f"column {name!r} holds {kind}, which is no value.", "Leave it out, or turn it into numbers or text."
    )
