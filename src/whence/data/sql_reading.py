"""From an Ibis expression to a Dataset: kinds from its schema, a sample of rows and a few aggregate queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from typing import TYPE_CHECKING, Any

from whence.data.dataset import Dataset
from whence.data.kinds import HAS_LEVELS, Column, Facts, Kind, infer_kind, named_like_id
from whence.data.memory import sorted_levels
from whence.data.reading import (
    SHOWN,
    check_keys,
    check_names,
    check_override,
    declared_note,
    given_kind,
    mostly_numbers,
    stray_text,
    values_of_type,
)
from whence.data.sources import Opened, flat, no_value
from whence.data.sql import Known, SqlTable
from whence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_ROWS = 10_000
# Beyond so many rows distinct values are counted in a slice of their hashes, into which all copies of a value fall or
# none: exact for a value that repeats as often as the others, blind to a single one that repeats outside the slice.
SLICE_ROWS = 1_000_000
MOST_LEVELS = 10_000
# Up to so many different values in the sample are compared with all rows, which tells exactly if there are more.
_FEW = 2

Run = Callable[[Any], "pa.Table"]


def read_sql(
    opened: Opened,
    source: Any,
    *,
    missing: tuple[Any, ...],
    kinds: Mapping[str, Kind | str],
    roles: Mapping[str, str],
    units: Mapping[str, str],
) -> Dataset:
    """Describe a table that stays where it is."""
    run = opened.run
    check_names(list(opened.sql.columns), opened.label)
    check_keys(kinds, opened.sql.columns, "kinds")
    check_keys(units, opened.sql.columns, "units")
    relation = _plain_types(opened.sql)
    rows = _one(run, relation.aggregate(n=relation.count()))["n"]
    if not rows:
        raise DataError("E101", f"{opened.label} has no rows.", "Check that it is the right table.")
    relation, declared = _declare_missing(relation, run, missing)
    described = list(describe(relation, run, rows, dict.fromkeys(relation.columns) | dict(kinds), units))
    table = SqlTable(relation, run, rows, {column.name: known for column, known in described})
    notes = [*opened.notes, *declared, "Kinds come from the schema, the first rows and aggregate queries."]
    notes += [
        f"{column.name!r} has too many values to list them."
        for column, _ in described
        if column.kind in HAS_LEVELS and column.levels is None
    ]
    return Dataset(
        table,
        [column for column, _ in described],
        source=opened.label,
        library="sql",
        roles=roles,
        notes=notes,
        native=source if opened.keep_native and not declared else None,
    )


def describe(
    relation: Any,
    run: Run,
    rows: int,
    kinds: Mapping[str, Kind | str | None],
    units: Mapping[str, str | None],
) -> Iterator[tuple[Column, Known]]:
    """Yield a description of every column, and what sums over it need to know."""
    names = list(relation.columns)
    sample = flat(run(relation.limit(SAMPLE_ROWS)))
    looks = [_look(name, relation[name].type(), sample.column(name), kinds[name]) for name in names]
    wanted: dict[str, Any] = {}
    for k, (name, look) in enumerate(zip(names, looks)):
        wanted |= {f"{key}{k}": value for key, value in _questions(relation[name], look, rows).items()}
    summary = _one(run, relation.aggregate(**wanted))
    answers = [{key: summary.get(f"{key}{k}") for key in _KEYS} for k in range(len(names))]
    chosen = {}
    for name, look, answer in zip(names, looks, answers):
        _check_finite(name, answer, relation, run)
        facts = _facts(name, look, answer, relation, run, rows)
        kind = kinds[name]
        if kind is None:
            chosen[name] = (facts, *infer_kind(name, facts))
            if look.storage == "text" and chosen[name][1] in (Kind.ID, Kind.CATEGORICAL):
                _check_stray_text(name, answer, relation, run)
        else:
            chosen[name] = (facts, given_kind(name, kind), "it was declared so")
            check_override(name, given_kind(name, kind), facts)
    levels = _levels(
        relation,
        run,
        [n for n, (facts, kind, _) in chosen.items() if kind in HAS_LEVELS and (facts.distinct or 0) <= MOST_LEVELS],
    )
    for name, look, answer in zip(names, looks, answers):
        _, kind, reason = chosen[name]
        listed = levels.get(name)
        absent = rows - int(answer["present"] or 0)
        counted = len(listed) if listed is not None else None
        known = Known(absent > 0, _middle(answer), look.unique and not absent)
        yield Column(name, kind, absent, counted, listed, units.get(name), reason), known


@dataclass(frozen=True)
class Look:
    """What the first rows show of a column, and so what has to be asked of all rows.

    Attributes
    ----------
    storage : str
        As in `Facts`.
    distinct : int
        Different values among the first rows.
    few : list
        These values, if they are at most two.
    unique : bool
        Whether every row has a value of its own.
    whole : bool
        Whether the values are whole numbers.
    count : bool
        Whether different values have to be counted to tell the kind.
    sample : list
        Some values.
    """

    storage: str
    distinct: int
    few: list[Any]
    unique: bool
    whole: bool
    count: bool
    sample: list[Any]


_KEYS = ("present", "low", "high", "others", "broken", "part", "distinct", "numbers")


def _look(name: str, kind: Any, values: pa.ChunkedArray, declared: Kind | str | None) -> Look:
    import pyarrow.compute as pc

    rows = len(values)
    present = pc.if_else(pc.is_nan(values), None, values).drop_null() if kind.is_floating() else values.drop_null()
    distinct = present.unique()
    whole = kind.is_integer()
    if kind.is_floating():
        whole = bool(pc.all(pc.equal(pc.floor(distinct), distinct), min_count=0).as_py())
    storage = "boolean" if kind.is_boolean() else "time" if kind.is_temporal() else "text"
    if kind.is_numeric():
        storage = "integer" if whole else "float"
    return Look(
        storage,
        len(distinct),
        distinct.to_pylist() if len(distinct) <= _FEW else [],
        len(distinct) == rows,
        whole,
        storage == "text" or (whole and named_like_id(name)) or (declared is not None and declared in HAS_LEVELS),
        present.slice(0, 200).to_pylist(),
    )


def _questions(value: Any, look: Look, rows: int) -> dict[str, Any]:
    """Return the aggregates that settle a column's kind."""
    import ibis

    kind = value.type()
    value = value.nullif(float("nan")) if kind.is_floating() else value
    asked = {"present": value.count()}
    if kind.is_numeric():
        asked |= {"low": value.min().cast("float64"), "high": value.max().cast("float64")}
    if kind.is_floating() and look.whole:
        asked["broken"] = (value % 1 != 0).sum()
    if look.distinct <= _FEW:
        seen = [ibis.literal(one, type=kind) for one in look.few]
        asked["others"] = value.notin(seen).sum() if seen else value.count()
    if look.count:
        parts = -(-rows // SLICE_ROWS)
        part = value.notnull() if parts == 1 else value.hash().abs() % parts == 0
        asked |= {"part": value.count(where=part), "distinct": value.nunique(where=part)}
    if look.storage == "text":
        asked["numbers"] = value.try_cast("float64").count()
    return asked


def _facts(name: str, look: Look, answer: Mapping[str, Any], relation: Any, run: Run, rows: int) -> Facts:
    present = answer["present"]
    whole = look.whole and not answer["broken"]
    storage = look.storage if whole or not look.whole else "float"
    distinct = look.distinct
    if answer["others"] and look.distinct <= _FEW:
        value = relation[name].nullif(float("nan")) if relation[name].type().is_floating() else relation[name]
        some = run(relation.select(v=value).filter(lambda t: t.v.notnull()).distinct().limit(_FEW + 1))
        distinct = len(some)
    if distinct > _FEW and look.count:
        parts = -(-rows // SLICE_ROWS)
        unique = answer["part"] == answer["distinct"] > 0
        everywhere = present if unique else min(answer["distinct"] * parts, present - 1)
        distinct = answer["distinct"] if parts == 1 else max(distinct, everywhere)
    return Facts(storage, present, distinct, whole, float(answer["low"] or 0.0), look.sample)


def _levels(relation: Any, run: Run, names: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return the values of columns that have few, by one query."""
    import pyarrow as pa

    if not names:
        return {}
    wanted = {f"v{k}": relation[name].collect(distinct=True) for k, name in enumerate(names)}
    found = run(relation.aggregate(**wanted))
    return {
        name: tuple(sorted_levels(pa.chunked_array(found[f"v{k}"].combine_chunks().flatten())))
        for k, name in enumerate(names)
    }


def _middle(answer: Mapping[str, Any]) -> float:
    return 0.0 if answer["low"] is None else answer["low"] / 2 + answer["high"] / 2


def _check_finite(name: str, answer: Mapping[str, Any], relation: Any, run: Run) -> None:
    if answer["low"] is None or not (isinf(answer["low"]) or isinf(answer["high"])):
        return
    count = int(_one(run, relation.aggregate(n=relation[name].isinf().sum()))["n"])
    raise DataError(
        "E104",
        f"column {name!r} has {count:,} infinite value{'s' * (count != 1)}.",
        "Replace them, or declare them missing with wh.read(..., missing=[float('inf')]).",
    )


def _check_stray_text(name: str, answer: Mapping[str, Any], relation: Any, run: Run) -> None:
    strays = answer["present"] - answer["numbers"]
    if not mostly_numbers(answer["numbers"], strays):
        return
    value = relation[name]
    words = relation.select(v=value).filter(value.notnull() & value.try_cast("float64").isnull()).distinct()
    raise stray_text(name, strays, run(words.order_by("v").limit(SHOWN)).column("v").to_pylist())


def _one(run: Run, aggregates: Any) -> dict[str, Any]:
    row: dict[str, Any] = run(aggregates).to_pylist()[0]
    return row


def _plain_types(relation: Any) -> Any:
    """Bring a relation to the types that the library knows, as `flat` does in memory."""
    changes = {}
    for name in relation.columns:
        value, kind = relation[name], relation[name].type()
        if kind.is_decimal() or kind.is_float16() or kind.is_null():
            changes[name] = value.cast("float64")
        elif kind.is_uuid():
            changes[name] = value.cast("string")
        elif not (kind.is_numeric() or kind.is_boolean() or kind.is_string() or kind.is_temporal()):
            raise no_value(name, kind)
    return relation.mutate(**changes) if changes else relation


def _declare_missing(relation: Any, run: Run, missing: Sequence[Any]) -> tuple[Any, list[str]]:
    """Turn declared values into nulls and count them; text that is numbers otherwise becomes numbers."""
    import ibis

    matches: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    for k, name in enumerate(relation.columns if missing else ()):
        value, kind = relation[name], relation[name].type()
        tokens = values_of_type(missing, kind.to_pyarrow())
        if not tokens:
            continue
        compared = value.strip() if kind.is_string() else value
        matches[name] = compared.isin([ibis.literal(token, type=kind) for token in tokens])
        wanted[f"found{k}"] = matches[name].sum()
        if kind.is_string():
            wanted[f"words{k}"] = (~matches[name] & value.try_cast("float64").isnull()).sum()
    if not wanted:
        return relation, []
    counted, changes, notes = _one(run, relation.aggregate(**wanted)), {}, []
    for k, name in enumerate(relation.columns):
        if not counted.get(f"found{k}"):
            continue
        value = matches[name].ifelse(None, relation[name])
        text = relation[name].type().is_string()
        changes[name] = value.cast("float64") if text and not counted[f"words{k}"] else value
        notes.append(declared_note(name, counted[f"found{k}"]))
    return (relation.mutate(**changes) if changes else relation), notes
