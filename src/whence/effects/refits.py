"""Attacks that fit the estimator again on changed data: placebos, random common causes, subsets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.stats import chi2, norm

from whence.effects.effect import Effect
from whence.effects.fitted import Fitted, Score
from whence.effects.fitting import fit_again, learners_of, on_first_split
from whence.effects.regression import Population
from whence.effects.sample import Sample
from whence.effects.sums import Labels
from whence.effects.wording import number, p_words
from whence.errors import DataError
from whence.parallel import Progress, fan_out, silent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

LEVEL = 0.01
PERMUTES_OUTCOME = frozenset({"iv", "front-door"})
_SUBSET_SHARE = 0.8
_MOST_CHANGE = 0.5


@dataclass(frozen=True, slots=True)
class Effort:
    """How often an attack is repeated, and with how many folds a placebo is estimated."""

    placebos: int
    placebo_folds: int
    random_causes: int
    subsets: int


CHEAP = Effort(placebos=20, placebo_folds=5, random_causes=5, subsets=5)
# Two folds are as valid as five: a permuted treatment has constant propensities, whatever the models make of them.
COSTLY = Effort(placebos=5, placebo_folds=2, random_causes=1, subsets=3)


@dataclass(frozen=True, slots=True)
class Refits:
    """An estimate that can be made again on changed samples.

    Attributes
    ----------
    base : float
        What the refits are compared with: for a cross-fitted estimator the estimate on its first split alone, since
        refits keep that split, so that only the change of the data moves them.
    scale : float
        What a slope is multiplied by where two values of a continuous treatment are compared.
    """

    effect: Effect
    sample: Sample
    fitted: Fitted
    base: float
    scale: float
    effort: Effort
    progress: Progress = silent

    @classmethod
    def of(cls, effect: Effect, sample: Sample, fitted: Fitted, progress: Progress = silent) -> Refits:
        """Build it for an estimate and the rows it was made from."""
        scale = contrast_size(effect, sample)
        effort = COSTLY if "boosting" in learners_of(fitted).values() else CHEAP
        base = effect.estimate
        if fitted.nuisances:
            first = on_first_split(fitted, sample, _population(effect))
            base = _primary(effect, sample, first).value * scale
        return cls(effect, sample, fitted, base, scale, effort, progress)

    @property
    def labels(self) -> Labels | None:
        """The fold of each row in the first split; None for an estimator without folds."""
        return self.fitted.nuisances[0].folds if self.fitted.nuisances else None

    def run(
        self,
        change: Callable[[np.random.Generator], tuple[Sample, Labels | None]],
        draws: int,
        seed: np.random.SeedSequence,
        stage: str,
        folds: int | None = None,
    ) -> list[Score]:
        """Return the score on changed samples, one per draw; draws that cannot be fitted are left out.

        Parameters
        ----------
        change : callable
            From a random generator to the changed sample and the folds of its rows, None for new ones.
        """

        def once(child: np.random.SeedSequence) -> Score | None:
            sample, labels = change(np.random.default_rng(child))
            state = int(child.generate_state(1)[0])
            settings: dict[str, Any] = {"labels": labels} if folds is None else {"folds": folds}
            try:
                again = fit_again(self.fitted, sample, _population(self.effect), state, **settings)
            except DataError:  # a subset without one of the arms, or a permutation without variation
                return None
            return _primary(self.effect, sample, again).scaled(self.scale)

        found = fan_out(once, seed.spawn(draws), stage=stage, progress=self.progress)
        return [score for score in found if score is not None]


def contrast_size(effect: Effect, sample: Sample) -> float:
    """Return how many units of a continuous treatment are compared; 1 for arms."""
    first = effect.contrasts[0]
    return float(first.to) - float(first.reference) if sample.arms is None and first.to is not None else 1.0


def _population(effect: Effect) -> Population:
    return cast("Population", effect.population)


def _primary(effect: Effect, sample: Sample, fitted: Fitted) -> Score:
    """Return the score of the contrast that the effect reports first, per unit of a continuous treatment."""
    if sample.arms is None:
        return fitted.primary
    arm = sample.arms.index(effect.contrasts[0].to)
    return next(one.difference for one in fitted.contrasts if one.to == arm)


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
def placebo_check(refits: Refits, seed: np.random.SeedSequence) -> tuple[CheckResult, dict[str, Any]]:
    """Judge the estimates for permuted treatments, which can have no effect; return the check and the plot's data.

    A permuted column keeps its distribution, so a placebo is as easy to estimate as the treatment itself. With
    instruments or a front door the outcome is permuted instead. The squares of the estimates in standard errors must
    not be larger than chance makes them (chi-square, 1 %).
    """
    effect, sample, effort = refits.effect, refits.sample, refits.effort
    part = "outcome" if effect.estimator in PERMUTES_OUTCOME else "treatment"

    def permuted(rng: np.random.Generator) -> tuple[Sample, None]:
        return sample.with_parts(**{part: rng.permutation(getattr(sample, part))}), None

    scores = refits.run(permuted, effort.placebos, seed, "placebo", effort.placebo_folds)
    values = [score.value for score in scores]
    ratios = np.array([score.value / score.standard_error for score in scores if score.standard_error > 0])
    figure = {"estimates": values, "estimate": effect.estimate, "standard_error": effect.standard_error}
    name, title = "placebo", f"Placebo {part}"
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
def random_cause_check(refits: Refits, seed: np.random.SeedSequence) -> CheckResult:
    """Judge the change when random columns are adjusted for: it must stay below half a standard error."""
    effect, sample, title = refits.effect, refits.sample, "Random common cause"

    def with_noise(rng: np.random.Generator) -> tuple[Sample, Labels | None]:
        column = rng.normal(size=(sample.size, 1))
        wider = sample.with_parts(
            covariates=np.column_stack([sample.covariates, column]),
            covariate_names=(*sample.covariate_names, "random"),
            covariate_sources=(*sample.covariate_sources, "random"),
        )
        return wider, refits.labels

    scores = refits.run(with_noise, refits.effort.random_causes, seed, "random common cause")
    if not scores or not effect.standard_error > 0:
        return CheckResult("random-common-cause", title, None, "No random column could be adjusted for.")
    change = max(abs(score.value - refits.base) for score in scores)
    share = change / effect.standard_error
    passed = share <= _MOST_CHANGE
    verdict = "as it should be" if passed else f"more than {_MOST_CHANGE} standard errors: the estimate is unstable"
    at_most = "at most " if len(scores) > 1 else ""
    sentence = (
        f"Adjusting for a random column moves the estimate by {at_most}{number(change)} ({number(share)} standard "
        f"errors), {verdict}."
    )
    return CheckResult("random-common-cause", title, passed, sentence, statistic=share)


@register(
    Card(
        name="subset",
        family="check",
        answers="Does the estimate hold in random parts of the data?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
    )
)
def subset_check(refits: Refits, seed: np.random.SeedSequence) -> CheckResult:
    """Judge the estimates on random 80 % of the rows against the spread that sampling implies (Bonferroni, 1 %)."""
    effect, sample = refits.effect, refits.sample

    def part(rng: np.random.Generator) -> tuple[Sample, Labels | None]:
        size = max(2, round(_SUBSET_SHARE * sample.size))
        rows = np.sort(rng.choice(sample.size, size, replace=False))
        return sample.take(rows), None if refits.labels is None else refits.labels[rows]

    scores = refits.run(part, refits.effort.subsets, seed, "subsets")
    spread = effect.standard_error * math.sqrt(1 / _SUBSET_SHARE - 1)
    if not scores or not spread > 0:
        return CheckResult("subset", "Random subsets", None, "No subset could be fitted.")
    values = [score.value for score in scores]
    farthest = max(abs(value - refits.base) for value in values)
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
