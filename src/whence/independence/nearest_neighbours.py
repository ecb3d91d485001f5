"""Conditional mutual information from nearest neighbours, against permutations among rows with alike conditions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammainc, gammaincc, ndtr

from whence.errors import ParameterError
from whence.independence._cache import Cache
from whence.independence._columns import in_order_of_content, prepare
from whence.independence._queries import as_arrays
from whence.independence.result import Query, TestResult
from whence.kernels import Kernels
from whence.parallel import check_seed
from whence.registry import Card, Paper, register

_kernels = Kernels("whence.independence._kernels_neighbours")

_DETERMINED = 1e-3


@register(
    Card(
        name="cmi-knn",
        family="test",
        answers="How much does one column tell about another once others are known, and could that be chance?",
        assumes=frozenset({"iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="p-value",
        missing="complete-rows",
        paper=Paper(
            "Runge",
            "Conditional independence testing based on a nearest-neighbor estimator of conditional mutual information",
            2018,
            "Artificial Intelligence and Statistics 84, 938-947",
        ),
    )
)
class CMIknn:
    """Test by conditional mutual information from nearest neighbours, with a null of local permutations.

    It makes no assumption on the shape of the relation or of its noise and returns the information in nats as its
    statistic. The price is time: each test estimates the information ``1 + permutations`` times, at ``n**2`` each, and
    keeps the distances between rows, 400 MB for 10,000 of them.

    Parameters
    ----------
    data : Dataset, or anything `whence.read` takes
        Numbers and categories; complete rows are used. Numbers become ranks, so that the answer depends on no unit or
        monotone transformation; two levels of a category lie as far apart as all the rows. Columns that do not vary add
        nothing to a set and have a p-value of NaN as x or y.
    neighbours : float
        Share of the rows that are neighbours of each; few follow fine shapes, many vary less. At least 3 rows.
    shuffled_among : int
        Nearest rows, by the columns given, that values of x are exchanged among.
    permutations : int
        Draws from the null.
    random_state : int
        Seed of the permutations; the same query has the same answer.

    Raises
    ------
    DataError
        For fewer than 20 complete rows, times and identifiers.
    ParameterError
        For settings out of range.

    Notes
    -----
    The p-value is the tail of a Pearson type III distribution with the mean, variance and skewness of the draws, which
    is smooth and reaches beyond ``1 / permutations`` (Winkler et al. 2016, section 2.4). Very small p-values are thus
    extrapolations: good for ranking edges, not to be read to the digit.

    References
    ----------
    Runge (2018), algorithm 1; Frenzel and Pompe (2007), Physical Review Letters 99, 204101; Mesner and Shalizi (2021),
    IEEE Transactions on Information Theory 67, for ties; Winkler et al. (2016), NeuroImage 141, 502-516.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(size=200)
    >>> test = CMIknn({"age": age, "dose": age + rng.normal(size=200), "risk": age + rng.normal(size=200)})
    >>> test("dose", "risk").p_value < 1e-3, test("dose", "risk", ["age"]).p_value > 0.05
    (True, True)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        data: Any,
        *,
        neighbours: float = 0.1,
        shuffled_among: int = 5,
        permutations: int = 200,
        random_state: int = 0,
    ) -> None:
        check_seed(random_state)
        if not 0 < neighbours < 1:
            raise ParameterError("E311", f"neighbours is {neighbours}.", "Give a share of the rows between 0 and 1.")
        if shuffled_among < 2 or permutations < 20:
            raise ParameterError(
                "E311",
                f"shuffled_among is {shuffled_among} and permutations is {permutations}.",
                "Give at least 2 rows to shuffle among and at least 20 permutations.",
            )
        self.names, self._columns, self.rows_used = prepare(data, scale="ranks", test=self.card.name)
        self.neighbours = neighbours
        self.shuffled_among = shuffled_among
        self.permutations = permutations
        self.random_state = random_state
        self._distances: Cache[NDArray[np.int32]] = Cache()
        self._digamma = np.concatenate([[np.nan], digamma(np.arange(1.0, self.rows_used + 1.0))])

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair; NaN where the set given determines one of the two."""
        chosen = (given,) if isinstance(given, str) else tuple(given)
        as_arrays(self.names, [(x, y, chosen)])
        chosen = self._ordered([name for name in chosen if not self._columns[name].constant])
        x, y = self._ordered((x, y))
        if self._columns[x].constant or self._columns[y].constant or self._determines(chosen, (x, y)):
            return TestResult(math.nan, math.nan, self.rows_used)
        statistic = self._information(x, y, chosen)
        null = np.array([self._information(x, y, chosen, order) for order in self._orders(chosen)])
        return TestResult(_pearson_tail(statistic, null), statistic, self.rows_used)

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        return np.array([self(*query).p_value for query in queries], dtype=np.float64)

    def information(self, x: str, y: str, given: Collection[str] = ()) -> float:
        """Return the conditional mutual information of two columns in nats, without a test."""
        chosen = (given,) if isinstance(given, str) else tuple(given)
        as_arrays(self.names, [(x, y, chosen)])
        x, y = self._ordered((x, y))
        return self._information(x, y, self._ordered(chosen))

    def _ordered(self, names: Sequence[str]) -> tuple[str, ...]:
        order = in_order_of_content([self._columns[name] for name in names])
        return tuple(names[place] for place in order)

    def _information(self, x: str, y: str, given: tuple[str, ...], order: NDArray[np.int64] | None = None) -> float:
        k = max(3, round(self.neighbours * self.rows_used))
        first, second = self._values(x), self._values(y)
        first = first if order is None else first[order]
        flags = (self._columns[x].nominal, self._columns[y].nominal)
        return float(
            _kernels.conditional_information(first, flags[0], second, flags[1], self._between(given), k, self._digamma)
        )

    def _values(self, name: str) -> NDArray[np.int32]:
        """Return doubled ranks, or codes, shape (n,)."""
        return np.ascontiguousarray(self._columns[name].codes, dtype=np.int32)

    def _between(self, given: tuple[str, ...]) -> NDArray[np.int32]:
        """Return the largest distance in the columns given between any two rows, shape (n, n)."""
        n = self.rows_used

        def make() -> NDArray[np.int32]:
            found = np.zeros((n, n), dtype=np.int32)
            for name in given:
                values = self._values(name)
                apart = np.abs(values[:, None] - values[None, :])
                np.maximum(found, 2 * n * (apart > 0) if self._columns[name].nominal else apart, out=found)
            return found

        return self._distances.get(given, n * n // 2, make)

    def _nearest(self, given: tuple[str, ...]) -> NDArray[np.int64]:
        """Return for each row the nearest rows by the columns given, itself among them; ties in random order."""
        apart = self._between(given)
        n, m = len(apart), min(self.shuffled_among, len(apart))
        shuffled = np.random.default_rng([self.random_state, 0]).permutation(n)
        found = np.argpartition(apart[:, shuffled], m - 1, axis=1)[:, :m]
        return np.ascontiguousarray(shuffled[found].astype(np.int64))

    def _orders(self, given: tuple[str, ...]) -> list[NDArray[np.int64]]:
        n = self.rows_used
        rng = np.random.default_rng([self.random_state, 1])
        if not given:
            return [rng.permutation(n) for _ in range(self.permutations)]
        nearest = self._nearest(given)
        orders = []
        for _ in range(self.permutations):
            order = np.empty(n, dtype=np.int64)
            _kernels.permute_locally(nearest, rng.permutation(n), rng.random(nearest.size), order)
            orders.append(order)
        return orders

    def _determines(self, given: tuple[str, ...], names: Sequence[str]) -> bool:
        """Return whether nearest rows by the columns given agree in x or in y, but for a thousandth of its variance.

        The gap of two adjacent ranks, 6 / n**2 of the variance, is no disagreement.
        """
        if not given:
            return False
        apart = self._between(given) + np.diag(np.full(self.rows_used, 3 * self.rows_used, dtype=np.int32))
        nearest = apart.argmin(axis=1)
        for name in names:
            values = self._values(name)
            if self._columns[name].nominal:
                share = float(np.mean(values != values[nearest]))
            else:
                share = float(np.mean((values - values[nearest]).astype(float) ** 2) / (2.0 * values.var()))
            if share < _DETERMINED + 6.0 / self.rows_used**2:
                return True
        return False


def _pearson_tail(statistic: float, null: NDArray[np.float64]) -> float:
    """Return the upper tail of the Pearson type III distribution with the first three moments of draws."""
    spread = float(null.std(ddof=1))
    if spread == 0.0:
        return float(statistic <= null[0])
    z = (statistic - float(null.mean())) / spread
    skewness = float(((null - null.mean()) ** 3).mean()) / spread**3
    if abs(skewness) < 1e-3:
        return float(ndtr(-z))
    shape = 4.0 / skewness**2
    argument = shape + math.copysign(math.sqrt(shape), skewness) * z
    if argument <= 0.0:
        return 1.0 if skewness > 0.0 else 0.0
    return float(gammaincc(shape, argument) if skewness > 0.0 else gammainc(shape, argument))
