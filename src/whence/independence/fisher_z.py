"""Fisher's z test of a partial correlation, from one correlation matrix."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from whence.data import as_dataset
from whence.data.statistics import Moments
from whence.errors import DataError
from whence.independence._queries import as_arrays
from whence.independence.result import Query, TestResult
from whence.kernels import Kernels
from whence.registry import Card, Paper, register

CARD = Card(
    name="fisher-z",
    family="test",
    answers="Is the linear relation of two numeric columns zero once others are held fixed?",
    assumes=frozenset({"linear", "gaussian", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="p-value",
    missing="complete-rows",
    moments_only=True,
    paper=Paper("Fisher", "The distribution of the partial correlation coefficient", 1924, "Metron 3, 329-332"),
)

_kernels = Kernels("whence.independence._kernels_gaussian")


@register(CARD)
class FisherZ:
    """Test whether a partial correlation is zero.

    The statistic ``sqrt(n - |S| - 3) * |artanh(r)|`` is compared with a standard normal (Anderson 2003, section 4.3.3).
    Columns given that are linear functions of others given add nothing; if they determine x or y, the p-value is NaN.

    Parameters
    ----------
    data : Dataset, Moments, or anything `whence.read` takes
        Numeric columns; complete rows are used.

    Raises
    ------
    DataError
        If there are fewer than five complete rows, or a column is not numeric.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(size=500)
    >>> test = FisherZ({"age": age, "dose": age + rng.normal(size=500), "risk": age + rng.normal(size=500)})
    >>> test("dose", "risk").p_value < 1e-9, test("dose", "risk", ["age"]).p_value > 0.05
    (True, True)
    """

    card: ClassVar[Card]

    def __init__(self, data: Any) -> None:
        moments = data if isinstance(data, Moments) else as_dataset(data).moments()
        if moments.n < 5:
            raise DataError(
                "E306", f"there are {moments.n} complete rows for Fisher's z; it needs at least 5.", "Add rows."
            )
        self.names: tuple[str, ...] = moments.names
        self.rows_used: int = moments.n
        self.correlation: NDArray[np.float64] = np.ascontiguousarray(moments.correlation)
        # Standard deviation of z under independence; correlations of ranks spread wider than those of values.
        self.spread = 1.0

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; NaN where there are too few rows for so many columns given."""
        statistic, p_value = self._test([(x, y, given)])
        return TestResult(float(p_value[0]), float(statistic[0]), self.rows_used)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return self._test(queries)[1]

    def partial_correlation(self, x: str, y: str, given: Collection[str] = ()) -> float:
        """Return the partial correlation of two columns given others."""
        return float(_kernels.partial_correlations(self.correlation, *as_arrays(self.names, [(x, y, given)]))[0])

    def _test(self, queries: Sequence[Query]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first, second, start, given = as_arrays(self.names, queries)
        found = np.abs(_kernels.partial_correlations(self.correlation, first, second, start, given))
        freedom = self.rows_used - np.diff(start) - 3
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.where(freedom > 0, np.sqrt(freedom) * np.arctanh(found) / self.spread, np.nan)
        return statistic, 2.0 * ndtr(-statistic)
