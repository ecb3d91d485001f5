"""Checks of instruments: strong enough, and of one mind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whence.effects.iv import STRONG_F
from whence.effects.wording import number, p_words
from whence.registry import Card, Paper, register
from whence.results import CheckResult

WEAK_F = 10.0
LEVEL = 0.01


@register(
    Card(
        name="instrument-strength",
        family="check",
        answers="Do the instruments move the treatment enough?",
        output="diagnostic",
        paper=Paper(
            "Lee, D., McCrary, J., Moreira, M. and Porter, J.",
            "Valid t-ratio inference for IV",
            2022,
            "American Economic Review 112(10), 3260-3290",
        ),
    )
)
def strength_check(parameters: Mapping[str, Any]) -> CheckResult:
    """Judge the first-stage F: below 10 the instruments are weak; below 104.7 only Anderson-Rubin intervals hold."""
    f = float(parameters["first_stage_f"])
    passed = f >= WEAK_F
    sentence = f"The instruments move the treatment with an F statistic of {number(f)}."
    if not passed:
        sentence += " That is weak (below 10): the estimate is unreliable; trust the Anderson-Rubin interval only."
    elif f < STRONG_F:
        sentence += f" Below {STRONG_F} the usual interval is too short, so the Anderson-Rubin interval is given."
    return CheckResult("instrument-strength", "Strength of the instruments", passed, sentence, statistic=f)


@register(
    Card(
        name="overidentification",
        family="check",
        answers="Do several instruments tell the same story?",
        output="diagnostic",
        paper=Paper(
            "Hansen, L. P.",
            "Large sample properties of generalized method of moments estimators",
            1982,
            "Econometrica 50(4), 1029-1054",
        ),
    )
)
def overidentification_check(parameters: Mapping[str, Any]) -> CheckResult | None:
    """Judge Hansen's J test at 1 %; None with a single instrument, where there is nothing to compare."""
    found = parameters["overidentification"]
    if found is None:
        return None
    p_value = found["p_value"]
    passed = p_value >= LEVEL
    verdict = "tell the same story" if passed else "contradict each other: at least one is not valid"
    sentence = f"The instruments {verdict} (Hansen's J {number(found['statistic'])}, {p_words(p_value)})."
    return CheckResult(
        "overidentification", "Agreement of the instruments", passed, sentence, found["statistic"], p_value
    )
