"""How strong a hidden common cause would have to be: robustness value, E-value, and what observed columns reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from whence.effects.effect import Effect
from whence.effects.refits import contrast_size
from whence.effects.regression import least_squares
from whence.effects.sample import Sample
from whence.effects.sums import Array, LinAlgError
from whence.effects.wording import number, percent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

_GRID = 41
# Of the approximation that turns a standardised difference into a risk ratio: VanderWeele and Ding (2017), table 2.
_RATIO_PER_DEVIATION = 0.91


@dataclass(frozen=True, slots=True)
class Linear:
    """The effect in the linear model, which the formulas for omitted variables are about."""

    estimate: float
    standard_error: float
    degrees_of_freedom: int

    @property
    def t(self) -> float:
        """Estimate over standard error."""
        return self.estimate / self.standard_error

    def scaled(self, factor: float) -> Linear:
        """Return the model of a multiple of the treatment's unit."""
        return Linear(factor * self.estimate, abs(factor) * self.standard_error, self.degrees_of_freedom)

    def adjusted(self, with_treatment: float, with_outcome: float) -> tuple[float, float]:
        """Return estimate and standard error had a confounder of this strength been adjusted for.

        Cinelli and Hazlett (2020), equations 9 and 10: its partial R² with the treatment, and with the outcome given
        the treatment; the bias is taken to be against the estimate.
        """
        factor = math.sqrt(with_outcome * with_treatment / (1 - with_treatment))
        bias = self.standard_error * factor * math.sqrt(self.degrees_of_freedom)
        error = self.standard_error * math.sqrt((1 - with_outcome) / (1 - with_treatment))
        error *= math.sqrt(self.degrees_of_freedom / (self.degrees_of_freedom - 1))
        return self.estimate - math.copysign(bias, self.estimate), error


def robustness_value(t_statistic: float, degrees_of_freedom: int, level: float | None = None) -> float:
    """Return the partial R² with treatment and outcome alike that takes the estimate, or its significance, away.

    Parameters
    ----------
    t_statistic : float
        Of the effect in a linear model.
    degrees_of_freedom : int
    level : float, optional
        Ask when the interval of this level first touches zero; without it, when the estimate is zero.

    Cinelli and Hazlett (2020), equations 14 and 15.

    Examples
    --------
    >>> round(robustness_value(4.18445, 783), 4)
    0.1388
    """
    strength = abs(t_statistic) / math.sqrt(degrees_of_freedom)
    if level is not None:
        critical = student.ppf(0.5 + level / 2, degrees_of_freedom - 1)
        strength -= critical / math.sqrt(degrees_of_freedom - 1)
    if strength <= 0:
        return 0.0
    return float((math.sqrt(strength**4 + 4 * strength**2) - strength**2) / 2)


def e_value(ratio: float) -> float:
    """Return the risk ratio that a confounder needs with treatment and outcome alike to explain a risk ratio away.

    VanderWeele and Ding (2017).

    >>> round(e_value(3.9), 2), round(e_value(1 / 3.9), 2), e_value(1.0)
    (7.26, 7.26, 1.0)
    """
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))


def linear_model(sample: Sample, arm: int = 1) -> Linear | None:
    """Return the first contrast in the linear model with classical errors; None where it cannot be fitted."""
    rows = slice(None) if sample.arms is None else np.flatnonzero((sample.codes == arm) | (sample.codes == 0))
    treatment = sample.treatment[rows] if sample.arms is None else (sample.codes[rows] == arm).astype(np.float64)
    covariates, outcome = sample.covariates[rows], sample.outcome[rows]
    try:
        columns = [treatment[:, None], covariates] if sample.width else [treatment[:, None]]
        fit = least_squares(columns, outcome)
    except LinAlgError:
        return None
    variance = float(fit.residuals @ fit.residuals) / fit.degrees_of_freedom
    error = math.sqrt(max(variance * fit.inverse_gram[1, 1], 0.0))
    if error == 0:
        return None
    return Linear(float(fit.coefficients[1]), error, fit.degrees_of_freedom)


def observed_strengths(sample: Sample, arm: int = 1) -> dict[str, tuple[float, float]]:
    """Return for each adjusted column its partial R² with the treatment, and with the outcome given the treatment."""
    rows = slice(None) if sample.arms is None else np.flatnonzero((sample.codes == arm) | (sample.codes == 0))
    treatment = sample.treatment[rows] if sample.arms is None else (sample.codes[rows] == arm).astype(np.float64)
    covariates, outcome = sample.covariates[rows], sample.outcome[rows]
    sources = np.array(sample.covariate_sources)
    found = {}
    for source in dict.fromkeys(sample.covariate_sources):
        rest = covariates[:, sources != source]
        with_treatment = _partial_r2(treatment, [covariates], [rest] if rest.shape[1] else [])
        with_outcome = _partial_r2(
            outcome,
            [treatment[:, None], covariates],
            [treatment[:, None], rest] if rest.shape[1] else [treatment[:, None]],
        )
        if with_treatment is not None and with_outcome is not None:
            found[source] = (with_treatment, with_outcome)
    return found


def _partial_r2(target: Array, full: list[Array], reduced: list[Array]) -> float | None:
    try:
        left = [float(np.sum(least_squares(columns, target).residuals ** 2)) for columns in (full, reduced)]
    except LinAlgError:
        return None
    return max(0.0, 1 - left[0] / left[1]) if left[1] > 0 else None


def bounds_from(strength: tuple[float, float]) -> tuple[float, float] | None:
    """Return the partial R² of a confounder as strong as an observed column, None where that is impossible.

    Cinelli and Hazlett (2020), equations 22 and 23 with k = 1.
    """
    with_treatment, with_outcome = strength
    odds_treatment = with_treatment / (1 - with_treatment) if with_treatment < 1 else math.inf
    if odds_treatment >= 1:
        return None
    shared = with_treatment**2 / ((1 - with_treatment) * (1 - odds_treatment))
    gain = (1 + math.sqrt(shared)) / math.sqrt(1 - shared) if shared < 1 else math.inf
    odds_outcome = with_outcome / (1 - with_outcome) if with_outcome < 1 else math.inf
    return odds_treatment, min(1.0, gain**2 * odds_outcome)


@register(
    Card(
        name="hidden-confounding",
        family="check",
        answers="How strong would a hidden common cause have to be to explain the effect away?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
        paper=Paper(
            "Cinelli, C. and Hazlett, C.",
            "Making sense of sensitivity: extending omitted variable bias",
            2020,
            "Journal of the Royal Statistical Society B 82(1), 39-67",
        ),
    )
)
def hidden_confounding_check(effect: Effect, sample: Sample) -> tuple[CheckResult | None, dict[str, Any] | None]:
    """Inform of how strong a hidden common cause would have to be, and what one like the strongest column would leave.

    The formulas are those of the linear model. It never judges: that a strong common cause was measured and adjusted
    for does not speak against the estimate.
    """
    model = linear_model(sample)
    if model is None:
        return None, None
    model = model.scaled(contrast_size(effect, sample))
    name, title = "hidden-confounding", "Hidden common cause"
    if model.estimate * effect.estimate <= 0:
        sentence = (
            f"How strong a hidden common cause would have to be is not known: the formulas need a linear model, and "
            f"that estimates {number(model.estimate)} instead of {number(effect.estimate)}."
        )
        return CheckResult(name, title, None, sentence), None
    df = model.degrees_of_freedom
    value = robustness_value(model.t, df)
    interval_value = robustness_value(model.t, df, effect.level)
    sentence = (
        f"In a linear model, which estimates {number(model.estimate)}, a hidden common cause would have to explain "
        f"{percent(value)} of what is left of both treatment and outcome to bring that to zero, "
        f"{percent(interval_value)} to make zero possible."
    )
    strengths = {name: bounds_from(pair) for name, pair in observed_strengths(sample).items()}
    possible = {name: pair for name, pair in strengths.items() if pair is not None}
    named = None
    if possible and interval_value > 0:
        named = min(
            possible, key=lambda name: abs(model.adjusted(*possible[name])[0]) * _same_sign(model, possible[name])
        )
        left, error = model.adjusted(*possible[named])
        margin = float(student.ppf(0.5 + effect.level / 2, df - 1)) * error
        survives = left - margin > 0 if model.estimate > 0 else left + margin < 0
        verdict = "" if survives else ", from which zero cannot be told"
        sentence += f" One as strong as {named} would leave {number(left)}{verdict}."
    figure = _figure(model, possible, value, interval_value)
    return (
        CheckResult(name, title, None, sentence, statistic=value),
        {**figure, "strongest": named},
    )


def _same_sign(model: Linear, strength: tuple[float, float]) -> float:
    return 1.0 if model.adjusted(*strength)[0] * model.estimate > 0 else -1.0


def _figure(
    model: Linear, possible: dict[str, tuple[float, float]], value: float, interval_value: float
) -> dict[str, Any]:
    top = min(0.95, max([0.05, 1.5 * value, *(1.2 * max(pair) for pair in possible.values())]))
    grid = np.linspace(0, top, _GRID)
    estimates = [[model.adjusted(float(x), float(y))[0] for x in grid] for y in grid]
    return {
        "with_treatment": grid.tolist(),
        "with_outcome": grid.tolist(),
        "estimate": estimates,
        "robustness_value": value,
        "robustness_value_interval": interval_value,
        "observed": {name: list(pair) for name, pair in possible.items()},
    }


@register(
    Card(
        name="e-value",
        family="check",
        answers="Which risk ratios would a hidden common cause need to explain the effect away?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="refutation",
        paper=Paper(
            "VanderWeele, T. and Ding, P.",
            "Sensitivity analysis in observational research: introducing the E-value",
            2017,
            "Annals of Internal Medicine 167(4), 268-274",
        ),
    )
)
def e_value_check(effect: Effect, sample: Sample) -> CheckResult | None:
    """Inform of the E-value of the estimate and of the end of its interval nearer to no effect."""
    ratio, ends = _risk_ratio(effect, sample)
    if ratio is None or ends is None:
        return None
    nearer = ends[0] if ratio >= 1 else ends[1]
    crosses = (nearer - 1) * (ratio - 1) <= 0
    of_interval = 1.0 if crosses else e_value(nearer)
    about = "" if sample.outcome_event is not None else ", the effect in standard deviations taken for a risk ratio"
    also = "its interval holds zero already" if crosses else f"{number(of_interval)} each would make zero possible"
    sentence = (
        f"A hidden common cause tied to treatment and outcome by risk ratios of {number(e_value(ratio))} each could "
        f"explain the estimate away; {also}{about}."
    )
    return CheckResult("e-value", "E-value", None, sentence, statistic=e_value(ratio))


def _risk_ratio(effect: Effect, sample: Sample) -> tuple[float | None, tuple[float, float] | None]:
    first = effect.contrasts[0]
    if sample.outcome_event is not None and first.ratio is not None:
        return first.ratio, first.ratio_interval
    spread = float(np.std(sample.outcome, ddof=1))
    if sample.outcome_event is not None or not spread > 0:
        return None, None
    size = float(np.std(sample.treatment, ddof=1)) if sample.arms is None and first.to is None else 1.0
    if not all(math.isfinite(end) for end in effect.interval):
        return None, None
    to_ratio = _RATIO_PER_DEVIATION * size / spread
    low, high = (math.exp(min(to_ratio * end, 300)) for end in effect.interval)
    return math.exp(min(to_ratio * effect.estimate, 300)), (low, high)
