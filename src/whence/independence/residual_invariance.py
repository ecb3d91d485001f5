"""A test of conditional independence on functions of residuals, which sees mechanisms that change and cancel."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from whence.errors import ParameterError, suggest
from whence.independence._columns import Coordinates, Scale, _median_distance
from whence.independence._smoothing import DETERMINED, Smoother, ridge_smoother
from whence.independence.random_features import RIDGE, _RandomFeatures, _smooth, _standardised, _waves
from whence.registry import Card, Paper, register


@register(
    Card(
        name="residual-invariance",
        family="test",
        answers="Does what others leave unexplained of a column depend on another column, in level, spread or shape?",
        assumes=frozenset({"iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="p-value",
        missing="complete-rows",
        paper=Paper(
            "Huang, Zhang, Zhang, Ramsey, Sanchez-Romero, Glymour and Schölkopf",
            "Causal Discovery from Heterogeneous/Nonstationary Data",
            2020,
            "Journal of Machine Learning Research 21(89)",
        ),
    )
)
class ResidualInvariance(_RandomFeatures):
    """Whether functions of the residual of x go with functions of the residual of y, given the columns S.

    x is regressed on S over all rows together. Functions of what is left (itself, waves of it, its products with the
    numbers of S) are regressed on S once more, which makes the test valid where the spread of the residual depends on
    S, and their covariance with the same of y is tested as in `RCoT`. A mechanism that differs between domains or over
    time is seen by its residuals even where its differences cancel on average over S, as a slope that changes sign or a
    noise that grows: tests on residuals of functions of x, such as `RCoT`, are blind to those.

    Parameters
    ----------
    data : Dataset, or anything `whence.read` takes
        Numbers and categories; complete rows are used. A category enters by one indicator for each level.
    index : str, optional
        A column of times, or any other order that mechanisms may drift along. It enters evenly by its ranks, with
        ``2 * n**(1/3)`` cosines over its range, so that swings as fast as a sixteenth of 500 rows are seen. A column of
        categories needs no such treatment: its indicators say all there is.
    scale, random_state
        As in `RCoT`.

    Raises
    ------
    DataError
        For fewer than 20 complete rows, times and identifiers.
    ParameterError
        If there is no column of the name ``index``.

    References
    ----------
    Huang et al. (2020), section 3, for the question; Shah and Peters (2020), The hardness of conditional independence
    testing, Annals of Statistics 48, for products of residuals; Strobl, Zhang and Visweswaran (2019) for the null.

    Examples
    --------
    The noise of ``cure`` differs between two sites; its mean given ``dose`` does not.

    >>> rng = np.random.default_rng(1)
    >>> site, dose = rng.choice(["north", "south"], size=600), rng.normal(size=600)
    >>> cure = dose + np.where(site == "north", 0.3, 1.0) * rng.normal(size=600)
    >>> test = ResidualInvariance({"site": site, "dose": dose, "cure": cure})
    >>> test("cure", "site", ["dose"]).p_value < 1e-9, test("dose", "site").p_value > 0.05
    (True, True)
    """

    card: ClassVar[Card]
    joint: ClassVar[bool] = False

    def __init__(
        self,
        data: Any,
        *,
        index: str | None = None,
        scale: Scale = "ranks",
        random_state: int = 0,
    ) -> None:
        super().__init__(data, scale=scale, random_state=random_state)
        if index is not None and index not in self.names:
            raise ParameterError("E309", f"the index {index!r} is not among the columns.", suggest(index, self.names))
        self.index = index
        self.waves_of_index = round(2.0 * self.rows_used ** (1 / 3))
        if index is not None:
            self._columns[index] = _evenly(self._columns[index])

    def _features(self, name: str) -> NDArray[np.float64]:
        column = self._columns[name]
        if column.nominal:
            return super()._features(name)
        if name == self.index:
            size = self.rows_used * self.waves_of_index
            return self._own.get(name, size, lambda: _standardised(self._cosines(column)[:, 1:]))
        size = self.rows_used * (1 + 2 * self.sizes.frequencies)
        return self._own.get((name, "residual"), size, lambda: self._functions(column.values))

    def _residuals(self, name: str, given: tuple[str, ...], smoother: Smoother) -> NDArray[np.float64]:
        column = self._columns[name]
        if column.nominal or name == self.index:
            return super()._residuals(name, given, smoother)

        def make() -> NDArray[np.float64]:
            left = smoother.residuals(column.values)
            if float(np.mean(left * left)) <= DETERMINED * smoother.noise_left:
                return left[:, :0]
            return smoother.residuals(np.hstack([self._functions(left), self._products(left, given)]))

        size = self.rows_used * (1 + 2 * self.sizes.frequencies + len(given))
        return self._left.get((name, given, "residual"), size, make)

    def _functions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a column of shape (n, 1) and waves of it, at frequencies of a Gaussian kernel of its median width."""
        values = values / values.std()
        count = self.sizes.frequencies
        places = (np.arange(count) + np.random.default_rng([self.random_state, 0]).uniform(0.25, 0.75, count)) / count
        angles = values * (ndtri(0.5 + 0.5 * places) / _median_distance(values[:, 0]))
        return _standardised(np.hstack([values, _waves(angles)]))

    def _products(self, left: NDArray[np.float64], given: tuple[str, ...]) -> NDArray[np.float64]:
        """Return a residual times each number given, shape (n, k): what a slope that turns round leaves."""
        numbers = [self._columns[name].values for name in given if not self._columns[name].nominal]
        return _standardised(np.hstack([left * values for values in numbers])) if numbers else left[:, :0]

    def _cosines(self, column: Coordinates) -> NDArray[np.float64]:
        return _smooth(column.values[:, 0], self.waves_of_index)

    def _make_smoother(self, given: tuple[str, ...]) -> Smoother | None:
        index = self.index
        if index is None or index not in given or self._columns[index].nominal:
            return super()._make_smoother(given)
        budget = self.sizes.given
        others = [self._columns[name] for name in given if name != index]
        waves = min(self.sizes.waves, int(0.4 * budget / len(given)))
        blocks = [self._cosines(self._columns[index])]
        blocks += [column.values if column.nominal else _smooth(column.values[:, 0], waves) for column in others]
        left = budget - sum(block.shape[1] for block in blocks)
        if left < 0:
            return None
        if others and left > 1:
            blocks.append(_waves(self._joint_angles(given, left // 2, stream=3)))
        return ridge_smoother(_standardised(np.hstack(blocks)), RIDGE * self.rows_used)


def _evenly(column: Coordinates) -> Coordinates:
    """Return a number by its ranks, evenly; other columns as they are."""
    if column.nominal or column.constant:
        return column
    ranks = column.codes.astype(np.float64)
    return Coordinates(((ranks - ranks.mean()) / ranks.std())[:, None], column.codes, nominal=False)
