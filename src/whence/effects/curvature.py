"""Curvature: whether one slope can tell what a continuous treatment does."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t as student

from whence.effects.regression import influences, least_squares
from whence.effects.sample import Sample
from whence.effects.sums import Array, LinAlgError
from whence.effects.wording import p_words, percent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

LEVEL = 0.01
LEAST_SHARE = 0.01
_FEWEST_VALUES = 5


@register(
    Card(
        name="curved-effect",
        family="check",
        answers="Does one slope tell what the treatment does?",
        kinds=frozenset({"continuous"}),
        output="diagnostic",
        paper=Paper(
            "Robinson, P.",
            "Root-N-consistent semiparametric regression",
            1988,
            "Econometrica 56(4), 931-954",
        ),
    )
)
def curvature_check(
    sample: Sample, treatment: str, expected_outcome: Array, expected_treatment: Array
) -> CheckResult | None:
    """Test whether the square of the treatment explains what a straight effect leaves over (robust errors).

    Outcome and treatment less their expectations given the covariates m(X) follow, if the effect is a t + b t^2, the
    line ``a r + b (r^2 + 2 m r - Var r)`` with r = t - m(X). It fails if p of b is below 1 % and the curve explains at
    least 1 % of what the line leaves. None where the treatment has too few values for a curve.
    """
    left, moved = sample.outcome - expected_outcome, sample.treatment - expected_treatment
    spread = float(moved.std())
    if spread == 0 or len(np.unique(sample.treatment)) < _FEWEST_VALUES:
        return None
    line, centre = moved / spread, (expected_treatment - expected_treatment.mean()) / spread
    straight = [line, sample.covariates] if sample.width else [line]
    columns = [line**2 + 2 * centre * line, *straight]
    try:
        fit, without = least_squares(columns, left), least_squares(straight, left)
    except LinAlgError:
        return None
    rest = float(without.residuals @ without.residuals)
    error = float(np.linalg.norm(influences(fit, columns, np.eye(len(fit.coefficients))[1]))) / sample.size
    if error == 0 or rest <= 1e-18 * float(sample.outcome @ sample.outcome) or fit.degrees_of_freedom < 1:
        return None
    statistic = float(fit.coefficients[1]) / error
    p_value = float(2 * student.sf(abs(statistic), fit.degrees_of_freedom))
    share = max(0.0, 1 - float(fit.residuals @ fit.residuals) / rest)
    found = f"{percent(share)} of what a straight effect leaves over, {p_words(p_value)}"
    passed = p_value >= LEVEL or share < LEAST_SHARE
    if passed:
        sentence = f"The square of {treatment} explains nothing worth naming ({found})."
    else:
        sentence = (
            f"The effect is curved: the square of {treatment} explains {found}. One more unit does not do the same "
            f"everywhere, and the slope is an average that may hide it; cut {treatment} into levels and compare these."
        )
    value = statistic if math.isfinite(statistic) else None
    return CheckResult("curved-effect", "Straight effect", passed, sentence, value, p_value)
