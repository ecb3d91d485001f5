"""Instrumental variables: two-stage least squares, with an interval that holds however weak the instruments are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from whence.effects.fitted import ContrastFit, Fitted, Score
from whence.effects.regression import LeastSquares, least_squares
from whence.effects.sample import Sample
from whence.effects.sums import Array, LinAlgError
from whence.errors import DataError
from whence.registry import Card, Paper, register

# Below this first-stage F the usual interval covers less than it says: Lee, McCrary, Moreira and Porter (2022).
STRONG_F = 104.7
_GRID = 4001


@dataclass(frozen=True, slots=True)
class ReducedForm:
    """Outcome and treatment regressed on the instruments, the conditioning columns taken out of all three.

    Attributes
    ----------
    instruments : ndarray, shape (n, q)
        Residuals of the instruments.
    outcome, treatment : ndarray, shape (n,)
        Residuals.
    effects : ndarray, shape (q, 2)
        Coefficients of the instruments on outcome and on treatment.
    covariances : ndarray, shape (2, 2, q, q)
        Heteroskedasticity-robust (HC1) covariances between them.
    degrees_of_freedom : int
    """

    instruments: Array
    outcome: Array
    treatment: Array
    effects: Array
    covariances: Array
    degrees_of_freedom: int

    def anderson_rubin(self, effect: float) -> float:
        """Return the F statistic of the instruments on ``outcome - effect * treatment``: Anderson and Rubin (1949)."""
        left = self.effects[:, 0] - effect * self.effects[:, 1]
        v = self.covariances
        covariance = v[0, 0] - effect * (v[0, 1] + v[1, 0]) + effect**2 * v[1, 1]
        return float(left @ np.linalg.solve(covariance, left)) / len(left)

    @property
    def first_stage_f(self) -> float:
        """The robust F statistic of the instruments on the treatment."""
        pi = self.effects[:, 1]
        return float(pi @ np.linalg.solve(self.covariances[1, 1], pi)) / len(pi)


@register(
    Card(
        name="iv",
        family="estimator",
        answers="What does the treatment do, seen through something that moves it and the outcome only by it?",
        assumes=frozenset({"linear", "iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
        output="effect",
        missing="complete-rows",
        paper=Paper(
            "Imbens, G. and Angrist, J.",
            "Identification and estimation of local average treatment effects",
            1994,
            "Econometrica 62(2), 467-475",
        ),
    )
)
def two_stage_least_squares(sample: Sample, *, level: float = 0.95) -> Fitted:
    """Estimate the effect of the treatment by two-stage least squares; with one binary instrument, Wald's ratio.

    Errors are heteroskedasticity-robust (HC1). Where the first-stage F is below 104.7 the interval is that of Anderson
    and Rubin, which covers at its level however weak the instruments are and may be unbounded; the p-value is then
    theirs, too.

    Parameters
    ----------
    sample : Sample
        With ``extra["instruments"]``, shape (n, q); the covariates are the conditioning columns.
    level : float
        Of the Anderson-Rubin interval.

    Raises
    ------
    DataError
        E439 for a treatment with more than two levels; E445 if the instruments do not vary on their own.
    """
    if sample.kind == "categorical":
        raise DataError(
            "E439",
            "two-stage least squares takes one number or two levels as treatment; this one has "
            f"{len(sample.arms or ())}.",
            "Keep two of its levels, or turn it into a number.",
        )
    form = reduced_form(sample)
    score = wald_score(form)
    f = form.first_stage_f
    low, high, whole = anderson_rubin_interval(form, score, level)
    weak = f < STRONG_F and not math.isnan(low)
    fitted = sample.outcome - (form.outcome - score.value * form.treatment)
    return Fitted(
        "iv",
        _estimand(sample),
        (ContrastFit(score, 1, 0) if sample.arms is not None else ContrastFit(score),),
        float(form.degrees_of_freedom),
        fitted,
        interval=(low, high) if weak else None,
        p_value=anderson_rubin_p_value(form, 0.0) if weak else None,
        parameters={
            "errors": "HC1",
            "first_stage_f": f,
            "anderson_rubin_interval": [low, high],
            "interval": "Anderson-Rubin" if weak else "normal",
            "overidentification": overidentification(form),
        },
        warnings=_warnings(whole, low),
    )


def reduced_form(sample: Sample) -> ReducedForm:
    """Return the reduced form of a sample with instruments."""
    given = [sample.covariates] if sample.width else []
    instruments = sample.extra["instruments"]
    if not instruments.shape[1]:
        raise _useless_instruments()
    z = np.column_stack([least_squares(given, column).residuals for column in instruments.T])
    outcome = least_squares(given, sample.outcome)
    treatment = least_squares(given, sample.treatment).residuals
    lost = np.var(z, axis=0) < 1e-10 * np.var(instruments, axis=0)
    try:
        inverse_gram = np.linalg.inv(z.T @ z)
    except LinAlgError:
        raise _useless_instruments() from None
    if lost.any():
        raise _useless_instruments()
    effects = inverse_gram @ (z.T @ np.column_stack([outcome.residuals, treatment]))
    residuals = np.column_stack([outcome.residuals, treatment]) - z @ effects
    degrees = outcome.degrees_of_freedom - z.shape[1]
    covariances = np.empty((2, 2, z.shape[1], z.shape[1]))
    for a in (0, 1):
        for b in (0, 1):
            meat = (z * (residuals[:, a] * residuals[:, b])[:, None]).T @ z
            covariances[a, b] = inverse_gram @ meat @ inverse_gram * sample.size / degrees
    return ReducedForm(z, outcome.residuals, treatment, effects, covariances, degrees)


def wald_score(form: ReducedForm) -> Score:
    """Return the two-stage estimate, with HC1 variance."""
    moved = form.instruments @ form.effects[:, 1]
    denominator = float(moved @ form.treatment)
    if denominator <= 1e-12 * float(form.treatment @ form.treatment):
        raise _useless_instruments()
    slope = float(moved @ form.outcome) / denominator
    n = len(moved)
    influence = n / denominator * moved * (form.outcome - slope * form.treatment)
    return Score.of(slope, influence * math.sqrt(n / form.degrees_of_freedom))


def anderson_rubin_p_value(form: ReducedForm, effect: float) -> float:
    """Return the p-value of the effect being ``effect``."""
    q = form.effects.shape[0]
    return float(f_distribution.sf(form.anderson_rubin(effect), q, form.degrees_of_freedom))


def anderson_rubin_interval(form: ReducedForm, start: Score, level: float) -> tuple[float, float, bool]:
    """Return the smallest interval around all effects that are not rejected, and whether it has no holes.

    Infinite ends mean that the data bound nothing on that side; NaN that every effect is rejected (instruments that
    contradict each other).
    """
    q = form.effects.shape[0]
    bound = float(f_distribution.ppf(level, q, form.degrees_of_freedom))

    def excess(effect: float) -> float:
        return form.anderson_rubin(effect) - bound

    scale = start.standard_error or 1.0
    angles = np.linspace(-math.pi / 2, math.pi / 2, _GRID + 2)[1:-1]
    grid = start.value + scale * np.tan(angles)
    accepted = np.array([excess(effect) <= 0 for effect in grid])
    unbounded = form.first_stage_f <= bound
    if not accepted.any():
        return (-math.inf, math.inf, False) if unbounded else (math.nan, math.nan, False)
    first, last = int(np.argmax(accepted)), len(grid) - 1 - int(np.argmax(accepted[::-1]))
    whole = bool(accepted[first : last + 1].all())
    if unbounded and accepted[0] and accepted[-1]:
        return -math.inf, math.inf, whole
    low = -math.inf if accepted[0] else brentq(excess, grid[first - 1], grid[first])
    high = math.inf if accepted[-1] else brentq(excess, grid[last], grid[last + 1])
    return float(low), float(high), whole


def overidentification(form: ReducedForm) -> dict[str, float] | None:
    """Return Hansen's J test that several instruments tell the same story, None with one instrument."""
    q = form.instruments.shape[1]
    if q == 1:
        return None
    slope = wald_score(form).value
    errors = form.outcome - slope * form.treatment
    weight = np.linalg.inv((form.instruments * (errors**2)[:, None]).T @ form.instruments)
    on_outcome, on_treatment = form.instruments.T @ form.outcome, form.instruments.T @ form.treatment
    efficient = float(on_treatment @ weight @ on_outcome) / float(on_treatment @ weight @ on_treatment)
    left = on_outcome - efficient * on_treatment
    statistic = float(left @ weight @ left)
    return {"statistic": statistic, "p_value": float(chi2.sf(statistic, q - 1)), "degrees_of_freedom": float(q - 1)}


def _estimand(sample: Sample) -> str:
    instruments = sample.extra["instruments"]
    binary = instruments.shape[1] == 1 and len(np.unique(instruments)) == 2
    if sample.arms is None:
        return "slope"
    return "LATE" if binary else "ATE"


def _warnings(whole: bool, low: float) -> tuple[str, ...]:
    if math.isnan(low):
        return ("The instruments contradict each other: no effect fits them all (Anderson-Rubin set empty).",)
    return () if whole else ("The Anderson-Rubin set has a hole; the interval is the smallest one around all of it.",)


def _useless_instruments() -> DataError:
    return DataError(
        "E445",
        "the instruments do not vary, or not apart from the columns conditioned on and from each other.",
        "Leave out the redundant instrument or conditioning column.",
    )


__all__ = [
    "LeastSquares",
    "ReducedForm",
    "anderson_rubin_interval",
    "anderson_rubin_p_value",
    "overidentification",
    "reduced_form",
    "two_stage_least_squares",
    "wald_score",
]
