"""Tests on series: dependence between neighbours, lag, unit roots, fixed levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LONGEST_LAG = 10
# A vector autoregression is fitted on at most this many series: its coefficients grow with their square.
MOST_SERIES = 10
_BOX_LAGS = 10
_LAG_LEVEL = 0.001

# MacKinnon (1994), table 3, one variable with a constant: polynomials that turn the Dickey-Fuller t into a normal
# score, for t up to -1.61 and above.
_SMALL_T = (2.1659, 1.4412, 0.038269)
_LARGE_T = (1.7339, 0.93202, -0.12745, -0.010368)
_SPLIT_T, _LEAST_T, _MOST_T = -1.61, -18.83, 2.74
# Kwiatkowski, Phillips, Schmidt and Shin (1992), table 1, level stationarity.
_KPSS_LEVELS = (0.10, 0.05, 0.025, 0.01)
_KPSS_VALUES = (0.347, 0.463, 0.574, 0.739)


@dataclass(frozen=True, slots=True)
class LagChoice:
    """The order of a vector autoregression.

    Attributes
    ----------
    lag : int
        0 where no lag has an effect.
    p_values : tuple of float
        Of the joint effect of lag 1, 2, ..., given all shorter ones.
    votes : tuple of int
        The order each series would choose for itself by BIC.
    residuals : ndarray, shape (n - longest lag, p)
        Of the autoregression of that order.
    fitted : ndarray, shape (n - longest lag, p)
        What the autoregression predicts; residuals and fitted values add up to the standardised series.
    names : tuple of str
        The series, where they are named.
    """

    lag: int
    p_values: tuple[float, ...]
    votes: tuple[int, ...]
    residuals: NDArray[np.float64]
    fitted: NDArray[np.float64]
    names: tuple[str, ...] = ()


def ljung_box(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Test whether rows resemble their neighbours (Ljung and Box 1978), ten lags or a fifth of the rows.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        NaN where missing: such cells take the column's mean, which can only weaken the test.

    Returns
    -------
    statistic, p_value, first : ndarray, shape (p,)
        ``first`` is the autocorrelation at lag 1.
    """
    n = len(columns)
    lags = max(1, min(_BOX_LAGS, n // 5))
    centred = np.nan_to_num(columns - np.nanmean(columns, axis=0))
    power = np.maximum((centred**2).sum(axis=0), 1e-300)
    correlations = np.stack([(centred[lag:] * centred[:-lag]).sum(axis=0) / power for lag in range(1, lags + 1)])
    weights = 1.0 / (n - np.arange(1, lags + 1))
    statistic = n * (n + 2) * (weights @ correlations**2)
    return statistic, stats.chi2.sf(statistic, lags), correlations[0]


def choose_lag(series: NDArray[np.float64], names: Sequence[str] = (), longest: int = LONGEST_LAG) -> LagChoice:
    """Find the longest lag with an effect in a vector autoregression.

    From the longest lag down, the likelihood ratio test of Sims (1980) asks whether the coefficients of that lag
    are all zero; the first lag that is not refused is the answer. The level is 0.1 % over all lags (Bonferroni).

    Parameters
    ----------
    series : ndarray, shape (n, p)
        In time order, no missing values.
    names : sequence of str
        Kept with the answer.
    longest : int
        Shortened to a tenth of the steps, and so that every equation keeps twice as many steps as coefficients.
    """
    n, p = series.shape
    longest = max(1, min(longest, n // 10, (n // 2 - 1) // p))
    scale = series.std(axis=0)
    values = (series - series.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    now = values[longest:]
    steps = len(now)
    design = np.column_stack([np.ones(steps), *(values[longest - lag : n - lag] for lag in range(1, longest + 1))])
    # The columns enter lag by lag, so that one factorisation gives the residuals of every order.
    basis = np.linalg.qr(design)[0]
    coefficients = basis.T @ now
    total = now.T @ now
    determinants = []
    for lag in range(longest + 1):
        part = coefficients[: 1 + p * lag]
        scatter = (total - part.T @ part) / steps
        determinants.append(np.linalg.slogdet(scatter + 1e-12 * np.eye(p))[1])
    p_values = tuple(
        float(stats.chi2.sf((steps - 1 - p * lag) * (determinants[lag - 1] - determinants[lag]), p * p))
        for lag in range(1, longest + 1)
    )
    lag = next((lag for lag in range(longest, 0, -1) if p_values[lag - 1] < _LAG_LEVEL / longest), 0)
    used = slice(0, 1 + p * lag)
    fitted = basis[:, used] @ coefficients[used]
    votes = tuple(_own_order(column, longest) for column in values.T)
    return LagChoice(lag, p_values, votes, now - fitted, fitted, tuple(names))


def _own_order(series: NDArray[np.float64], longest: int) -> int:
    """Return the order of a univariate autoregression by BIC."""
    steps = len(series) - longest
    now = series[longest:]
    design = np.column_stack(
        [np.ones(steps), *(series[longest - lag : len(series) - lag] for lag in range(1, longest + 1))]
    )
    explained = np.cumsum((np.linalg.qr(design)[0].T @ now) ** 2)
    squares = np.maximum(now @ now - explained, 1e-300)
    return int(np.argmin(steps * np.log(squares / steps) + np.log(steps) * np.arange(longest + 1)))


def dickey_fuller(series: NDArray[np.float64]) -> tuple[float, float]:
    """Test for a unit root, with a constant (augmented Dickey-Fuller); small p-values speak for stationarity.

    The number of lagged differences is chosen by AIC up to Schwert's 12 (n / 100)^(1/4); the p-value is MacKinnon's
    (1994) approximation.

    Parameters
    ----------
    series : ndarray, shape (n,)

    Returns
    -------
    statistic, p_value : float
    """
    n = len(series)
    longest = min(int(np.ceil(12.0 * (n / 100.0) ** 0.25)), n // 2 - 2)
    change = np.diff(series)
    target = change[longest:]
    steps = len(target)
    lagged = [change[longest - lag : len(change) - lag] for lag in range(1, longest + 1)]
    design = np.column_stack([np.ones(steps), series[longest:-1], *lagged])
    explained = np.cumsum((np.linalg.qr(design)[0].T @ target) ** 2)[1:]
    squares = np.maximum(target @ target - explained, 1e-300)
    lags = int(np.argmin(steps * np.log(squares / steps) + 2.0 * np.arange(2, longest + 3)))
    # The chosen order is estimated anew on all steps that it allows.
    target = change[lags:]
    lagged = [change[lags - lag : len(change) - lag] for lag in range(1, lags + 1)]
    design = np.column_stack([np.ones(len(target)), series[lags:-1], *lagged])
    inverse = np.linalg.pinv(design.T @ design)
    slopes = inverse @ design.T @ target
    residual = target - design @ slopes
    freedom = max(len(target) - design.shape[1], 1)
    error = np.sqrt(max(residual @ residual / freedom * inverse[1, 1], 1e-300))
    statistic = float(slopes[1] / error)
    return statistic, _unit_root_p_value(statistic)


def _unit_root_p_value(statistic: float) -> float:
    if statistic < _LEAST_T:
        return 0.0
    if statistic > _MOST_T:
        return 1.0
    polynomial = _SMALL_T if statistic <= _SPLIT_T else _LARGE_T
    return float(stats.norm.cdf(np.polynomial.polynomial.polyval(statistic, polynomial)))


def kpss(series: NDArray[np.float64]) -> tuple[float, float]:
    """Test for level stationarity (Kwiatkowski et al. 1992); small p-values speak against it.

    The long-run variance uses Bartlett weights over 12 (n / 100)^(1/4) lags. The p-value is interpolated in the
    published table and therefore lies between 0.01 and 0.1.

    Parameters
    ----------
    series : ndarray, shape (n,)

    Returns
    -------
    statistic, p_value : float
    """
    n = len(series)
    centred = series - series.mean()
    lags = min(int(np.ceil(12.0 * (n / 100.0) ** 0.25)), n - 1)
    variance = centred @ centred / n
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * (centred[lag:] @ centred[:-lag]) / n
    statistic = float((np.cumsum(centred) ** 2).sum() / n**2 / max(variance, 1e-300))
    return statistic, float(np.interp(statistic, _KPSS_VALUES, _KPSS_LEVELS))
