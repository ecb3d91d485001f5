"""Files: delimited text, Parquet, Arrow, JSON lines and DuckDB databases, into memory or left on disk."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whence.data.memory import MemoryTable
from whence.data.reading import check_names, to_arrow_array
from whence.data.sources import Opened, first_line, flat, open_relation
from whence.errors import DataError, quote_names

if TYPE_CHECKING:
    import pyarrow as pa

LAZY_BYTES = 500 * 2**20
ABSENT = ["", "NA", "NaN", "nan", "null", "NULL", "None", "#N/A"]
_PARQUET, _ARROW, _JSON = (".parquet", ".pq"), (".arrow", ".feather", ".ipc"), (".jsonl", ".ndjson", ".json")
_EXCEL = (".xlsx", ".xls", ".xlsm", ".ods")
_TEXT = (".csv", ".tsv", ".txt", ".data", ".dat", ".gz")
_HEAD_BYTES = 2**16
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DECIMAL_COMMA = re.compile(r"(?:^|;)\s*[+-]?\d+,\d+\s*(?:;|$)", re.MULTILINE)
_DECIMAL_POINT = re.compile(r"(?:^|;)\s*[+-]?\d+\.\d+\s*(?:;|$)", re.MULTILINE)


@dataclass(frozen=True)
class Layout:
    """How a text file writes its table, and its first rows."""

    separator: str
    decimal: str
    header: list[str]
    rows: list[list[str]]


def open_path(path: str, lazy: bool | None) -> Opened:
    """Open a file, a pattern of files or a table of a DuckDB database."""
    if path.startswith("duckdb://"):
        return _open_database(path)
    files = [path] if os.path.exists(path) or not glob.has_magic(path) else sorted(glob.glob(path))
    if not files:
        raise DataError("E106", f"no file matches {path!r}.", "Check the pattern.")
    for name in files:
        _check_file(Path(name))
    first = Path(files[0])
    ending = first.suffix.lower()
    if any(Path(name).suffix.lower() != ending for name in files):
        raise DataError("E106", f"the files of {path!r} have different endings.", "Give a pattern with one ending.")
    size = sum(os.path.getsize(name) for name in files)
    label = first.name if len(files) == 1 else f"{len(files)} files {Path(path).name}"
    stays = lazy if lazy is not None else size > LAZY_BYTES and ending in _PARQUET + _TEXT
    if stays:
        return _open_lazily(files, ending, label, size)
    readers: dict[tuple[str, ...], Callable[[Path], Any]] = {
        _PARQUET: _read_parquet, _ARROW: _read_arrow, _JSON: _read_json
    }  # fmt: skip
    read = next((reader for endings, reader in readers.items() if ending in endings), None)
    notes: list[str] = []
    tables = [flat(read(Path(n)) if read else _read_text(Path(n), notes), Path(n).name) for n in files]
    return Opened(label, "pyarrow", MemoryTable(_stacked(tables, files)), notes=notes)


def _stacked(tables: Sequence[pa.Table], files: Sequence[str]) -> pa.Table:
    """Put files of the same columns below one another."""
    import pyarrow as pa

    wanted = tables[0].column_names
    for table, file in zip(tables, files):
        for name in [*wanted, *table.column_names]:
            if (name in wanted) != (name in table.column_names):
                lacks, has = (file, files[0]) if name in wanted else (files[0], file)
                raise DataError(
                    "E108",
                    f"{Path(lacks).name!r} has no column {name!r}, {Path(has).name!r} has one.",
                    "Read files of the same columns together.",
                )
    try:
        return pa.concat_tables([table.select(wanted) for table in tables], promote_options="permissive")
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            "E111", f"the files hold different types ({reason}).", "Bring every column to one type."
        ) from error


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
    if path.suffix.lower() in _EXCEL:
        raise DataError(
            "E107",
            f"{path.name!r} is a spreadsheet, and those are not read.",
            "Save the sheet as CSV, or pass the table itself: wh.read(pandas.read_excel(...)).",
        )


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise _not_what_it_says(path, "Parquet", error) from error


def _read_arrow(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import feather

    try:
        return feather.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise _not_what_it_says(path, "Arrow", error) from error


def _read_json(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.json as pj

    with path.open("rb") as file:
        if file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            return _read_json_array(path)
    try:
        return pj.read_json(path)
    except (pa.ArrowException, OSError) as error:
        raise _not_what_it_says(path, "JSON lines (one object a line)", error) from error


def _read_json_array(path: Path) -> pa.Table:
    """Read one JSON array of objects; a name that an object lacks is missing there."""
    import pyarrow as pa

    try:
        listed = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise _not_what_it_says(path, "JSON", error) from error
    if not all(isinstance(row, dict) for row in listed):
        raise DataError(
            "E107", f"{path.name!r} is a JSON array of other things than objects.", "Write one object for each row."
        )
    names = list(dict.fromkeys(name for row in listed for name in row))
    check_names(names, path.name)
    return pa.table({name: to_arrow_array(name, [row.get(name) for row in listed]) for name in names})


def _not_what_it_says(path: Path, form: str, error: Exception) -> DataError:
    with path.open("rb") as file:
        cut = form == "Parquet" and file.read(4) == b"PAR1"
    text = f"{path.name!r} is a truncated or damaged Parquet file" if cut else f"{path.name!r} is not {form}"
    return DataError(
        "E107", f"{text} ({first_line(error)}).", "Write the file again, or give it the ending of what it holds."
    )


def _read_text(path: Path, notes: list[str]) -> pa.Table:
    """Read delimited text into memory; what was decided on the way goes to ``notes``."""
    import pyarrow as pa
    import pyarrow.csv as pc

    text, encoding = _decode(path, _raw(path))
    if encoding != "utf-8":
        notes.append(f"The file is not UTF-8; it was read as {encoding}.")
    text, comments = _without_comments(text)
    if comments:
        size = "1 line" if comments == 1 else f"{comments} lines"
        notes.append(f"Left out before the table: {size} of comment (#).")
    layout = layout_of(path, text)
    if layout.decimal == ",":
        notes.append("Numbers were read with a decimal comma.")
    separator = layout.separator
    if separator == " ":
        lines = (line.split() for line in text.splitlines() if line.strip())
        text = "\n".join(",".join(_quoted(cell) for cell in line) for line in lines)
        separator = ","
    parse = pc.ParseOptions(delimiter=separator, newlines_in_values=True)
    convert = pc.ConvertOptions(null_values=ABSENT, strings_can_be_null=True, decimal_point=layout.decimal)
    try:
        return pc.read_csv(pa.BufferReader(text.encode()), parse_options=parse, convert_options=convert)
    except pa.ArrowException as error:
        raise _ragged(path, text.splitlines(keepends=True), separator, error) from error


def _raw(path: Path, size: int = -1) -> bytes:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            raw: bytes = file.read(size)
    except (OSError, EOFError) as error:
        raise DataError(
            "E107", f"{path.name!r} cannot be unpacked ({first_line(error)}).", "Write the file again."
        ) from error
    if b"\x00" in raw[:4096] and not raw.startswith(_UTF16):
        raise DataError("E107", f"{path.name!r} is not text but binary.", "Give it the ending of what it holds.")
    return raw


def _decode(path: Path, raw: bytes) -> tuple[str, str]:
    if raw.startswith(_UTF16):
        return raw.decode("utf-16", errors="replace"), "utf-16"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8-sig" or sum(letter < " " and letter not in "\t\r\n" for letter in text[:4096]) == 0:
            return text, "utf-8" if encoding == "utf-8-sig" else encoding
    raise DataError("E107", f"{path.name!r} is not text in UTF-8 or Windows-1252.", "Save it as UTF-8.")


def _without_comments(text: str) -> tuple[str, int]:
    """Return a text without the lines of comment before its table, and how many those were.

    A last such line with as many cells as the table names its columns and is kept.
    """
    if not text.startswith("#"):
        return text, 0
    lines = text.splitlines(keepends=True)
    count = next((k for k, line in enumerate(lines) if not line.startswith("#")), 0)
    head = lines[count : count + 50]
    separator = _separator([line for line in head if line.strip()] or head)
    last, first = (len(next(csv.reader([line], delimiter=separator), [])) for line in (lines[count - 1], lines[count]))
    count -= last == first > 1
    return "".join(lines[count:]), count


def layout_of(path: Path, text: str) -> Layout:
    """Find separator, decimal sign and header of a text file from its first lines."""
    if not text.strip():
        raise DataError("E101", f"{path.name!r} is empty.", "Check that it was written completely.")
    lines = [line for line in text[:_HEAD_BYTES].splitlines(keepends=True) if line.strip()][:50]
    try:
        separator = _separator(lines)
        rows = list(csv.reader(lines, delimiter=separator))
        header = rows.pop(0)
    except (csv.Error, IndexError) as error:
        raise DataError("E108", f"{path.name!r} cannot be read as a table ({error}).", "Check the file.") from error
    header = header if separator != " " else lines[0].split()
    check_names(header, path.name)
    body = "".join(lines[1:])
    comma = separator == ";" and _DECIMAL_COMMA.search(body) and not _DECIMAL_POINT.search(body)
    return Layout(separator, "," if comma else ".", header, [row for row in rows if len(row) == len(header)])


def _separator(lines: Sequence[str]) -> str:
    """Return the separator that gives every line the same number of cells, else the first that parts any line."""
    widths = {mark: {len(row) for row in csv.reader(lines, delimiter=mark)} for mark in (",", ";", "\t", "|")}
    for mark, found in widths.items():
        if len(found) == 1 and found != {1}:
            return mark
    words = {len(line.split()) for line in lines}
    if len(words) == 1 and words != {1} and '"' not in lines[0] and all(found == {1} for found in widths.values()):
        return " "
    return next((mark for mark, found in widths.items() if max(found) > 1), ",")


def _quoted(cell: str) -> str:
    return '"' + cell.strip('"').replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def _ragged(path: Path, lines: Iterable[str], separator: str, error: Exception) -> DataError:
    """Return the error for text that is no table, with the first line that has another width if there is one."""
    try:
        rows = csv.reader(lines, delimiter=separator)
        width = len(next(rows, []))
        for row in rows:
            if row and len(row) != width:
                return DataError(
                    "E108",
                    f"line {rows.line_num} of {path.name!r} has {len(row)} cells, the header {width}.",
                    "Quote cells that hold the separator, or repair the line.",
                )
    except csv.Error:
        pass
    return DataError("E108", f"{path.name!r} cannot be read as a table ({first_line(error)}).", "Check the file.")


def _open_lazily(files: Sequence[str], ending: str, label: str, size: int) -> Opened:
    """Leave files on disk, read by DuckDB."""
    import duckdb

    connection = duckdb.connect()
    form = "CSV"
    try:
        if ending in _ARROW:
            from pyarrow import dataset

            form, relation = "Arrow", connection.from_arrow(dataset.dataset(files, format="feather"))
        elif ending in _PARQUET:
            form, relation = "Parquet", connection.sql(f"FROM read_parquet({_literal(files)})")
        elif ending in _JSON:
            form = "JSON lines (one object a line)"
            relation = connection.sql(f"FROM read_json({_literal(files)}, sample_size = -1)")
        else:
            relation = _text_relation(connection, files)
    except DataError:
        raise
    except Exception as error:
        raise _not_what_it_says(Path(files[0]), form, error) from error
    note = f"{label} holds {size / 2**20:,.0f} MB; its rows stay on disk and only sums are read."
    return open_relation(relation, label, [note])


def _literal(value: Any) -> str:
    """Return a value as SQL."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).lower()


def _text_relation(connection: Any, files: Sequence[str]) -> Any:
    """Tell DuckDB of text files what reading into memory would find: its own guesses rename columns and cut types."""
    layouts = []
    for name in files:
        path = Path(name)
        head = _raw(path, _HEAD_BYTES)
        text, encoding = _decode(path, head[: head.rfind(b"\n") + 1] or head)
        layouts.append(layout_of(path, text))
        problem = "is not UTF-8" if encoding != "utf-8" else ""
        problem = "is separated by runs of spaces" if layouts[-1].separator == " " else problem
        problem = "starts with lines of comment" if _without_comments(text)[1] else problem
        if problem:
            raise DataError("E107", f"{path.name!r} {problem} and cannot stay on disk.", "Read it with lazy=False.")
    layout = layouts[0]
    other = next((name for name, found in zip(files, layouts) if found.header != layout.header), None)
    if other is not None:
        raise DataError(
            "E108",
            f"{Path(other).name!r} and {Path(files[0]).name!r} have different headers.",
            "Read files of the same columns together.",
        )
    settings: dict[str, Any] = {"delim": layout.separator, "decimal_separator": layout.decimal, "quote": '"'}
    settings |= {"escape": '"', "header": True, "names": layout.header, "nullstr": ABSENT, "sample_size": -1}
    relation = _read_csv(connection, files, settings)
    # DuckDB takes yes and no, t and f for booleans; they are words here.
    words = {
        name: "VARCHAR"
        for place, (name, kind) in enumerate(zip(relation.columns, relation.types))
        if str(kind) == "BOOLEAN"
        and {row[place].strip().lower() for row in layout.rows} - {"true", "false", *map(str.lower, ABSENT)}
    }
    return _read_csv(connection, files, {**settings, "types": words}) if words else relation


def _read_csv(connection: Any, files: Sequence[str], settings: Mapping[str, Any]) -> Any:
    listed = ", ".join(f"{key} = {_literal(value)}" for key, value in settings.items())
    try:
        return connection.sql(f"FROM read_csv({_literal(files)}, {listed})")
    except Exception as error:
        path = Path(files[0])
        with gzip.open(path, "rt") if path.suffix.lower() == ".gz" else path.open() as lines:
            raise _ragged(path, lines, settings["delim"], error) from error


def _open_database(path: str) -> Opened:
    import duckdb

    file, _, table = path.removeprefix("duckdb://").removeprefix("/").partition("::")
    file = file if Path(file).exists() else "/" + file.lstrip("/")
    if not table or not Path(file).exists():
        raise DataError("E106", f"{path!r} names no table of an existing database.", "Write duckdb:///file.db::table.")
    try:
        connection = duckdb.connect(file, read_only=True)
        tables = [name for (name,) in connection.sql("SELECT table_name FROM information_schema.tables").fetchall()]
    except duckdb.Error as error:
        raise DataError(
            "E107",
            f"{Path(file).name!r} cannot be opened as a DuckDB database ({first_line(error)}).",
            "Close other programs that hold it open, or pass your own connection's table: connection.table(...).",
        ) from error
    if table not in tables:
        raise DataError("E106", f"{Path(file).name!r} has no table {table!r}.", f"It has {quote_names(tables)}.")
    quoted = table.replace('"', '""')
    return open_relation(connection.sql(f'FROM "{quoted}"'), f"{Path(file).name}::{table}")
