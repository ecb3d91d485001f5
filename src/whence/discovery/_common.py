"""What every search does with its input: columns checked, missing values left out and said so, knowledge as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpstrf

from whence.data import Dataset, Kind, as_dataset
from whence.data.statistics import Codes, Moments
from whence.data.whole_numbers import WholeNumbers
from whence.errors import DataError, ParameterError, quote_names
from whence.graph import Knowledge
from whence.registry import Card

_CATEGORIES = frozenset({Kind.CATEGORICAL})
_DISCRETE = frozenset({Kind.CATEGORICAL, Kind.BINARY, Kind.ORDINAL})
_NOT_VARIABLES = frozenset({Kind.TIME, Kind.ID})

Sort = Literal["discrete", "numeric", "mixed"]
"""Which statistics a table has: counts, correlations, or correlations with the indicators of categories."""

SORT_RULES: dict[Sort, str] = {
    "discrete": "all columns are discrete",
    "numeric": "all columns are numeric",
    "mixed": "the table has numbers and categories",
}

# Two columns whose correlation is this close to one are the same column to every test and score.
SAME = 1.0 - 1e-10
_FEWEST_ROWS = 5
# From this share of rows left out on, it is said what cost them and what would have used them.
_MANY_LEFT_OUT = 0.05


@dataclass(frozen=True)
class GaussianInput:
    """The moments of numeric columns over complete rows, checked.

    Attributes
    ----------
    names : tuple of str, length p
    moments : Moments
    warnings : tuple of str
    library : str
        In which tables are returned.
    """

    names: tuple[str, ...]
    moments: Moments
    warnings: tuple[str, ...]
    library: str


@dataclass(frozen=True)
class DiscreteInput:
    """Discrete columns over complete rows as codes without gaps, checked.

    Attributes
    ----------
    names : tuple of str, length p
    codes : int32 array, shape (p, n)
        One row per column, codes 0 .. sizes[column] - 1, each of which occurs.
    sizes : int64 array, shape (p,)
        Values that occur in each column.
    warnings : tuple of str
    library : str
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]
    sizes: NDArray[np.int64]
    warnings: tuple[str, ...]
    library: str

    @property
    def rows_used(self) -> int:
        """Complete rows."""
        return int(self.codes.shape[1])

    def as_codes(self) -> Codes:
        """Return what a test on counts takes; the values behind the codes are not kept."""
        return Codes(self.codes.T, ((),) * len(self.names), self.names)


@dataclass(frozen=True)
class RowsInput:
    """The values of numeric columns in complete rows, checked; shape (n, p)."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    warnings: tuple[str, ...]
    library: str


def open_table(data: Any, card: Card) -> Dataset:
    """Return the data as a Dataset whose columns a search can take.

    Raises
    ------
    DataError
        For fewer than two columns, a constant or empty column, an identifier or a time, or kinds not on the card.
    """
    dataset = as_dataset(data)
    if len(dataset.names) < 2:
        raise DataError(
            "E303",
            f"a search needs at least two columns; {dataset.source} has {len(dataset.names)}.",
            "Add columns that may cause or be caused.",
        )
    columns, rows = dataset.columns, dataset.n_rows
    empty = [name for name, column in columns.items() if column.missing == rows]
    if empty:
        raise DataError("E306", f"column {quote_names(empty)} has no value in any row.", leave_out(empty))
    constant = [name for name, column in columns.items() if column.kind is Kind.CONSTANT]
    if constant:
        raise constant_columns(constant)
    no_variables = [name for name, column in columns.items() if column.kind in _NOT_VARIABLES]
    if no_variables:
        name = no_variables[0]
        raise DataError(
            "E310",
            f"column {name!r} is of kind {columns[name].kind} ({columns[name].reason}); a search takes variables.",
            f"{leave_out(no_variables)} Or override its kind with wh.read(..., kinds={{{name!r}: ...}}).",
        )
    unfit = [name for name, column in columns.items() if str(column.kind) not in card.kinds]
    if unfit:
        raise DataError(
            "E310",
            f"{card.name} does not take column {quote_names(unfit)} of kind {columns[unfit[0]].kind}.",
            f"It takes {', '.join(sorted(card.kinds))}. {leave_out(unfit)} Or override kinds in wh.read(..., kinds=).",
        )
    return dataset


def sort_of(data: Dataset) -> Sort:
    """Return whether the columns of a table are all discrete, all numeric, or of both sorts."""
    kinds = data.kinds().values()
    if all(kind in _DISCRETE for kind in kinds):
        return "discrete"
    return "mixed" if any(kind in _CATEGORIES for kind in kinds) else "numeric"


def gaussian_input(data: Dataset, *, rows_per_column: bool = False) -> GaussianInput:
    """Return the moments of a table of numeric columns, in one scan, without reading its rows into memory.

    Parameters
    ----------
    rows_per_column : bool
        Whether the method needs more complete rows than columns.

    Raises
    ------
    DataError
        For too few complete rows, a column without variance or two columns that are the same.
    """
    moments = data.moments()
    warnings = check_rows(data, moments.n, rows_per_column)
    variance = np.diag(moments.covariance)
    typical = np.maximum(np.abs(moments.mean), np.sqrt(np.abs(variance)))
    flat = np.flatnonzero(~(variance > (1e-13 * typical) ** 2))
    if len(flat):
        raise constant_columns([moments.names[k] for k in flat], moments.n)
    _refuse_copies(moments)
    binary = [name for name, kind in data.kinds().items() if kind is Kind.BINARY]
    if binary:
        warnings.append(
            f"Binary column{'s' * (len(binary) > 1)} {quote_names(binary, 4)} entered as 0/1 numbers: relations among "
            "them are tested as linear."
        )
    return GaussianInput(data.names, moments, tuple(warnings), data.library)


def discrete_input(data: Dataset) -> DiscreteInput:
    """Return the codes of a table of discrete columns over its complete rows.

    Raises
    ------
    DataError
        For too few complete rows, a column with one value left in them or two columns that are the same.
    """
    codes = data.codes().codes
    rows = np.ascontiguousarray(codes.T if codes.min(initial=0) >= 0 else codes[(codes >= 0).all(axis=1)].T)
    warnings = check_rows(data, rows.shape[1], rows_per_column=False)
    numbers = WholeNumbers(rows.T, widest=rows.shape[1])
    levels = [numbers.levels(column) for column in range(len(rows))]
    for column, found in enumerate(levels):
        if found[-1] >= len(found):  # some value is in no complete row
            rows[column] = numbers.codes([column], [found])[:, 0]
    sizes = np.array(list(map(len, levels)), dtype=np.int64)
    flat = [name for name, size in zip(data.names, sizes) if size < 2]
    if flat:
        raise constant_columns(flat, rows.shape[1])
    _refuse_same_codes(data.names, rows, [numbers.counts(column) for column in range(len(rows))])
    return DiscreteInput(data.names, rows, sizes, tuple(warnings), data.library)


def rows_input(data: Dataset) -> RowsInput:
    """Return the values of numeric columns in complete rows, for methods that need more than moments."""
    values = data.numeric()
    complete = ~np.isnan(values).any(axis=1)
    values = values[complete] if not complete.all() else values
    warnings = check_rows(data, len(values), rows_per_column=True)
    flat = [name for name, column in zip(data.names, values.T) if np.ptp(column) == 0]
    if flat:
        raise constant_columns(flat, len(values))
    covariance = np.cov(values, rowvar=False)
    _refuse_copies(Moments(data.names, len(values), values.mean(axis=0), covariance, data.n_rows))
    return RowsInput(data.names, values, tuple(warnings), data.library)


def knowledge_arrays(
    knowledge: Knowledge | None, names: tuple[str, ...], card: Card
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what is required and forbidden, ``[i, j]`` for ``i -> j``, shape (p, p) each; nothing if None.

    Raises
    ------
    ParameterError
        If the knowledge has a form that the card does not respect.
    GraphError
        If it names an absent column.
    """
    known = knowledge or Knowledge()
    unheard = known.forms() - card.knowledge
    if unheard:
        raise ParameterError(
            "E312",
            f"{card.name} does not respect knowledge of the form {quote_names(sorted(unheard))}.",
            f"It respects {', '.join(sorted(card.knowledge)) or 'none'}; `whence methods` lists the other searches.",
        )
    return known.for_names(names)


def precedence(names: tuple[str, ...], knowledge: Knowledge | None, required: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which column must stand before which in any order that keeps to the knowledge, transitively.

    Required edges, tiers, roots and leaves say so. A forbidden edge does not: what it forbids is one edge, not a path.
    """
    before = required.copy()
    if knowledge is not None:
        tier_of = knowledge.tier_of
        tier = np.array([tier_of.get(name, -1) for name in names])
        before |= (tier[:, None] >= 0) & (tier[:, None] < tier[None, :])
        roots, leaves = ([name in group for name in names] for group in (knowledge.roots, knowledge.leaves))
        before |= np.outer(roots, np.logical_not(roots)) | np.outer(np.logical_not(leaves), leaves)
    for k in np.flatnonzero(before.any(axis=0) & before.any(axis=1)):
        before |= np.outer(before[:, k], before[k])
    return before


def order_within(before: NDArray[np.bool_], wish: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the columns in the wished order, as far as what must stand before what allows."""
    left = list(wish)
    order = []
    while left:
        free = next(node for node in left if not before[left, node].any())
        order.append(free)
        left.remove(free)
    return np.array(order, dtype=np.int64)


def dependent_columns(correlation: NDArray[np.float64], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that are linear functions of the others, by a pivoted Cholesky factor; () at full rank."""
    _, pivots, rank, _ = dpstrf(correlation, tol=1e-10)
    return tuple(names[k - 1] for k in sorted(pivots[rank:]))


class SeparatingSets(Mapping[tuple[str, str], tuple[str, ...]]):
    """Which names separated each pair that was found independent; kept as found, named when looked up.

    Keys are ``(a, b)`` with a before b in the table; lookup takes either order.

    Parameters
    ----------
    names : tuple of str
        The columns in the table's order, in which pairs and sets are told.
    searched : tuple of str
        The columns in the order in which they were searched.
    separated : bool array, shape (p, p)
        By columns as searched.
    sets : mapping of (int, int) to tuple of int
        By columns as searched, i < j; a pair that is not in it was separated by no other column.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        searched: tuple[str, ...],
        separated: NDArray[np.bool_],
        sets: Mapping[tuple[int, int], tuple[int, ...]],
    ) -> None:
        self._names = names
        self._searched = searched
        self._separated = separated
        self._sets = sets
        self._index = {name: k for k, name in enumerate(searched)}
        self._place = {name: k for k, name in enumerate(names)}

    def __getitem__(self, pair: tuple[str, str]) -> tuple[str, ...]:
        i, j = sorted((self._index[pair[0]], self._index[pair[1]]))
        if not self._separated[i, j]:
            raise KeyError(pair)
        return tuple(sorted((self._searched[k] for k in self._sets.get((i, j), ())), key=self._place.__getitem__))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        order = [self._index[name] for name in self._names]
        separated = np.triu(self._separated[np.ix_(order, order)], k=1)
        return ((self._names[i], self._names[j]) for i, j in np.argwhere(separated))

    def __len__(self) -> int:
        return int(self._separated.sum()) // 2

    def __repr__(self) -> str:
        return f"SeparatingSets({len(self)} pairs, {len(self._sets)} of them given other columns)"


def check_rows(data: Dataset, complete: int, rows_per_column: bool) -> list[str]:
    """Return what is to be said of the rows left out and of few rows; raise DataError if there are too few."""
    p = len(data.names)
    if complete < _FEWEST_ROWS:
        most = max(data.columns.values(), key=lambda column: column.missing)
        missing = f" ({most.missing:,} values of {most.name!r} are missing)" if most.missing else ""
        raise DataError(
            "E306",
            f"{data.source} has {complete} complete rows{missing}; a search needs at least {_FEWEST_ROWS}.",
            "Leave out columns with many missing values with data.select([...]), or add rows.",
        )
    if rows_per_column and complete <= p:
        raise DataError(
            "E308",
            f"{data.source} has {complete:,} complete rows for {p:,} columns; this search needs more rows.",
            "Select fewer columns, add rows, or use the search 'pc', which conditions on few columns at a time.",
        )
    warnings = []
    if complete < data.n_rows:
        warnings.append(_left_out(data, complete))
    if complete <= p:
        warnings.append(
            f"{complete:,} rows for {p:,} columns: only a sparse graph can be found, and weak edges are missed."
        )
    return warnings


def _left_out(data: Dataset, complete: int) -> str:
    """Return which rows were left out, which columns cost them, and what would have used them."""
    left_out = data.n_rows - complete
    said = f"{left_out:,} of {data.n_rows:,} rows have a missing value and were left out."
    if left_out < _MANY_LEFT_OUT * data.n_rows:
        return said
    worst = sorted((c for c in data.columns.values() if c.missing), key=lambda column: -column.missing)[:3]
    named = ", ".join(f"{column.name!r} ({column.missing:,})" for column in worst)
    said += f" Most are missing in {named}: data.select([...]) without a column keeps its rows."
    if sort_of(data) == "numeric":
        said += " The searches 'pc' and 'fci' use every row that has the columns of a test."
    return said


def constant_columns(names: list[str], rows: int | None = None) -> DataError:
    """Return the error for columns that hold one value."""
    where = f" in the {rows:,} complete rows" if rows is not None else ""
    verb = "s do" if len(names) > 1 else " does"
    return DataError("E305", f"column{verb} not vary{where}: {quote_names(names)}.", leave_out(names))


def _refuse_copies(moments: Moments) -> None:
    """Raise DataError for the first pair of columns that determine each other linearly."""
    close = np.abs(moments.correlation) > SAME
    if np.count_nonzero(close) > len(close):  # more than the diagonal
        same = np.argwhere(np.triu(close, k=1))
        raise same_columns(*(moments.names[k] for k in same[0]))


def same_columns(a: str, b: str) -> DataError:
    """Return the error for two columns that determine each other linearly."""
    return DataError(
        "E307",
        f"columns {a!r} and {b!r} are the same up to scale; which of them causes anything cannot be told.",
        leave_out([b]),
    )


def same_values(a: str, b: str) -> DataError:
    """Return the error for two discrete columns that determine each other."""
    return DataError("E307", f"columns {a!r} and {b!r} are the same up to the names of their values.", leave_out([b]))


def _refuse_same_codes(names: tuple[str, ...], codes: NDArray[np.int32], counts: Sequence[list[int]]) -> None:
    """Raise DataError for the first pair of discrete columns that are the same up to the names of their values."""
    alike: dict[tuple[int, ...], list[int]] = {}  # columns whose values occur equally often
    for column, found in enumerate(counts):
        alike.setdefault(tuple(sorted(found)), []).append(column)
    for group in alike.values():
        seen: dict[bytes, int] = {}
        for column in group if len(group) > 1 else ():
            _, first, inverse = np.unique(codes[column], return_index=True, return_inverse=True)
            by_appearance = np.argsort(np.argsort(first)).astype(np.int32)
            other = seen.setdefault(by_appearance[inverse].tobytes(), column)
            if other != column:
                raise same_values(names[other], names[column])


def leave_out(names: list[str]) -> str:
    """Return the advice to leave columns out."""
    return f"Leave {'it' if len(names) == 1 else 'them'} out: data.select([...]) without {quote_names(names)}."
