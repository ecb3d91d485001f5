"""Tables that mix numbers and categories as searches take them: checked, with columns that follow from others told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whence.data import Dataset
from whence.data.mixed import NOMINAL, Embedded, embed
from whence.discovery._common import SAME, check_rows, constant_columns, dependent_columns, leave_out
from whence.errors import DataError, quote_names


@dataclass(frozen=True)
class MixedInput:
    """The correlations of numbers and indicators of categories over complete rows, checked.

    Attributes
    ----------
    names : tuple of str, length p
    embedded : Embedded
    numbers : tuple of str
        Columns that are not categories.
    warnings : tuple of str
    library : str
        In which tables are returned.
    """

    names: tuple[str, ...]
    embedded: Embedded
    numbers: tuple[str, ...]
    warnings: tuple[str, ...]
    library: str


def mixed_input(data: Dataset) -> MixedInput:
    """Return the correlations of a table of numbers and categories, each category as its indicators.

    Raises
    ------
    DataError
        For too few complete rows, a column with one value left in them or two columns that are the same.
    """
    embedded = embed(data)
    warnings = check_rows(data, embedded.n, rows_per_column=False)
    flat = [name for name, width in zip(data.names, np.diff(embedded.first)) if width == 0]
    if flat:
        raise constant_columns(flat, embedded.n)
    _refuse_same(embedded)
    numbers = tuple(name for name, kind in data.kinds().items() if kind not in NOMINAL)
    return MixedInput(data.names, embedded, numbers, tuple(warnings), data.library)


def settled(found: MixedInput) -> tuple[Embedded, tuple[str, ...]]:
    """Return correlations that a score can tell apart, and what was done to them.

    Categories often settle each other in part: a code "none" in two columns, a region and its towns. All correlations
    between columns are then made smaller by the share 1 / n, as one row of noise among n would, so that such a relation
    counts as nearly exact and not as exact.

    Raises
    ------
    DataError
        If numbers follow exactly from other numbers.
    """
    embedded = found.embedded
    owner = np.array(embedded.owner)
    if embedded.n <= len(owner) + 1:
        return embedded, ()
    among = np.isin(owner, found.numbers)
    numeric = dependent_columns(embedded.correlation[np.ix_(among, among)], tuple(owner[among].tolist()))
    if numeric:
        raise follows_exactly(numeric)
    dependent = dependent_columns(embedded.correlation, embedded.owner)
    if not dependent:
        return embedded, ()
    share = 1.0 / embedded.n
    shrunk = embedded.correlation * (1.0 - share)
    np.fill_diagonal(shrunk, 1.0)
    named = quote_names(dict.fromkeys(dependent), 4)
    said = f"{named} follows in part exactly from other columns and was taken to follow nearly."
    return replace(embedded, correlation=shrunk), (said,)


def follows_exactly(dependent: tuple[str, ...]) -> DataError:
    """Return the error for numbers that are linear functions of others."""
    return DataError(
        "E318",
        f"{quote_names(dependent, 4)} follows exactly from other columns; a score cannot tell them apart.",
        f"Leave {quote_names(dependent, 4)} out, or use the search 'pc'.",
    )


def _refuse_same(embedded: Embedded) -> None:
    """Raise DataError for the first pair of columns of which each follows exactly from the other."""
    first, names = embedded.first, embedded.names
    # All canonical correlations of a pair are one exactly if their squares add up to the width of the wider block.
    square = np.add.reduceat(np.add.reduceat(embedded.correlation**2, first[:-1], axis=0), first[:-1], axis=1)
    width = np.diff(first)
    for i, j in np.argwhere(np.triu(square > SAME * np.maximum(width[:, None], width[None, :]), k=1)):
        raise DataError(
            "E307",
            f"columns {names[i]!r} and {names[j]!r} are the same up to scale or the names of their values.",
            leave_out([names[j]]),
        )
