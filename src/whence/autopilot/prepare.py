"""Which columns take part in the search, and in what form. Everything left out is named, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from whence.autopilot.study import Decision
from whence.data import Dataset, Kind
from whence.errors import DataError, quote_names

_NOT_VARIABLES = {
    Kind.ID: "it tells rows apart and measures nothing",
    Kind.TIME: "it orders the rows; give it as time= to use it",
    Kind.CONSTANT: "it does not vary",
}
BINS = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """The table the search sees, and what was decided on the way."""

    search_data: Dataset
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]


def prepare(data: Dataset, facts: Mapping[str, Any], keep: tuple[str, ...]) -> Prepared:
    """Choose the columns to search and bring them to one sort.

    Columns named in ``keep`` (treatment and outcome) must be usable; others that are identifiers, times, constant,
    mostly missing or all but copies of another column are left out, and said so. A table that mixes many-valued
    categories with numbers is searched on thirds of its numeric columns; the effect is estimated on the original values
    all the same.

    Raises
    ------
    DataError
        If treatment or outcome cannot be used, fewer than two columns are left, or no more complete rows than columns.
    """
    decisions: list[Decision] = []
    warnings: list[str] = []
    for name in keep:
        column = data.columns[name]
        if column.kind in _NOT_VARIABLES:
            raise DataError(
                "E334",
                f"column {name!r} cannot be treatment or outcome: its kind is {column.kind} ({column.reason}).",
                f"Name another column, or override the kind with wh.read(..., kinds={{{name!r}: ...}}).",
            )
    left_out = {name: _NOT_VARIABLES[c.kind] for name, c in data.columns.items() if c.kind in _NOT_VARIABLES}
    for group in facts.get("near_duplicates") or ():
        kept = next((name for name in group if name in keep), group[0])
        for name in group:
            if name != kept and name not in keep:
                left_out[name] = f"it is all but a copy of {kept!r}"
    for name in facts.get("mostly_missing") or ():
        if name not in keep:
            left_out.setdefault(name, "half or more of its values are missing, and every search needs complete rows")
    names = [name for name in data.names if name not in left_out]
    for name, why in left_out.items():
        decisions.append(Decision("columns", f"left {name!r} out of the search", why, ("keep it",)))
    if left_out:
        warnings.append(
            "Left out of the graph: " + "; ".join(f"{name!r} ({why})" for name, why in left_out.items()) + "."
        )
    if len(names) < 2:
        raise DataError(
            "E335",
            f"{data.source} has {len(names)} column that can take part in a search ({quote_names(names) or 'none'}).",
            "A causal question needs at least two columns that vary and are not identifiers.",
        )
    searched = data.select(names)
    _check_rows(searched)
    searched, more = _one_sort(searched)
    decisions += more
    if more:
        warnings.append(more[0].what)
    return Prepared(searched, tuple(decisions), tuple(warnings))


def _check_rows(data: Dataset) -> None:
    """Refuse a table with no more complete rows than columns: no answer from it could be defended."""
    p = len(data.names)
    fewest = data.n_rows - sum(column.missing for column in data.columns.values())
    complete = fewest if fewest > p or not data.in_memory else data.complete().n_rows
    if complete <= p:
        raise DataError(
            "E308",
            f"{data.source} has {complete:,} complete rows for {p:,} columns; a study needs more rows than columns.",
            "Select fewer columns with data.select([...]), add rows, or ask for the graph alone: "
            "wh.discover(data, method='pc').",
        )


def _one_sort(data: Dataset) -> tuple[Dataset, list[Decision]]:
    kinds = data.kinds()
    categories = [name for name, kind in kinds.items() if kind is Kind.CATEGORICAL]
    numbers = [name for name, kind in kinds.items() if kind in (Kind.CONTINUOUS, Kind.COUNT)]
    if not categories or not numbers:
        return data, []
    for name in numbers:
        data = data.with_column(name, _thirds(data.numeric([name])[:, 0]), kind=Kind.ORDINAL)
    what = (
        f"Searched on thirds of {quote_names(numbers)} because the table also holds the categories "
        f"{quote_names(categories)}; weak relations of the numbers can be missed."
    )
    why = "the registered searches take numbers or categories, not both; the effect is estimated on the original values"
    return data, [Decision("columns", what, why, ("drop the categories", "give the categories as 0/1 columns"))]


def _thirds(values: np.ndarray) -> list[int | None]:
    """Return 0, 1, 2 for the lower, middle and upper third; equal values stay together; missing stays missing."""
    seen = values[~np.isnan(values)]
    cuts = np.unique(np.quantile(seen, [1 / BINS, 2 / BINS])) if seen.size else np.array([])
    binned = np.searchsorted(cuts, values, side="left")
    return [None if np.isnan(value) else int(cell) for value, cell in zip(values, binned)]
