"""The verb that attacks an estimate: placebos, random common causes, subsets, hidden confounding, negative controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whence.data import as_dataset
from whence.effects.effect import Effect
from whence.effects.estimation import estimate, sample_of
from whence.effects.fitted import Fitted
from whence.effects.fitting import fit
from whence.effects.refits import Refits, placebo_check, random_cause_check, subset_check
from whence.effects.sample import Sample
from whence.effects.sensitivity import e_value_check, hidden_confounding_check
from whence.effects.wording import number
from whence.errors import DataError, ParameterError, quote_names
from whence.parallel import Progress, RandomState, child_seeds, silent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

CHECKS = ("placebo", "random-common-cause", "subset", "hidden-confounding", "e-value", "negative-control")
_CONTROL_LEVEL = 0.05


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
        For an unknown check, or a negative control that is missing, adjusted for, or an end of the question.
    DataError
        E449 if the data are not those that the effect was estimated from.

    Examples
    --------
    >>> from whence.data.simulate import treatment_outcome
    >>> table = treatment_outcome(400, effect=2.0, random_state=0)
    >>> effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates)
    >>> refute(effect, table.data, checks=["placebo"]).refutations[0].passed
    True
    """
    if not isinstance(effect, Effect):
        raise ParameterError(
            "E447",
            f"refute takes the effect first and the data second; the first is a {type(effect).__name__}.",
            "Call it the other way round: wh.refute(effect, data)." if isinstance(data, Effect) else "Pass an Effect.",
        )
    controls = [negative_control] if isinstance(negative_control, str) else list(negative_control or ())
    wanted = _wanted(checks, controls)
    if effect.range is not None or effect.estimator == "none":
        return effect
    dataset = as_dataset(data)
    _check_controls(effect, controls)
    contrast = _contrast_of(effect)
    sample = sample_of(dataset, effect.identification, contrast)
    if sample.size != effect.rows_used:
        raise DataError(
            "E449",
            f"these data have {sample.size:,} complete rows; the effect was estimated from {effect.rows_used:,}.",
            "Pass the data that the effect was estimated from.",
        )
    seeds = dict(zip(CHECKS, child_seeds(random_state, len(CHECKS))))
    fitted = effect.fitted if effect.fitted is not None else _fit_as_before(effect, sample)
    found: list[CheckResult] = []
    figures = dict(effect.figures)
    refits = Refits.of(effect, sample, fitted, progress)
    if "placebo" in wanted:
        check, figures["placebo"] = placebo_check(refits, seeds["placebo"])
        found.append(check)
    if "random-common-cause" in wanted and effect.identification.strategy == "adjustment":
        found.append(random_cause_check(refits, seeds["random-common-cause"]))
    if "subset" in wanted:
        found.append(subset_check(refits, seeds["subset"]))
    if effect.identification.strategy == "adjustment":
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


def _check_controls(effect: Effect, controls: Sequence[str]) -> None:
    found = effect.identification
    taken = {effect.treatment, effect.outcome, *(effect.adjustment or ()), *found.mediators, *found.instruments}
    clash = [name for name in controls if name in taken]
    if clash:
        raise ParameterError(
            "E447",
            f"{quote_names(clash)} cannot be a negative control: the estimate itself uses it.",
            "Name another outcome, one that the treatment cannot affect.",
        )


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
    passed = p_value >= _CONTROL_LEVEL
    low, high = other.interval
    verdict = (
        "compatible with none, as it should be" if passed else "an effect that cannot be: the adjustment leaves bias"
    )
    sentence = (
        f"On {control}, which the treatment cannot affect, the same estimator finds {number(other.estimate)} "
        f"({number(low)} to {number(high)}), {verdict}."
    )
    return CheckResult("negative-control", f"Negative control {control}", passed, sentence, other.estimate, p_value)
