"""The verb that attacks an estimate: placebos, random common causes, subsets, hidden confounding, negative controls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import chi2, norm

from whence.data import as_dataset
from whence.effects.effect import Effect
from whence.effects.estimation import estimate, sample_of
from whence.effects.fitted import Fitted, Score
from whence.effects.fitting import CROSS_FITTED, fit, fit_again
from whence.effects.sample import Sample
from whence.effects.sensitivity import e_value_check, hidden_confounding_check
from whence.effects.wording import number, p_words
from whence.errors import DataError, ParameterError, quote_names
from whence.parallel import Progress, RandomState, child_seeds, fan_out, silent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

CHECKS = ("placebo", "random-common-cause", "subset", "hidden-confounding", "e-value", "negative-control")
LEVEL = 0.01
_DRAWS, _DRAWS_CROSS_FITTED = 20, 5
_SUBSETS = 5
_SUBSET_SHARE = 0.8
_MOST_CHANGE = 0.5
_WITHOUT_TREATMENT_PLACEBO = frozenset({"iv", "front-door"})


def refute(
    effect: Effect,
    data: Any,
    *,
    negative_control: str | Sequence[str] | None = None,
    checks: Sequence[str] | None = None,
    random_state: RandomState = 0,
    progress: Progress = silent,
) -> Effect:
    """Attack an estimate; return it with the outcome of every attack.

    Parameters
    ----------
    effect : Effect
        From `estimate`.
    data : Dataset or anything `whence.read` takes
        The data it was estimated from.
    negative_control : str or sequence of str, optional
        Outcomes that the treatment cannot affect but that share its common causes; an effect on them means bias.
    checks : sequence of str, optional
        Among ``placebo``, ``random-common-cause``, ``subset``, ``hidden-confounding``, ``e-value``,
        ``negative-control``; by default all that apply.
    random_state : int or Generator
        Seed of permutations and subsets.

    Returns
    -------
    Effect
        With ``refutations`` filled. A range or an effect ruled out by the graph comes back unchanged: there is no
        single estimate to attack.

    Raises
    ------
    ParameterError
        For an unknown check, or ``negative-control`` without a column.

    Examples
    --------
    >>> from whence.data.simulate import treatment_outcome
    >>> table = treatment_outcome(400, effect=2.0, random_state=0)
    >>> effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates)
    >>> refute(effect, table.data, checks=["placebo"]).refutations[0].passed
    True
    """
    controls = [negative_control] if isinstance(negative_control, str) else list(negative_control or ())
    wanted = _wanted(checks, controls)
    if effect.range is not None or effect.estimator == "none":
        return effect
    dataset = as_dataset(data)
    contrast = _contrast_of(effect)
    sample = sample_of(dataset, effect.identification, contrast)
    seeds = dict(zip(CHECKS, child_seeds(random_state, len(CHECKS))))
    fitted = effect.fitted if effect.fitted is not None else _fit_as_before(effect, sample)
    found: list[CheckResult] = []
    figures = dict(effect.figures)
    if "placebo" in wanted:
        check, figures["placebo"] = placebo_check(effect, sample, fitted, seeds["placebo"], progress)
        found.append(check)
    if "random-common-cause" in wanted and effect.estimator not in _WITHOUT_TREATMENT_PLACEBO:
        found.append(random_cause_check(effect, sample, fitted, seeds["random-common-cause"], progress))
    if "subset" in wanted:
        found.append(subset_check(effect, sample, fitted, seeds["subset"], progress))
    if effect.estimator not in _WITHOUT_TREATMENT_PLACEBO:
        if "hidden-confounding" in wanted:
            hidden, figure = hidden_confounding_check(effect, _first_contrast(effect, sample))
            found += [hidden] if hidden is not None else []
            figures |= {"sensitivity": figure} if figure is not None else {}
        if "e-value" in wanted:
            value = e_value_check(effect, sample)
            found += [value] if value is not None else []
    for control in controls:
        found.append(negative_control_check(effect, dataset, control))
    return replace(effect, refutations=tuple(found), figures=figures)


def _wanted(checks: Sequence[str] | None, controls: Sequence[str]) -> frozenset[str]:
    chosen = frozenset(CHECKS if checks is None else [checks] if isinstance(checks, str) else checks)
    unknown = sorted(chosen - set(CHECKS))
    if unknown:
        raise ParameterError(
            "E447", f"there is no refutation {quote_names(unknown)}.", f"Choose among {quote_names(CHECKS)}."
        )
    if checks is not None and "negative-control" in chosen and not controls:
        raise ParameterError(
            "E447",
            "the check 'negative-control' needs a column that the treatment cannot affect.",
            "Pass negative_control=COLUMN.",
        )
    return chosen


def _contrast_of(effect: Effect) -> tuple[Any, Any] | None:
    first = effect.contrasts[0]
    return None if first.to is None else (first.to, first.reference)


def _first_contrast(effect: Effect, sample: Sample) -> Sample:
    """Return the rows of the two arms compared first, the arm asked about as arm 1."""
    if sample.arms is None or len(sample.arms) == 2:
        return sample
    arm = sample.arms.index(effect.contrasts[0].to)
    rows = np.flatnonzero((sample.codes == arm) | (sample.codes == 0))
    part = sample.take(rows)
    return part.with_parts(treatment=(part.codes == arm).astype(np.float64), arms=(sample.arms[0], sample.arms[arm]))


def _fit_as_before(effect: Effect, sample: Sample) -> Fitted:
    """Fit an effect again that was read from a file and so lost its fitted nuisances."""
    return fit(
        effect.estimator,
        sample,
        population=effect.population,  # type: ignore[arg-type]
        level=effect.level,
        random_state=effect.random_state or 0,
    )


def _primary(effect: Effect, sample: Sample, fitted: Fitted) -> Score:
    """Return the score of the contrast that the effect reports first, per unit of a continuous treatment."""
    if sample.arms is None:
        return fitted.primary
    arm = sample.arms.index(effect.contrasts[0].to)
    return next(one.difference for one in fitted.contrasts if one.to == arm)


def _draws(effect: Effect) -> int:
    return _DRAWS_CROSS_FITTED if effect.estimator in CROSS_FITTED else _DRAWS


def _scale(effect: Effect, sample: Sample) -> float:
    """Return what a slope is multiplied by where two values of a continuous treatment are compared."""
    first = effect.contrasts[0]
    return float(first.to) - float(first.reference) if sample.arms is None and first.to is not None else 1.0


def _refits(
    effect: Effect,
    fitted: Fitted,
    change: Callable[[np.random.Generator], Sample],
    draws: int,
    seed: np.random.SeedSequence,
    stage: str,
    progress: Progress,
) -> list[Score]:
    """Return the effect's score on changed samples, one per draw; draws that cannot be fitted are left out."""

    def once(child: np.random.SeedSequence) -> Score | None:
        sample = change(np.random.default_rng(child))
        try:
            again = fit_again(fitted, sample, effect.population, child_state(child))  # type: ignore[arg-type]
        except DataError:  # a subset without one of the arms, or a permutation without variation
            return None
        return _primary(effect, sample, again).scaled(_scale(effect, sample))

    found = fan_out(once, seed.spawn(draws), stage=stage, progress=progress)
    return [score for score in found if score is not None]


def child_state(seed: np.random.SeedSequence) -> int:
    """Return an integer seed that follows from a seed sequence."""
    return int(seed.generate_state(1)[0])


@register(
    Card(
        name="placebo",
        family="check",
        answers="Does the estimator find an effect where there is none?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
        paper=Paper(
            "Athey, S. and Imbens, G.",
            "The state of applied econometrics: causality and policy evaluation",
            2017,
            "Journal of Economic Perspectives 31(2), 3-32",
        ),
    )
)
def placebo_check(
    effect: Effect, sample: Sample, fitted: Fitted, seed: np.random.SeedSequence, progress: Progress = silent
) -> tuple[CheckResult, dict[str, Any]]:
    """Judge the estimates for permuted treatments, which can have no effect; return the check and the plot's data.

    A permuted column keeps its distribution, so a placebo is as easy to estimate as the treatment itself. With
    instruments or a front door the outcome is permuted instead. The squares of the estimates in standard errors must
    not be larger than chance makes them (chi-square, 1 %).
    """
    of_outcome = effect.estimator in _WITHOUT_TREATMENT_PLACEBO
    part = "outcome" if of_outcome else "treatment"

    def permuted(rng: np.random.Generator) -> Sample:
        return sample.with_parts(**{part: rng.permutation(getattr(sample, part))})

    scores = _refits(effect, fitted, permuted, _draws(effect), seed, "placebo", progress)
    values = [score.value for score in scores]
    ratios = np.array([score.value / score.standard_error for score in scores if score.standard_error > 0])
    figure = {"estimates": values, "estimate": effect.estimate, "standard_error": effect.standard_error}
    name, title = ("placebo", f"Placebo {part}")
    if not len(ratios):
        return CheckResult(name, title, None, "No permuted column could be fitted."), figure
    statistic = float(ratios @ ratios)
    p_value = float(chi2.sf(statistic, len(ratios)))
    passed = p_value >= LEVEL
    typical = float(np.median(np.abs(values)))
    verdict = "as it should be" if passed else "more than chance allows: the estimator finds effects that are not there"
    sentence = (
        f"With the {part} permuted, {len(values)} times, the estimate is typically {number(typical)} away from zero "
        f"instead of {number(abs(effect.estimate))}, {verdict} ({p_words(p_value)})."
    )
    return CheckResult(name, title, passed, sentence, statistic, p_value, {"estimate": values}), figure


@register(
    Card(
        name="random-common-cause",
        family="check",
        answers="Does adjusting for noise change the estimate?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
    )
)
def random_cause_check(
    effect: Effect, sample: Sample, fitted: Fitted, seed: np.random.SeedSequence, progress: Progress = silent
) -> CheckResult:
    """Judge the change when random columns are adjusted for: it must stay below half a standard error."""
    seeds = seed.spawn(1)[0]

    def with_noise(rng: np.random.Generator) -> Sample:
        column = rng.normal(size=(sample.size, 1))
        return sample.with_parts(
            covariates=np.column_stack([sample.covariates, column]),
            covariate_names=(*sample.covariate_names, "random"),
            covariate_sources=(*sample.covariate_sources, "random"),
        )

    draws = 5 if effect.estimator not in CROSS_FITTED else 2
    scores = _refits(effect, fitted, with_noise, draws, seeds, "random common cause", progress)
    if not scores or not effect.standard_error > 0:
        return CheckResult(
            "random-common-cause", "Random common cause", None, "No random column could be adjusted for."
        )
    change = max(abs(score.value - effect.estimate) for score in scores)
    share = change / effect.standard_error
    passed = share <= _MOST_CHANGE
    verdict = "as it should be" if passed else f"more than {_MOST_CHANGE} standard errors: the estimate is unstable"
    sentence = (
        f"Adjusting for a random column moves the estimate by at most {number(change)} ({number(share)} standard "
        "errors), "
        f"{verdict}."
    )
    return CheckResult("random-common-cause", "Random common cause", passed, sentence, statistic=share)


@register(
    Card(
        name="subset",
        family="check",
        answers="Does the estimate hold in random parts of the data?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
    )
)
def subset_check(
    effect: Effect, sample: Sample, fitted: Fitted, seed: np.random.SeedSequence, progress: Progress = silent
) -> CheckResult:
    """Judge the estimates on random 80 % of the rows against the spread that sampling implies (Bonferroni, 1 %)."""

    def part(rng: np.random.Generator) -> Sample:
        size = max(2, round(_SUBSET_SHARE * sample.size))
        return sample.take(np.sort(rng.choice(sample.size, size, replace=False)))

    scores = _refits(effect, fitted, part, _SUBSETS, seed, "subsets", progress)
    spread = effect.standard_error * math.sqrt(1 / _SUBSET_SHARE - 1)
    if not scores or not spread > 0:
        return CheckResult("subset", "Random subsets", None, "No subset could be fitted.")
    values = [score.value for score in scores]
    farthest = max(abs(value - effect.estimate) for value in values)
    p_value = min(1.0, len(values) * float(2 * norm.sf(farthest / spread)))
    passed = p_value >= LEVEL
    verdict = (
        "as sampling makes it" if passed else "more than sampling explains: the estimate depends on which rows are in"
    )
    sentence = (
        f"On {len(values)} random subsets of {_SUBSET_SHARE:.0%} of the rows the estimate lies between "
        f"{number(min(values))} and {number(max(values))}, {verdict} ({p_words(p_value)})."
    )
    return CheckResult("subset", "Random subsets", passed, sentence, farthest / spread, p_value, {"estimate": values})


@register(
    Card(
        name="negative-control",
        family="check",
        answers="Does the treatment seem to affect what it cannot affect?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
        paper=Paper(
            "Lipsitch, M., Tchetgen Tchetgen, E. and Cohen, T.",
            "Negative controls: a tool for detecting confounding and bias in observational studies",
            2010,
            "Epidemiology 21(3), 383-388",
        ),
    )
)
def negative_control_check(effect: Effect, data: Any, control: str) -> CheckResult:
    """Judge the same estimate for an outcome that the treatment cannot affect: zero must not be ruled out at 5 %."""
    found = replace(effect.identification, outcome=control)
    other = estimate(
        data,
        None,
        effect.treatment,
        control,
        identification=found,
        method=effect.estimator,
        population=effect.population,
        contrast=_contrast_of(effect),
        level=effect.level,
        random_state=effect.random_state or 0,
    )
    p_value = other.p_value if other.p_value is not None else 1.0
    passed = p_value >= 0.05
    low, high = other.interval
    verdict = (
        "compatible with none, as it should be" if passed else "an effect that cannot be: the adjustment leaves bias"
    )
    sentence = (
        f"On {control}, which the treatment cannot affect, the same estimator finds {number(other.estimate)} "
        f"({number(low)} to {number(high)}), {verdict}."
    )
    return CheckResult("negative-control", f"Negative control {control}", passed, sentence, other.estimate, p_value)
