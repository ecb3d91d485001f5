"""All diagnostics of one estimate, with the plain data of their plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from whence.effects.balance import balance_check
from whence.effects.curvature import curvature_check
from whence.effects.dml import expectations
from whence.effects.fitted import Fitted
from whence.effects.influence import influence_check
from whence.effects.instrument_checks import overidentification_check, strength_check
from whence.effects.overlap import overlap_check, overlap_figure, variation_check
from whence.effects.regression import least_squares
from whence.effects.residuals import residual_check
from whence.effects.row_order import row_order_check
from whence.effects.sample import Sample
from whence.effects.sums import Array
from whence.results import CheckResult


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Checks and figures of one estimate."""

    checks: tuple[CheckResult, ...]
    figures: dict[str, dict[str, Any]]


def diagnose(
    sample: Sample, fitted: Fitted, propensity: Array | None, population: str, treatment: str = "the treatment"
) -> Diagnosis:
    """Run every diagnostic that applies to the estimator.

    Parameters
    ----------
    propensity : ndarray, shape (n, arms), or None
        By logistic regression; the estimator's own, if it has one, is used instead.
    """
    checks: list[CheckResult | None] = []
    figures: dict[str, dict[str, Any]] = {}
    if fitted.estimator == "iv":
        checks += [strength_check(fitted.parameters), overidentification_check(fitted.parameters)]
    elif fitted.estimator != "front-door" and sample.width:
        checks += _comparability(sample, fitted, propensity, population, figures)
    influence, figures["influence"] = influence_check(sample, fitted.primary)
    checks.append(influence)
    checks.append(residual_check(sample.outcome, fitted.outcome_fitted, judge=fitted.estimator == "regression"))
    checks.append(row_order_check(fitted.primary))
    if sample.arms is None and fitted.estimator not in ("iv", "front-door"):
        checks.append(curvature_check(sample, treatment, *_expected(sample, fitted)))
    return Diagnosis(tuple(check for check in checks if check is not None), figures)


def _comparability(
    sample: Sample, fitted: Fitted, propensity: Array | None, population: str, figures: dict[str, dict[str, Any]]
) -> list[CheckResult | None]:
    if sample.arms is None:
        return [variation_check(sample, _expected(sample, fitted)[1])]
    known = fitted.propensity if fitted.propensity is not None else propensity
    assert known is not None
    figures["overlap"] = overlap_figure(sample, known)
    balance, figures["balance"] = balance_check(sample, known, population)
    return [overlap_check(sample, known, population), balance]


def _expected(sample: Sample, fitted: Fitted) -> tuple[Array, Array]:
    """Return the expected outcome and treatment given the covariates alone."""
    if fitted.nuisances:
        pairs = [expectations(split) for split in fitted.nuisances]
        return np.mean([pair[0] for pair in pairs], axis=0), np.mean([pair[1] for pair in pairs], axis=0)
    columns = [sample.covariates] if sample.width else []
    return least_squares(columns, sample.outcome).fitted, least_squares(columns, sample.treatment).fitted
