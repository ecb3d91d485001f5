"""From an estimator's scores to contrasts in the user's terms: levels, units, ratios, the unadjusted comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from whence.data import Dataset
from whence.effects.effect import Contrast
from whence.effects.fitted import ContrastFit, Fitted
from whence.effects.regression import Population, regression
from whence.effects.sample import Sample, find_level
from whence.effects.wording import one_of
from whence.errors import ParameterError
from whence.parallel import RandomState


@dataclass(frozen=True, slots=True)
class Question:
    """What is estimated and how, as it was asked."""

    treatment: str
    outcome: str
    method: str
    population: Population
    contrast: tuple[Any, Any] | None
    level: float
    random_state: RandomState


def as_asked(fitted: Fitted, sample: Sample, question: Question) -> Fitted:
    """Put the contrast that was asked for first; for a continuous treatment scale the slope to it."""
    if question.contrast is None:
        return fitted
    to, reference = question.contrast
    if sample.arms is not None:
        place = find_level(question.treatment, sample.arms, to)
        if place == 0:
            raise ParameterError("E440", f"the contrast compares {to!r} with itself.", "Name two different levels.")
        order = sorted(fitted.contrasts, key=lambda one: one.to != place)
        return replace(fitted, contrasts=tuple(order))
    if not all(isinstance(value, (int, float)) for value in (to, reference)) or to == reference:
        raise ParameterError(
            "E440",
            f"the contrast {question.contrast!r} of a continuous treatment must be two different numbers.",
            "For example contrast=(20, 10).",
        )
    size = float(to) - float(reference)
    scaled = [replace(one, difference=one.difference.scaled(size)) for one in fitted.contrasts]
    interval = tuple(sorted(end * size for end in fitted.interval)) if fitted.interval else None
    return replace(fitted, contrasts=tuple(scaled), interval=interval)  # type: ignore[arg-type]


def contrast_of(one: ContrastFit, fitted: Fitted, sample: Sample, question: Question) -> Contrast:
    """Return one contrast with interval, p-value and, for a binary outcome, the risk ratio."""
    score, degrees = one.difference, fitted.degrees_of_freedom
    own = one is fitted.contrasts[0] and fitted.interval is not None
    to, reference = question.contrast if question.contrast is not None and sample.arms is None else (None, None)
    if one.to is not None and sample.arms is not None:
        to, reference = sample.arms[one.to], sample.arms[one.reference or 0]
    mean = one.mean.value if one.mean is not None else None
    reference_mean = one.reference_mean.value if one.reference_mean is not None else None
    ratio, ratio_interval = _ratio(one, question.level) if sample.outcome_event is not None else (None, None)
    return Contrast(
        to,
        reference,
        score.value,
        score.standard_error,
        fitted.interval if own and fitted.interval else score.interval(question.level, degrees),
        fitted.p_value if own and fitted.p_value is not None else score.p_value(degrees),
        mean,
        reference_mean,
        ratio,
        ratio_interval,
    )


def _ratio(one: ContrastFit, level: float) -> tuple[float | None, tuple[float, float] | None]:
    """Return the risk ratio with its interval on the log scale, None where a mean is not positive."""
    if one.mean is None or one.reference_mean is None or min(one.mean.value, one.reference_mean.value) <= 0:
        return None, None
    log = one.mean.scaled(1 / one.mean.value) - one.reference_mean.scaled(1 / one.reference_mean.value)
    ratio = one.mean.value / one.reference_mean.value
    centred = replace(log, value=math.log(ratio))
    low, high = centred.interval(level)
    return ratio, (math.exp(low), math.exp(high))


def without_adjustment(sample: Sample, question: Question) -> Contrast:
    """Return the contrast that was asked for with nothing held equal."""
    bare = sample.with_parts(covariates=sample.covariates[:, :0], covariate_names=(), covariate_sources=())
    fitted = as_asked(regression(bare), bare, question)
    return contrast_of(fitted.contrasts[0], fitted, bare, question)


def comparison(adjusted: Contrast, naive: Contrast) -> dict[str, Any]:
    """Return the plain data of the plot that shows the estimate with and without adjustment."""
    rows = (("unadjusted", naive), ("adjusted", adjusted))
    return {
        "label": [label for label, _ in rows],
        "estimate": [one.estimate for _, one in rows],
        "low": [one.interval[0] for _, one in rows],
        "high": [one.interval[1] for _, one in rows],
    }


def units_of(data: Dataset, sample: Sample, question: Question) -> str:
    """Return the estimate's unit: the outcome's, for a slope per unit of the treatment."""
    unit = "probability" if sample.outcome_event is not None else data.unit(question.outcome) or ""
    if sample.arms is not None or question.contrast is not None:
        return unit
    return f"{unit or question.outcome} per {one_of(data.unit(question.treatment)) or f'unit of {question.treatment}'}"
