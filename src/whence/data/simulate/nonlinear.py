"""Nonlinear structural causal models with additive noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whence.data.simulate.dags import Edges, as_structure, causal_order
from whence.data.simulate.noise import Noise, draw_noise
from whence.data.simulate.simulation import Simulation, standardised
from whence.errors import DataError
from whence.parallel import RandomState, generator

Mechanism = Literal["mlp", "mim", "gp", "sine", "tanh", "quadratic", "additive"]

_HIDDEN_UNITS = 100
_FOURIER_FEATURES = 200


def nonlinear_scm(
    structure: int | NDArray[np.bool_] | Edges,
    n_rows: int = 1000,
    *,
    degree: float = 2.0,
    mechanism: Mechanism = "mlp",
    noise: Noise = "gaussian",
    noise_scale: tuple[float, float] = (1.0, 1.0),
    standardise: bool = True,
    random_state: RandomState = None,
) -> Simulation:
    """Draw a table from ``x_j = f_j(parents of j) + e_j`` with random functions f_j.

    Parameters
    ----------
    structure, n_rows, degree, noise, noise_scale, standardise, random_state
        As in `linear_scm`.
    mechanism : str
        ``"mlp"``: one layer of 100 sigmoid units, weights ±U(0.5, 2). ``"mim"``: tanh + cos + sin of three
        random projections. Both as in Zheng et al. (2020). ``"gp"``: a draw from a Gaussian process with a
        squared exponential kernel of length 1, by 200 random Fourier features (Rahimi and Recht 2007).
        ``"sine"``, ``"tanh"``, ``"quadratic"``: that function of each parent in standard units, added up;
        ``"additive"``: one of the three for each parent.

    Returns
    -------
    Simulation
        Its ``weights`` are None: no single number is an effect.

    Raises
    ------
    DataError
        E151 for a cycle, E152 for an unknown mechanism or noise.

    Examples
    --------
    >>> nonlinear_scm(5, 200, mechanism="gp", random_state=0)
    Simulation(200 rows, 5 columns, 5 edges, gp, gaussian noise)
    """
    if mechanism not in _MECHANISMS:
        known = ", ".join(_MECHANISMS)
        raise DataError("E152", f"there is no mechanism {mechanism!r}.", f"Choose one of {known}.")
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    order = causal_order(adjacency)
    spread = rng.uniform(*noise_scale, size=len(names))
    raw = draw_noise(noise, (n_rows, len(names)), rng) * spread
    for node in order:
        parents = np.flatnonzero(adjacency[:, node])
        if len(parents):
            raw[:, node] += _MECHANISMS[mechanism](raw[:, parents], rng)
    values, center, scale = standardised(raw, standardise)
    return Simulation(
        values=values,
        observed=names,
        names=names,
        adjacency=adjacency,
        weights=None,
        center=center,
        scale=scale,
        noise=noise,
        mechanism=mechanism,
    )


def _signed_uniform(
    shape: tuple[int, ...], rng: np.random.Generator, low: float = 0.5, high: float = 2.0
) -> NDArray[np.float64]:
    return np.asarray(rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], size=shape))


def _mlp(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    hidden = expit(parents @ _signed_uniform((parents.shape[1], _HIDDEN_UNITS), rng))
    return np.asarray(hidden @ _signed_uniform((_HIDDEN_UNITS,), rng))


def _mim(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    first, second, third = _signed_uniform((3, parents.shape[1]), rng)
    return np.asarray(np.tanh(parents @ first) + np.cos(parents @ second) + np.sin(parents @ third))


def _gp(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    frequencies = rng.standard_normal((parents.shape[1], _FOURIER_FEATURES))
    phases = rng.uniform(0, 2 * np.pi, _FOURIER_FEATURES)
    amplitudes = rng.standard_normal(_FOURIER_FEATURES) * np.sqrt(2.0 / _FOURIER_FEATURES)
    return np.asarray(np.cos(parents @ frequencies + phases) @ amplitudes)


def _sine(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    waves = np.sin(_units(parents) * rng.uniform(1.0, 3.0, parents.shape[1]))
    return np.asarray(waves @ _amplitudes(parents, rng))


def _tanh(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    steps = np.tanh(_units(parents) * rng.uniform(2.0, 4.0, parents.shape[1]))
    return np.asarray(steps @ _amplitudes(parents, rng))


def _quadratic(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray((_units(parents) ** 2 - 1.0) @ _amplitudes(parents, rng))


def _additive(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    total = np.zeros(len(parents))
    for column in parents.T:
        function = (_sine, _tanh, _quadratic)[rng.integers(3)]
        total += function(column[:, None], rng)
    return total


def _units(parents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise the parents: a square of a square of a square would leave every scale behind."""
    return standardised(parents, True)[0]


def _amplitudes(parents: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return _signed_uniform((parents.shape[1],), rng, 1.0, 2.0)


_MECHANISMS: dict[str, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]] = {
    "mlp": _mlp,
    "mim": _mim,
    "gp": _gp,
    "sine": _sine,
    "tanh": _tanh,
    "quadratic": _quadratic,
    "additive": _additive,
}
