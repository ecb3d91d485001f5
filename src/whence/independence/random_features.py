"""Tests of conditional independence by a few random Fourier features of each column: quick kernel tests."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from whence.errors import ParameterError
from whence.independence._cache import Cache
from whence.independence._columns import Coordinates, Scale, in_order_of_content, prepare
from whence.independence._queries import as_arrays
from whence.independence._smoothing import DETERMINED, Smoother, ridge_smoother
from whence.independence.result import Query, TestResult
from whence.kernels import Kernels
from whence.parallel import check_seed
from whence.registry import Card, Paper, register

_PAPER = Paper(
    "Strobl, Zhang and Visweswaran",
    "Approximate kernel-based conditional independence tests for fast non-parametric causal discovery",
    2019,
    "Journal of Causal Inference 7(1)",
)
_kernels = Kernels("whence.independence._kernels_quadratic")
_KINDS = frozenset({"continuous", "count", "ordinal", "binary", "categorical"})

RIDGE = 1e-5
"""Share of a unit variance that is added to each feature given: enough for features that repeat one another."""

_MOST_GIVEN_FEATURES = 300
_MOST_PRODUCTS = 400


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many features n rows carry.

    Attributes
    ----------
    frequencies : int
        Of x and of y, each with its cosine and sine: ``log2(n) / 3``, rounded; 3 from 182 to 1,448 rows.
    waves : int
        Cosines of each number given, beside the number itself: ``1.3 * n**(1/3)``, 4 to 20.
    given : int
        Features of all columns given: ``5 * sqrt(n)``, at most 300. What single columns leave is spent on joint ones.
    """

    frequencies: int
    waves: int
    given: int

    @classmethod
    def of(cls, n: int) -> Sizes:
        """Return the rule's sizes for n rows."""
        waves = min(20, max(4, round(1.3 * n ** (1 / 3))))
        return cls(max(2, round(math.log2(n) / 3)), waves, min(_MOST_GIVEN_FEATURES, int(5 * math.sqrt(n)), n // 3))


class _RandomFeatures:
    """What both tests share: they differ in the features of x and y alone."""

    card: ClassVar[Card]
    joint: ClassVar[bool]

    def __init__(self, data: Any, *, scale: Scale = "ranks", random_state: int = 0) -> None:
        check_seed(random_state)
        if not isinstance(random_state, (int, np.integer)):
            raise ParameterError(
                "E343", f"random_state={random_state!r} is no whole number.", "Give one, so that answers repeat."
            )
        self.names, self._columns, self.rows_used = prepare(data, scale=scale, test=self.card.name)
        self.scale = scale
        self.random_state = int(random_state)
        self.sizes = Sizes.of(self.rows_used)
        self._own: Cache[NDArray[np.float64]] = Cache()
        self._left: Cache[NDArray[np.float64]] = Cache()
        self._smoothers: Cache[Smoother | None] = Cache()

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; NaN where the set given determines one of the two or is too large for the rows."""
        chosen = (given,) if isinstance(given, str) else tuple(given)
        as_arrays(self.names, [(x, y, chosen)])
        statistic, p_value = self._test(x, y, chosen)
        return TestResult(p_value, statistic, self.rows_used)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.array([self(*query).p_value for query in queries], dtype=np.float64)

    def _test(self, x: str, y: str, given: tuple[str, ...]) -> tuple[float, float]:
        given = self._ordered([name for name in given if not self._columns[name].constant])
        x, y = self._ordered((x, y))
        if self._columns[x].constant or self._columns[y].constant:
            return math.nan, math.nan
        if not given:
            left, right = (self._features(name) for name in (x, y))
            statistic, weights = _unconditional(left, right)
            return statistic, _kernels.weighted_chi_square_tail(statistic, weights)
        smoother = self._smoother(given)
        if smoother is None:
            return math.nan, math.nan
        left, right = (self._residuals(name, given, smoother) for name in (x, y))
        if not (left.size and right.size):
            return math.nan, math.nan
        statistic, weights = _conditional(left, right)
        return statistic, _kernels.weighted_chi_square_tail(statistic, weights * smoother.inflation)

    def _ordered(self, names: Sequence[str]) -> tuple[str, ...]:
        order = in_order_of_content([self._columns[name] for name in names])
        return tuple(names[place] for place in order)

    def _features(self, name: str) -> NDArray[np.float64]:
        """Return the features of one column by itself, shape (n, m): indicators, or waves of a number."""
        column = self._columns[name]
        if column.nominal:
            return self._own.get(name, column.values.size, lambda: column.values - column.values.mean(axis=0))
        size = self.rows_used * 2 * self.sizes.frequencies
        return self._own.get(name, size, lambda: _standardised(_waves(self._angles(column))))

    def _angles(self, column: Coordinates) -> NDArray[np.float64]:
        """Return frequency times value, shape (n, m), for frequencies of a Gaussian kernel of median width.

        One frequency is drawn from each of m equally likely ranges, so that none repeats another and none is lost near
        zero, where a wave is flat. Levels without order take a random angle each.
        """
        count = self.sizes.frequencies
        rng = np.random.default_rng([self.random_state, 0])
        if column.nominal:
            turns = np.random.default_rng([self.random_state, 1]).uniform(0, 2 * np.pi, (count, column.values.shape[1]))
            return column.values @ turns.T
        places = (np.arange(count) + rng.uniform(0.25, 0.75, count)) / count
        frequencies: NDArray[np.float64] = ndtri(0.5 + 0.5 * places) / column.width
        return column.values * frequencies

    def _joint_angles(self, given: Sequence[str], count: int, stream: int) -> NDArray[np.float64]:
        """Return random projections of several columns, shape (n, count), for a Gaussian kernel of their joint width.

        The squared widths of the numbers add up to the joint one's.
        """
        numbers = [column.width**2 for column in map(self._columns.__getitem__, given) if not column.nominal]
        width = math.sqrt(sum(numbers)) if numbers else 1.0
        angles = np.zeros((self.rows_used, count))
        for place, name in enumerate(given):
            column = self._columns[name]
            rng = np.random.default_rng([self.random_state, stream, place])
            if column.nominal:
                angles += column.values @ rng.uniform(0, 2 * np.pi, (column.values.shape[1], count))
            else:
                angles += column.values * (rng.normal(size=count) / width)
        return angles

    def _features_with(self, name: str, given: tuple[str, ...]) -> NDArray[np.float64]:
        """Return the features of a column, together with the columns given where the test is of both, shape (n, m)."""
        if not self.joint:
            return self._features(name)
        angles = self._angles(self._columns[name])
        together = angles + self._joint_angles(given, angles.shape[1], stream=2)
        return np.hstack([self._features(name), _standardised(_waves(together))])

    def _residuals(self, name: str, given: tuple[str, ...], smoother: Smoother) -> NDArray[np.float64]:
        """Return features of a column less what those given explain, shape (n, m); m = 0 if nothing is left."""

        def make() -> NDArray[np.float64]:
            alone = self._features(name)
            features = self._features_with(name, given)
            left = smoother.residuals(features)
            own = left[:, : alone.shape[1]]
            share = float((own * own).sum() / (alone * alone).sum())
            return left if share > DETERMINED * smoother.noise_left else left[:, :0]

        width = 2 * self.sizes.frequencies + self._columns[name].values.shape[1]
        return self._left.get((name, given), self.rows_used * width, make)

    def _smoother(self, given: tuple[str, ...]) -> Smoother | None:
        size = self.rows_used * self.sizes.given
        return self._smoothers.get(given, size, lambda: self._make_smoother(given))

    def _make_smoother(self, given: tuple[str, ...]) -> Smoother | None:
        budget = self.sizes.given
        columns = [self._columns[name] for name in given]
        waves = min(self.sizes.waves, int(0.4 * budget / len(given)) if len(given) > 1 else budget)
        blocks = [column.values if column.nominal else _smooth(column.values[:, 0], waves) for column in columns]
        left = budget - sum(block.shape[1] for block in blocks)
        if left < 0:
            return None
        if len(given) > 1 and left > 1:
            blocks.append(_waves(self._joint_angles(given, left // 2, stream=3)))
        return ridge_smoother(_standardised(np.hstack(blocks)), RIDGE * self.rows_used)


def _smooth(values: NDArray[np.float64], waves: int) -> NDArray[np.float64]:
    """Return a number and half-period cosines over its range, shape (n, 1 + waves)."""
    low, high = values.min(), values.max()
    return np.column_stack(
        [values, np.cos(np.multiply.outer((values - low) * (np.pi / (high - low)), 1.0 + np.arange(waves)))]
    )


def _waves(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([np.cos(angles), np.sin(angles)])


def _standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return features with mean 0 and variance 1; those that do not vary become 0."""
    features = features - features.mean(axis=0)
    scale = np.sqrt(np.einsum("ij,ij->j", features, features) / len(features))
    return np.asarray(features * np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 1e-9))


def _unconditional(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the statistic and the weights of its null: products of the eigenvalues of both covariances."""
    n = len(x)
    across = x.T @ y / n
    first, second = (np.linalg.eigvalsh(of.T @ of / n).clip(0.0) for of in (x, y))
    return n * float((across * across).sum()), np.multiply.outer(first, second).ravel() * (n / (n - 1))


def _conditional(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the statistic and the weights of its null: eigenvalues of the covariance of the products of residuals.

    That covariance is pulled towards the one of independent residuals, which has few free entries, by the share
    ``m / (m + n)`` for m products: the spread of eigenvalues from few rows is then that of many. For more than 400
    products, of categories with many levels, it is the latter alone, with the trace of the former.
    """
    n = len(x)
    across = x.T @ y / n
    statistic = n * float((across * across).sum())
    if x.shape[1] * y.shape[1] > _MOST_PRODUCTS:
        trace = float(np.einsum("ij,ij->i", x, x) @ np.einsum("ij,ij->i", y, y)) / n
        weights = np.multiply.outer(*(np.linalg.eigvalsh(of.T @ of / n).clip(0.0) for of in (x, y))).ravel()
        return statistic, weights * (trace / weights.sum())
    products = (x[:, :, None] * y[:, None, :]).reshape(n, -1)
    m = products.shape[1]
    covariance = products.T @ products / n
    apart = np.kron(x.T @ x / n, y.T @ y / n)
    pull = m / (m + n)
    covariance = (1.0 - pull) * covariance + apart * (pull * np.trace(covariance) / np.trace(apart))
    return statistic, np.linalg.eigvalsh(covariance).clip(0.0)


@register(
    Card(
        name="rcot",
        family="test",
        answers="Are two columns independent once others are held fixed, whatever the shape of the relation?",
        assumes=frozenset({"iid"}),
        kinds=_KINDS,
        output="p-value",
        missing="complete-rows",
        paper=_PAPER,
    )
)
class RCoT(_RandomFeatures):
    """Randomised conditional correlation test: whether residuals of waves of x and y, given the others, go together.

    Parameters
    ----------
    data : Dataset, or anything `whence.read` takes
        Numbers and categories; complete rows are used. Categories enter as one indicator for each level, never as
        numbers; columns that do not vary add nothing to a set and have a p-value of NaN as x or y.
    scale : {"ranks", "standard"}
        Normal scores of the ranks, the default: the answer then depends on no unit or monotone transformation, and
        extreme values cannot dominate. Or values in standard deviations.
    random_state : int
        Seed of the frequencies. The same query has the same answer, whichever way round and in whichever order of
        columns it is asked.

    Attributes
    ----------
    sizes : Sizes
        How many features the rows carry.

    Raises
    ------
    DataError
        For fewer than 20 complete rows, times and identifiers.

    Notes
    -----
    The statistic is n times the squared covariance of the residuals, summed over all pairs of features. Its null is a
    sum of chi-squares weighted by the eigenvalues of the covariance of the products of residuals, corrected for the
    freedom that the regression takes; the tail of that sum is computed exactly. Relations that cancel on average over
    the columns given are not seen: `RCIT` sees them.

    References
    ----------
    Strobl, Zhang and Visweswaran (2019), section 4. Their eight random waves become stratified ones, and their
    approximate tails (Lindsay, Pilla and Basak) exact ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(size=500)
    >>> test = RCoT({"age": age, "dose": age**2 + rng.normal(size=500), "risk": age**2 + rng.normal(size=500)})
    >>> test("dose", "risk").p_value < 1e-9, test("dose", "risk", ["age"]).p_value > 0.05
    (True, True)
    """

    joint = False


@register(
    Card(
        name="rcit",
        family="test",
        answers="Are two columns independent once others are held fixed, even where the relation cancels on average?",
        assumes=frozenset({"iid"}),
        kinds=_KINDS,
        output="p-value",
        missing="complete-rows",
        paper=_PAPER,
    )
)
class RCIT(_RandomFeatures):
    """Randomised conditional independence test: as `RCoT`, with waves of x and y together with the columns given added.

    It also sees a relation that changes its sign with the columns given; it takes four times as many products, so it is
    slower and, against relations that do not change, a little weaker. Parameters, attributes and errors are those of
    `RCoT`.

    References
    ----------
    Strobl, Zhang and Visweswaran (2019), section 3; Daudin (1980) for functions of x and y with the columns given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, sex = rng.normal(size=600), rng.choice(["f", "m"], size=600)
    >>> cure = np.where(sex == "f", dose, -dose) + rng.normal(size=600)
    >>> RCIT({"dose": dose, "sex": sex, "cure": cure})("dose", "cure", ["sex"]).p_value < 1e-9
    True
    """

    joint = True
