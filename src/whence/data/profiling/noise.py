"""Residuals of a nonlinear model with additive noise, along an order in which they are the noise itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import cho_factor, cho_solve

_FEATURES = 100
_RIDGE = 1e-4
# Slopes of the random features, in standard units: half of them gentle, half steep.
_GENTLE, _STEEP = 0.7, 2.5
# Shapiro and Wilk's test is calibrated up to this many values.
SHAPIRO_ROWS = 5_000


def additive_noise_residuals(columns: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return residuals along an order found by taking away one column without effects after the other.

    The column whose residual, given all others that are left, is most nearly independent of them comes last (RESIT,
    Peters et al. 2014, algorithm 1). Regressions are on random features (Rahimi and Recht 2008); dependence is the sum
    of squared correlations between three functions of the residual and three of each regressor.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        No missing values, no constant column.
    rng : Generator
        Draws the features.

    Returns
    -------
    ndarray, shape (n, p)
    """
    values = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    residuals = values.copy()
    left = list(range(values.shape[1]))
    while len(left) > 1:
        trials = {}
        for candidate in left:
            others = values[:, [column for column in left if column != candidate]]
            residual = _residual(values[:, candidate], _features(others, rng))
            trials[candidate] = (_dependence(residual, others), residual)
        last = min(left, key=lambda candidate: trials[candidate][0])
        residuals[:, last] = trials[last][1]
        left.remove(last)
    return np.asarray(residuals)


def normality_p_values(columns: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the p-value of Shapiro and Wilk's test for every column, on at most 5,000 rows."""
    if len(columns) > SHAPIRO_ROWS:
        columns = columns[rng.choice(len(columns), SHAPIRO_ROWS, replace=False)]
    return np.asarray([stats.shapiro(column).pvalue for column in columns.T], dtype=np.float64)


def _features(columns: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a constant, the columns and sigmoid steps along random directions through random rows."""
    n, p = columns.shape
    # Directions that touch about two columns follow single causes better than directions that touch all.
    touched = rng.random((p, _FEATURES)) < max(0.3, min(1.0, 2.0 / p))
    directions = rng.standard_normal((p, _FEATURES)) * touched
    directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-9)
    through = columns[rng.integers(0, n, _FEATURES)]
    slopes = np.where(np.arange(_FEATURES) % 2 == 0, _GENTLE, _STEEP)
    steps = np.tanh((columns @ directions - (through * directions.T).sum(axis=1)) * slopes)
    return np.column_stack([np.ones(n), columns, steps])


def _residual(outcome: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += _RIDGE * len(outcome)
    residual = outcome - features @ cho_solve(cho_factor(gram), features.T @ outcome)
    scale = residual.std()
    return np.asarray((residual - residual.mean()) / (scale if scale > 0 else 1.0))


def _dependence(residual: NDArray[np.float64], regressors: NDArray[np.float64]) -> float:
    ours = _standard(np.column_stack([residual**2, np.abs(residual), np.tanh(residual)]))
    theirs = _standard(np.column_stack([regressors, regressors**2, np.abs(regressors)]))
    return float(((ours.T @ theirs / len(residual)) ** 2).sum() / regressors.shape[1])


def _standard(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = columns.std(axis=0)
    return np.asarray((columns - columns.mean(axis=0)) / np.where(scale > 0, scale, 1.0))
