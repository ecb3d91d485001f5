"""Overlap: whether rows with the same covariates occur in every arm, so that there is something to compare."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp

from whence.effects.crossfit import FLOOR, floored
from whence.effects.sample import Sample
from whence.effects.sums import Array, Labels
from whence.effects.wording import number, percent
from whence.errors import DataError
from whence.registry import Card, Paper, register
from whence.results import CheckResult

MOST_OUTSIDE = 0.05
LEAST_EFFECTIVE = 0.1
_LEAST_LEFT = 0.05
_BINS = 40
_FIT_ROWS = 50_000
_ACCIDENT = 1e-3
EXTRAPOLATES = "the estimate leans on extrapolation by a model, not on comparison of like with like"


def logistic_propensity(sample: Sample) -> Array:
    """Return the probability of each arm by logistic regression, shape (n, arms), for description.

    Fitted on the rows themselves (at most 50,000 of them), not cross-fitted.
    """
    from whence.effects.nuisance import logistic_model

    if not sample.width:
        return np.tile(sample.arm_sizes / sample.size, (sample.size, 1))
    step = max(1, sample.size // _FIT_ROWS)
    model = logistic_model().fit(sample.covariates[::step], sample.codes[::step])
    found = np.full((sample.size, len(sample.arms or ())), 1.0 / sample.size)
    found[:, model.classes_] = model.predict_proba(sample.covariates)
    return found


def check_separation(sample: Sample, propensity: Array, treatment: str) -> None:
    """Raise if the covariates tell two arms apart without a single error, and not by chance.

    Raises
    ------
    DataError
        E436 naming the column that does it, if one alone does.
    """
    sizes = sample.arm_sizes
    for arm in range(1, len(sizes)):
        accidental = separable_by_chance(sample.width, int(sizes[arm]), int(sizes[0])) > _ACCIDENT
        if not accidental and _separated(sample.codes, propensity, arm):
            raise _no_overlap(sample, arm, treatment)


def separable_by_chance(columns: int, inside: int, outside: int) -> float:
    """Return a bound on the probability that a plane parts two arms which the covariates have nothing to do with.

    Cover (1965), theorem 1, counts the ways in which planes part n points; arms of given sizes can fall on the points
    in "n over size" ways, all equally likely.

    Examples
    --------
    >>> round(separable_by_chance(1, 3, 3), 3), separable_by_chance(8, 30, 60) < 1e-10
    (0.6, True)
    """
    n = inside + outside
    parted = logsumexp([_log_choose(n - 1, k) for k in range(min(columns, n - 1) + 1)])
    return float(min(1.0, 2 * np.exp(parted - _log_choose(n, inside))))


def _log_choose(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _separated(codes: Labels, propensity: Array, arm: int) -> bool:
    score = propensity[:, arm] / (propensity[:, arm] + propensity[:, 0])
    return bool(score[codes == arm].min() > score[codes == 0].max())


def _no_overlap(sample: Sample, arm: int, treatment: str) -> DataError:
    codes = sample.codes
    alone = ""
    for name, column in zip(sample.covariate_names, sample.covariates.T):
        inside, outside = column[codes == arm], column[codes == 0]
        if inside.min() > outside.max() or inside.max() < outside.min():
            alone = (
                f" {name!r} alone does: {number(inside.min())} to {number(inside.max())} against "
                f"{number(outside.min())} to {number(outside.max())}."
            )
            break
    arms = sample.arms or ()
    return DataError(
        "E436",
        f"there is no overlap: the adjusted columns tell {treatment!r} = {arms[arm]!r} from {arms[0]!r} in every "
        "row, so no "
        f"two comparable rows differ in the treatment.{alone}",
        "Leave out a column that only restates the treatment; otherwise these data cannot answer.",
    )


def population_weights(propensity: Array, codes: Labels, arm: int, population: str) -> Array:
    """Return the weights that make an arm and the reference alike, shape (n,); zero in other arms.

    ``all``: 1 / e of the row's own arm. ``treated``: 1 in the arm, the odds e_arm / e_reference in the reference.
    ``overlap``: the probability of the other of the two arms.
    """
    inside, outside = codes == arm, codes == 0
    e_arm, e_reference = propensity[:, arm], propensity[:, 0]
    if population == "treated":
        return inside + outside * e_arm / floored(e_reference)  # type: ignore[no-any-return]
    if population == "overlap":
        return (inside * e_reference + outside * e_arm) / np.maximum(e_arm + e_reference, 1e-12)  # type: ignore[no-any-return]
    return inside / floored(e_arm) + outside / floored(e_reference)  # type: ignore[no-any-return]


def effective_rows(weights: Array) -> float:
    """Return Kish's effective sample size: the rows of equal weight that would be as informative."""
    total = float(weights.sum())
    return total**2 / float(weights @ weights) if total > 0 else 0.0


@register(
    Card(
        name="overlap",
        family="check",
        answers="Do comparable rows occur in every arm of the treatment?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="diagnostic",
        paper=Paper(
            "Crump, R., Hotz, V. J., Imbens, G. and Mitnik, O.",
            "Dealing with limited overlap in estimation of average treatment effects",
            2009,
            "Biometrika 96(1), 187-199",
        ),
    )
)
def overlap_check(sample: Sample, propensity: Array, population: str) -> CheckResult:
    """Judge overlap by the share of rows without a counterpart and the effective rows left after weighting.

    It fails if more than 5 % of the population's rows have a probability below 1 % of being in one of the arms, or if
    weighting leaves an arm with less than a tenth of the smaller arm's rows.
    """
    codes = sample.codes
    outside = share_outside(propensity, codes, population)
    effective = _effective_by_arm(propensity, codes, population)
    smallest = int(sample.arm_sizes.min())
    thin = [arm for arm, rows in enumerate(effective) if rows < LEAST_EFFECTIVE * smallest]
    passed = outside <= MOST_OUTSIDE and not thin
    arms = [str(arm) for arm in sample.arms or ()]
    sizes = ", ".join(
        f"{arm}: {number(rows)} of {size:,}" for arm, rows, size in zip(arms, effective, sample.arm_sizes)
    )
    if passed:
        sentence = f"Comparable rows occur in every arm: {_outside_words(outside)}; effective rows by arm {sizes}."
    else:
        sentence = (
            f"Comparable rows are missing: {_outside_words(outside)}, and weighting leaves few effective rows "
            f"({sizes}). "
            f"For them {EXTRAPOLATES}.{_advice(population)}"
        )
    table = {"arm": arms, "rows": sample.arm_sizes.tolist(), "effective_rows": effective}
    return CheckResult("overlap", "Overlap", passed, sentence, statistic=outside, table=table)


def share_outside(propensity: Array, codes: Labels, population: str) -> float:
    """Return the share of the population's rows with a probability below 1 % of being in an arm it is compared with."""
    if population == "overlap":
        return 0.0
    if population == "treated":
        inside = codes > 0
        return float((propensity[inside, 0] < FLOOR).mean())
    return float((propensity.min(axis=1) < FLOOR).mean())


def _effective_by_arm(propensity: Array, codes: Labels, population: str) -> list[float]:
    arms = propensity.shape[1]
    found = [float("inf")] * arms
    for arm in range(1, arms):
        weights = population_weights(propensity, codes, arm, population)
        for k in (0, arm):
            found[k] = min(found[k], effective_rows(weights[codes == k]))
    return found


def _outside_words(share: float) -> str:
    if share == 0:
        return "no row has a probability below 1 % of being in another arm"
    return f"{percent(share)} of the rows have a probability below 1 % of being in one of the arms"


def _advice(population: str) -> str:
    if population == "all":
        return " Ask about a population with overlap instead: population='treated' or 'overlap'."
    return " Ask about population='overlap' instead." if population == "treated" else ""


def overlap_figure(sample: Sample, propensity: Array) -> dict[str, Any]:
    """Return histograms of the propensity of each arm but the reference, by arm: plain data of the plot."""
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    arms = sample.arms or ()
    panels = []
    for arm in range(1, len(arms)):
        counts = {
            str(arms[k]): np.histogram(propensity[sample.codes == k, arm], bins=edges)[0].tolist()
            for k in range(len(arms))
        }
        panels.append({"arm": str(arms[arm]), "counts": counts})
    return {"edges": edges.tolist(), "panels": panels}


def variation_check(sample: Sample, expected: Array) -> CheckResult:
    """Judge, for a continuous treatment, how much of its variation the covariates leave.

    It fails if less than 5 % is left: then a few rows that happen to deviate carry the whole estimate.
    """
    left = min(1.0, float(np.var(sample.treatment - expected) / np.var(sample.treatment)))
    passed = left >= _LEAST_LEFT
    sentence = f"{percent(left)} of the treatment's variation is left after adjustment."
    if not passed:
        sentence = (
            f"Only {percent(left)} of the treatment's variation is left after adjustment: rows with equal "
            f"covariates hardly differ in the treatment, and {EXTRAPOLATES}."
        )
    return CheckResult("overlap", "Overlap", passed, sentence, statistic=left)
