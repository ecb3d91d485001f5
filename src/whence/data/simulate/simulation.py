"""What every simulator returns: the table, the truth behind it and how the one became the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whence.data.simulate.sortability import r2_sortability, var_sortability
from whence.errors import DataError, quote_names

if TYPE_CHECKING:
    from whence.data.dataset import Dataset


@dataclass(frozen=True)
class Simulation:
    """A simulated table together with its truth.

    Attributes
    ----------
    values : ndarray, shape (n, q)
        The observed columns, standardised unless asked otherwise; NaN where blanked.
    observed : tuple of str
        Names of the q observed columns.
    names : tuple of str
        Names of all p variables, hidden ones included.
    adjacency : ndarray of bool, shape (p, p)
        The true graph over all variables: ``[i, j]`` is True where i causes j.
    weights : ndarray, shape (p, p), or None
        Linear coefficients in the units of the returned columns: the change of j per unit of i. None where
        some mechanism is not linear.
    center, scale : ndarray, shape (p,)
        ``raw = value * scale + center`` for every variable.
    kinds : mapping of str to str
        Column kinds other than continuous.
    noise : str
        The noise family.
    mechanism : str
        The functional form.
    domain : str or None
        Name of the column that says which domain a row comes from.
    shifted : tuple of str
        The variables whose mechanism differs between domains.
    missingness : mapping of str to str
        For every column with lost cells what drives the losses: ``"chance"`` or a column's name.
    notes : tuple of str
        What was done to the table after it was drawn: hiding, blanking, measurement error.
    """

    values: NDArray[np.float64]
    observed: tuple[str, ...]
    names: tuple[str, ...]
    adjacency: NDArray[np.bool_]
    weights: NDArray[np.float64] | None
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    kinds: Mapping[str, str] = field(default_factory=dict)
    noise: str = "gaussian"
    mechanism: str = "linear"
    domain: str | None = None
    shifted: tuple[str, ...] = ()
    missingness: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def data(self) -> Dataset:
        """The observed columns as a Dataset."""
        from whence.data.simulate.tables import as_table

        return as_table(self.values, self.observed, self.kinds)

    @property
    def latent(self) -> tuple[str, ...]:
        """The variables that were dropped from the table."""
        seen = set(self.observed)
        return tuple(name for name in self.names if name not in seen)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """The true edges among observed variables, as (parent, child)."""
        hidden = set(self.latent)
        return [edge for edge in self.all_edges if hidden.isdisjoint(edge)]

    @property
    def hidden_edges(self) -> list[tuple[str, str]]:
        """The true edges that touch a hidden variable."""
        hidden = set(self.latent)
        return [edge for edge in self.all_edges if not hidden.isdisjoint(edge)]

    @property
    def all_edges(self) -> list[tuple[str, str]]:
        """All true edges, hidden variables included."""
        return [(self.names[i], self.names[j]) for i, j in np.argwhere(self.adjacency)]

    @cached_property
    def var_sortability(self) -> float:
        """Share of paths among observed variables along which the variance grows."""
        return var_sortability(*self._observed_system())

    @cached_property
    def r2_sortability(self) -> float:
        """Share of paths among observed variables along which the predictability grows."""
        return r2_sortability(*self._observed_system())

    def truth_effect(self, treatment: str, outcome: str) -> float:
        """Return the total effect of one unit of ``treatment`` on ``outcome``, in units of the table.

        Raises
        ------
        DataError
            E153 for a name that is not in the system, E154 if the mechanisms are not linear.
        """
        if self.weights is None:
            raise DataError(
                "E154",
                f"the mechanisms are {self.mechanism}: no single number is the total effect.",
                "Use a linear simulation, or treatment_outcome, which knows its average effects.",
            )
        cause, effect = self._position(treatment), self._position(outcome)
        unit = np.zeros(len(self.names))
        unit[cause] = 1.0
        total = np.linalg.solve(np.eye(len(self.names)) - self.weights.T, unit)
        return float(total[effect]) if cause != effect else 1.0

    def _position(self, name: str) -> int:
        if name not in self.names:
            raise DataError("E153", f"there is no variable {name!r}.", f"There are {quote_names(self.names, 20)}.")
        return self.names.index(name)

    def _observed_system(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the columns that are variables of the system (not the domain) and their edges."""
        rows = [self.names.index(name) for name in self.observed if name in self.names]
        columns = [index for index, name in enumerate(self.observed) if name in self.names]
        return self.values[:, columns], self.adjacency[np.ix_(rows, rows)]

    def __repr__(self) -> str:
        hidden = f", {len(self.latent)} hidden" if self.latent else ""
        return (
            f"Simulation({len(self.values):,} rows, {len(self.observed)} columns{hidden}, "
            f"{len(self.all_edges)} edges, {self.mechanism}, {self.noise} noise)"
        )


def standardised(
    raw: NDArray[np.float64], standardise: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return values, center and scale; constants keep the scale 1."""
    p = raw.shape[1]
    if not standardise:
        return raw, np.zeros(p), np.ones(p)
    center, scale = raw.mean(axis=0), raw.std(axis=0)
    scale[scale == 0] = 1.0
    return (raw - center) / scale, center, scale
