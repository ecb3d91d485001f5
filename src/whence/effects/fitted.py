"""What an estimator hands over: numbers with the influence of every row, and the nuisances behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import norm, t

from whence.effects.sums import Array, Labels


@dataclass(frozen=True, slots=True)
class Score:
    """A number estimated from rows, with the influence of each row on it.

    Attributes
    ----------
    value : float
    influence : ndarray, shape (n,)
        Mean zero; the error of `value` is about the mean of the influences, and leaving row i out changes `value` by
        about ``-influence[i] / (n - 1)``.
    variance : float
        Squared standard error.

    Examples
    --------
    >>> treated, control = (Score.of_mean(np.array(v)) for v in ([1.0, 3.0], [0.0, 2.0]))
    >>> (treated - control).value
    1.0
    """

    value: float
    influence: Array
    variance: float

    @classmethod
    def of(cls, value: float, influence: Array) -> Score:
        """Build the score with the variance that independent rows imply: the sum of squared influences over n^2."""
        return cls(float(value), influence, float(influence @ influence) / len(influence) ** 2)

    @classmethod
    def of_mean(cls, values: Array) -> Score:
        """Return the mean of values as a score."""
        mean = float(values.mean())
        return cls.of(mean, values - mean)

    @property
    def standard_error(self) -> float:
        """The square root of the variance."""
        return math.sqrt(self.variance)

    def __sub__(self, other: Score) -> Score:
        """Return the difference of two numbers estimated from the same rows."""
        return Score.of(self.value - other.value, self.influence - other.influence)

    def scaled(self, factor: float) -> Score:
        """Return a multiple."""
        return Score(factor * self.value, factor * self.influence, factor**2 * self.variance)

    def interval(self, level: float, degrees_of_freedom: float = math.inf) -> tuple[float, float]:
        """Return the symmetric interval at a level, by Student's t or, for infinite degrees of freedom, the normal."""
        quantile = _quantile(0.5 + level / 2, degrees_of_freedom)
        return (self.value - quantile * self.standard_error, self.value + quantile * self.standard_error)

    def p_value(self, degrees_of_freedom: float = math.inf, null: float = 0.0) -> float:
        """Return the two-sided p-value of the number being ``null``."""
        if self.variance == 0:
            return 1.0 if self.value == null else 0.0
        distance = abs(self.value - null) / self.standard_error
        tail = norm.sf(distance) if math.isinf(degrees_of_freedom) else t.sf(distance, degrees_of_freedom)
        return float(2 * tail)


def median_score(scores: Sequence[Score]) -> Score:
    """Combine estimates over repeated random splits into folds by their median.

    Chernozhukov et al. (2018), definition 3.3: the median of the estimates, and the median of their variances, each
    enlarged by its squared distance to that median, so that the noise of splitting is part of the standard error.
    """
    if len(scores) == 1:
        return scores[0]
    value = float(np.median([score.value for score in scores]))
    variance = float(np.median([score.variance + (score.value - value) ** 2 for score in scores]))
    return Score(value, np.mean([score.influence for score in scores], axis=0), variance)


@dataclass(frozen=True, slots=True)
class ContrastFit:
    """One contrast of arms, or the slope of a continuous treatment (``to`` and ``reference`` are None)."""

    difference: Score
    to: int | None = None
    reference: int | None = None
    mean: Score | None = None
    reference_mean: Score | None = None


@dataclass(frozen=True, slots=True)
class Nuisances:
    """Predictions by models that have not seen the row, for one split into folds.

    Attributes
    ----------
    folds : int array, shape (n,)
    outcome : ndarray, shape (n, arms) or (n, 1)
        Expected outcome at each arm; for a continuous treatment the expected outcome given the covariates alone.
    treatment : ndarray, shape (n, arms) or (n, 1)
        Probability of each arm; for a continuous treatment its expected value.
    """

    folds: Labels
    outcome: Array
    treatment: Array


@dataclass(frozen=True, slots=True)
class Fitted:
    """The outcome of an estimator on arrays.

    Attributes
    ----------
    estimator : str
        The name on the card.
    estimand : str
    contrasts : tuple of ContrastFit
    degrees_of_freedom : float
        For the intervals; infinite for the normal distribution.
    outcome_fitted : ndarray, shape (n,)
        The outcome model's prediction for each row as it is.
    propensity : ndarray, shape (n, arms), or None
    nuisances : tuple of Nuisances
        One for each repeated split; empty for estimators without cross-fitting.
    interval : (float, float) or None
        Where the estimator brings its own interval for the first contrast (Anderson-Rubin).
    """

    estimator: str
    estimand: str
    contrasts: tuple[ContrastFit, ...]
    degrees_of_freedom: float
    outcome_fitted: Array
    propensity: Array | None = None
    nuisances: tuple[Nuisances, ...] = ()
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def primary(self) -> Score:
        """The first contrast's difference."""
        return self.contrasts[0].difference


def _quantile(probability: float, degrees_of_freedom: float) -> float:
    if math.isinf(degrees_of_freedom):
        return float(norm.ppf(probability))
    return float(t.ppf(probability, degrees_of_freedom))
