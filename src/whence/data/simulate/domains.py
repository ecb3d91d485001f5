"""Tables from several domains whose mechanisms differ."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.data.simulate.dags import Edges, as_structure, causal_order
from whence.data.simulate.linear import draw_weights
from whence.data.simulate.noise import Noise, draw_noise
from whence.data.simulate.simulation import Simulation, standardised
from whence.errors import DataError
from whence.parallel import RandomState, generator

Change = Literal["mean", "weights", "noise"]


def domains_scm(
    structure: int | NDArray[np.bool_] | Edges,
    n_rows: int = 1000,
    *,
    degree: float = 2.0,
    n_domains: int = 5,
    n_shifted: int = 3,
    change: Change = "mean",
    size: float = 3.0,
    noise: Noise = "gaussian",
    weights: tuple[float, float] = (0.5, 2.0),
    domain: str = "domain",
    standardise: bool = True,
    random_state: RandomState = None,
) -> Simulation:
    """Draw a linear table in which some variables follow another mechanism in every domain.

    Parameters
    ----------
    structure, n_rows, degree, noise, weights, standardise, random_state
        As in `linear_scm`.
    n_domains : int
        Number of domains; the rows are dealt out evenly, in blocks.
    n_shifted : int
        Number of variables whose mechanism differs; those with fewest edges are taken, chosen at random among
        equals.
    change : str
        ``"mean"``: an offset that grows from domain to domain. ``"weights"``: coefficients multiplied by a
        factor of random size and sign. ``"noise"``: noise of a different size.
    size : float
        Spread of the change over the domains: the range of the offsets in noise standard deviations, or the
        largest factor.
    domain : str
        Name of the domain column, the last of the table.

    Returns
    -------
    Simulation
        With ``domain`` and ``shifted``; ``weights`` are None where they differ between domains.

    Examples
    --------
    >>> simulation = domains_scm(6, 300, n_domains=3, n_shifted=2, random_state=1)
    >>> simulation.observed[-1], len(simulation.shifted)
    ('domain', 2)
    """
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    p = len(names)
    if n_domains < 1 or not 0 <= n_shifted <= p or domain in names or change not in ("mean", "weights", "noise"):
        raise DataError(
            "E152",
            f"{n_domains} domains, {n_shifted} shifted of {p} variables, change {change!r}, column {domain!r}.",
            "Give at least one domain, at most as many shifted variables as there are, a change of mean, "
            "weights or noise, and a domain name of its own.",
        )
    raw_weights = draw_weights(adjacency, weights, rng)
    touching = adjacency.sum(axis=0) + adjacency.sum(axis=1)
    if change == "weights":
        # Roots have no coefficients that could differ.
        touching = np.where(adjacency.any(axis=0), touching, touching.max() + 1)
    shifted = np.lexsort((rng.random(p), touching))[:n_shifted]
    labels = np.arange(n_rows) * n_domains // max(n_rows, 1)
    steps = _domain_steps(n_domains, size, change, n_shifted, rng)

    raw = draw_noise(noise, (n_rows, p), rng)
    if change == "noise":
        raw[:, shifted] *= steps[labels]
    for node in causal_order(adjacency):
        contribution = raw @ raw_weights[:, node]
        place = np.flatnonzero(shifted == node)
        if len(place) and change == "mean":
            contribution += steps[labels, place[0]]
        elif len(place) and change == "weights":
            contribution *= steps[labels, place[0]]
        raw[:, node] += contribution
    values, center, scale = standardised(raw, standardise)
    return Simulation(
        values=np.column_stack([values, labels]),
        observed=(*names, domain),
        names=names,
        adjacency=adjacency,
        weights=None if change == "weights" else raw_weights * scale[:, None] / scale[None, :],
        center=center,
        scale=scale,
        kinds={domain: "categorical" if n_domains > 2 else "binary"},
        noise=noise,
        mechanism="linear" if change != "weights" else "linear within a domain",
        domain=domain,
        shifted=tuple(names[node] for node in sorted(shifted)),
    )


def _domain_steps(
    n_domains: int, size: float, change: Change, n_shifted: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the offset or factor of every domain and shifted variable, shape (domains, shifted)."""
    grid = np.linspace(0.0, 1.0, n_domains) if n_domains > 1 else np.zeros(1)
    if change == "mean":
        return np.asarray(size * grid[:, None] * rng.choice([-1.0, 1.0], size=n_shifted))
    factors = rng.permuted(np.tile(size ** (2 * grid - 1), (n_shifted, 1)), axis=1).T
    return factors * rng.choice([-1.0, 1.0], size=factors.shape) if change == "weights" else factors
