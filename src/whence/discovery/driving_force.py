"""The driving force of a mechanism: along which low-dimensional curve it changes with time or between domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whence.discovery import _cd_nod_changes as changes
from whence.discovery._cd_nod_mechanisms import Mechanisms
from whence.discovery._cd_nod_rows import IndexedRows, IndexKind, read_indexed
from whence.errors import ParameterError, suggest
from whence.registry import Card, Paper, register
from whence.results import make_frame, to_jsonable

Tuning = Literal["gp", "fixed"]

PAPER = Paper(
    "Huang, Zhang, Zhang, Ramsey, Sanchez-Romero, Glymour and Schölkopf",
    "Causal Discovery from Heterogeneous/Nonstationary Data",
    2020,
    "Journal of Machine Learning Research 21(89); arXiv 1903.01672",
)
KINDS = frozenset({"continuous", "count", "ordinal", "binary", "categorical"})
_CARD = Card(
    name="driving-force",
    family="system",
    answers="What drives the mechanism of a column over time or between domains?",
    kinds=KINDS,
    output="driving force",
    missing="complete-rows",
    paper=PAPER,
)

MOST_PLACES = 1000
_BLUE, _ORANGE, _GREEN = "#0072B2", "#D55E00", "#009E73"


@dataclass(frozen=True)
class DrivingForce:
    """How one mechanism changes along the index.

    Sign and scale of a component are arbitrary: what can be read is its shape.

    Attributes
    ----------
    column : str
        Whose mechanism.
    causes : tuple of str
        What it is given: P(column | causes).
    index : str
    timed : bool
        Whether the index is a time; else each place is a domain.
    places : tuple, length m
        The different values of the index, in order; at most 1000 of them, evenly.
    components : float array, shape (m, q)
        One row for each place, the first component first.
    eigenvalues : float array, shape (q,)
        How much each component carries.
    share : float array, shape (q,)
        The same as a share of all change.
    swings : int
        How often the first component crosses its mean; few swings say little on what drives it.
    library : str
    """

    column: str
    causes: tuple[str, ...]
    index: str
    timed: bool
    places: tuple[Any, ...]
    components: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    share: NDArray[np.float64]
    swings: int
    library: str = "pyarrow"

    def table(self) -> Any:
        """Return one row for each place: the index and the components, as a table of the data's library."""
        columns: dict[str, list[Any]] = {self.index: list(self.places)}
        for k, component in enumerate(self.components.T, start=1):
            columns[f"component_{k}"] = component.tolist()
        return make_frame(columns, self.library)

    def plot(self) -> Any:
        """Return an Altair chart: a line for each component along time, or bars by domain of the first."""
        import altair as alt

        title = f"What drives P({self.column}{' | ' if self.causes else ''}{', '.join(self.causes)})"
        names = [f"component {k} ({share:.0%})" for k, share in enumerate(self.share, start=1)]
        places = to_jsonable(list(self.places))
        rows = [
            {"place": place, "value": float(value), "component": name}
            for name, component in zip(names, self.components.T)
            for place, value in zip(places, component)
        ]
        if not self.timed:
            rows = rows[: len(places)]
        chart = alt.Chart(alt.Data(values=rows), title=title).properties(width=420, height=200)
        y = alt.Y(field="value", type="quantitative", title="driving force (sign and scale are arbitrary)")
        if not self.timed:
            x = alt.X(field="place", type="nominal", title=self.index, sort=None)
            return chart.mark_bar(color=_BLUE).encode(x=x, y=y)
        numbers = all(isinstance(place, (int, float)) for place in places)
        x = alt.X(
            field="place",
            type="quantitative" if numbers else "temporal",
            title=self.index,
            scale=alt.Scale(zero=False) if numbers else alt.Undefined,
        )
        colour = alt.Color(
            field="component", type="nominal", title=None, sort=names, scale=alt.Scale(range=[_BLUE, _ORANGE, _GREEN])
        )
        return chart.mark_line().encode(x=x, y=y, color=colour)

    def to_dict(self) -> dict[str, Any]:
        """Return the driving force as plain JSON values."""
        return {
            "column": self.column,
            "causes": list(self.causes),
            "index": self.index,
            "places": to_jsonable(list(self.places)),
            "components": self.components.tolist(),
            "eigenvalues": self.eigenvalues.tolist(),
            "share": self.share.tolist(),
            "swings": self.swings,
        }

    def __repr__(self) -> str:
        given = f" | {', '.join(self.causes)}" if self.causes else ""
        unit = "times" if self.timed else "domains"
        return (
            f"DrivingForce(P({self.column}{given}) along {self.index}, {len(self.places)} {unit}, {self.swings} swings)"
        )


@register(_CARD)
def estimate_driving_force(
    data: Any,
    column: str,
    causes: Sequence[str] = (),
    *,
    index: str | None = None,
    index_kind: IndexKind = "auto",
    n_components: int = 3,
    tune: Tuning = "gp",
) -> DrivingForce:
    """Estimate what drives a mechanism P(column | causes): kernel nonstationary visualisation.

    The mechanism is embedded at each value of the index by kernel ridge regression over causes and index together, with
    no windows cut; the embeddings are compared by a Gaussian kernel ten median squared distances wide; its leading
    eigenvectors, each times the root of its eigenvalue, are the driving force. Changes of a slope, of a level and of
    noise all show, in one curve or in several.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
        At most 2000 rows enter, evenly along the index.
    column : str
    causes : sequence of str
        Its direct causes; none for a root.
    index : str, optional
        The column along which it may change; by default the one with the role domain or time.
    index_kind : {"auto", "time", "domain"}
        As in `CDNOD`.
    n_components : int
    tune : {"gp", "fixed"}
        Whether kernel widths and noise are fitted by the marginal likelihood of a Gaussian process, or fixed.

    Raises
    ------
    DataError
        For an index or columns that do not allow it.

    References
    ----------
    Huang et al. (2020), section 5.

    Examples
    --------
    >>> from whence.data import simulate
    >>> drawn = simulate.changing_pair("shift", 300, random_state=1)
    >>> found = estimate_driving_force(drawn.data, "y", ["x"], index="time")
    >>> bool(abs(np.corrcoef(found.components[:, 0], drawn.drivers["y"])[0, 1]) > 0.85)
    True
    """
    if n_components < 1:
        raise ParameterError("E311", f"n_components is {n_components}.", "Give 1 or more.")
    check_tuning(tune)
    rows = read_indexed(data, index, index_kind, _CARD)
    named = (column, *([causes] if isinstance(causes, str) else causes))
    for name in named:
        if name not in rows.names:
            raise ParameterError("E309", f"there is no column {name!r} beside the index.", suggest(name, rows.names))
    if len(set(named)) < len(named):
        raise ParameterError("E309", f"{column!r} or a cause is named twice.", "Give the column and others beside it.")
    mechanisms = mechanisms_of(rows, tune, 0)
    return force_of(mechanisms, rows, column, named[1:], n_components)


def check_tuning(tune: str) -> None:
    """Raise ParameterError for a way of tuning that does not exist."""
    if tune not in ("gp", "fixed"):
        raise ParameterError("E311", f"there is no tuning {tune!r}.", "Choose gp or fixed.")


def mechanisms_of(rows: IndexedRows, tune: Tuning, random_state: int) -> Mechanisms:
    """Return the mechanisms of rows along their index."""
    columns, index, _ = rows.coordinates()
    return Mechanisms(columns, index, tuned=tune == "gp", random_state=random_state)


def force_of(
    mechanisms: Mechanisms, rows: IndexedRows, column: str, causes: tuple[str, ...], n_components: int
) -> DrivingForce:
    """Return the driving force of one mechanism at each different value of the index."""
    chosen = np.arange(len(rows.values))
    if rows.timed:
        chosen = np.unique(np.linspace(0, len(chosen) - 1, MOST_PLACES).round().astype(int))
        first = np.searchsorted(rows.codes, chosen)
        index = mechanisms.at(rows.places()[first])
    else:
        index = mechanisms.index
    gram = changes.change_gram(mechanisms.embedding_at((column,), tuple(sorted(causes)), index), changes.DRIVER_MEDIANS)
    parts, eigenvalues = changes.components(gram, n_components)
    total = float(np.trace(gram))
    return DrivingForce(
        column=column,
        causes=tuple(causes),
        index=rows.index,
        timed=rows.timed,
        places=tuple(rows.values[k] for k in chosen),
        components=parts,
        eigenvalues=eigenvalues,
        share=eigenvalues / total if total > 0.0 else np.zeros(len(eigenvalues)),
        swings=changes.swings(parts[:, 0]),
        library=rows.library,
    )
