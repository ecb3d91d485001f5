"""The rows of a table beside the index along which mechanisms may change, checked and in one order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset, Kind, as_dataset
from whence.data.kinds import NUMERIC
from whence.discovery._cd_nod_changes import Index
from whence.discovery._common import SAME, discrete_input, gaussian_input, leave_out, open_table
from whence.errors import DataError, ParameterError, quote_names
from whence.independence._columns import prepare
from whence.registry import Card

IndexKind = Literal["auto", "time", "domain"]

ROLES = ("domain", "time")
MOST_DOMAINS = 20
"""Numbers with at most so many different values are taken for domains, unless said otherwise."""

FEWEST_IN_DOMAIN = 10
FEWEST_ROWS = 50
KERNEL_ROWS = 2000
GRID = 100
"""Places along time at which changes are compared."""

_APART = 2.0  # two levels without order lie this times sqrt(2) kernel widths apart


@dataclass(frozen=True)
class IndexedRows:
    """Complete rows in order of the index, checked.

    Attributes
    ----------
    names : tuple of str, length p
        The columns without the index, sorted.
    given : tuple of str, length p + 1
        All columns in the user's order.
    index : str
    timed : bool
        Whether the index is a time; else it is a domain.
    table : Dataset
        The columns, sorted, and the index last: ranks of times as numbers, codes of domains as a category.
    values : tuple, length m
        The different values of the index as they stand in the table: times in order, or domains.
    codes : int64 array, shape (n,)
        Which of the values each row has.
    warnings : tuple of str
    library : str
    """

    names: tuple[str, ...]
    given: tuple[str, ...]
    index: str
    timed: bool
    table: Dataset
    values: tuple[Any, ...]
    codes: NDArray[np.int64]
    warnings: tuple[str, ...]
    library: str

    @property
    def numeric(self) -> tuple[str, ...]:
        """The columns that are numbers."""
        kinds = self.table.kinds()
        return tuple(name for name in self.names if kinds[name] is not Kind.CATEGORICAL)

    def coordinates(self) -> tuple[dict[str, NDArray[np.float64]], Index, NDArray[np.int64]]:
        """Return standardised columns, the index, and which rows these are: all, or 2000 evenly along the index."""
        columns = prepare(self.table.select(self.names), scale="standard", test="an estimate of changes")[1]
        n = len(self.codes)
        rows = np.unique(np.linspace(0, n - 1, min(n, KERNEL_ROWS)).round().astype(np.int64))
        made = {name: column.values[rows] * (_APART if column.nominal else 1.0) for name, column in columns.items()}
        if not self.timed:
            places = self.codes[rows].astype(np.float64)
            return made, Index(places, False, np.arange(len(self.values), dtype=np.float64)), rows
        places = self.places()
        distinct = np.unique(places)
        grid = distinct[np.unique(np.linspace(0, len(distinct) - 1, GRID).round().astype(int))]
        return made, Index(places[rows], True, grid), rows

    def places(self) -> NDArray[np.float64]:
        """Return where each row stands on the record, 0 to 1, evenly by rows; ties stand together."""
        first = np.searchsorted(self.codes, self.codes, side="left")
        last = np.searchsorted(self.codes, self.codes, side="right")
        middle = 0.5 * (first + last - 1)
        return np.asarray((middle - middle[0]) / (middle[-1] - middle[0]))


def read_indexed(data: Any, index: str | None, kind: IndexKind, card: Card) -> IndexedRows:
    """Return the complete rows of a table in order of its index.

    Raises
    ------
    DataError
        Without an index; for one that does not vary, has a single domain or one with too few rows; for columns that a
        search cannot take or that are the same as another or as the index.
    """
    if kind not in ("auto", "time", "domain"):
        raise ParameterError("E311", f"there is no kind of index {kind!r}.", "Choose auto, time or domain.")
    dataset = as_dataset(data)
    name = index_column(dataset, index)
    columns = open_table(dataset.drop(name), card)
    whole = ~np.any([dataset.is_missing(column) for column in dataset.names], axis=0)
    warnings = []
    if not whole.all():
        warnings.append(f"{np.sum(~whole):,} of {len(whole):,} rows have a missing value and were left out.")
    rows = np.flatnonzero(whole)
    timed, note = _is_time(dataset, name, kind)
    warnings += [note] if note else []
    codes, values = _codes(dataset, name, rows)
    _check_values(name, codes, values, timed)
    order = np.argsort(codes, kind="stable")
    ordered = columns.select(sorted(columns.names)).take(rows[order])
    codes = codes[order]
    _check_columns(ordered, name, codes, timed)
    table = ordered.with_column(
        name, codes.astype(np.float64) if timed else codes, kind=Kind.CONTINUOUS if timed else Kind.CATEGORICAL
    )
    return IndexedRows(
        ordered.names, dataset.names, name, timed, table, values, codes, tuple(warnings), dataset.library
    )


def index_column(data: Dataset, index: str | None) -> str:
    """Return the column named, else the one with the role domain or time.

    Raises
    ------
    DataError
        If there is no such column.
    """
    if index is not None:
        return data.select([index]).names[0]
    found = [data.roles[role] for role in ROLES if role in data.roles]
    if not found:
        raise DataError(
            "E360",
            f"{data.source} does not say along which column its mechanisms may change.",
            f"Name it: index='month', or give it the role time or domain. Columns: {quote_names(data.names)}.",
        )
    return found[0]


def _is_time(data: Dataset, name: str, kind: IndexKind) -> tuple[bool, str]:
    """Return whether the index is a time, and what is to be said of the choice."""
    column = data.columns[name]
    numbers = column.kind in NUMERIC or column.kind is Kind.TIME
    if column.kind in (Kind.BINARY, Kind.ID):
        numbers = _holds_numbers(data, name)
    if kind == "time":
        if not numbers:
            raise ParameterError(
                "E361",
                f"the index {name!r} is of kind {column.kind} and was said to be a time; its values have no order.",
                "Pass index_kind='domain', or give dates or numbers.",
            )
        return True, ""
    if kind == "domain" or not numbers:
        return False, ""
    if column.kind in (Kind.TIME, Kind.ID):
        return True, ""
    distinct = column.distinct if column.distinct is not None else len(np.unique(data.numeric([name])))
    if distinct > MOST_DOMAINS:
        return True, ""
    note = (
        ""
        if column.kind is Kind.BINARY
        else (
            f"The index {name!r} has {distinct} different values and was taken for domains without an order; pass "
            "index_kind='time' if they follow one another."
        )
    )
    return False, note


def _holds_numbers(data: Dataset, name: str) -> bool:
    import pyarrow as pa

    stored = data.select([name]).to_arrow().column(0).type
    return bool(pa.types.is_integer(stored) or pa.types.is_floating(stored))


def _codes(data: Dataset, name: str, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Return the place of each complete row's value among the different ones in order, and those values."""
    encoded = data.select([name]).to_arrow().column(0).combine_chunks().dictionary_encode()
    levels = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)[rows]
    present = np.unique(codes)
    try:
        order = sorted(present.tolist(), key=lambda code: levels[code])
    except TypeError:
        order = sorted(present.tolist(), key=lambda code: str(levels[code]))
    place = np.empty(len(levels) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[codes], tuple(levels[code] for code in order)


def _check_values(name: str, codes: NDArray[np.int64], values: tuple[Any, ...], timed: bool) -> None:
    if len(codes) < FEWEST_ROWS:
        raise DataError(
            "E306",
            f"there are {len(codes)} complete rows; changes along {name!r} are not seen with fewer than {FEWEST_ROWS}.",
            "Leave out columns with many missing values with data.select([...]), or add rows.",
        )
    if len(values) < 2:
        what = "time" if timed else "domain"
        raise DataError(
            "E362",
            f"the index {name!r} holds one {what} in the {len(codes):,} complete rows: nothing can change along it.",
            "Name another column, or use the search 'pc', which takes all rows as alike.",
        )
    if timed:
        return
    sizes = np.bincount(codes)
    small = [str(values[k]) for k in np.flatnonzero(sizes < FEWEST_IN_DOMAIN)]
    if small:
        remedy = "Leave these rows out, or join small domains."
        if len(small) == len(values):
            remedy = "If its values follow one another, pass index_kind='time'; for many small groups use 'definetti'."
        raise DataError(
            "E363",
            f"{len(small):,} of {len(values):,} domains of {name!r} have fewer than {FEWEST_IN_DOMAIN} complete rows: "
            f"{quote_names(small, 4)}.",
            remedy,
        )


def _check_columns(ordered: Dataset, name: str, codes: NDArray[np.int64], timed: bool) -> None:
    """Refuse columns that do not vary in the complete rows, are the same as another, or as the index."""
    kinds = ordered.kinds()
    numeric = [column for column in ordered.names if kinds[column] is not Kind.CATEGORICAL]
    categories = [column for column in ordered.names if kinds[column] is Kind.CATEGORICAL]
    if numeric:
        gaussian_input(ordered.select(numeric))
    if categories:
        discrete_input(ordered.select(categories))
    if timed:
        same = [c for c in numeric if abs(np.corrcoef(ordered.numeric([c])[:, 0], codes)[0, 1]) > SAME]
    else:
        coded = {c: ordered.codes([c]).codes[:, 0] for c in ordered.names if kinds[c] is not Kind.CONTINUOUS}
        same = [c for c, own in coded.items() if _one_to_one(own, codes)]
    if same:
        raise DataError("E307", f"column {same[0]!r} says the same as the index {name!r}.", leave_out(same[:1]))


def _one_to_one(one: NDArray[Any], other: NDArray[np.int64]) -> bool:
    pairs = len({*zip(one.tolist(), other.tolist())})
    return pairs == len(np.unique(one)) == len(np.unique(other))
