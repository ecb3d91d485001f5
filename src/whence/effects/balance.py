"""Balance: whether the arms look alike in the adjusted columns, before and after weighting."""

from __future__ import annotations

from typing import Any

import numpy as np

from whence.effects.overlap import EXTRAPOLATES, effective_rows, population_weights
from whence.effects.sample import Sample
from whence.effects.sums import Array
from whence.effects.wording import number
from whence.registry import Card, Paper, register
from whence.results import CheckResult

THRESHOLD = 0.1
_CHANCE = 1.5


def standardised_differences(sample: Sample, weights: Array, arm: int) -> Array:
    """Return the weighted mean difference of an arm and the reference in units of their pooled spread, shape (k,).

    The spread is the root of the mean of both arms' unweighted variances, so that weighting cannot hide a difference by
    changing the yardstick.
    """
    inside, outside = sample.codes == arm, sample.codes == 0
    x = sample.covariates
    difference = _mean(x[inside], weights[inside]) - _mean(x[outside], weights[outside])
    spread = np.sqrt((x[inside].var(axis=0, ddof=1) + x[outside].var(axis=0, ddof=1)) / 2)
    return np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)  # type: ignore[no-any-return]


def _mean(values: Array, weights: Array) -> Array:
    return weights @ values / weights.sum()  # type: ignore[no-any-return]


@register(
    Card(
        name="balance",
        family="check",
        answers="Do the arms look alike in the adjusted columns once they are weighted?",
        kinds=frozenset({"binary", "categorical"}),
        output="diagnostic",
        paper=Paper(
            "Austin, P.",
            "Balance diagnostics for comparing the distribution of baseline covariates between treatment groups",
            2009,
            "Statistics in Medicine 28(25), 3083-3107",
        ),
    )
)
def balance_check(sample: Sample, propensity: Array, population: str) -> tuple[CheckResult, dict[str, Any]]:
    """Judge balance by the largest standardised mean difference after weighting; return the check and the plot's data.

    It fails above 0.1, unless chance alone explains the difference at the effective number of rows there is (below 1.5
    times its standard error).
    """
    k = sample.width
    before, after, signed = np.zeros(k), np.zeros(k), np.zeros((2, k))
    bound = THRESHOLD
    for arm in range(1, len(sample.arms or ())):
        weights = population_weights(propensity, sample.codes, arm, population)
        pair = [weights[sample.codes == j] for j in (arm, 0)]
        raw = standardised_differences(sample, (weights > 0).astype(float), arm)
        weighted = standardised_differences(sample, weights, arm)
        bound = max(bound, _CHANCE * float(np.sqrt(sum(1 / max(effective_rows(w), 1.0) for w in pair))))
        larger = np.abs(raw) >= np.abs(signed[0])
        signed[0, larger] = raw[larger]
        larger = np.abs(weighted) >= np.abs(signed[1])
        signed[1, larger] = weighted[larger]
        before, after = np.maximum(before, np.abs(raw)), np.maximum(after, np.abs(weighted))
    worst, first = int(after.argmax()), int(before.argmax())
    passed = bool(after[worst] <= bound)
    names = sample.covariate_names
    sentence = (
        f"Before weighting the arms differ most in {names[first]} (by {number(before[first])} standard deviations), "
        f"after weighting in {names[worst]} (by {number(after[worst])})."
    )
    if not passed:
        biased = "and is biased wherever that model is wrong"
        sentence += f" Above {number(bound)} the arms are not alike: {EXTRAPOLATES}, {biased}."
    table: dict[str, list[Any]] = {"covariate": list(names), "before": before.tolist(), "after": after.tolist()}
    figure = {
        "covariate": list(names),
        "before": signed[0].tolist(),
        "after": signed[1].tolist(),
        "threshold": THRESHOLD,
    }
    return CheckResult("balance", "Balance", passed, sentence, statistic=float(after[worst]), table=table), figure
