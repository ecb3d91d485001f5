"""Natural cubic splines: a few curved columns for each covariate, straight beyond the data."""

from __future__ import annotations

import numpy as np

from whence.effects.sums import Array

_QUANTILES = (0.05, 0.275, 0.5, 0.725, 0.95)
_FEWEST_VALUES = 10


def spline_columns(covariates: Array) -> Array:
    """Return the covariates with curved columns added, shape (n, k + curved columns).

    Each column with at least ten distinct values gets a natural cubic spline with knots at five quantiles (fewer where
    quantiles coincide), in the truncated power form: Harrell (2015), Regression Modeling Strategies, equation 2.25.

    Examples
    --------
    >>> spline_columns(np.linspace(0.0, 1.0, 50)[:, None]).shape
    (50, 4)
    """
    parts = [covariates]
    for column in covariates.T:
        knots = _knots(column)
        if len(knots) >= 3:
            parts.append(_curves(column, knots))
    return np.hstack(parts)


def spline_width(covariates: Array) -> int:
    """Return how many columns `spline_columns` would give, without making them."""
    return covariates.shape[1] + sum(max(len(_knots(column)) - 2, 0) for column in covariates.T)  # type: ignore[no-any-return]


def _knots(column: Array) -> Array:
    sample = column[:: max(1, len(column) // 10_000)]
    distinct = np.unique(sample)
    if len(distinct) < _FEWEST_VALUES:
        return distinct[:0]
    knots = np.unique(np.quantile(sample, _QUANTILES))
    return knots if len(knots) >= 4 else np.unique(np.quantile(distinct, _QUANTILES))


def _curves(column: Array, knots: Array) -> Array:
    first, last, before = knots[0], knots[-1], knots[-2]
    span = last - first
    cube = [np.maximum((column - knot) / span, 0.0) ** 3 for knot in knots]
    curves = [
        cube[j] - cube[-2] * (last - knots[j]) / (last - before) + cube[-1] * (before - knots[j]) / (last - before)
        for j in range(len(knots) - 2)
    ]
    return np.column_stack(curves)
