"""Gene expression with a known network, and the zeros that measuring it adds (dropouts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import expit, ndtr

from whence.data.simulate.dags import Edges, as_structure, causal_order
from whence.data.simulate.linear import draw_weights
from whence.data.simulate.simulation import Simulation
from whence.errors import DataError, quote_names
from whence.parallel import RandomState, generator

ExpressionForm = Literal["gaussian", "lognormal", "poisson"]
Range = tuple[float, float]
_FORMS = ("gaussian", "lognormal", "poisson")


def expression_scm(
    structure: int | NDArray[np.bool_] | Edges = 10,
    n_rows: int = 10_000,
    *,
    degree: float = 3.0,
    form: ExpressionForm = "gaussian",
    weights: Range = (0.25, 1.0),
    random_state: RandomState = None,
) -> Simulation:
    """Draw the true expression of genes in cells, before any of it is lost.

    Parameters
    ----------
    structure, degree
        As in `linear_scm`; the columns are genes.
    n_rows : int
        Cells, n.
    form : str
        ``"gaussian"``: linear with coefficients ±U(weights), noise of mean U(-1, 1) and standard deviation U(1, 2), on
        the raw scale. ``"lognormal"``: exp of its standardised columns. ``"poisson"``: counts of mean
        ``exp(sum b x + c) + 0.5`` with b in U(-1, -0.3), c in U(1, 3).
    random_state : int or Generator, optional
        Seed.

    Returns
    -------
    Simulation
        ``weights`` are None unless the form is Gaussian.

    Raises
    ------
    DataError
        E151 for a cycle, E152 for an unknown form.

    References
    ----------
    Dai, Ng, Luo, Spirtes, Stojanov and Zhang (2024), Gene regulatory network inference in the presence of dropouts,
    section 5; Choi, Chapkin and Ni (2020) for the counts.

    Examples
    --------
    >>> expression_scm(5, 200, form="lognormal", random_state=0)
    Simulation(200 rows, 5 columns, 8 edges, lognormal expression, gaussian noise)
    """
    if form not in _FORMS:
        raise DataError("E152", f"there is no form {form!r} of expression.", f"Choose one of {', '.join(_FORMS)}.")
    rng = generator(random_state)
    adjacency, names = as_structure(structure, degree, rng)
    order = causal_order(adjacency)
    p = len(names)
    coefficients = None
    if form == "poisson":
        values = _counts(adjacency, order, n_rows, rng)
    else:
        coefficients = draw_weights(adjacency, weights, rng)
        errors = rng.uniform(-1, 1, p) + rng.normal(size=(n_rows, p)) * rng.uniform(1, 2, p)
        ordered = np.eye(p) - coefficients[np.ix_(order, order)]
        values = np.empty_like(errors)
        values[:, order] = solve_triangular(ordered, errors[:, order].T, trans="T", unit_diagonal=True).T
        if form == "lognormal":
            values, coefficients = np.exp((values - values.mean(axis=0)) / values.std(axis=0)), None
    return Simulation(
        values=values,
        observed=names,
        names=names,
        adjacency=adjacency,
        weights=coefficients,
        center=np.zeros(p),
        scale=np.ones(p),
        noise="poisson" if form == "poisson" else "gaussian",
        mechanism=f"{form} expression",
    )


class DropoutMechanism(Protocol):
    """How the chance that a value is lost depends on the value: one instance serves all genes."""

    def probability(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return for each cell, shape (n,), the chance that this gene's value reads zero."""


@dataclass(frozen=True)
class Constant:
    """Every value of a gene is lost with one chance, drawn for each gene: zero inflation (Pierson and Yau 2015)."""

    share: Range = (0.4, 0.7)

    def probability(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the gene's chance for every cell."""
        return np.full(len(values), rng.uniform(*self.share))


@dataclass(frozen=True)
class Truncation:
    """Values below a quantile of the gene are lost, all of them: a truncated Gaussian copula."""

    quantile: Range = (0.2, 0.5)

    def probability(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return 1 below the gene's threshold and 0 above."""
        return (values < np.quantile(values, rng.uniform(*self.quantile))).astype(np.float64)


@dataclass(frozen=True)
class Logistic:
    """The log-odds of a loss are ``intercept + slope * value`` (Kharchenko, Silberstein and Scadden 2014)."""

    intercept: float = -0.5
    slope: float = -1.5

    def probability(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the chance of each cell."""
        return np.asarray(expit(self.intercept + self.slope * values))


@dataclass(frozen=True)
class Probit:
    """A loss has the chance ``Phi(intercept + slope * value)``."""

    intercept: float = -0.5
    slope: float = -1.0

    def probability(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the chance of each cell."""
        return np.asarray(ndtr(self.intercept + self.slope * values))


@dataclass(frozen=True)
class MichaelisMenten:
    """A gene of mean m is lost with chance ``1 - m / (m + constant)`` (Andrews and Hemberg 2019).

    The mean must be positive: for lognormal expression and counts.
    """

    constant: float = 1.0

    def probability(self, values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the gene's chance for every cell."""
        mean = float(values.mean())
        if mean <= 0:
            raise DataError(
                "E152",
                f"a gene has mean {mean:.3g}; the Michaelis-Menten curve is defined for positive expression.",
                "Draw lognormal or Poisson expression, or use another mechanism.",
            )
        return np.full(len(values), 1.0 - mean / (mean + self.constant))


def drop_out(
    simulation: Simulation,
    mechanism: DropoutMechanism | None = None,
    *,
    columns: Sequence[str] | None = None,
    drivers: Mapping[str, str] | None = None,
    random_state: RandomState = None,
) -> Simulation:
    """Set values to zero as a measurement does that misses them.

    The causal dropout model: each gene has a switch that depends on nothing but the gene's own true value, and what is
    seen is zero where the switch is on. ``drivers`` breaks the model on purpose, to try its checks.

    Parameters
    ----------
    simulation : Simulation
        What was true; it must hold no zeros of its own if zeros are to be told apart.
    mechanism : DropoutMechanism, optional
        `Constant`, `Truncation`, `Logistic`, `Probit`, `MichaelisMenten`, or any object with ``probability``.
        `Constant()` by default.
    columns : sequence of str, optional
        The genes that are affected; all by default.
    drivers : mapping of str to str, optional
        Gene to the other gene whose true value its switch follows instead of its own.
    random_state : int or Generator, optional
        Seed.

    Returns
    -------
    Simulation
        The same truth under a table with zeros.

    Raises
    ------
    DataError
        E153 for a name that is not a column.

    Examples
    --------
    >>> cells = drop_out(expression_scm(5, 1000, random_state=0), Truncation((0.3, 0.3)), random_state=0)
    >>> (cells.values == 0).mean(axis=0).round(2).tolist()
    [0.3, 0.3, 0.3, 0.3, 0.3]
    """
    mechanism = Constant() if mechanism is None else mechanism
    drivers = dict(drivers or {})
    chosen = list(simulation.observed if columns is None else columns)
    for name in (*chosen, *drivers, *drivers.values()):
        if name not in simulation.observed:
            raise DataError("E153", f"there is no column {name!r}.", f"There are {quote_names(simulation.observed)}.")
    rng = generator(random_state)
    values = simulation.values.copy()
    for name in chosen:
        source = simulation.values[:, simulation.observed.index(drivers.get(name, name))]
        lost = rng.random(len(values)) < mechanism.probability(source, rng)
        values[lost, simulation.observed.index(name)] = 0.0
    share = float(np.mean(values == 0))
    notes = [f"{share:.0%} of values read zero ({type(mechanism).__name__})"]
    notes += [f"the zeros of {name!r} follow {driver!r}" for name, driver in drivers.items()]
    return replace(simulation, values=values, notes=(*simulation.notes, *notes))


def _counts(
    adjacency: NDArray[np.bool_], order: NDArray[np.intp], n_rows: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw counts in causal order; every regulator represses."""
    p = len(adjacency)
    effects = np.where(adjacency, rng.uniform(-1.0, -0.3, (p, p)), 0.0)
    levels = rng.uniform(1.0, 3.0, p)
    values = np.zeros((n_rows, p))
    for gene in order:
        values[:, gene] = rng.poisson(np.exp(values @ effects[:, gene] + levels[gene]) + 0.5)
    return values
