"""Which columns take part in the search, and in what form. Everything left out is named, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whence.autopilot.study import Decision
from whence.data import Dataset, Kind
from whence.errors import DataError, quote_names

_NOT_VARIABLES = {
    Kind.ID: "it tells rows apart and measures nothing",
    Kind.TIME: "it orders the rows; give it as time= to use it",
    Kind.CONSTANT: "it does not vary",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The table the search sees, and what was decided on the way."""

    search_data: Dataset
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]


def prepare(data: Dataset, facts: Mapping[str, Any], keep: tuple[str, ...]) -> Prepared:
    """Choose the columns to search.

    Columns named in ``keep`` (treatment and outcome) must be usable; others that are identifiers, times, constant,
    mostly missing or all but copies of another column are left out, and said so. A table that mixes categories with
    numbers is searched as it is, which is said too.

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
    decisions += _both_sorts(searched)
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


def _both_sorts(data: Dataset) -> list[Decision]:
    """Return what is done about a table that mixes categories with numbers."""
    kinds = data.kinds()
    categories = [name for name, kind in kinds.items() if kind is Kind.CATEGORICAL]
    numbers = [name for name, kind in kinds.items() if kind in (Kind.CONTINUOUS, Kind.COUNT)]
    if not categories or not numbers:
        return []
    what = (
        f"searched the numbers {quote_names(numbers)} together with the categories {quote_names(categories)}, each "
        "level of which is an indicator"
    )
    why = "that finds more of the true edges than cutting the numbers into a few levels or leaving one sort out"
    return [Decision("columns", what, why, ("cut the numbers into levels", "drop the categories"))]
