"""Linear regression with robust errors: from cross-products, exact in any units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whence.effects.fitted import ContrastFit, Fitted, Score
from whence.effects.sample import Sample
from whence.effects.sums import (
    Array,
    Labels,
    LinAlgError,
    chunks,
    column_means,
    cross_products,
    inverse,
    solve,
)
from whence.errors import DataError
from whence.registry import Card, Paper, register

Population = Literal["all", "treated", "overlap"]

# Separate slopes in every arm need that many rows in it for each coefficient.
ROWS_PER_SLOPE = 5


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """A least-squares fit of one target on ``[1, columns]``, shifted by ``shift``.

    Attributes
    ----------
    coefficients : ndarray, shape (1 + q,)
        The first belongs to the point ``shift``: with ``shift`` zero it is the usual intercept.
    inverse_gram : ndarray, shape (1 + q, 1 + q)
    residuals, leverages, fitted : ndarray, shape (n,)
    shift : ndarray, shape (q,)
    """

    coefficients: Array
    inverse_gram: Array
    residuals: Array
    leverages: Array
    fitted: Array
    shift: Array

    @property
    def degrees_of_freedom(self) -> int:
        """Rows less coefficients."""
        return len(self.residuals) - len(self.coefficients)


def least_squares(columns: list[Array], target: Array, shift: Array | None = None) -> LeastSquares:
    """Regress a target on columns and a constant.

    Raises
    ------
    LinAlgError
        If the columns are linearly dependent.

    Examples
    --------
    >>> fit = least_squares([np.array([0.0, 1.0, 2.0, 3.0])], np.array([1.0, 3.0, 5.0, 7.0]), np.zeros(1))
    >>> fit.coefficients.round(6)
    array([1., 2.])
    """
    shift = column_means(columns) if shift is None and columns else np.zeros(0) if shift is None else shift
    total = cross_products([*columns, target], shift=np.append(shift, 0.0))[0]
    gram, right = total[:-1, :-1], total[:-1, -1]
    coefficients, inverse_gram = solve(gram, right[:, None])[:, 0], inverse(gram)
    fitted = np.empty_like(target)
    leverages = np.empty_like(target)
    for rows, block in chunks(columns, shift) if columns else ((slice(None), np.ones((len(target), 1))),):
        fitted[rows] = block @ coefficients
        leverages[rows] = np.einsum("ij,ij->i", block @ inverse_gram, block)
    return LeastSquares(coefficients, inverse_gram, target - fitted, leverages, fitted, shift)


def influences(fit: LeastSquares, columns: list[Array], weights: Array) -> Array:
    """Return each row's influence on ``weights @ coefficients``, shape (n,); its squares sum to the HC3 variance.

    MacKinnon and White (1985): every residual is divided by one minus its leverage, which is the error of predicting
    the row from all others. A row that alone determines a coefficient (leverage one) has no such error and counts as
    zero.
    """
    n = len(fit.residuals)
    left = 1.0 - fit.leverages
    errors = np.divide(fit.residuals, left, out=np.zeros(n), where=left > 1e-8)
    direction = fit.inverse_gram @ weights
    along = np.empty(n)
    for rows, block in chunks(columns, fit.shift) if columns else ((slice(None), np.ones((n, 1))),):
        along[rows] = block @ direction
    return n * along * errors


@register(
    Card(
        name="regression",
        family="estimator",
        answers="How much does the outcome change with the treatment, other things held equal by a linear model?",
        assumes=frozenset({"linear", "iid", "no-hidden-causes"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="effect",
        missing="complete-rows",
        paper=Paper(
            "Lin, W.",
            "Agnostic notes on regression adjustments to experimental data",
            2013,
            "Annals of Applied Statistics 7(1), 295-318",
        ),
    )
)
def regression(sample: Sample, *, population: Population = "all", interactions: bool | None = None) -> Fitted:
    """Estimate effects by least squares with HC3 errors.

    A discrete treatment gets its own slopes in every arm (Lin 2013, with covariates centred at the population asked
    about), so that effects may vary with the covariates; the standard error includes that the covariates' means are
    themselves estimated. With too few rows in an arm for slopes of its own (fewer than five for each coefficient), with
    ``interactions=False`` and for the overlap population, all arms share their slopes; least squares then weights rows
    by how evenly they could have been in either arm, which is the linear form of overlap weighting. A continuous
    treatment gets one slope.

    Parameters
    ----------
    sample : Sample
    population : str
        ``"all"``, ``"treated"`` (each arm's own rows) or ``"overlap"``; a continuous treatment takes ``"all"``.
    interactions : bool, optional
        Own slopes in every arm; by the rule above if left out.

    Returns
    -------
    Fitted

    Raises
    ------
    DataError
        E437 if the covariates determine the treatment.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, d = rng.normal(size=300), np.repeat([0.0, 1.0], 150)
    >>> rows = Sample(d + x, d, x[:, None], ("x",), ("x",), (0, 1), np.arange(300), 300)
    >>> round(regression(rows).primary.value, 6)
    1.0
    """
    if sample.arms is None:
        return _slope(sample)
    possible = _own_slopes_possible(sample)
    own = population != "overlap" and (possible if interactions is None else interactions)
    if own:
        return _own_slopes(sample, population)
    warnings: tuple[str, ...] = ()
    if population != "overlap" and sample.width:
        warnings = (
            f"All arms share their covariate slopes{'' if possible else _FEW_ROWS}. The estimate is that of the "
            "population asked about only if the effect does not vary with the covariates.",
        )
    return _shared_slopes(sample, population, warnings)


_FEW_ROWS = ": there are too few rows in an arm for slopes of its own"


def _own_slopes_possible(sample: Sample) -> bool:
    return not sample.width or bool(sample.arm_sizes.min() >= ROWS_PER_SLOPE * (sample.width + 1))


def _own_slopes(sample: Sample, population: Population) -> Fitted:
    arms = range(len(sample.arms or ()))
    codes = sample.codes
    fits: dict[int, tuple[Labels, list[Array], LeastSquares]] = {}
    fitted = np.empty(sample.size)
    for arm in arms:
        rows = np.flatnonzero(codes == arm)
        columns = [sample.covariates[rows]] if sample.width else []
        try:
            fits[arm] = (rows, columns, least_squares(columns, sample.outcome[rows]))
        except LinAlgError:  # a covariate that does not vary within one arm has no slope there
            return _shared_slopes(sample, population, (_SINGULAR_ARM,))
        fitted[rows] = fits[arm][2].fitted
    contrasts = []
    for arm in arms[1:]:
        target = np.ones(sample.size) if population == "all" else (codes == arm).astype(np.float64)
        weight = target / target.mean()
        mean, reference_mean = (_arm_mean(sample, *fits[k], weight) for k in (arm, 0))
        contrasts.append(ContrastFit(mean - reference_mean, arm, 0, mean, reference_mean))
    return Fitted(
        "regression",
        "ATE" if population == "all" else "ATT",
        tuple(contrasts),
        float(sample.size - len(arms) * (sample.width + 1)),
        fitted,
        parameters={"interactions": True, "errors": "HC3"},
    )


_SINGULAR_ARM = (
    "All arms share their covariate slopes: a covariate does not vary, or follows from the others, within one arm. "
    "The estimate is that of the population asked about only if the effect does not vary with the covariates."
)


def _arm_mean(sample: Sample, rows: Labels, columns: list[Array], fit: LeastSquares, weight: Array) -> Score:
    """Return the mean outcome if the population (weights of mean one) had the arm in which ``fit`` was made."""
    if not columns:
        point = np.ones(1)
        around = np.zeros(sample.size)
    else:
        centre = weight @ sample.covariates / sample.size
        point = np.concatenate([[1.0], centre - fit.shift])
        around = weight * ((sample.covariates - centre) @ fit.coefficients[1:])
    influence = around
    influence[rows] += sample.size / len(rows) * influences(fit, columns, point)
    return Score.of(float(point @ fit.coefficients), influence)


def _shared_slopes(sample: Sample, population: Population, warnings: tuple[str, ...]) -> Fitted:
    arms = range(1, len(sample.arms or ()))
    dummies = np.column_stack([(sample.codes == arm).astype(np.float64) for arm in arms])
    columns = [dummies, sample.covariates] if sample.width else [dummies]
    fit = _least_squares_or_error(columns, sample.outcome)
    scores = [_coefficient(fit, columns, k) for k in arms]
    names = {"all": "ATE", "treated": "ATT", "overlap": "ATO"}
    return Fitted(
        "regression",
        names[population],
        tuple(ContrastFit(score, arm, 0) for arm, score in zip(arms, scores)),
        float(fit.degrees_of_freedom),
        fit.fitted,
        parameters={"interactions": False, "errors": "HC3"},
        warnings=warnings,
    )


def _slope(sample: Sample) -> Fitted:
    columns = [sample.treatment, sample.covariates] if sample.width else [sample.treatment]
    fit = _least_squares_or_error(columns, sample.outcome)
    return Fitted(
        "regression",
        "slope",
        (ContrastFit(_coefficient(fit, columns, 1)),),
        float(fit.degrees_of_freedom),
        fit.fitted,
        parameters={"errors": "HC3"},
    )


def _coefficient(fit: LeastSquares, columns: list[Array], position: int) -> Score:
    unit = np.zeros(len(fit.coefficients))
    unit[position] = 1.0
    return Score.of(float(fit.coefficients[position]), influences(fit, columns, unit))


def _least_squares_or_error(columns: list[Array], outcome: Array) -> LeastSquares:
    try:
        fit = least_squares(columns, outcome)
    except LinAlgError:
        raise determined_treatment() from None
    if not math.isfinite(float(fit.coefficients[1])):
        raise determined_treatment()
    return fit


def determined_treatment() -> DataError:
    """Return the error for a treatment that follows exactly from the adjusted columns."""
    return DataError(
        "E437",
        "the adjusted columns determine the treatment exactly: at given values of them it does not vary.",
        "Leave out the column that is a copy or a part of the treatment.",
    )
