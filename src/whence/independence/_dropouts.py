"""Which cells of a table are zeros that may stand for a value that was not seen, and which are missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.data import Column, Dataset, Kind
from whence.errors import DataError, ParameterError, quote_names

Transform = Literal["log1p", "log-nonzero"]
# Kinds whose zeros are dropouts unless said otherwise, and those whose zeros are if the column is named.
_EXPRESSION = frozenset({Kind.CONTINUOUS, Kind.COUNT, Kind.CONSTANT})
_IF_NAMED = _EXPRESSION | {Kind.ORDINAL, Kind.BINARY}


@dataclass(frozen=True)
class Cells:
    """What is known of the cells of p columns.

    Attributes
    ----------
    dropouts : tuple of str
        Columns in which an exact zero means that the value was not seen.
    seen : tuple of (bool array, shape (n,), or None), length p
        False where a column with dropouts is zero; None for a column without such zeros.
    present : tuple of (bool array, shape (n,), or None), length p
        False where a value is missing; None for a column without missing values.
    zero_rates : dict of str to float
        Share of zeros among the values that are not missing, by column with dropouts.
    negatives : dict of str to int
        Columns with dropouts that hold negative values, and how many.
    """

    dropouts: tuple[str, ...]
    seen: tuple[NDArray[np.bool_] | None, ...]
    present: tuple[NDArray[np.bool_] | None, ...]
    zero_rates: dict[str, float]
    negatives: dict[str, int]


def cells_of(data: Dataset, dropouts: Collection[str] | bool) -> Cells:
    """Return zeros and missing values of a table; only exact zeros count, never negative or small values.

    Parameters
    ----------
    data : Dataset
    dropouts : bool or collection of str
        True for all columns of counts and continuous numbers, False for none, or the columns by name.

    Raises
    ------
    ParameterError
        If a name is not a column, or the column does not hold numbers.
    """
    chosen = _columns_with_dropouts(data, dropouts)
    seen: list[NDArray[np.bool_] | None] = []
    present: list[NDArray[np.bool_] | None] = []
    rates: dict[str, float] = {}
    negatives: dict[str, int] = {}
    for name, column in data.columns.items():
        held = ~data.is_missing(name) if column.missing else None
        present.append(held)
        if name not in chosen:
            seen.append(None)
            continue
        zero, negative = _zero_and_negative(data, name)
        rates[name] = float(np.mean(zero if held is None else zero[held])) if len(zero) else 0.0
        if negative:
            negatives[name] = negative
        seen.append(~zero if zero.any() else None)
    return Cells(tuple(name for name in data.names if name in chosen), tuple(seen), tuple(present), rates, negatives)


def negative_values(cells: Cells) -> tuple[str, ...]:
    """Return the warning that columns with dropouts hold negative values, if they do."""
    if not cells.negatives:
        return ()
    count = sum(cells.negatives.values())
    return (
        f"column {quote_names(cells.negatives, 4)} has negative values ({count:,} in all): only exact zeros were taken "
        "for dropouts. On a centred or scaled column a zero is no dropout; pass the values before scaling.",
    )


def numbers_of(data: Dataset, transform: Transform | None, cells: Cells) -> NDArray[np.float64]:
    """Return the columns as rows, shape (p, n), with the transform on those that have dropouts; NaN where missing.

    Raises
    ------
    ParameterError
        For a transform that does not exist.
    DataError
        If a logarithm is to be taken of negative values.
    """
    values = np.ascontiguousarray(data.numeric().T)
    if transform is None:
        return values
    if transform not in ("log1p", "log-nonzero"):
        raise ParameterError("E311", f"there is no transform {transform!r}.", "Choose 'log1p', 'log-nonzero' or None.")
    if cells.negatives:
        name, count = next(iter(cells.negatives.items()))
        raise DataError(
            "E320",
            f"transform={transform!r} was asked for, and column {name!r} has {count:,} negative values.",
            "Leave the transform out if the values are on a log scale already, or name the columns that are "
            "expression with dropouts=[...].",
        )
    for row in (data.names.index(name) for name in cells.dropouts):
        values[row] = np.log1p(values[row]) if transform == "log1p" else _log_of_seen(values[row])
    return values


def _log_of_seen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms, with zeros at the smallest one of the column: below all that was seen, as they were."""
    seen = values > 0
    logs = np.log(values, out=np.full(values.shape, np.nan), where=seen)
    return np.where(values == 0, logs[seen].min() if seen.any() else 0.0, logs)


def _columns_with_dropouts(data: Dataset, dropouts: Collection[str] | bool) -> set[str]:
    if isinstance(dropouts, bool):
        return {c.name for c in data.columns.values() if _numeric(c, _EXPRESSION)} if dropouts else set()
    chosen = [dropouts] if isinstance(dropouts, str) else list(dropouts)
    absent = [name for name in chosen if name not in data.columns]
    if absent:
        raise ParameterError(
            "E309",
            f"dropouts= names {quote_names(absent)}, which is not among the columns.",
            f"Columns: {quote_names(data.names)}.",
        )
    words = [name for name in chosen if not _numeric(data.columns[name], _IF_NAMED)]
    if words:
        raise ParameterError(
            "E309",
            f"dropouts= names {quote_names(words)}, which is of kind {data.columns[words[0]].kind} and has no zeros.",
            "Name columns of numbers.",
        )
    return set(chosen)


def _numeric(column: Column, kinds: frozenset[Kind]) -> bool:
    """Return whether a column is of one of the kinds, and its values are numbers and no words or truth values."""
    levels = column.levels or ()
    return column.kind in kinds and all(type(level) in (int, float) for level in levels)


def _zero_and_negative(data: Dataset, name: str) -> tuple[NDArray[np.bool_], int]:
    """Return which values are exactly zero, and how many are negative, by the values and not by their codes."""
    column = data.columns[name]
    if column.levels is not None:
        codes = data.codes([name]).codes[:, 0]
        zero_code = next((k for k, level in enumerate(column.levels) if level == 0), -2)
        below = [k for k, level in enumerate(column.levels) if float(level) < 0]
        return codes == zero_code, int(np.isin(codes, below).sum())
    values = data.numeric([name])[:, 0]
    return values == 0, int((values < 0).sum())
