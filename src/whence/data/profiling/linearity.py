"""Ramsey's RESET along an order in which a linear model stays linear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Regressors enter the test functions clipped at this many standard deviations: any function of the regressor is a
# valid test function under the null, and single far values no longer carry the whole test.
_CLIP = 3.0
# A column whose variance falls below this share of its own when others are regressed out is their combination.
_VOID = 1e-6


@dataclass(frozen=True, slots=True)
class LinearTests:
    """One test of linearity for each of q outcomes.

    Attributes
    ----------
    p_values : ndarray, shape (q,)
    gains : ndarray, shape (q,)
        Share of the residual variance that the powers explain.
    linked : ndarray of bool, shape (q,)
        True where outcome and regressor are correlated (|t| > 3).
    residuals : ndarray, shape (n, q)
        Of the linear regressions.
    """

    p_values: NDArray[np.float64]
    gains: NDArray[np.float64]
    linked: NDArray[np.bool_]
    residuals: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ordered:
    """What regressing along one order found.

    Attributes
    ----------
    columns : ndarray of int, shape (q,)
        The columns in the order taken; exact combinations of earlier ones are left out.
    residuals : ndarray, shape (n, q)
        Each of them with all earlier ones regressed out.
    pairs : ndarray of int, shape (m, 2)
        Regressor and outcome of every test.
    p_values, gains : ndarray, shape (m,)
    linked : ndarray of bool, shape (m,)
    """

    columns: NDArray[np.intp]
    residuals: NDArray[np.float64]
    pairs: NDArray[np.intp]
    p_values: NDArray[np.float64]
    gains: NDArray[np.float64]
    linked: NDArray[np.bool_]


def reset_tests(regressor: NDArray[np.float64], outcomes: NDArray[np.float64]) -> LinearTests:
    """Test whether outcomes are linear in one regressor (Ramsey's RESET with powers 2 and 3, robust form).

    With one regressor the powers of the fitted values are powers of the regressor. Cleared of the regressor itself they
    must be uncorrelated with the residuals; the covariance of the two scores is estimated without assuming that the
    noise has one variance (Wooldridge 1990), and the statistic is chi-square with 2 degrees of freedom.

    Parameters
    ----------
    regressor : ndarray, shape (n,)
    outcomes : ndarray, shape (n, q)
    """
    n = len(regressor)
    x = (regressor - regressor.mean()) / regressor.std()
    centred = outcomes - outcomes.mean(axis=0)
    slopes = x @ centred / n
    residuals = centred - np.outer(x, slopes)
    variance = np.maximum((residuals**2).mean(axis=0), 1e-300)
    clipped = np.clip(x, -_CLIP, _CLIP)
    basis = np.linalg.qr(np.column_stack([np.ones(n), x, clipped**2, clipped**3]))[0][:, 2:] * np.sqrt(n)
    first, second = basis.T
    score = basis.T @ residuals
    squared = residuals**2
    a, b, c = (first * first) @ squared, (first * second) @ squared, (second * second) @ squared
    statistic = c * score[0] ** 2 - 2.0 * b * score[0] * score[1] + a * score[1] ** 2
    statistic /= np.maximum(a * c - b * b, 1e-300)
    return LinearTests(
        p_values=stats.chi2.sf(statistic, 2),
        gains=(score**2).sum(axis=0) / n**2 / variance,
        linked=np.abs(slopes) * np.sqrt(n / variance) > 3.0,
        residuals=residuals,
    )


def linear_order(columns: NDArray[np.float64]) -> Ordered:
    """Regress out one column after the other, always the one in which the rest looks most linear.

    In a linear structural model, whatever its noise, every column is linear in a column without causes; regressed out,
    it leaves a linear model of the others. The tests along such an order are therefore tests of the model. Along any
    other order they are not: where noise is not Gaussian, a cause is not linear in its effect, nor are two effects of
    one cause in each other.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        No missing values, no constant column.
    """
    current = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    left = list(range(columns.shape[1]))
    order: list[int] = []
    residuals, pairs, found = [], [], []
    while left:
        trials = {}
        for candidate in left:
            others = [column for column in left if column != candidate]
            trials[candidate] = reset_tests(current[:, candidate], current[:, others]) if others else None
        chosen = max(left, key=lambda candidate: _linear_support(trials[candidate]))
        order.append(chosen)
        residuals.append(current[:, chosen].copy())
        others = [column for column in left if column != chosen]
        best = trials[chosen]
        if best is not None:
            current[:, others] = best.residuals
            found.append(best)
            pairs += [(chosen, other) for other in others]
        left = [column for column in others if current[:, column].var() > _VOID]
    return Ordered(
        columns=np.array(order, dtype=np.intp),
        residuals=np.column_stack(residuals),
        pairs=np.array(pairs, dtype=np.intp).reshape(-1, 2),
        p_values=np.concatenate([tests.p_values for tests in found] or [np.zeros(0)]),
        gains=np.concatenate([tests.gains for tests in found] or [np.zeros(0)]),
        linked=np.concatenate([tests.linked for tests in found] or [np.zeros(0, dtype=bool)]),
    )


def _linear_support(tests: LinearTests | None) -> float:
    """Return the log of the product of the p-values: how well linearity in this column is borne out."""
    return 0.0 if tests is None else float(np.log(np.maximum(tests.p_values, 1e-300)).sum())
