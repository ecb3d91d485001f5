"""Rows that stay in a database or on disk: an Ibis expression, read through aggregate queries.

Moments are sums of products of values shifted by a typical row (so that large means do not eat the digits), all in one
query and so in one scan; in DuckDB this is several times faster than its own ``covar_pop`` over the same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import Column, Facts, Kind, infer_kind
from whence.data.memory import MemoryTable
from whence.data.reading import LEVEL_KINDS, check_keys, check_names, given_kind
from whence.data.statistics import Codes, Counts, Moments
from whence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from whence.data.sources import Opened

SAMPLE_ROWS = 10_000
MOST_LEVELS = 10_000
_BLOCK = "whence block"


class SqlTable:
    """A table behind an Ibis expression. Whole columns come into memory only where a method needs every row."""

    in_memory = False

    def __init__(self, relation: Any, rows: int, typical: Mapping[str, float], holes: Mapping[str, bool]) -> None:
        self.relation = relation
        self._rows = rows
        self._typical = dict(typical)
        self._holes = dict(holes)

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return self._rows

    def arrow(self, names: Sequence[str]) -> pa.Table:
        """Bring columns into memory as an Arrow table."""
        return self.relation.select(list(names)).to_pyarrow()

    def matrix(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """Bring columns into memory as floats, shape (n, p)."""
        return self._loaded(columns).matrix(columns)

    def codes(self, columns: Sequence[Column]) -> Codes:
        """Bring discrete columns into memory as codes."""
        return self._loaded(columns).codes(columns)

    def moments(self, columns: Sequence[Column]) -> Moments:
        """Return mean and covariance over complete rows, by one aggregate query."""
        kept = self._complete(columns)
        found = kept.aggregate(**self._sums(kept, columns)).to_pyarrow().to_pylist()[0]
        return self._from_sums(found, columns, self._rows)

    def block_moments(self, columns: Sequence[Column], blocks: int) -> list[Moments]:
        """Return the moments of ``blocks`` sets of rows, by one grouped aggregate query.

        Rows go to blocks by a hash of their values in a column of fractions, which spreads them like chance; without
        such a column by their position.
        """
        import ibis

        kept = self._complete(columns)
        spread = next((c.name for c in columns if c.kind is Kind.CONTINUOUS), None)
        place = ibis.row_number() if spread is None else kept[spread].hash().abs()
        kept = kept.mutate(**{_BLOCK: place % blocks})
        grouped = kept.group_by(_BLOCK).aggregate(**self._sums(kept, columns)).to_pyarrow().to_pylist()
        rows = sorted(grouped, key=lambda row: row[_BLOCK])
        return [self._from_sums(row, columns, int(row["n"])) for row in rows]

    def counts(self, columns: Sequence[Column]) -> Counts:
        """Return a contingency table, by one GROUP BY."""
        names = [column.name for column in columns]
        present = self._complete(columns)
        counted = present.group_by(names).aggregate(_count=present.count()).to_pyarrow()
        levels = tuple(tuple(column.levels or ()) for column in columns)
        table = np.zeros(tuple(map(len, levels)), dtype=np.int64)
        places = [{level: k for k, level in enumerate(listed)} for listed in levels]
        for row in counted.to_pylist():
            table[tuple(place[row[name]] for place, name in zip(places, names))] = row["_count"]
        return Counts(tuple(names), levels, table, int(table.sum()))

    def sample(self, columns: Sequence[Column], rows: int, seed: int) -> pa.Table:
        """Return about so many rows, chosen by a hash in one scan: every run chooses the same.

        The hash is of a complete column of fractions, which spreads rows like chance; without one, of their position.
        """
        import ibis

        names = [column.name for column in columns]
        kept = self.relation.select(names)
        spread = next((c.name for c in columns if c.kind is Kind.CONTINUOUS and not self._holes.get(c.name)), None)
        share = max(1, self._rows // rows)
        if spread is not None:
            return kept.filter((kept[spread].cast("string") + f"/{seed}").hash().abs() % share == 0).to_pyarrow()
        placed = kept.mutate(**{_BLOCK: ibis.row_number()})
        return placed.filter((placed[_BLOCK] + seed).hash().abs() % share == 0).select(names).to_pyarrow()

    def _loaded(self, columns: Sequence[Column]) -> MemoryTable:
        return MemoryTable(self.arrow([column.name for column in columns]))

    def _complete(self, columns: Sequence[Column]) -> Any:
        """Return the rows without a missing value in the columns."""
        kept = self.relation
        for column in columns:
            if self._holes.get(column.name):
                value = kept[column.name]
                kept = kept.filter(value.notnull())
                if value.type().is_floating():
                    kept = kept.filter(~value.isnan())
        return kept

    def _number(self, relation: Any, column: Column) -> Any:
        """Return the expression of a column as a float: a binary column as 0 and 1, ordinal text as its rank."""
        value = relation[column.name]
        if column.kind in (Kind.BINARY, Kind.ORDINAL) and column.levels and not _are_numbers(column):
            return value.cases(*[(level, float(k)) for k, level in enumerate(column.levels)], else_=None)
        if column.kind is Kind.BINARY and column.levels:
            return (value == column.levels[-1]).cast("float64")
        return value.cast("float64")

    def _sums(self, relation: Any, columns: Sequence[Column]) -> dict[str, Any]:
        """Return the sums that mean and covariance follow from, named by position: names may hold anything."""
        shifted = [self._number(relation, column) - self._typical.get(column.name, 0.0) for column in columns]
        sums = {"n": relation.count()}
        sums |= {f"s{i}": value.sum() for i, value in enumerate(shifted)}
        pairs = combinations_with_replacement(range(len(columns)), 2)
        return sums | {f"p{i}_{j}": (shifted[i] * shifted[j]).sum() for i, j in pairs}

    def _from_sums(self, found: Mapping[str, Any], columns: Sequence[Column], rows: int) -> Moments:
        p, n = len(columns), int(found["n"])
        names = tuple(column.name for column in columns)
        if n == 0:
            return Moments(names, 0, np.full(p, np.nan), np.full((p, p), np.nan), rows)
        total = np.array([found[f"s{i}"] for i in range(p)], dtype=np.float64)
        scatter = np.zeros((p, p))
        for i, j in combinations_with_replacement(range(p), 2):
            scatter[i, j] = scatter[j, i] = found[f"p{i}_{j}"]
        if not np.isfinite(scatter).all():
            raise self._infinite(columns)
        covariance = (scatter - np.outer(total, total) / n) / max(n - 1, 1)
        shift = np.array([self._typical.get(name, 0.0) for name in names])
        return Moments(names, n, shift + total / n, covariance, rows)

    def _infinite(self, columns: Sequence[Column]) -> DataError:
        floats = [c.name for c in columns if self.relation[c.name].type().is_floating()]
        counts = self.relation.aggregate(
            **{f"c{k}": self.relation[name].isinf().sum() for k, name in enumerate(floats)}
        )
        found = counts.to_pyarrow().to_pylist()[0]
        name, count = max(((name, found[f"c{k}"] or 0) for k, name in enumerate(floats)), key=lambda item: item[1])
        return DataError(
            "E104",
            f"column {name!r} has {count} infinite value{'s' * (count != 1)}.",
            "Replace them, or declare them missing with wh.read(..., missing=[float('inf')]).",
        )


def read_sql(
    opened: Opened,
    *,
    missing: tuple[Any, ...],
    kinds: Mapping[str, Kind | str],
    roles: Mapping[str, str],
    units: Mapping[str, str],
) -> Dataset:
    """Describe a table that stays where it is: kinds from its schema, a sample of rows and one aggregate query."""
    relation = _declare_missing(opened.sql, missing)
    names = list(relation.columns)
    check_names(names, opened.label)
    check_keys(kinds, names, "kinds")
    check_keys(units, names, "units")
    sample = MemoryTable(relation.limit(SAMPLE_ROWS).to_pyarrow())
    if not sample.n_rows:
        raise DataError("E101", f"{opened.label} has no rows.", "Check that it is the right table.")
    summary = _summary(relation, names)
    rows = int(summary["n"])
    columns, typical, holes = [], {}, {}
    for k, name in enumerate(names):
        absent = rows - int(summary[f"present{k}"])
        facts = _facts(relation[name].type(), rows - absent, summary, k, sample.table.column(name))
        if name in kinds:
            kind, reason = given_kind(name, kinds[name]), "it was declared so"
        else:
            kind, reason = infer_kind(name, facts)
        levels = _levels(relation, name) if kind in LEVEL_KINDS else None
        columns.append(Column(name, kind, absent, facts.distinct, levels, units.get(name), reason))
        holes[name] = absent > 0
        if summary.get(f"middle{k}") is not None and kind is not Kind.BINARY:
            typical[name] = float(summary[f"middle{k}"])
    notes = [*opened.notes, f"Kinds come from the schema, {sample.n_rows:,} rows and one aggregate query."]
    table = SqlTable(relation, rows, typical, holes)
    return Dataset(table, columns, source=opened.label, library="sql", roles=roles, notes=notes)


def _declare_missing(relation: Any, missing: tuple[Any, ...]) -> Any:
    """Turn declared values into nulls, column by column where the type allows the comparison."""
    changes = {}
    for name in relation.columns if missing else ():
        value = relation[name]
        for token in missing:
            comparable = isinstance(token, str) if value.type().is_string() else not isinstance(token, str)
            if comparable and (value.type().is_string() or value.type().is_numeric()):
                value = value.nullif(token)
        changes[name] = value
    return relation.mutate(**changes) if changes else relation


def _summary(relation: Any, names: Sequence[str]) -> dict[str, Any]:
    """Count rows and present values; for numbers the smallest and a typical value, for others distinct values."""
    wanted = {"n": relation.count()}
    for k, name in enumerate(names):
        value, kind = relation[name], relation[name].type()
        present = value.nullif(float("nan")) if kind.is_floating() else value
        wanted[f"present{k}"] = present.count()
        if kind.is_numeric():
            wanted[f"smallest{k}"] = present.min()
            wanted[f"middle{k}"] = (present.min() / 2 + present.max() / 2).cast("float64")
        if not kind.is_floating():
            wanted[f"distinct{k}"] = value.approx_nunique()
    summary: dict[str, Any] = relation.aggregate(**wanted).to_pyarrow().to_pylist()[0]
    return summary


def _facts(kind: Any, present: int, summary: Mapping[str, Any], k: int, sample: pa.ChunkedArray) -> Facts:
    import pyarrow.compute as pc

    seen = pc.count_distinct(sample, mode="only_valid").as_py()
    distinct = int(summary.get(f"distinct{k}", seen))
    if present <= len(sample):
        distinct = seen
    elif seen > 2:
        distinct = max(distinct, seen)
    if kind.is_temporal():
        return Facts("time", present, distinct)
    if kind.is_boolean():
        return Facts("boolean", present, distinct)
    if kind.is_numeric():
        smallest = float(summary[f"smallest{k}"] if summary[f"smallest{k}"] is not None else 0.0)
        values = np.asarray(sample.drop_null().to_numpy(), dtype=np.float64)
        values = values[~np.isnan(values)]
        whole = bool(np.all(values == np.floor(values)))
        return Facts("integer" if whole else "float", present, distinct, whole, smallest)
    shown = [value for value in sample.slice(0, 200).to_pylist() if value is not None]
    return Facts("text", present, distinct, sample=shown)


def _levels(relation: Any, name: str) -> tuple[Any, ...]:
    found = relation.select(name).distinct().limit(MOST_LEVELS).to_pyarrow()
    return MemoryTable(found).coded(Column(name, Kind.CATEGORICAL, 0, None, None, None, ""))[1]


def _are_numbers(column: Column) -> bool:
    return all(isinstance(level, (int, float)) for level in column.levels or ())
