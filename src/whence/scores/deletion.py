"""A score for columns full of zeros: what a parent adds, measured on the rows that show the other parents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError, ParameterError
from whence.kernels import Kernels
from whence.registry import Card, Paper, register
from whence.scores._kernels import GAUSSIAN
from whence.scores.local import NO_CODES, LocalScore

_kernels = Kernels("whence.scores._kernels_deletion")


@dataclass(frozen=True)
class DeletionScore(LocalScore):
    """Gains by test-wise deletion; `deletion_bic` makes one.

    It is no difference of local scores: each gain rests on rows of its own. A column adds something if its partial
    correlation, shrunk for the rows that were deleted as the authors do, pays the price of an edge; how much it adds is
    that of the correlation itself, so that gains on many and on few rows can be compared. `local` adds the gains of the
    parents as they join one after another, in the order given, and `total` sums those, which tells graphs apart but
    depends on that order a little.

    Attributes
    ----------
    values : float array, shape (p, n)
        Standardised columns as rows.
    sets : uint64 array, shape (p, words)
        Bit r says whether a column was seen in row r.
    counters : int64 array, shape (2,)
        Fewest rows that a gain may rest on, and how many sets of columns had fewer so far.
    """

    values: NDArray[np.float64] | None = None
    sets: NDArray[np.uint64] | None = None
    counters: NDArray[np.int64] | None = None

    @property
    def n_columns(self) -> int:
        """The number of columns p."""
        assert self.values is not None
        return len(self.values)

    @property
    def starved(self) -> int:
        """Sets of columns that had too few rows left, each time one was asked about."""
        assert self.counters is not None
        return int(self.counters[1])

    @cached_property
    def kernels(self) -> tuple[Any, Any]:
        """The gains and the losses as compiled functions."""
        return _kernels.deletion_gains, _kernels.deletion_losses

    @cached_property
    def packed(self) -> tuple[Any, ...]:
        """The score as its kernels take it; see `whence.scores._kernels_deletion`."""
        nothing = np.zeros(0, dtype=np.int64)
        head = (self.mode, self.values, NO_CODES, self.counters, self.sets, nothing)
        return (*head, self.n, self.unit, self.edge, self.ess, np.zeros(0))


@register(
    Card(
        name="deletion-bic",
        family="score",
        answers="what a parent adds, by a partial correlation over the rows in which no other parent is zero",
        assumes=frozenset({"linear", "gaussian", "iid"}),
        kinds=frozenset({"continuous", "count"}),
        output="local score",
        missing="complete-rows",
        paper=Paper(
            "Dai, Ng, Luo, Spirtes, Stojanov and Zhang",
            "Gene Regulatory Network Inference in the Presence of Dropouts: a Causal View",
            2024,
            "ICLR; arXiv 2403.15500",
        ),
    )
)
def deletion_bic(
    values: NDArray[np.float64],
    seen: NDArray[np.bool_] | None = None,
    *,
    penalty: float = 2.0,
    per_edge: float = 0.0,
    min_rows: int = 50,
) -> DeletionScore:
    """Return the score of a table whose zeros hide values.

    Parameters
    ----------
    values : float array, shape (n, p)
        Without missing values.
    seen : bool array, shape (n, p), optional
        False where a value is hidden; by default where it is exactly zero.
    penalty : float
        An edge costs ``penalty * log(n) / 2``: 2 is the price log n of the authors' runs, 1 that of the BIC.
    per_edge : float
        Price of an edge on top, in log-likelihood.
    min_rows : int
        A gain on fewer rows is not taken for one, if rows were deleted.

    Raises
    ------
    DataError
        If a value is missing or the table has fewer than five rows.
    ParameterError
        If the penalty is not positive or ``min_rows`` is below 5.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.normal(size=500)
    >>> score = deletion_bic(np.column_stack([cause, cause + rng.normal(size=500)]))
    >>> bool(score.gains(1, [])[0] > 100)
    True
    """
    n = len(values)
    if n < 5 or np.isnan(values).any():
        raise DataError(
            "E306",
            f"the score needs 5 rows or more without missing values; it got {n} rows, "
            f"{int(np.isnan(values).any(axis=1).sum())} of them with a missing value.",
            "Leave out rows with missing values.",
        )
    if penalty <= 0:
        raise ParameterError("E316", f"the penalty {penalty!r} is not positive.", "Give penalty > 0; 2 costs log n.")
    if min_rows < 5:
        raise ParameterError("E316", f"min_rows is {min_rows}.", "Give 5 rows or more.")
    centred = values - values.mean(axis=0)
    scale = centred.std(axis=0)
    columns = np.ascontiguousarray((centred / np.where(scale > 0, scale, 1.0)).T)
    return DeletionScore(
        GAUSSIAN,
        float(n),
        penalty * math.log(n) / 2,
        float(per_edge),
        values=columns,
        sets=row_sets((values != 0) if seen is None else seen),
        counters=np.array([min_rows, 0], dtype=np.int64),
    )


def row_sets(seen: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return for every column the set of its True rows as bits, shape (p, words); the bits beyond n are zero."""
    n, p = seen.shape
    padded = np.zeros((p, 64 * ((n + 63) // 64)), dtype=bool)
    padded[:, :n] = seen.T
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
