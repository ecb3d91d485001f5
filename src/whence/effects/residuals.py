"""Residuals: whether the outcome model misses a curve that its own predictions show."""

from __future__ import annotations

import numpy as np
from scipy.stats import f as f_distribution

from whence.effects.regression import influences, least_squares
from whence.effects.sums import Array, LinAlgError
from whence.effects.wording import p_words, percent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

LEVEL = 0.01
LEAST_SHARE = 0.01
_FEWEST_VALUES = 5


@register(
    Card(
        name="residuals",
        family="check",
        answers="Does the outcome model miss a curve?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="diagnostic",
        paper=Paper(
            "Ramsey, J.",
            "Tests for specification errors in classical linear least-squares regression analysis",
            1969,
            "Journal of the Royal Statistical Society B 31(2), 350-371",
        ),
    )
)
def residual_check(outcome: Array, fitted: Array, *, judge: bool) -> CheckResult | None:
    """Test whether square and cube of the fitted values explain what the model left over (RESET, robust errors).

    It fails if p is below 1 % and the curve explains at least 1 % of the residuals' variance: then the mean outcome
    bends where the model is straight. None where the model predicts too few different values for a curve to be seen.

    Parameters
    ----------
    judge : bool
        False where the estimate does not rest on the outcome model alone; the check then informs only.
    """
    residuals = outcome - fitted
    spread = fitted.std()
    if spread == 0 or residuals.std() <= 1e-9 * outcome.std() or len(np.unique(fitted)) < _FEWEST_VALUES:
        return None
    scaled = (fitted - fitted.mean()) / spread
    columns = [np.column_stack([scaled, scaled**2, scaled**3])]
    try:
        fit = least_squares(columns, residuals / residuals.std())
        along = np.column_stack([influences(fit, columns, row) for row in np.eye(4)[2:]])
        covariance = along.T @ along / len(outcome) ** 2
        curve = fit.coefficients[2:]
        statistic = float(curve @ np.linalg.solve(covariance, curve)) / 2
    except LinAlgError:
        return None
    p_value = float(f_distribution.sf(statistic, 2, fit.degrees_of_freedom))
    share = float(1 - fit.residuals @ fit.residuals / len(outcome))
    bent = p_value < LEVEL and share >= LEAST_SHARE
    found = f"{percent(max(share, 0.0))} of its variance, {p_words(p_value)}"
    if not bent:
        sentence = f"What the outcome model leaves over shows no curve worth naming in its own predictions ({found})."
    else:
        sentence = f"What the outcome model leaves over follows a curve in its own predictions ({found})."
        remedy = (
            "a flexible one may do better: method='aipw' or 'dml-plr'"
            if judge
            else "the treatment model corrects for it"
        )
        sentence += f" Its form is wrong somewhere; {remedy}."
    passed = not bent if judge else None
    return CheckResult("residuals", "Form of the outcome model", passed, sentence, statistic=statistic, p_value=p_value)
