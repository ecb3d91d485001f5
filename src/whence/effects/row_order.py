"""Whether rows that follow each other err alike, so that an interval that takes rows for independent is too narrow."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import chi2

from whence.effects.fitted import Score
from whence.effects.sums import Array
from whence.effects.wording import number
from whence.registry import Card, Paper, register
from whence.results import CheckResult

# A rejection counts only if the standard error is off by more than this share: long tables reject the trifling.
MOST_OFF = 0.1
LEVEL = 0.001
_FEWEST_ROWS = 50


@register(
    Card(
        name="row-order",
        family="check",
        answers="Do rows that follow each other err alike, so that the interval is too narrow?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="diagnostic",
        paper=Paper(
            "Newey, W. and West, K.",
            "A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix",
            1987,
            "Econometrica 55(3), 703-708",
        ),
    )
)
def row_order_check(score: Score) -> CheckResult | None:
    """Judge the correlation of the influences of neighbouring rows; None for fewer than 50 rows.

    It fails if Ljung and Box's test (1978) of that correlation rejects at 0.1 % and Newey and West's standard error,
    which allows for it, is more than a tenth larger than the one stated. Tables whose rows are in no order pass.
    """
    influence = score.influence
    n = len(influence)
    square = float(influence @ influence)
    if n < _FEWEST_ROWS or not square > 0:
        return None
    lags = max(1, math.floor(0.75 * n ** (1 / 3)))
    together = correlations(influence, lags)
    statistic = n * (n + 2) * float(np.sum(together**2 / (n - np.arange(1, lags + 1))))
    p_value = float(chi2.sf(statistic, lags))
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    larger = math.sqrt(max(1 + 2 * float(weights @ together), 0.0))
    passed = not (p_value < LEVEL and larger > 1 + MOST_OFF)
    sentence = "Rows that follow each other do not err alike, as independent rows should not."
    if not passed:
        sentence = (
            f"Rows that follow each other err alike: allowing for that, the standard error is {number(larger)} times "
            "as large. The interval is too narrow, and chance can look like an effect."
        )
    return CheckResult("row-order", "Independence of rows", passed, sentence, statistic=larger, p_value=p_value)


def correlations(values: Array, lags: int) -> Array:
    """Return the autocorrelations of values with mean zero at lags 1 to ``lags``."""
    square = float(values @ values)
    return np.array([float(values[lag:] @ values[:-lag]) / square for lag in range(1, lags + 1)])
