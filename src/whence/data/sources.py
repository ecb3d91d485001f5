"""The sorts of sources: tables of other libraries, arrays, files. Each becomes an Arrow table or an SQL relation."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whence.data.reading import check_names, to_arrow_array
from whence.errors import DataError, quote_names

if TYPE_CHECKING:
    import pyarrow as pa

LAZY_BYTES = 500 * 2**20
_PARQUET, _ARROW, _JSON = (".parquet", ".pq"), (".arrow", ".feather", ".ipc"), (".jsonl", ".ndjson", ".json")
_TEXT = (".csv", ".tsv", ".txt", ".data", ".dat", ".gz")


@dataclass(frozen=True)
class Opened:
    """A source that was opened: an Arrow table, or an SQL relation that stays where it is."""

    label: str
    library: str
    table: Any = None
    sql: Any = None
    notes: list[str] = field(default_factory=list)
    keep_native: bool = False


def open_source(source: Any, names: Sequence[str] | None, lazy: bool | None) -> Opened:
    """Open anything `whence.read` takes."""
    import pyarrow as pa

    if isinstance(source, (str, Path)):
        return _open_path(str(source), lazy)
    if isinstance(source, pa.Table):
        return Opened("the table", "pyarrow", _flat(source), keep_native=True)
    if isinstance(source, Mapping):
        check_names([str(name) for name in source], "the mapping")
        lengths = {str(name): len(values) for name, values in source.items()}
        if len(set(lengths.values())) > 1:
            raise DataError("E113", f"the columns differ in length: {lengths}.", "Give every column the same rows.")
        arrays = {
            str(name): to_arrow_array(str(name), np.asarray(v) if isinstance(v, range) else v)
            for name, v in source.items()
        }
        return Opened("the table", "pyarrow", pa.table(arrays))
    if isinstance(source, np.ndarray):
        return _open_array(source, names)
    module = type(source).__module__.split(".")[0]
    if module in ("duckdb", "_duckdb", "ibis"):
        return _open_relation(source, module)
    if module in ("pandas", "polars") or hasattr(source, "__arrow_c_stream__"):
        return _open_frame(source, module)
    raise DataError(
        "E105",
        f"a {type(source).__name__} cannot be read as a table.",
        "Pass a pandas, polars or pyarrow table, an array, a mapping of columns, or the path of a file.",
    )


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
    arrays = [to_arrow_array(name, np.ascontiguousarray(source[:, k])) for k, name in enumerate(listed)]
    return Opened("the array", "numpy", pa.table(arrays, names=listed), notes=notes)


def _open_frame(source: Any, module: str) -> Opened:
    import narwhals as nw
    import pyarrow as pa

    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    library = module if module in ("pandas", "polars") else "pyarrow"
    if not isinstance(frame, nw.DataFrame):
        return Opened("the table", library, _flat(pa.table(source)), keep_native=True)
    names = [str(name) for name in frame.columns]
    check_names(names, "the table")
    try:
        table = frame.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError("E111", f"a column mixes types: {error}.", "Bring every column to one type.") from error
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    return Opened("the table", library, _flat(table.drop_columns(index).rename_columns(names)), keep_native=True)


def _open_relation(source: Any, module: str) -> Opened:
    if module == "ibis":
        return Opened("the Ibis table", "sql", sql=source)
    import ibis

    return Opened("the DuckDB relation", "sql", sql=ibis.memtable(source.to_arrow_table()))


def _open_path(path: str, lazy: bool | None) -> Opened:
    if path.startswith("duckdb://"):
        return _open_database(path)
    files = sorted(glob.glob(path)) if glob.has_magic(path) else [path]
    if not files:
        raise DataError("E106", f"no file matches {path!r}.", "Check the pattern.")
    for name in files:
        _check_file(Path(name))
    first = Path(files[0])
    ending = first.suffix.lower()
    size = sum(os.path.getsize(name) for name in files)
    label = first.name if len(files) == 1 else f"{len(files)} files {Path(path).name}"
    stays = lazy if lazy is not None else size > LAZY_BYTES and ending in _PARQUET + _TEXT
    if stays:
        return _open_lazily(files, ending, label, size)
    if ending in _PARQUET:
        return Opened(label, "pyarrow", _flat(_read_parquet(files, label)))
    if ending in _ARROW:
        return Opened(label, "pyarrow", _flat(_read_arrow(first)))
    if ending in _JSON:
        return Opened(label, "pyarrow", _flat(_read_json(first)))
    return _read_text(first)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError("E106", f"{str(path)!r} is a folder.", "Give a file, or a pattern such as folder/*.parquet.")
    if not path.exists():
        near = get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [], n=3)
        hint = f"Closest in that folder: {quote_names(near)}." if near else "Check the path."
        raise DataError("E106", f"there is no file {str(path)!r}.", hint)
    if not os.access(path, os.R_OK):
        raise DataError("E106", f"the file {str(path)!r} may not be read.", "Change its permissions.")
    if path.stat().st_size == 0:
        raise DataError("E101", f"{path.name!r} is empty.", "Check that it was written completely.")


def _read_parquet(files: Sequence[str], label: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pa.concat_tables([pq.read_table(name) for name in files], promote_options="default")
    except (pa.ArrowInvalid, OSError) as error:
        raise _not_what_it_says(Path(files[0]), "Parquet", error) from error


def _read_arrow(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import feather

    try:
        return feather.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _not_what_it_says(path, "Arrow", error) from error


def _read_json(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.json as pj

    try:
        return pj.read_json(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _not_what_it_says(path, "JSON lines (one object a line)", error) from error


def _not_what_it_says(path: Path, form: str, error: Exception) -> DataError:
    start = path.read_bytes()[:4]
    text = (
        f"{path.name!r} is a truncated or damaged Parquet file" if start == b"PAR1" else f"{path.name!r} is not {form}"
    )
    reason = str(error).splitlines()[0][:120]
    return DataError("E107", f"{text} ({reason}).", "Write the file again, or give it the ending of what it holds.")


def _read_text(path: Path) -> Opened:
    """Read delimited text: the separator is the one that gives every line the same number of cells."""
    import gzip

    import pyarrow as pa
    import pyarrow.csv as pc

    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if b"\x00" in raw[:4096]:
        raise DataError("E107", f"{path.name!r} is not text but binary.", "Give it the ending of what it holds.")
    text, encoding = _decode(path, raw)
    notes = [] if encoding == "utf-8" else [f"The file is not UTF-8; it was read as {encoding}."]
    separator = _separator(text)
    if separator == " ":
        lines = (line.split() for line in text.splitlines() if line.strip())
        text = "\n".join(",".join(_quoted(cell) for cell in line) for line in lines)
        separator = ","
    header = next(csv.reader([text.split("\n", 1)[0].rstrip("\r")], delimiter=separator), [])
    check_names([name.strip() for name in header] if len(header) > 1 else header, path.name)
    parse = pc.ParseOptions(delimiter=separator, newlines_in_values=True)
    convert = pc.ConvertOptions(
        null_values=["", "NA", "NaN", "nan", "null", "NULL", "None", "#N/A"], strings_can_be_null=True
    )
    try:
        table = pc.read_csv(pa.BufferReader(text.encode()), parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid as error:
        raise _ragged(path, text, separator, error) from error
    return Opened(path.name, "pyarrow", _flat(table), notes=notes)


def _decode(path: Path, raw: bytes) -> tuple[str, str]:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8-sig" or sum(letter < " " and letter not in "\t\r\n" for letter in text[:4096]) == 0:
            return text, "utf-8" if encoding == "utf-8-sig" else encoding
    raise DataError("E107", f"{path.name!r} is not text in UTF-8 or Windows-1252.", "Save it as UTF-8.")


def _separator(text: str) -> str:
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    for separator in (",", ";", "\t", "|"):
        cells = {len(row) for row in csv.reader(lines, delimiter=separator)}
        if max(cells) > 1:
            return separator
    widths = {len(line.split()) for line in lines}
    return " " if len(widths) == 1 and widths != {1} else ","


def _quoted(cell: str) -> str:
    return '"' + cell.strip('"').replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def _ragged(path: Path, text: str, separator: str, error: Exception) -> DataError:
    rows = csv.reader(text.splitlines(), delimiter=separator)
    width = len(next(rows, []))
    for line, row in enumerate(rows, start=2):
        if row and len(row) != width:
            return DataError(
                "E108",
                f"line {line} of {path.name!r} has {len(row)} cells, the header {width}.",
                "Quote cells that hold the separator, or repair the line.",
            )
    return DataError("E108", f"{path.name!r} cannot be read as a table ({error}).", "Check the file.")


def _open_lazily(files: Sequence[str], ending: str, label: str, size: int) -> Opened:
    import ibis

    connection = ibis.duckdb.connect()
    try:
        relation = connection.read_parquet(files) if ending in _PARQUET else connection.read_csv(files)
    except Exception as error:
        raise _not_what_it_says(Path(files[0]), "Parquet" if ending in _PARQUET else "CSV", error) from error
    note = f"{label} holds {size / 2**20:,.0f} MB; its rows stay on disk and only sums are read."
    return Opened(label, "sql", sql=relation, notes=[note])


def _open_database(path: str) -> Opened:
    import ibis

    file, _, table = path.removeprefix("duckdb://").lstrip("/").partition("::")
    file = "/" + file if path.startswith("duckdb:////") or not Path(file).exists() else file
    if not table or not Path(file).exists():
        raise DataError("E106", f"{path!r} names no table of an existing database.", "Write duckdb:///file.db::table.")
    connection = ibis.duckdb.connect(file, read_only=True)
    if table not in connection.list_tables():
        raise DataError(
            "E106", f"{Path(file).name!r} has no table {table!r}.", f"It has {quote_names(connection.list_tables())}."
        )
    return Opened(f"{Path(file).name}::{table}", "sql", sql=connection.table(table))


def _flat(table: pa.Table) -> pa.Table:
    """Bring a table to the few types the library knows: numbers, text, categories, times, booleans."""
    import pyarrow as pa

    check_names(table.column_names, "the table")
    columns = []
    for name in table.column_names:
        column, kind = table.column(name), table.column(name).type
        if pa.types.is_null(kind) or pa.types.is_decimal(kind) or pa.types.is_float16(kind):
            column = column.cast(pa.float64())
        elif pa.types.is_duration(kind):
            column = column.cast(pa.duration("us")).cast(pa.int64()).cast(pa.float64())
        elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            column = column.cast(pa.string())
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind):
            raise DataError("E111", f"column {name!r} holds {kind}, which is no value.", "Leave it out or flatten it.")
        columns.append(column)
    return pa.table(columns, names=table.column_names)
