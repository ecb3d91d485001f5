"""Tables of many small groups of exchangeable rows, whose mechanisms differ from group to group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.data.simulate.dags import Edges, as_structure, causal_order
from whence.data.simulate.simulation import Simulation
from whence.errors import DataError
from whence.parallel import RandomState, generator

Mechanism = Literal["quadratic", "shift", "xor"]
Latents = Literal["independent", "shared", "constant"]

# Strength of a group's latent in the mechanism of an effect, "shift".
_SHIFT = 1.5


def exchangeable_scm(
    structure: int | NDArray[np.bool_] | Edges,
    n_groups: int = 500,
    rows_per_group: int = 2,
    *,
    degree: float = 2.0,
    mechanism: Mechanism = "quadratic",
    latents: Latents = "independent",
    group: str = "group",
    random_state: RandomState = None,
) -> Simulation:
    """Draw groups of rows from mechanisms that each group draws for itself, once for all its rows.

    Every column v of a group e has a latent of its own, and given the latents the rows of the group are independent
    and alike: the independent causal mechanisms of Guo, Tóth, Schölkopf and Huszár (2023). Mechanisms::

        quadratic  x_v = a'x_pa + b N_v (+ c (a'x_pa^2 + (b - 1) N_v^2) in a random half of the groups),
                   N_v Laplace around a place that the group draws from U(-1, 1); a, b, c whole numbers from 1 to 9,
                   the same in all groups; b = 1 and no square for a root
        shift      x_v = sum x_pa + s theta_v + noise, all normal; s = 1 for a root, 1.5 for others
        xor        x_v = Bernoulli(theta_v), theta_v drawn from Beta(1, 3), for an effect XOR the product of its causes

    Parameters
    ----------
    structure : int, ndarray of bool of shape (p, p), or list of (parent, child)
        Number of columns of a random graph, or the graph.
    n_groups, rows_per_group : int
        Groups, and rows in each.
    degree : float
        Expected number of edges at a column of a random graph.
    mechanism : str
        ``"quadratic"``, ``"shift"`` or ``"xor"``.
    latents : str
        ``"independent"``: one for each column. ``"shared"``: one for all columns of a group, so that no graph over the
        columns has independent mechanisms. ``"constant"``: the same in all groups, so that rows are i.i.d.
    group : str
        Name of the column that tells the groups apart, the last of the table.

    Returns
    -------
    Simulation
        With ``domain`` the group column; ``weights`` are None, and the columns are not standardised.

    Raises
    ------
    DataError
        E152 for an unknown setting or a number out of range, E151 for a graph with a cycle.

    Examples
    --------
    >>> drawn = exchangeable_scm([("dose", "cure")], 100, random_state=0)
    >>> drawn.values.shape, drawn.observed
    ((200, 3), ('dose', 'cure', 'group'))
    """
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    draw = {"quadratic": _quadratic, "shift": _shift, "xor": _xor}.get(mechanism)
    if draw is None or latents not in ("independent", "shared", "constant"):
        raise DataError(
            "E152",
            f"mechanism {mechanism!r} with latents {latents!r}.",
            "Choose quadratic, shift or xor, and independent, shared or constant.",
        )
    if n_groups < 1 or rows_per_group < 1 or group in names:
        raise DataError(
            "E152",
            f"{n_groups} groups of {rows_per_group} rows, group column {group!r}.",
            "Give at least one group of one row, and a group name of its own.",
        )
    values = draw(adjacency, _Shape(n_groups, rows_per_group, latents), rng)
    labels = np.repeat(np.arange(n_groups), rows_per_group)
    kinds = dict.fromkeys(names, "binary") if mechanism == "xor" else {}
    return Simulation(
        values=np.column_stack([values.reshape(n_groups * rows_per_group, len(names)), labels]),
        observed=(*names, group),
        names=names,
        adjacency=adjacency,
        weights=None,
        center=np.zeros(len(names)),
        scale=np.ones(len(names)),
        kinds={**kinds, group: "categorical"} if n_groups > 2 else kinds,
        noise={"quadratic": "laplace", "shift": "gaussian", "xor": "bernoulli"}[mechanism],
        mechanism=f"{mechanism}, {latents} latents by group",
        domain=group,
        shifted=names if latents != "constant" else (),
    )


class _Shape:
    """Groups, rows in each, and how the latents of the groups hang together."""

    def __init__(self, n_groups: int, rows: int, latents: Latents) -> None:
        self.n_groups, self.rows, self.latents = n_groups, rows, latents

    def draw(self, sampler: Callable[[tuple[int, int]], NDArray[np.float64]], p: int) -> NDArray[np.float64]:
        """Return a latent for each group and column, shape (groups, 1, p)."""
        if self.latents == "constant":
            return np.repeat(sampler((1, p)), self.n_groups, axis=0)[:, None, :]
        if self.latents == "shared":
            return np.repeat(sampler((self.n_groups, 1)), p, axis=1)[:, None, :]
        return sampler((self.n_groups, p))[:, None, :]


def _quadratic(adjacency: NDArray[np.bool_], shape: _Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    p = len(adjacency)
    places = shape.draw(lambda size: rng.uniform(-1.0, 1.0, size), p)
    noise = rng.laplace(places, 1.0, (shape.n_groups, shape.rows, p))
    linear = adjacency * rng.integers(1, 10, (p, p)).astype(np.float64)
    factor = rng.integers(1, 10, p).astype(np.float64)
    square = float(rng.integers(1, 10))
    bent = np.zeros((shape.n_groups, 1))
    if shape.latents == "constant":
        bent[:] = float(rng.random() < 0.5)
    else:
        bent[rng.permutation(shape.n_groups)[: shape.n_groups // 2]] = 1.0
    values = np.empty_like(noise)
    for node in causal_order(adjacency):
        values[..., node] = noise[..., node]
        if adjacency[:, node].any():
            causes, weights = values[..., adjacency[:, node]], linear[adjacency[:, node], node]
            own = noise[..., node]
            bend = causes**2 @ weights + (factor[node] - 1.0) * own**2
            values[..., node] = causes @ weights + factor[node] * own + square * bent * bend
    return values


def _shift(adjacency: NDArray[np.bool_], shape: _Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    p = len(adjacency)
    latent = shape.draw(rng.standard_normal, p)
    values = rng.standard_normal((shape.n_groups, shape.rows, p))
    values += latent * np.where(adjacency.any(axis=0), _SHIFT, 1.0)
    for node in causal_order(adjacency):
        values[..., node] += values[..., adjacency[:, node]].sum(axis=-1)
    return values


def _xor(adjacency: NDArray[np.bool_], shape: _Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    p = len(adjacency)
    chance = shape.draw(lambda size: rng.beta(1.0, 3.0, size), p)
    values = (rng.random((shape.n_groups, shape.rows, p)) < chance).astype(np.float64)
    for node in causal_order(adjacency):
        if adjacency[:, node].any():
            both = values[..., adjacency[:, node]].prod(axis=-1)
            values[..., node] = np.abs(values[..., node] - both)
    return values
