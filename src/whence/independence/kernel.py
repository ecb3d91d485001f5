"""The kernel test of conditional independence: do residuals of all smooth functions of two columns go together."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from whence.errors import ParameterError
from whence.independence._cache import Cache
from whence.independence._columns import Scale, in_order_of_content, prepare
from whence.independence._queries import as_arrays
from whence.independence._smoothing import Smoother, ridge_smoother
from whence.independence.result import Query, TestResult
from whence.kernels import Kernels
from whence.registry import Card, Paper, register

_gram = Kernels("whence.independence._kernels_gram")
_quadratic = Kernels("whence.independence._kernels_quadratic")

Width = Literal["median", "published"]
Null = Literal["gamma", "exact"]

RIDGE = 1e-3
"""Added to the diagonal of the Gram matrix of the columns given (Zhang et al. 2011, section 4)."""

TOLERANCE = 5e-4
"""Share of the trace of a Gram matrix that its factor may leave out, for x and y."""

_GIVEN_TOLERANCE = 0.1 * RIDGE
_DETERMINED = 1e-5  # share of what residuals of noise would keep: a copy keeps some 1e-6 of it, so small is the ridge
_BLOCK = 128
_APART = 2.0  # two levels without order lie this times sqrt(2) kernel widths apart: their kernel is 0.02


@register(
    Card(
        name="kci",
        family="test",
        answers="Are two columns independent once others are held fixed, by the covariance of all smooth functions?",
        assumes=frozenset({"iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="p-value",
        missing="complete-rows",
        paper=Paper(
            "Zhang, Peters, Janzing and Schölkopf",
            "Kernel-based conditional independence test and application in causal discovery",
            2011,
            "Uncertainty in Artificial Intelligence 27, 804-813",
        ),
    )
)
class KCI:
    """The kernel-based conditional independence test; without columns given, the Hilbert-Schmidt criterion.

    Gram matrices are kept as products of the few columns that carry them, so that a test costs some ``n * rank**2`` and
    one pass over ``n**2`` instead of several ``n**3``. It is meant for up to some 5,000 rows; `RCoT` has no such limit.

    Parameters
    ----------
    data : Dataset, or anything `whence.read` takes
        Numbers and categories; complete rows are used. Levels of a category lie equally far apart; columns that do not
        vary add nothing to a set and have a p-value of NaN as x or y.
    scale : {"ranks", "standard"}
        Normal scores of the ranks, the default: the answer then depends on no unit or monotone transformation, and
        extreme values cannot dominate. Or values in standard deviations, as published.
    width : {"median", "published"}
        Of the Gaussian kernels. ``"median"``: for each column the median distance between two different values, times
        ``(200 / n)**0.1`` beyond 200 rows, so that kernels see finer shapes as rows come in; several columns given are
        each taken at ``sqrt(k)`` times their width, k the number of columns. ``"published"``: 0.8, 0.5, 0.3 standard
        deviations without columns given, else 1.2, 0.7, 0.4 times ``sqrt(k)``, for n below 200, below 1,200 and above.
    null : {"gamma", "exact"}
        The null distribution is a sum of chi-squares weighted by eigenvalues: a gamma distribution with its mean and
        variance, or the tail of the sum itself, which drawing from the eigenvalues approaches. Exact tails cost one
        eigendecomposition of n rows for each test.
    corrected : bool
        Whether the null allows for few rows, see Notes; False for the published one.

    Raises
    ------
    DataError
        For fewer than 20 complete rows, times and identifiers.

    Notes
    -----
    As published, x enters together with the columns given, at half their weight. Which of the two is x is settled by
    the ranks of their values, so that the order in which they are named changes nothing. Two corrections go beyond the
    paper. The regression on the columns given takes freedom from the residuals: the null is scaled by what it takes.
    The squared eigenvalues of the null add up to a sum over pairs of rows: pairs of a row with itself are left out,
    which would widen the null of few rows. Without both, tests given three columns reject too seldom.

    References
    ----------
    Zhang, Peters, Janzing and Schölkopf (2011), theorem 4 and proposition 5; Gretton et al. (2007) without columns
    given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(size=300)
    >>> test = KCI({"age": age, "dose": age**2 + rng.normal(size=300), "risk": age**2 + rng.normal(size=300)})
    >>> test("dose", "risk").p_value < 1e-6, test("dose", "risk", ["age"]).p_value > 0.05
    (True, True)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        data: Any,
        *,
        scale: Scale = "ranks",
        width: Width = "median",
        null: Null = "gamma",
        corrected: bool = True,
    ) -> None:
        if width not in ("median", "published"):
            raise ParameterError("E311", f"there is no kernel width {width!r}.", "Choose median or published.")
        if null not in ("gamma", "exact"):
            raise ParameterError("E311", f"there is no null distribution {null!r}.", "Choose gamma or exact.")
        self.names, self._columns, self.rows_used = prepare(data, scale=scale, test=self.card.name.upper())
        self.scale = scale
        self.width = width
        self.null = null
        self.corrected = corrected
        self._alone: Cache[NDArray[np.float64]] = Cache()
        self._smoothers: Cache[Smoother] = Cache()
        self._left: Cache[NDArray[np.float64]] = Cache()

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; NaN where the set given determines one of the two."""
        chosen = (given,) if isinstance(given, str) else tuple(given)
        as_arrays(self.names, [(x, y, chosen)])
        chosen = self._ordered([name for name in chosen if not self._columns[name].constant])
        x, y = self._ordered((x, y))
        if self._columns[x].constant or self._columns[y].constant:
            return TestResult(math.nan, math.nan, self.rows_used)
        statistic, p_value = self._given(x, y, chosen) if chosen else self._marginal(x, y)
        return TestResult(p_value, statistic, self.rows_used)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.array([self(*query).p_value for query in queries], dtype=np.float64)

    def _ordered(self, names: Sequence[str]) -> tuple[str, ...]:
        order = in_order_of_content([self._columns[name] for name in names])
        return tuple(names[place] for place in order)

    def _marginal(self, x: str, y: str) -> tuple[float, float]:
        """Return statistic and p-value of the criterion ``trace(K L) / n`` of centred Gram matrices (theorem 4)."""
        n = self.rows_used
        first, second = (self._factor(name, 0) for name in (x, y))
        across = first.T @ second
        inner = [factor.T @ factor for factor in (first, second)]
        statistic = float((across * across).sum()) / n
        if self.null == "exact":
            eigenvalues = [np.linalg.eigvalsh(of).clip(0.0) / n for of in inner]
            weights = np.multiply.outer(*eigenvalues).ravel()
            return statistic, _quadratic.weighted_chi_square_tail(statistic, weights)
        mean = float(np.trace(inner[0]) * np.trace(inner[1])) / n**2
        squares = [float((of * of).sum()) for of in inner]
        if self.corrected:
            squares = [_between_rows(of, _row_norms(factor), n) for of, factor in zip(squares, (first, second))]
        variance = 2.0 * squares[0] * squares[1] / n**4
        return statistic, _gamma_tail(statistic, mean, variance)

    def _given(self, x: str, y: str, given: tuple[str, ...]) -> tuple[float, float]:
        """Return statistic and p-value of ``trace(R K R R L R) / n`` (proposition 5)."""
        n = self.rows_used
        first, second = self._residuals(x, given, joint=True), self._residuals(y, given, joint=False)
        if not (first.size and second.size):
            return math.nan, math.nan
        across = first.T @ second
        statistic = float((across * across).sum()) / n
        inflation = self._smoother(given).inflation if self.corrected else 1.0
        if self.null == "exact":
            weights = np.linalg.eigvalsh((first @ first.T) * (second @ second.T)).clip(0.0) / n
            return statistic, _quadratic.weighted_chi_square_tail(statistic, weights * inflation)
        rows = _row_norms(first) * _row_norms(second)
        mean = float(rows.sum()) / n
        squares = _sum_of_squares(first, second)
        variance = 2.0 * (_between_rows(squares, rows, n) if self.corrected else squares) / n**2
        return statistic, _gamma_tail(statistic, inflation * mean, inflation**2 * variance)

    def _residuals(self, name: str, given: tuple[str, ...], *, joint: bool) -> NDArray[np.float64]:
        """Return the factor of R K R, shape (n, m); m = 0 where the columns given determine the column."""
        key = (name, given, joint)

        def make() -> NDArray[np.float64]:
            smoother = self._smoother(given)
            alone = self._factor(name, len(given))
            left = smoother.residuals(alone)
            if (left * left).sum() <= _DETERMINED * smoother.noise_left * (alone * alone).sum():
                return left[:, :0]
            return smoother.residuals(self._joint_factor(name, given)) if joint else left

        return self._left.get(key, 64 * self.rows_used, make)

    def _factor(self, name: str, given: int) -> NDArray[np.float64]:
        """Return the factor of the centred Gram matrix of one column in a test given so many, shape (n, m)."""
        key = (name, given if self.width == "published" else 0)

        def make() -> NDArray[np.float64]:
            return _centred_factor(self._points([name], self._widths(given, 1)), TOLERANCE * self.rows_used)

        return self._alone.get(key, 32 * self.rows_used, make)

    def _joint_factor(self, name: str, given: tuple[str, ...]) -> NDArray[np.float64]:
        """Return the factor of the centred Gram matrix of a column with the columns given at half weight."""
        own = self._points([name], self._widths(len(given), 1))
        others = self._points(given, self._widths(len(given), len(given))) / 2.0
        return _centred_factor(np.vstack([own, others]), TOLERANCE * self.rows_used)

    def _widths(self, given: int, columns: int) -> float:
        """Return kernel widths, in medians or in standard deviations, in a test given so many columns."""
        n = self.rows_used
        if self.width == "median":
            return min(1.0, math.pow(200.0 / n, 0.1)) * math.sqrt(columns)
        place = 0 if n < 200 else 1 if n < 1200 else 2
        return (1.2, 0.7, 0.4)[place] * math.sqrt(given) if given else (0.8, 0.5, 0.3)[place]

    def _points(self, names: Sequence[str], width: float) -> NDArray[np.float64]:
        """Return coordinates in kernel widths, shape (w, n)."""
        parts = []
        for name in names:
            column = self._columns[name]
            unit = column.width if self.width == "median" else math.sqrt(self.rows_used / (self.rows_used - 1))
            parts.append((_APART if column.nominal else 1.0 / (unit * width)) * column.values.T)
        return np.ascontiguousarray(np.vstack(parts))

    def _smoother(self, given: tuple[str, ...]) -> Smoother:
        def make() -> Smoother:
            points = self._points(given, self._widths(len(given), len(given)))
            return ridge_smoother(_centred_factor(points, _GIVEN_TOLERANCE), RIDGE)

        return self._smoothers.get(given, 128 * self.rows_used, make)


def _centred_factor(points: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Return the factor of a centred Gaussian Gram matrix, shape (n, m)."""
    factor = _gram.gaussian_factor(points, tolerance, points.shape[1])
    return np.ascontiguousarray((factor - factor.mean(axis=1, keepdims=True)).T)


def _sum_of_squares(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the squared norm of the elementwise product of two Gram matrices, in blocks of rows that stay in cache.

    Single precision is enough for the variance of a null, and halves the time.
    """
    first, second = first.astype(np.float32), second.astype(np.float32)
    total = 0.0
    for start in range(0, len(first), _BLOCK):
        rows, rest = slice(start, start + _BLOCK), slice(start + _BLOCK, None)
        total += _gram.squared_products(first[rows] @ first[rows].T, second[rows] @ second[rows].T)
        if start + _BLOCK < len(first):
            total += 2.0 * _gram.squared_products(first[rows] @ first[rest].T, second[rows] @ second[rest].T)
    return total


def _row_norms(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the diagonal of the Gram matrix of a factor, shape (n,)."""
    return np.asarray(np.einsum("ij,ij->i", factor, factor))


def _between_rows(squares: float, diagonal: NDArray[np.float64], n: int) -> float:
    """Return a sum of squares over all pairs of rows estimated from pairs of different rows, which has no bias."""
    return (squares - float(diagonal @ diagonal)) * n / (n - 1)


def _gamma_tail(statistic: float, mean: float, variance: float) -> float:
    """Return the upper tail of the gamma distribution with a mean and a variance."""
    return float(gammaincc(mean * mean / variance, statistic * mean / variance))
