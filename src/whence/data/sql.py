"""Rows that stay in a database or on disk: an Ibis expression, read through aggregate queries.

Moments are sums of products of values shifted by a typical value (so that large means do not eat the digits), all in
one query and so in one scan; in DuckDB this is several times faster than its own ``covar_pop`` over the same pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whence.data.kinds import Column, Kind, level_numbers, plain
from whence.data.memory import MemoryTable, order
from whence.data.statistics import Codes, Counts, Moments, check_cells, check_scatter, no_moments

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = "whence block"
_KEY = "key"
_PARTS = 2**20
# A group whose mean is this many standard deviations from the shift has lost six of its sixteen digits.
_FAR = 1e3


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a stored column beside its description.

    Attributes
    ----------
    holes : bool
        Whether any value is missing.
    middle : float
        A typical value of a column of numbers.
    scattered : bool
        Whether hardly any value occurs twice and none is missing, so that a hash of it spreads rows like chance.
    """

    holes: bool
    middle: float
    scattered: bool


class SqlTable:
    """A table behind an Ibis expression. Whole columns come into memory only where a method needs every row."""

    in_memory = False

    def __init__(self, relation: Any, run: Callable[[Any], pa.Table], rows: int, known: Mapping[str, Known]) -> None:
        self.relation = relation
        self.run = run
        self._rows = rows
        self._known = dict(known)
        self._kept: dict[tuple[tuple[str, Kind], ...], Moments] = {}

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return self._rows

    def arrow(self, names: Sequence[str]) -> pa.Table:
        """Bring columns into memory as an Arrow table."""
        return self.run(self.relation.select(list(names)))

    def first(self, names: Sequence[str], rows: int) -> pa.Table:
        """Bring the first rows into memory."""
        return self.run(self.relation.select(list(names)).limit(rows))

    def described(self, kinds: Mapping[str, Kind | str], units: Mapping[str, str | None]) -> list[Column]:
        """Return columns anew, with the kinds given."""
        from whence.data.sql_reading import describe

        return [column for column, _ in describe(self.relation.select(list(kinds)), self.run, self._rows, kinds, units)]

    def matrix(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """Bring columns into memory as floats, shape (n, p)."""
        return self._loaded(columns).matrix(columns)

    def codes(self, columns: Sequence[Column]) -> Codes:
        """Bring discrete columns into memory as codes."""
        return self._loaded(columns).codes(columns)

    def moments(self, columns: Sequence[Column]) -> Moments:
        """Return mean and covariance over complete rows, by one aggregate query the first time they are asked for.

        The order of the columns does not matter to that: searches put them in one of their own.
        """
        ordered = sorted(columns, key=lambda column: column.name)
        key = tuple((column.name, column.kind) for column in ordered)
        if key not in self._kept:
            self._kept[key] = self._moments(ordered, None)[None]
        kept = self._kept[key]
        names = tuple(column.name for column in columns)
        place = [kept.names.index(name) for name in names]
        return Moments(names, kept.n, kept.mean[place], kept.covariance[np.ix_(place, place)], kept.rows)

    def grouped_moments(self, columns: Sequence[Column], by: Column) -> dict[Any, Moments]:
        """Return the moments of the rows of each level of ``by``, by one grouped aggregate query."""
        found = self._moments(columns, self._present(by))
        levels = by.levels if by.levels is not None else sorted(found, key=order)
        names = tuple(column.name for column in columns)
        return {level: found[level] if level in found else no_moments(names, 0) for level in levels}

    def block_moments(self, columns: Sequence[Column], blocks: int) -> list[Moments]:
        """Return the moments of ``blocks`` sets of rows, by one grouped aggregate query.

        Rows go to blocks by a hash of a column in which hardly any value occurs twice, which spreads them like chance;
        without such a column by their position.
        """
        import ibis

        spread = self._scattered()
        place = ibis.row_number() if spread is None else self.relation[spread].hash().abs()
        found = self._moments(columns, place % blocks)
        return [found[block] for block in sorted(found)]

    def counts(self, columns: Sequence[Column]) -> Counts:
        """Return a contingency table, by one GROUP BY."""
        if not columns:
            return Counts((), (), np.array(self._rows, dtype=np.int64), self._rows)
        names = [column.name for column in columns]
        values = self.relation.select(**{f"k{i}": self._present(column) for i, column in enumerate(columns)})
        kept = self._without_missing(values, columns, "k")
        keys = list(values.columns)
        counted = self.run(kept.group_by(keys).aggregate(n=kept.count())).to_pydict()
        found = [[plain(value) for value in counted[key]] for key in keys]
        levels = tuple(
            column.levels if column.levels is not None else tuple(sorted(set(seen), key=order))
            for column, seen in zip(columns, found)
        )
        table = np.zeros(check_cells(names, levels), dtype=np.int64)
        places = [{level: k for k, level in enumerate(listed)} for listed in levels]
        cells = tuple(np.array([place[v] for v in seen], dtype=np.intp) for place, seen in zip(places, found))
        table[cells] = counted["n"]
        return Counts(tuple(names), levels, table, int(table.sum()))

    def sample(self, columns: Sequence[Column], rows: int, seed: int) -> pa.Table:
        """Return about so many rows, chosen by a hash in one scan: every run chooses the same.

        The hash is of a column in which hardly any value occurs twice; without one, of the row's position.
        """
        import ibis

        names = [column.name for column in columns]
        kept = self.relation.select(names)
        if rows >= self._rows:
            return self.run(kept)
        spread = self._scattered()
        share = max(1, round(_PARTS * rows / self._rows))
        if spread is None:
            kept = kept.mutate(**{_BLOCK: ibis.row_number()})
        chance = (kept[spread or _BLOCK].cast("string") + f"/{seed}").hash().abs() % _PARTS
        return self.run(kept.filter(chance < share).select(names))

    def _loaded(self, columns: Sequence[Column]) -> MemoryTable:
        return MemoryTable(self.arrow([column.name for column in columns]))

    def _scattered(self) -> str | None:
        names = self.relation.columns
        return next((name for name, known in self._known.items() if known.scattered and name in names), None)

    def _present(self, column: Column) -> Any:
        """Return a column's values, NaN as null."""
        value = self.relation[column.name]
        return value.nullif(float("nan")) if value.type().is_floating() and self._known[column.name].holes else value

    def _without_missing(self, values: Any, columns: Sequence[Column], letter: str) -> Any:
        holes = [f"{letter}{i}" for i, column in enumerate(columns) if self._known[column.name].holes]
        return values.filter([values[name].notnull() for name in holes]) if holes else values

    def _number(self, column: Column) -> tuple[Any, float]:
        """Return a column as floats, and a typical value."""
        value, stored = self._present(column), self.relation[column.name].type()
        levels = column.levels or ()
        if (stored.is_numeric() or stored.is_boolean()) and (column.kind is not Kind.BINARY or set(levels) <= {0, 1}):
            return value.cast("float64"), self._known[column.name].middle
        import ibis

        numbers = zip(levels, level_numbers(column.kind, levels))
        cases = [(ibis.literal(level, type=stored), number) for level, number in numbers]
        return (value.cases(*cases, else_=None) if cases else ibis.null("float64")), 0.0

    def _moments(self, columns: Sequence[Column], key: Any) -> dict[Any, Moments]:
        """Return the moments of each group of rows (one group, None, without a key), in one aggregate query.

        A second query runs only if a group lies so far from the shift that its digits were lost.
        """
        if not columns and key is None:
            return {None: Moments((), self._rows, np.zeros(0), np.zeros((0, 0)), self._rows)}
        numbers = [self._number(column) for column in columns]
        values = self.relation.select(
            **{f"v{i}": value for i, (value, _) in enumerate(numbers)}, **({} if key is None else {_KEY: key})
        )
        if key is not None:
            values = values.filter(values[_KEY].notnull())
        values = self._masked(values, columns)
        middle = np.array([middle for _, middle in numbers], dtype=np.float64)
        groups = self._sums(values, middle)
        if any(sums.far for sums in groups.values()):
            groups = self._sums(values, middle, {level: sums.mean for level, sums in groups.items()})
        names = tuple(column.name for column in columns)
        return {level: sums.moments(names) for level, sums in groups.items()}

    def _masked(self, values: Any, columns: Sequence[Column]) -> Any:
        """Null every value of a row that lacks one, so that sums run over complete rows and the count over all."""
        holes = [f"v{i}" for i, column in enumerate(columns) if self._known[column.name].holes]
        if not holes:
            return values
        complete = values[holes[0]].notnull()
        for name in holes[1:]:
            complete &= values[name].notnull()
        return values.mutate(**{f"v{i}": complete.ifelse(values[f"v{i}"], None) for i in range(len(columns))})

    def _sums(
        self, values: Any, middle: NDArray[np.float64], means: Mapping[Any, NDArray[np.float64]] | None = None
    ) -> dict[Any, Sums]:
        """Sum shifted values and their products in each group; the shift is the middle, or the group's own mean."""
        p, keyed = len(middle), _KEY in values.columns
        values = values.mutate(**{f"v{i}": values[f"v{i}"] - _shift(values, middle, means, i) for i in range(p)})
        wanted = {"rows": values.count(), "n": values["v0"].count() if p else values.count()}
        for i in range(p):
            value = values[f"v{i}"]
            wanted |= {f"s{i}": value.sum(), f"low{i}": value.min(), f"high{i}": value.max()}
        wanted |= {
            f"p{i}_{j}": (values[f"v{i}"] * values[f"v{j}"]).sum()
            for i, j in combinations_with_replacement(range(p), 2)
        }
        found = {}
        for row in self.run(
            values.group_by(_KEY).aggregate(**wanted) if keyed else values.aggregate(**wanted)
        ).to_pylist():
            level = plain(row.get(_KEY))
            found[level] = Sums.of(row, p, middle if means is None else means[level])
        return found


def _shift(values: Any, middle: NDArray[np.float64], means: Mapping[Any, NDArray[np.float64]] | None, i: int) -> Any:
    import ibis

    if means is None:
        return float(middle[i])
    if _KEY not in values.columns:
        return float(means[None][i])
    key = values[_KEY]
    return key.cases(*[(ibis.literal(level, type=key.type()), float(mean[i])) for level, mean in means.items()])


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums that mean and covariance follow from, over the complete rows of a group.

    Attributes
    ----------
    rows, n : int
        Rows of the group, and how many of them are complete.
    shift : float array, shape (p,)
        What was taken off the values.
    total : float array, shape (p,)
    products : float array, shape (p, p)
    constant : bool array, shape (p,)
        Columns with one value only.
    """

    rows: int
    n: int
    shift: NDArray[np.float64]
    total: NDArray[np.float64]
    products: NDArray[np.float64]
    constant: NDArray[np.bool_]

    @classmethod
    def of(cls, row: Mapping[str, Any], p: int, shift: NDArray[np.float64]) -> Sums:
        """Return the sums that one row of a query's answer holds."""
        n = int(row["n"])
        if not n:
            return cls(int(row["rows"]), 0, shift, np.zeros(p), np.zeros((p, p)), np.ones(p, dtype=bool))
        products = np.zeros((p, p))
        for i, j in combinations_with_replacement(range(p), 2):
            products[i, j] = products[j, i] = row[f"p{i}_{j}"]
        constant = np.array([row[f"low{i}"] == row[f"high{i}"] for i in range(p)], dtype=bool)
        total = np.array([n * row[f"low{i}"] if constant[i] else row[f"s{i}"] for i in range(p)], dtype=np.float64)
        return cls(int(row["rows"]), n, shift, total, products, constant)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean of each column, shape (p,)."""
        return self.shift + self.total / max(self.n, 1)

    @property
    def scatter(self) -> NDArray[np.float64]:
        """Sums of products about the mean, shape (p, p); zero for a column with one value."""
        with np.errstate(invalid="ignore", over="ignore"):
            scatter = self.products - np.outer(self.total, self.total) / max(self.n, 1)
        scatter[self.constant, :] = scatter[:, self.constant] = 0.0
        return scatter

    @property
    def far(self) -> bool:
        """Whether a mean lies so far from the shift that the scatter has lost its digits."""
        scatter = np.diag(self.scatter)
        with np.errstate(over="ignore"):
            off = self.n * (self.total / max(self.n, 1)) ** 2
        return bool(np.any(~self.constant & np.isfinite(off) & (off > _FAR**2 * scatter)))

    def moments(self, names: tuple[str, ...]) -> Moments:
        """Return mean and covariance."""
        if not self.n:
            return no_moments(names, self.rows)
        scatter = self.scatter
        check_scatter(scatter, names)
        return Moments(names, self.n, self.mean, scatter / max(self.n - 1, 1), self.rows)
