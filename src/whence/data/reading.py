"""From any kind of table to a Dataset, with every decision stated and every problem named."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import HAS_LEVELS, Column, Facts, Kind, infer_kind
from whence.data.memory import MemoryTable
from whence.data.spelled import numbers_of
from whence.errors import DataError, ParameterError, quote_names, suggest

if TYPE_CHECKING:
    import pyarrow as pa

# A column of text is shown as numbers with stray text if at least this share of its values are numbers.
_MOSTLY_NUMBERS = 0.5
SHOWN = 3
# Values that are looked at together, so that they stay in the cache.
_AT_ONCE = 2**17
# Sorting is quicker than hashing until a column no longer fits in the cache.
_SORTED_UP_TO = 50_000
# A column whose first values are different and not all whole is continuous whatever follows.
_FIRST = 3


def read(
    source: Any,
    *,
    names: Sequence[str] | None = None,
    missing: Iterable[Any] = (),
    kinds: Mapping[str, Kind | str] | None = None,
    roles: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    drop: str | Iterable[str] = (),
    lazy: bool | None = None,
) -> Dataset:
    """Read a table of any sort into a Dataset.

    Parameters
    ----------
    source : table, array, mapping or path
        A pandas, polars or pyarrow table; a NumPy array of shape (n, p); a mapping of name to values; a DuckDB relation
        or an Ibis table; the path of a CSV, TSV, Parquet, JSON-lines or Arrow file (or a pattern such as
        ``part-*.parquet``); ``"duckdb:///file.db::table"``.
    names : sequence of str, optional
        Column names of an array; ``x1, x2, ...`` if left out, and said so in ``notes``.
    missing : iterable
        Values that mean missing, beside the source's own nulls and NaN: ``["n/a", -999]``.
    kinds : mapping of str to Kind, optional
        Overrides of the inferred kinds.
    roles : mapping of role to str, optional
        ``treatment``, ``outcome``, ``domain``, ``unit``, ``time``, ``instrument``, ``weight``, ``id``.
    units : mapping of str to str, optional
        Units by column; effects are reported in them.
    drop : str or iterable of str
        Columns to leave out, before anything else is asked of them.
    lazy : bool, optional
        True keeps the rows where they are and reads only sums; by default files above 500 MB are.

    Raises
    ------
    DataError
        If the source cannot be read, naming the file, row, column or value and what to do.

    Examples
    --------
    >>> data = read({"dose": [0, 1, 1, 0], "cure": [1.5, 2.5, None, 0.5]})
    >>> data.columns["dose"].kind, data.columns["cure"].missing
    (<Kind.BINARY: 'binary'>, 1)
    """
    if isinstance(source, Dataset):
        return _redeclared(source.drop(drop), missing, kinds, roles, units)
    from whence.data import sources

    opened = sources.open_source(source, names, lazy).without((drop,) if isinstance(drop, str) else tuple(drop))
    listed = declared_values(missing)
    if opened.table is None:
        from whence.data.sql_reading import read_sql

        return read_sql(opened, source, missing=listed, kinds=kinds or {}, roles=roles or {}, units=units or {})
    rows = opened.table
    check_names(rows.names, opened.label)
    if not rows.names:
        raise DataError("E101", f"{opened.label} holds no columns.", "Check that it is the right file.")
    if not rows.n_rows:
        raise DataError(
            "E101", f"{opened.label} holds {len(rows.names)} columns and no rows.", "Check that it is the right file."
        )
    notes = list(opened.notes)
    if listed or rows.numbers is None:
        table, declared = _with_declared_missing(rows.table, listed)
        table, spelled = _with_spelled_numbers(table, kinds or {})
        notes += [*declared, *spelled]
        rows = MemoryTable(table) if declared or table.schema != rows.table.schema else rows
    same = rows is opened.table
    check_keys(kinds or {}, rows.names, "kinds")
    check_keys(units or {}, rows.names, "units")
    columns = [
        _described(name, rows, facts, (kinds or {}).get(name), (units or {}).get(name))
        for name, facts in zip(rows.names, _facts_of(rows))
    ]
    return Dataset(
        rows,
        columns,
        source=opened.label,
        library=opened.library,
        roles=roles,
        notes=notes,
        native=source if opened.keep_native and same else None,
    )


def as_dataset(data: Any) -> Dataset:
    """Return a Dataset from anything `read` takes."""
    return data if isinstance(data, Dataset) else read(data)


def column_of(name: str, values: pa.ChunkedArray, *, kind: Kind | str | None = None, unit: str | None = None) -> Column:
    """Describe a column: its kind by the rules of `infer_kind` unless given, its levels if it has any.

    Raises
    ------
    DataError
        For infinite values, numbers with stray text among them, or an override that the values do not allow.
    """
    import pyarrow as pa

    rows = MemoryTable(pa.table([values], names=[name]))
    return _described(name, rows, _facts_of(rows)[0], kind, unit)


def _described(name: str, rows: MemoryTable, facts: Facts, kind: Kind | str | None, unit: str | None) -> Column:
    if kind is None:
        chosen, reason = infer_kind(name, facts)
        if chosen in (Kind.ID, Kind.CATEGORICAL) and facts.storage == "text":
            _check_stray_text(name, rows.table.column(name))
    else:
        chosen, reason = given_kind(name, kind), "it was declared so"
        check_override(name, chosen, facts)
    levels = rows.levels(name) if chosen in HAS_LEVELS else None
    distinct = facts.distinct if facts.distinct is not None or levels is None else len(levels)
    return Column(name, chosen, rows.n_rows - facts.rows, distinct, levels, unit, reason)


def to_arrow_array(name: str, values: Any) -> pa.Array:
    """Return values as an Arrow array, NaN kept, mixed types refused with the rows named."""
    import pyarrow as pa

    scalar = isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable)
    if scalar or getattr(values, "ndim", 1) != 1:
        problem = f"column {name!r} is a {type(values).__name__}, which is not one value for each row."
        raise DataError("E113", problem, "Give every column a sequence of values.")
    try:
        return pa.array(values, from_pandas=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        kinds = Counter(type(value).__name__ for value in values if value is not None)
        held = f"mixes values of the types {quote_names(kinds)}" if len(kinds) > 1 else f"holds {next(iter(kinds), '')}"
        raise DataError(
            "E111", f"column {name!r} {held}.", "Bring it to one type of number, text or time before reading it."
        ) from error


def check_names(names: Sequence[str], label: str) -> None:
    """Raise DataError if a column name occurs twice or is empty."""
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise DataError("E102", f"{label} names {quote_names(twice)} twice.", "Rename one of the columns.")
    if "" in names:
        position = list(names).index("") + 1
        raise DataError("E102", f"column {position} of {label} has no name.", "Give every column a name.")


def _facts_of(rows: MemoryTable) -> list[Facts]:
    """Describe all columns; those of floats many at a time."""
    found: dict[str, Facts] = {}
    for names, values in rows.floating(_AT_ONCE):
        found.update(zip(names, _float_facts(names, values)))
    return [found[name] if name in found else _facts(rows, name) for name in rows.names]


def _float_facts(names: Sequence[str], values: NDArray[np.float64]) -> list[Facts]:
    """Describe columns of floats, shape (p, n), together; one by one those that are incomplete or may be whole."""
    low, high = values.min(axis=1), values.max(axis=1)
    for k in np.flatnonzero(np.isinf(low) | np.isinf(high)).tolist():
        raise not_finite(names[k], values[k])
    sure = _continuous(values[:, :_FIRST]) & ~np.isnan(low)
    rows = values.shape[1]
    return [
        Facts("float", rows, None, False, smallest) if settled else _facts_of_floats(name, column)
        for name, column, settled, smallest in zip(names, values, sure.tolist(), low.tolist())
    ]


def _continuous(first: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether the first values of columns, shape (p, 3), are different and not all whole."""
    if first.shape[1] < _FIRST:
        return np.zeros(len(first), dtype=bool)
    a, b, c = first.T
    return np.asarray((a != b) & (b != c) & (a != c) & (np.floor(first) != first).any(axis=1))


def _facts_of_floats(name: str, values: NDArray[np.float64]) -> Facts:
    clean = values[~np.isnan(values)]
    if not len(clean):
        return Facts("float", 0, 0)
    smallest = float(clean.min())
    if np.isinf(smallest) or np.isinf(clean.max()):
        raise not_finite(name, values)
    if _continuous(clean[None, :_FIRST])[0]:
        return Facts("float", len(clean), None, False, smallest)
    whole = bool((np.floor(clean) == clean).all())
    return Facts("integer" if whole else "float", len(clean), count_distinct(clean), whole, smallest)


def count_distinct(values: NDArray[np.float64]) -> int:
    """Return how many values are different; none may be missing."""
    import pyarrow.compute as pc

    return len(np.unique(values)) if len(values) <= _SORTED_UP_TO else int(pc.count_distinct(values).as_py())


def _facts(rows: MemoryTable, name: str) -> Facts:
    import pyarrow as pa
    import pyarrow.compute as pc

    if (found := rows.whole(name)) is not None:
        whole, place = found
        return Facts("integer", rows.n_rows, whole.distinct(place), True, float(whole.low[place]))
    values = rows.table.column(name)
    kind = values.type
    present = len(values) - values.null_count
    plain = values.cast(kind.value_type) if pa.types.is_dictionary(kind) else values
    plain = plain.cast(pa.string()) if pa.types.is_null(kind) else plain
    distinct = pc.count_distinct(plain, mode="only_valid").as_py()
    if pa.types.is_dictionary(kind):
        return Facts("ordered category" if kind.ordered else "category", present, distinct)
    if pa.types.is_boolean(kind):
        return Facts("boolean", present, distinct)
    if pa.types.is_temporal(kind):
        return Facts("time", present, distinct)
    if pa.types.is_integer(kind):
        return Facts("integer", present, distinct, True, float(pc.min(values).as_py() or 0.0))
    sample = [value for value in values.slice(0, 200).to_pylist() if value is not None]
    return Facts("text", present, distinct, sample=sample)


def not_finite(name: str, values: NDArray[np.float64]) -> DataError:
    """Return the error for a column with infinite values."""
    infinite = np.isinf(values)
    count = int(np.count_nonzero(infinite))
    return DataError(
        "E104",
        f"column {name!r} has {count} infinite value{'s' * (count > 1)} (first in row {np.argmax(infinite) + 1}).",
        "Replace them, or declare them missing with wh.read(..., missing=[float('inf'), -float('inf')]) or with "
        "--missing inf --missing=-inf.",
    )


def _check_stray_text(name: str, values: pa.ChunkedArray) -> None:
    """Refuse a column that is numbers but for a few words: it would be taken for a category without a word."""
    if not any(is_number(text) for text in values.unique().to_pylist()):
        return
    strays: dict[str, list[int]] = {}
    numbers = 0
    for row, text in enumerate(values.to_pylist(), start=1):
        if text is None:
            continue
        if is_number(text):
            numbers += 1
        else:
            strays.setdefault(str(text), []).append(row)
    count = sum(map(len, strays.values()))
    if not mostly_numbers(numbers, count):
        return
    rows = sorted(row for listed in strays.values() for row in listed)[:SHOWN]
    shown = ", ".join(map(str, rows)) + (", ..." if count > SHOWN else "")
    raise stray_text(name, count, list(strays)[:SHOWN], f"row{'s' * (count > 1)} {shown}: ")


def mostly_numbers(numbers: int, strays: int) -> bool:
    """Return whether a column of text is numbers but for a few words."""
    return strays > 0 and numbers >= _MOSTLY_NUMBERS * (numbers + strays)


def stray_text(name: str, count: int, found: list[str], where: str = "") -> DataError:
    """Return the error for a column of numbers with words among them."""
    return DataError(
        "E103",
        f"column {name!r} has {'1 value that is' if count == 1 else f'{count:,} values that are'} not numeric "
        f"({where}{quote_names(found)}).",
        f"Declare them missing with wh.read(..., missing={found}) or --missing {shlex.quote(found[0])}, make the "
        f"column a category with kinds= or --kind {shlex.quote(name)}=categorical, or leave it out with drop= or "
        f"--drop {shlex.quote(as_listed(name))}.",
    )


def as_listed(name: str) -> str:
    """Return a name as a list of names takes it: quoted if it holds a comma or a quote."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set(",<\"'") else name


def is_number(text: Any) -> bool:
    """Return whether a text can be read as a number."""
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def given_kind(name: str, kind: Kind | str) -> Kind:
    """Return a declared kind, or raise ParameterError naming the known ones."""
    try:
        return Kind(kind)
    except ValueError:
        raise ParameterError(
            "E112", f"column {name!r} is given the unknown kind {kind!r}.", f"Kinds: {quote_names(Kind)}."
        ) from None


def check_override(name: str, kind: Kind, facts: Facts) -> None:
    """Raise DataError if the values do not allow a declared kind."""
    if kind is Kind.BINARY and (facts.distinct is None or facts.distinct > 2):
        held = f"{facts.distinct} values" if facts.distinct is not None else "more than two values"
        raise DataError("E112", f"column {name!r} is declared binary and holds {held}.", "Check the kind.")
    if kind in (Kind.CONTINUOUS, Kind.COUNT) and facts.storage in ("text", "category", "ordered category", "time"):
        raise DataError(
            "E112",
            f"column {name!r} is declared {kind} and holds {facts.storage}.",
            "Convert it first, or declare another kind (kinds= or --kind).",
        )


def check_keys(given: Iterable[str], names: Sequence[str], argument: str) -> None:
    """Raise DataError if an argument names a column that is not there."""
    held = set(names)
    absent = [name for name in given if name not in held]
    if absent:
        raise DataError(
            "E123", f"{argument}= names {quote_names(absent)}, which is not a column.", suggest(absent[0], names)
        )


def declared_values(missing: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values that mean missing; one text alone is one value, not its letters."""
    return (missing,) if isinstance(missing, (str, bytes)) else tuple(missing)


def values_of_type(missing: Sequence[Any], kind: pa.DataType) -> list[Any]:
    """Return the declared values that a column of this type can hold, as values of the type.

    Text stands for the number or time it spells; numbers never stand for times or booleans.
    """
    import pyarrow as pa

    found = []
    for value in missing:
        spelled = value.strip() if isinstance(value, str) else value
        if pa.types.is_string(kind):
            found.append(str(spelled))
            continue
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if isinstance(value, bool) is not pa.types.is_boolean(kind) and not isinstance(value, str):
            continue
        if isinstance(value, (int, float)) and not (number or pa.types.is_boolean(kind)):
            continue
        try:
            found.append(pa.scalar(float(spelled) if number else spelled).cast(kind).as_py())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, ValueError, TypeError, OverflowError):
            continue
    return found


def _with_declared_missing(table: pa.Table, missing: tuple[Any, ...]) -> tuple[pa.Table, list[str]]:
    """Turn declared values into nulls; text columns that are numbers otherwise become numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    notes = []
    for place, name in enumerate(table.column_names if missing else ()):
        column = table.column(name)
        listed = pa.types.is_dictionary(column.type)
        kind = column.type.value_type if listed else column.type
        compared = column.cast(kind) if listed else column
        compared = pc.utf8_trim_whitespace(compared) if pa.types.is_string(kind) else compared
        values = pa.array(values_of_type(missing, kind), type=kind)
        mask = pc.is_in(compared, value_set=values, skip_nulls=True)
        count = int(pc.sum(mask).as_py() or 0)
        if not count:
            continue
        cleaned = _without(column, mask) if listed else pc.if_else(mask, pa.scalar(None, column.type), column)
        if pa.types.is_string(column.type):
            cleaned = _numbers_if_possible(cleaned)
        table = table.set_column(place, name, cleaned)
        notes.append(declared_note(name, count))
    return table, notes


def _with_spelled_numbers(table: pa.Table, kinds: Mapping[str, Any]) -> tuple[pa.Table, list[str]]:
    """Turn text that spells numbers with percent or currency signs into numbers, where no kind was declared."""
    import pyarrow as pa

    notes = []
    texts = [place for place, kind in enumerate(table.schema.types) if pa.types.is_string(kind)]
    for place in texts:
        name = table.column_names[place]
        if name not in kinds:
            column, note = numbers_of(name, table.column(place))
            table = table.set_column(place, name, column)
            notes += [note] if note else []
    return table, notes


def _without(column: pa.ChunkedArray, mask: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of categories with some values missing, its categories in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    one = column.combine_chunks()
    one = one.chunk(0) if isinstance(one, pa.ChunkedArray) else one
    indices = pc.if_else(mask.combine_chunks(), pa.scalar(None, one.indices.type), one.indices)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, one.dictionary, ordered=column.type.ordered)])


def declared_note(name: str, count: int) -> str:
    """Return the note on declared values that were found."""
    return f"{count:,} value{'s' * (count != 1)} of {name!r} {'were' if count != 1 else 'was'} declared missing."


def _numbers_if_possible(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        return column


def _redeclared(
    data: Dataset,
    missing: Iterable[Any],
    kinds: Mapping[str, Kind | str] | None,
    roles: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
) -> Dataset:
    """Return a Dataset read before, with what is newly declared."""
    listed = declared_values(missing)
    if listed:
        known = {**data.roles, **(roles or {})}
        return read(data.to_arrow(), missing=listed, kinds=kinds, roles=known, units=units).with_source(data.source)
    if kinds:
        data = data.with_kinds(kinds)
    if roles:
        data = data.with_roles(**roles)
    return data.with_units(units) if units else data
