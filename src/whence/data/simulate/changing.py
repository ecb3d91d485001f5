"""Tables whose mechanisms drift along a time, or differ between domains, with the drivers that move them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.data.simulate.simulation import Simulation
from whence.errors import DataError
from whence.parallel import RandomState, generator

PairChange = Literal["shift", "coefficient", "noise", "balanced", "narrow"]
Drivers = Literal["waves", "smooth"]


@dataclass(frozen=True, repr=False)
class ChangingSimulation(Simulation):
    """A simulated table whose mechanisms change, with its truth.

    ``domain`` is the column of times or domains, ``shifted`` the columns whose mechanisms change.

    Attributes
    ----------
    drivers : mapping of str to ndarray of shape (n,)
        By changing column what moves its mechanism, in each row; empty where mechanisms differ in form.
    """

    drivers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def changing_chain(
    n_rows: int = 500, *, drivers: Drivers = "waves", length: float = 0.1, random_state: RandomState = None
) -> ChangingSimulation:
    """Draw a chain over time in which the mechanisms of some columns drift.

    With ``"waves"`` four columns, of which x2 and x4 share a driver, a hidden common cause that follows the time::

        x1 = N(0, 1),  x2 = 0.8 x1 + 1.5 sin(t / 50) + 0.5 e,  x3 = 0.8 x2 + 0.5 e,
        x4 = 0.8 x3 + sin(t / 50) + sin(t / 20) + 0.5 e

    With ``"smooth"`` three columns, each with a driver of its own::

        x1 = 5 r1(t) + 0.5 e,  x2 = 0.8 x1 + 4 r2(t) + 0.5 e,  x3 = 0.8 x2 + 6 r3(t) + 0.3 e

    Parameters
    ----------
    n_rows : int
        Times, from 1 to n.
    drivers : {"waves", "smooth"}
        Sines, or draws of a Gaussian process.
    length : float
        Of the Gaussian process, as a share of the record.

    Returns
    -------
    ChangingSimulation
        The column ``time`` is the last.

    Raises
    ------
    DataError
        E152 for an unknown setting or a number out of range.

    References
    ----------
    The first two examples of the code of Huang et al. (2020), Causal Discovery from Heterogeneous/Nonstationary Data.

    Examples
    --------
    >>> drawn = changing_chain(200, random_state=0)
    >>> drawn.observed, drawn.shifted
    (('x1', 'x2', 'x3', 'x4', 'time'), ('x2', 'x4'))
    """
    _check(n_rows, length)
    rng = generator(random_state)
    times = np.arange(1.0, n_rows + 1)
    if drivers == "waves":
        slow, fast = np.sin(times / 50), np.sin(times / 20)
        moved = {"x2": 1.5 * slow, "x4": slow + fast}
        noise = rng.normal(size=(4, n_rows)) * np.array([[1.0], [0.5], [0.5], [0.5]])
    elif drivers == "smooth":
        moved = {f"x{k + 1}": size * smooth_driver(n_rows, length, rng) for k, size in enumerate((5.0, 4.0, 6.0))}
        noise = rng.normal(size=(3, n_rows)) * np.array([[0.5], [0.5], [0.3]])
    else:
        raise DataError("E152", f"drivers {drivers!r}.", "Choose waves or smooth.")
    names = tuple(f"x{k + 1}" for k in range(len(noise)))
    columns: list[NDArray[np.float64]] = []
    for name, own in zip(names, noise):
        before = 0.8 * columns[-1] if columns else 0.0
        columns.append(before + moved.get(name, 0.0) + own)
    return _simulation(columns, names, [*pairwise(names)], "time", times, moved, "linear with drifts")


def changing_pair(
    change: PairChange = "shift",
    n_rows: int = 300,
    *,
    length: float = 0.05,
    n_domains: int | None = None,
    random_state: RandomState = None,
) -> ChangingSimulation:
    """Draw a cause x and an effect y whose mechanisms are moved by two independent drivers a and b.

    With standard normal noise e, f::

        shift        x = a + 0.5 e,    y = 0.8 x + 2 b + 0.3 f
        coefficient  x = 0.5 a + e,    y = (1 + b) x + 0.5 f
        noise        x = a + 0.6 e,    y = 0.8 x + 0.6 exp(0.7 b) f
        balanced     x = a + 0.5 e,    y = 0.8 x + b + 0.5 f      no data tell the direction
        narrow       x = a + 0.5 e,    y = b x + 0.1 f            x covers little of its range at any time

    Parameters
    ----------
    change : str
        One of the above.
    n_rows : int
    length : float
        Of the Gaussian process that the drivers are drawn from, as a share of the record; each has mean 0 and variance
        1.
    n_domains : int, optional
        Domains of equal size with independent values of the drivers, in the column ``domain``; by default there is a
        column ``time`` instead.

    Returns
    -------
    ChangingSimulation
        The index is the last column.

    Raises
    ------
    DataError
        E152 for an unknown setting or a number out of range.

    Examples
    --------
    >>> changing_pair("noise", 100, random_state=0).edges
    [('x', 'y')]
    """
    _check(n_rows, length)
    rng = generator(random_state)
    if n_domains is None:
        index, places = "time", np.arange(1.0, n_rows + 1)
        a, b = (smooth_driver(n_rows, length, rng) for _ in range(2))
    else:
        if not 2 <= n_domains <= n_rows:
            raise DataError("E152", f"{n_domains} domains of {n_rows} rows.", "Give from 2 to as many as rows.")
        index, places = "domain", np.arange(n_rows) * n_domains // n_rows
        levels = rng.normal(size=(2, n_domains))
        levels = (levels - levels.mean(axis=1, keepdims=True)) / levels.std(axis=1, keepdims=True)
        a, b = levels[:, places]
        places = places.astype(np.float64)
    e, f = rng.normal(size=(2, n_rows))
    if change == "shift":
        x = a + 0.5 * e
        y = 0.8 * x + 2.0 * b + 0.3 * f
    elif change == "coefficient":
        x = 0.5 * a + e
        y = (1.0 + b) * x + 0.5 * f
    elif change == "noise":
        x = a + 0.6 * e
        y = 0.8 * x + 0.6 * np.exp(0.7 * b) * f
    elif change == "balanced":
        x = a + 0.5 * e
        y = 0.8 * x + b + 0.5 * f
    elif change == "narrow":
        x = a + 0.5 * e
        y = b * x + 0.1 * f
    else:
        raise DataError("E152", f"change {change!r}.", "Choose shift, coefficient, noise, balanced or narrow.")
    return _simulation([x, y], ("x", "y"), [("x", "y")], index, places, {"x": a, "y": b}, f"linear, {change} moved")


def changing_forms(rows_per_domain: int = 300, *, random_state: RandomState = None) -> ChangingSimulation:
    """Draw two domains of a chain of four columns: linear mechanisms in one, sines in the other.

    ``x' = 0.9 x + 0.6 e`` in the first domain and ``x' = sin(x) + 0.2 e`` in the second; x1 is standard normal in both.
    The differences cancel on average over x.

    Parameters
    ----------
    rows_per_domain : int

    Returns
    -------
    ChangingSimulation
        The column ``domain`` is the last.

    References
    ----------
    The third example of the code of Huang et al. (2020), Causal Discovery from Heterogeneous/Nonstationary Data.

    Examples
    --------
    >>> changing_forms(50, random_state=0).shifted
    ('x2', 'x3', 'x4')
    """
    _check(rows_per_domain, 0.1)
    rng = generator(random_state)
    columns = []
    for domain in range(2):
        noise = rng.normal(size=(4, rows_per_domain))
        values = [noise[0]]
        for own in noise[1:]:
            values.append(0.9 * values[-1] + 0.6 * own if domain == 0 else np.sin(values[-1]) + 0.2 * own)
        columns.append(np.array(values))
    names = ("x1", "x2", "x3", "x4")
    labels = np.repeat([0.0, 1.0], rows_per_domain)
    drawn = _simulation(list(np.hstack(columns)), names, [*pairwise(names)], "domain", labels, {}, "by domain")
    return replace(drawn, shifted=names[1:])


def changing_confounder(n_rows: int = 500, *, random_state: RandomState = None) -> ChangingSimulation:
    """Draw three columns of which two follow a hidden cause that is a function of time, and are not joined.

    ``u = sin(t / 30)`` is hidden: ``a = 1.5 u + 0.5 e``, ``b = 1.2 u + 0.5 e``, and ``c = 0.8 b + 0.5 e``.

    Parameters
    ----------
    n_rows : int

    Returns
    -------
    ChangingSimulation
        The column ``time`` is the last; the mechanisms of a and b change.

    Examples
    --------
    >>> changing_confounder(100, random_state=0).edges
    [('b', 'c')]
    """
    _check(n_rows, 0.1)
    rng = generator(random_state)
    times = np.arange(1.0, n_rows + 1)
    hidden = np.sin(times / 30)
    e = 0.5 * rng.normal(size=(3, n_rows))
    a, b = 1.5 * hidden + e[0], 1.2 * hidden + e[1]
    moved = {"a": 1.5 * hidden, "b": 1.2 * hidden}
    return _simulation(
        [a, b, 0.8 * b + e[2]], ("a", "b", "c"), [("b", "c")], "time", times, moved, "linear with drifts"
    )


def smooth_driver(n: int, length: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a draw of a Gaussian process at n places from 0 to 1, with mean 0 and variance 1 over them, shape (n,)."""
    places = np.linspace(0.0, 1.0, n)
    covariance = np.exp(-((places[:, None] - places) ** 2) / (2.0 * length**2))
    covariance[np.diag_indices(n)] += 1e-8
    driver = np.linalg.cholesky(covariance) @ rng.normal(size=n)
    return np.asarray((driver - driver.mean()) / driver.std())


def _check(n_rows: int, length: float) -> None:
    if n_rows < 2 or length <= 0:
        raise DataError("E152", f"{n_rows} rows, length {length}.", "Give two rows or more and a length above zero.")


def _simulation(
    columns: list[NDArray[np.float64]],
    names: tuple[str, ...],
    edges: list[tuple[str, str]],
    index: str,
    places: NDArray[np.float64],
    drivers: Mapping[str, NDArray[np.float64]],
    mechanism: str,
) -> ChangingSimulation:
    p = len(names)
    adjacency = np.zeros((p, p), dtype=bool)
    for cause, effect in edges:
        adjacency[names.index(cause), names.index(effect)] = True
    return ChangingSimulation(
        values=np.column_stack([*columns, places]),
        observed=(*names, index),
        names=names,
        adjacency=adjacency,
        weights=None,
        center=np.zeros(p),
        scale=np.ones(p),
        kinds={index: "categorical"} if index == "domain" else {},
        mechanism=mechanism,
        domain=index,
        shifted=tuple(name for name in names if name in drivers),
        drivers=dict(drivers),
    )
