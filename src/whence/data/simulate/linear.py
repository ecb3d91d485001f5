"""Linear structural causal models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from whence.data.simulate.dags import Edges, as_structure, causal_order
from whence.data.simulate.noise import Noise, draw_noise
from whence.data.simulate.simulation import Simulation, standardised
from whence.parallel import RandomState, generator


def linear_scm(
    structure: int | NDArray[np.bool_] | Edges,
    n_rows: int = 1000,
    *,
    degree: float = 2.0,
    weights: tuple[float, float] | NDArray[np.float64] = (0.5, 2.0),
    noise: Noise = "gaussian",
    noise_scale: tuple[float, float] = (1.0, 1.0),
    standardise: bool = True,
    random_state: RandomState = None,
) -> Simulation:
    """Draw a table from a linear structural causal model, ``x_j = sum_i w_ij x_i + e_j``.

    Parameters
    ----------
    structure : int, ndarray of bool (p, p), or list of (parent, child)
        A number of nodes draws an Erdos-Renyi graph of expected ``degree``; a matrix has ``[i, j]`` True
        where i causes j; a list names its nodes.
    n_rows : int
        Number of rows, n.
    degree : float
        Expected degree where ``structure`` is a number.
    weights : (low, high) or ndarray (p, p)
        Range of the size of the coefficients, their sign being random; or the coefficients themselves.
    noise : str
        ``gaussian, laplace, exponential, gumbel, uniform`` or ``student``, with mean 0 and variance 1.
    noise_scale : (low, high)
        Range of the standard deviation of each variable's noise.
    standardise : bool
        Scale every column to mean 0 and standard deviation 1, so that its scale says nothing about its place.
    random_state : int or Generator, optional
        Seed.

    Returns
    -------
    Simulation
        ``weights`` and `Simulation.truth_effect` are in the units of the returned columns.

    Examples
    --------
    >>> simulation = linear_scm([("dose", "risk"), ("age", "dose"), ("age", "risk")], 500, random_state=0)
    >>> simulation.observed
    ('dose', 'risk', 'age')
    >>> simulation.truth_effect("risk", "dose")
    0.0
    """
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    order = causal_order(adjacency)
    raw_weights = draw_weights(adjacency, weights, rng)
    spread = rng.uniform(*noise_scale, size=len(names))
    errors = draw_noise(noise, (n_rows, len(names)), rng) * spread
    # In causal order X (I - W) = E with W strictly upper triangular: one triangular solve draws the table.
    ordered = np.eye(len(names)) - raw_weights[np.ix_(order, order)]
    raw = np.empty_like(errors)
    raw[:, order] = solve_triangular(ordered, errors[:, order].T, trans="T", unit_diagonal=True).T
    values, center, scale = standardised(raw, standardise)
    return Simulation(
        values=values,
        observed=names,
        names=names,
        adjacency=adjacency,
        weights=raw_weights * scale[:, None] / scale[None, :],
        center=center,
        scale=scale,
        noise=noise,
    )


def draw_weights(
    adjacency: NDArray[np.bool_], weights: tuple[float, float] | NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return coefficients on the edges: given ones, or uniform sizes with random signs."""
    if isinstance(weights, np.ndarray):
        return np.where(adjacency, weights, 0.0).astype(np.float64)
    drawn = np.zeros(adjacency.shape)
    count = int(adjacency.sum())
    drawn[adjacency] = rng.uniform(*weights, size=count) * rng.choice([-1.0, 1.0], size=count)
    return drawn
