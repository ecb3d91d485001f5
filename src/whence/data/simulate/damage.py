"""What happens to a table after it was drawn: hidden variables, lost cells, measurement error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from whence.data.simulate.simulation import Simulation
from whence.errors import DataError, quote_names
from whence.parallel import RandomState, generator

MissingMechanism = Literal["mcar", "mar", "mnar"]


def hide_variables(
    simulation: Simulation, variables: int | Sequence[str] = 1, *, random_state: RandomState = None
) -> Simulation:
    """Drop variables from the table and keep them in the truth.

    Parameters
    ----------
    simulation : Simulation
    variables : int or sequence of str
        Names, or a number of hidden common causes: variables with at least two children, drawn at random.

    Raises
    ------
    DataError
        E153 for an unknown name, or if there are fewer common causes than asked for.

    Examples
    --------
    >>> from whence.data.simulate import linear_scm
    >>> full = linear_scm([("u", "x"), ("u", "y"), ("x", "y")], 100, random_state=0)
    >>> confounded = hide_variables(full, ["u"])
    >>> confounded.edges, confounded.hidden_edges
    ([('x', 'y')], [('u', 'x'), ('u', 'y')])
    """
    if isinstance(variables, int):
        counts = simulation.adjacency.sum(axis=1)
        causes = [name for name, count in zip(simulation.names, counts) if count >= 2]
        causes = [name for name in causes if name in simulation.observed]
        if len(causes) < variables:
            raise DataError(
                "E153",
                f"{variables} common causes were to be hidden and the graph has {len(causes)}.",
                "Hide fewer, name the variables, or draw a denser graph.",
            )
        chosen = [causes[index] for index in generator(random_state).permutation(len(causes))[:variables]]
    else:
        chosen = list(variables)
        _known(simulation, chosen)
    keep = [index for index, name in enumerate(simulation.observed) if name not in chosen]
    return replace(
        simulation,
        values=simulation.values[:, keep],
        observed=tuple(simulation.observed[index] for index in keep),
        kinds={name: kind for name, kind in simulation.kinds.items() if name not in chosen},
        notes=(*simulation.notes, f"hidden: {', '.join(chosen)}"),
    )


def lose_cells(
    simulation: Simulation,
    share: float = 0.1,
    *,
    mechanism: MissingMechanism = "mcar",
    columns: Sequence[str] | None = None,
    strength: float = 2.0,
    random_state: RandomState = None,
) -> Simulation:
    """Blank cells, completely at random, by other columns, or by their own value (Rubin 1976).

    Parameters
    ----------
    simulation : Simulation
    share : float
        Expected share of blank cells in each affected column.
    mechanism : str
        ``"mcar"``: every cell alike. ``"mar"``: by the value of one other column, which stays complete.
        ``"mnar"``: by the value that is lost.
    columns : sequence of str, optional
        The affected columns. Default: all; for ``"mar"`` a random two thirds of them. The domain column is
        never affected.
    strength : float
        Change in the log-odds of a loss for one standard deviation of what drives it.

    Returns
    -------
    Simulation
        ``missingness`` says for every affected column what drives its losses.

    Examples
    --------
    >>> from whence.data.simulate import linear_scm
    >>> damaged = lose_cells(linear_scm(5, 1000, random_state=0), 0.2, random_state=0)
    >>> float(np.isnan(damaged.values).mean().round(1))
    0.2
    """
    if not 0 <= share < 1 or mechanism not in ("mcar", "mar", "mnar"):
        raise DataError(
            "E152", f"share {share}, mechanism {mechanism!r}.", "Give a share below 1 of mcar, mar or mnar."
        )
    rng = generator(random_state)
    candidates = [name for name in simulation.observed if name != simulation.domain]
    if columns is None:
        count = max(1, len(candidates) * 2 // 3) if mechanism == "mar" else len(candidates)
        columns = [candidates[index] for index in sorted(rng.permutation(len(candidates))[:count])]
    _known(simulation, columns)
    complete = [name for name in candidates if name not in columns]
    if mechanism == "mar" and not complete:
        raise DataError("E152", "no column is left complete to drive the losses.", "Blank fewer columns.")
    values, causes = simulation.values.copy(), {}
    for name in columns:
        column = simulation.observed.index(name)
        causes[name] = {"mcar": "chance", "mnar": name}.get(mechanism) or str(rng.choice(complete))
        driver = np.zeros(len(values))
        if mechanism != "mcar":
            driver = strength * _unit_scale(simulation.values[:, simulation.observed.index(causes[name])])
        values[rng.random(len(values)) < _loss_probability(driver, share), column] = np.nan
    return replace(
        simulation,
        values=values,
        missingness={**simulation.missingness, **causes},
        notes=(
            *simulation.notes,
            f"{share:.0%} of cells lost ({mechanism.upper()}) in {len(columns)} columns",
        ),
    )


def add_measurement_error(
    simulation: Simulation,
    scale: float = 0.3,
    *,
    columns: Sequence[str] | float = 0.3,
    random_state: RandomState = None,
) -> Simulation:
    """Add independent Gaussian error to columns, so that what is seen is not what causes.

    Parameters
    ----------
    simulation : Simulation
    scale : float
        Standard deviation of the error, in standard deviations of the column.
    columns : sequence of str or float
        The affected continuous columns, or their share, drawn at random.

    Examples
    --------
    >>> from whence.data.simulate import linear_scm
    >>> add_measurement_error(linear_scm(5, 1000, random_state=0), columns=["X1"]).notes
    ('measurement error of 0.3 standard deviations in X1',)
    """
    rng = generator(random_state)
    if isinstance(columns, float):
        smooth = [name for name in simulation.observed if name not in simulation.kinds]
        count = round(columns * len(smooth))
        columns = [smooth[index] for index in sorted(rng.permutation(len(smooth))[:count])]
    _known(simulation, columns)
    coded = [name for name in columns if name in simulation.kinds]
    if coded or scale < 0:
        raise DataError("E152", f"error of {scale} on {quote_names(coded)}.", "Name continuous columns, scale >= 0.")
    values = simulation.values.copy()
    for name in columns:
        column = simulation.observed.index(name)
        values[:, column] += scale * np.nanstd(values[:, column]) * rng.standard_normal(len(values))
    note = f"measurement error of {scale:g} standard deviations in {', '.join(columns)}"
    return replace(simulation, values=values, notes=(*simulation.notes, note))


def _known(simulation: Simulation, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in simulation.observed]
    if unknown:
        known = quote_names(simulation.observed, 20)
        raise DataError("E153", f"there is no column {unknown[0]!r}.", f"There are {known}.")


def _unit_scale(column: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = np.nanstd(column)
    return np.asarray(np.nan_to_num((column - np.nanmean(column)) / (spread or 1.0)))


def _loss_probability(driver: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return logistic probabilities whose mean over the rows is exactly the share."""
    if share == 0:
        return np.zeros(len(driver))
    reach = 40.0 + float(np.abs(driver).max(initial=0.0))
    offset = brentq(lambda shift: float(expit(shift + driver).mean()) - share, -reach, reach)
    return np.asarray(expit(offset + driver))
