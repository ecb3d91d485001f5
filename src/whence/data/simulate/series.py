"""Stationary vector autoregressions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whence.data.simulate.dags import node_names, random_dag
from whence.data.simulate.linear import draw_weights
from whence.data.simulate.noise import Noise, draw_noise
from whence.data.simulate.simulation import standardised
from whence.errors import DataError
from whence.parallel import RandomState, generator

if TYPE_CHECKING:
    from whence.data.dataset import Dataset

# Steps drawn and thrown away before the first row, so that the series starts in its stationary state.
_BURN_IN = 200
# The slowest mode of the process decays by this factor per step.
_PERSISTENCE = 0.9


@dataclass(frozen=True)
class SeriesSimulation:
    """A simulated multivariate time series together with its truth.

    Attributes
    ----------
    values : ndarray, shape (n, p)
        One row per time step.
    names : tuple of str
        The series.
    coefficients : ndarray, shape (lag + 1, p, p)
        ``[l, i, j]`` is the effect of series i on series j, l steps later, in the units of the table.
    lag : int
        The longest lag with an effect.
    noise : str
        The noise family.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    lag: int
    noise: str = "gaussian"

    @cached_property
    def data(self) -> Dataset:
        """The series as a Dataset, with a column ``time`` of whole numbers in front."""
        from whence.data.simulate.tables import as_table

        clock = np.arange(len(self.values), dtype=np.float64)
        table = np.column_stack([clock, self.values])
        return as_table(table, ("time", *self.names), {"time": "time"}, roles={"time": "time"})

    @property
    def edges(self) -> list[tuple[str, str, int]]:
        """The true lagged edges as (parent, child, lag)."""
        return [(self.names[i], self.names[j], int(lag)) for lag, i, j in np.argwhere(self.coefficients)]

    def __repr__(self) -> str:
        return f"SeriesSimulation({len(self.values):,} steps, {len(self.names)} series, lag {self.lag})"


def var_process(
    n_series: int,
    n_steps: int = 1000,
    *,
    lag: int = 1,
    degree: float = 2.0,
    instantaneous_degree: float = 0.0,
    noise: Noise = "gaussian",
    standardise: bool = True,
    random_state: RandomState = None,
) -> SeriesSimulation:
    """Draw a stationary vector autoregression ``x_t = sum_l A_l' x_{t-l} + e_t``.

    Every series depends on its own past at every lag, and on others by edges dealt out over the lags; at
    least one edge between two series has the longest lag. All coefficients are then shrunk until the slowest
    mode of the process decays by 0.9 per step or faster.

    Parameters
    ----------
    n_series, n_steps : int
        Number of series p and of time steps n.
    lag : int
        The longest lag.
    degree : float
        Expected number of lagged edges at a series, incoming and outgoing together, its own past not counted.
    instantaneous_degree : float
        Expected degree of the acyclic graph of effects within one time step.
    noise, standardise, random_state
        As in `linear_scm`.

    Raises
    ------
    DataError
        E152 if a number is out of range.

    Examples
    --------
    >>> var_process(4, 300, lag=2, random_state=0)
    SeriesSimulation(300 steps, 4 series, lag 2)
    """
    if n_series < 1 or n_steps < 1 or lag < 1:
        raise DataError(
            "E152",
            f"{n_series} series, {n_steps} steps, lag {lag}.",
            "Give positive whole numbers for all three.",
        )
    rng = generator(random_state)
    lagged = _lagged_coefficients(n_series, lag, degree, rng)
    within = random_dag(n_series, degree=instantaneous_degree, random_state=rng)
    instantaneous = draw_weights(within, (0.3, 0.8), rng)
    # The reduced form x_t = sum_l B_l' x_{t-l} + (I - A_0)^-T e_t decides whether the process is stationary.
    spread = np.linalg.inv(np.eye(n_series) - instantaneous).astype(np.float64)
    lagged = _stationary(lagged, spread)
    shocks = draw_noise(noise, (n_steps + _BURN_IN, n_series), rng) @ spread
    raw = _recursion(lagged @ spread, shocks)[_BURN_IN:]
    values, _, scale = standardised(raw, standardise)
    coefficients = np.concatenate([instantaneous[None], lagged]) * (scale[:, None] / scale[None, :])
    return SeriesSimulation(values, node_names(n_series), coefficients, lag, noise)


def _lagged_coefficients(n_series: int, lag: int, degree: float, rng: np.random.Generator) -> NDArray[np.float64]:
    coefficients = np.zeros((lag, n_series, n_series))
    own = np.arange(n_series)
    coefficients[:, own, own] = rng.uniform(0.2, 0.5, (lag, n_series)) * rng.choice([-1, 1], (lag, n_series))
    chance = min(1.0, degree / 2 / max(n_series - 1, 1))
    linked = rng.random((n_series, n_series)) < chance
    np.fill_diagonal(linked, False)
    if n_series > 1 and not linked.any():
        cause, effect = rng.permutation(n_series)[:2]
        linked[cause, effect] = True
    causes, effects = np.nonzero(linked)
    lags = rng.integers(0, lag, len(causes))
    if len(causes):
        lags[rng.integers(len(causes))] = lag - 1
    coefficients[lags, causes, effects] = rng.uniform(0.3, 0.8, len(causes)) * rng.choice([-1, 1], len(causes))
    return coefficients


def _stationary(lagged: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrink lag l by factor**l, which multiplies every root of the process by the factor."""
    radius = spectral_radius(lagged @ spread)
    factor = min(1.0, _PERSISTENCE / radius) if radius > 0 else 1.0
    powers = factor ** np.arange(1, len(lagged) + 1)
    return np.asarray(lagged * powers[:, None, None])


def spectral_radius(lagged: NDArray[np.float64]) -> float:
    """Return the largest root of an autoregression of shape (lag, p, p); below 1 it is stationary."""
    lag, p, _ = lagged.shape
    companion = np.zeros((lag * p, lag * p))
    companion[:p] = np.concatenate([step.T for step in lagged], axis=1)
    companion[p:, :-p] = np.eye((lag - 1) * p)
    return float(np.abs(np.linalg.eigvals(companion)).max())


def _recursion(lagged: NDArray[np.float64], shocks: NDArray[np.float64]) -> NDArray[np.float64]:
    lag, p, _ = lagged.shape
    stacked = lagged[::-1].reshape(lag * p, p)  # the oldest step first, as the rows of a window lie in memory
    series = np.zeros((len(shocks) + lag, p))
    for step, shock in enumerate(shocks):
        series[step + lag] = series[step : step + lag].ravel() @ stacked + shock
    return series[lag:]
