"""Discrete and mixed structural causal models."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.data.simulate.dags import Edges, as_structure, causal_order
from whence.data.simulate.noise import Noise, draw_noise
from whence.data.simulate.simulation import Simulation
from whence.errors import DataError
from whence.parallel import RandomState, generator

# A conditional table with more rows than this is better drawn by the softmax mechanism.
_LARGEST_TABLE = 1_000_000


def discrete_scm(
    structure: int | NDArray[np.bool_] | Edges,
    n_rows: int = 1000,
    *,
    degree: float = 2.0,
    levels: tuple[int, int] = (2, 4),
    mechanism: Literal["cpt", "softmax"] = "cpt",
    concentration: float = 0.5,
    strength: float = 1.5,
    random_state: RandomState = None,
) -> Simulation:
    """Draw a table of categorical columns.

    Parameters
    ----------
    structure, n_rows, degree, random_state
        As in `linear_scm`.
    levels : (fewest, most)
        Range of the number of levels of a column; two levels make it binary.
    mechanism : str
        ``"cpt"``: for every combination of the parents' levels a distribution drawn from a symmetric
        Dirichlet.
        ``"softmax"``: log-odds that add up over the parents, for nodes with many parents.
    concentration : float
        Of the Dirichlet: the smaller, the more a column is decided by its parents.
    strength : float
        Standard deviation of the log-odds that one parent contributes.

    Returns
    -------
    Simulation
        ``values`` holds the codes 0, 1, ...

    Raises
    ------
    DataError
        E152 if the settings are out of range or a conditional table would have more than a million rows.

    Examples
    --------
    >>> simulation = discrete_scm([("rain", "wet")], 100, levels=(2, 2), random_state=0)
    >>> dict(simulation.kinds)
    {'rain': 'binary', 'wet': 'binary'}
    """
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    sizes = draw_sizes(len(names), levels, rng)
    codes = np.zeros((n_rows, len(names)), dtype=np.int64)
    for node in causal_order(adjacency):
        parents = np.flatnonzero(adjacency[:, node])
        if mechanism == "cpt":
            probabilities = _conditional_table(codes, sizes, parents, sizes[node], concentration=concentration, rng=rng)
        else:
            probabilities = softmax(_additive_logits(codes, sizes, parents, sizes[node], strength=strength, rng=rng))
        codes[:, node] = draw_levels(probabilities, rng)
    return _as_simulation(
        codes.astype(np.float64),
        names,
        adjacency,
        dict(zip(names, sizes)),
        noise="multinomial",
        mechanism=mechanism,
    )


def mixed_scm(
    structure: int | NDArray[np.bool_] | Edges,
    n_rows: int = 1000,
    *,
    degree: float = 2.0,
    share_discrete: float = 0.5,
    levels: tuple[int, int] = (2, 4),
    strength: float = 1.5,
    noise: Noise = "gaussian",
    random_state: RandomState = None,
) -> Simulation:
    """Draw a table of continuous and categorical columns that cause one another.

    A continuous column adds up its continuous parents, a random offset for each level of its categorical
    parents and noise, and is standardised. A categorical column draws its level from a softmax over the same
    contributions.

    Parameters
    ----------
    structure, n_rows, degree, noise, random_state
        As in `linear_scm`.
    share_discrete : float
        Expected share of categorical columns.
    levels, strength
        As in `discrete_scm`.

    Examples
    --------
    >>> simulation = mixed_scm(6, 100, random_state=0)
    >>> set(simulation.kinds.values()) <= {"binary", "categorical"}
    True
    """
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    if not 0 <= share_discrete <= 1:
        raise DataError("E152", f"the share of discrete columns is {share_discrete}.", "Give 0 to 1.")
    sizes = draw_sizes(len(names), levels, rng)
    sizes[rng.random(len(names)) >= share_discrete] = 0  # 0 levels: continuous
    values = np.zeros((n_rows, len(names)))
    errors = draw_noise(noise, values.shape, rng)
    for node in causal_order(adjacency):
        parents = np.flatnonzero(adjacency[:, node])
        width = max(int(sizes[node]), 1)
        smooth, coded = parents[sizes[parents] == 0], parents[sizes[parents] > 0]
        signs = rng.choice([-1.0, 1.0], size=(len(smooth), width))
        total = values[:, smooth] @ (signs * rng.uniform(0.5, 2.0, signs.shape))
        total += _additive_logits(values.astype(np.int64), sizes, coded, width, strength=strength, rng=rng)
        if sizes[node]:
            values[:, node] = draw_levels(softmax(total), rng)
        else:
            column = total[:, 0] + errors[:, node]
            values[:, node] = (column - column.mean()) / column.std()
    coded_sizes = {name: int(size) for name, size in zip(names, sizes) if size}
    return _as_simulation(values, names, adjacency, coded_sizes, noise=noise, mechanism="mixed")


def _as_simulation(
    values: NDArray[np.float64],
    names: tuple[str, ...],
    adjacency: NDArray[np.bool_],
    sizes: dict[str, int],
    *,
    noise: str,
    mechanism: str,
) -> Simulation:
    return Simulation(
        values=values,
        observed=names,
        names=names,
        adjacency=adjacency,
        weights=None,
        center=np.zeros(len(names)),
        scale=np.ones(len(names)),
        kinds={name: "binary" if size == 2 else "categorical" for name, size in sizes.items()},
        noise=noise,
        mechanism=mechanism,
    )


def draw_sizes(count: int, levels: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a number of levels for every column."""
    fewest, most = levels
    if not 2 <= fewest <= most:
        raise DataError("E152", f"the range of levels is {levels}.", "Give (fewest, most) with 2 <= fewest <= most.")
    return rng.integers(fewest, most + 1, count)


def draw_levels(probabilities: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one level per row from probabilities of shape (n, levels)."""
    thresholds = np.cumsum(probabilities, axis=1)[:, :-1]
    return np.asarray((rng.random((len(probabilities), 1)) >= thresholds).sum(axis=1), dtype=np.int64)


def _conditional_table(
    codes: NDArray[np.int64],
    sizes: NDArray[np.int64],
    parents: NDArray[np.intp],
    size: int,
    *,
    concentration: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    shape = tuple(int(sizes[parent]) for parent in parents)
    rows = int(np.prod(shape, dtype=np.float64))
    if rows > _LARGEST_TABLE:
        raise DataError(
            "E152",
            f"a node with {len(parents)} parents needs a table of {rows:,} rows.",
            'Use mechanism="softmax" or a smaller degree.',
        )
    table = rng.dirichlet(np.full(size, concentration), size=rows)
    row = np.ravel_multi_index(list(codes[:, parents].T), shape) if shape else np.zeros(len(codes), np.intp)
    return np.asarray(table[row])


def _additive_logits(
    codes: NDArray[np.int64],
    sizes: NDArray[np.int64],
    parents: NDArray[np.intp],
    width: int,
    *,
    strength: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    total = np.zeros((len(codes), width))
    for parent in parents:
        total += rng.normal(scale=strength, size=(int(sizes[parent]), width))[codes[:, parent]]
    return total


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of logits of shape (n, levels)."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
