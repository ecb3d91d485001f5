"""How far a graph whose directions were read from variances hangs on the units of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.errors import quote_names

Booleans = NDArray[np.bool_]
_Counts = tuple[int | None, int | None, int | None, int | None]

# Variances within this ratio of each other are those of standardised columns.
_SAME = 1.01
# Beyond this one the sum of squares is that of the column with the largest variance.
_APART = 1e4
_OTHERS = "ges, boss and pc leave open what the data do not tell."


@dataclass(frozen=True)
class ScaleReport:
    """What is left of a graph when every column is divided by its standard deviation.

    Attributes
    ----------
    var_sortability : float or None
        Share of the graph's paths along which the variance grows (Reisach, Seiler and Weichwald 2021): near 1, sorting
        the columns by variance gives the same order; None without an edge.
    variance_ratio : float
        Largest variance of a column over the smallest.
    kept, reversed, lost, gained : int or None
        Edges of the graph found that the other has in this direction, in the other one or not at all, and edges that
        only the other has; None where the two were not compared.
    sentences : tuple of str
    """

    var_sortability: float | None
    variance_ratio: float
    kept: int | None
    reversed: int | None
    lost: int | None
    gained: int | None
    sentences: tuple[str, ...]


def same_variance(variances: NDArray[np.float64]) -> bool:
    """Return whether variances are so alike that they say nothing of directions."""
    return bool(variances.max() <= _SAME * variances.min())


def scale_report(
    names: Sequence[str], found: Booleans, standardised: Booleans | None, variances: NDArray[np.float64]
) -> ScaleReport:
    """Compare a graph with that of the standardised columns, where there is one.

    Parameters
    ----------
    names : sequence of str, length p
    found, standardised : bool arrays, shape (p, p)
    variances : float array, shape (p,)
    """
    from whence.data.simulate.sortability import var_sortability

    spread = np.sqrt(variances)
    share = var_sortability(np.stack([-spread, spread]), found)  # two rows that have these variances
    ratio = float(variances.max() / variances.min())
    said = []
    if ratio > _APART:
        largest = quote_names([names[int(variances.argmax())]])
        said.append(
            f"Variances differ by a factor of {ratio:.0e}: squares are those of {largest} and little else. Bring the "
            "columns to comparable units, or divide each by its standard deviation."
        )
    counts: _Counts = (None, None, None, None)
    if not found.any():
        said.append("No edge is strong enough to be told; sparsity and threshold are in the units of the columns.")
    elif same_variance(variances):
        said.append(
            "All columns have the same variance, as standardised ones do: this search reads directions from variances, "
            f"in the units of the columns, and has none to read here. Its directions are guesses; {_OTHERS}"
        )
    elif standardised is None:
        said.append(
            "Directions are read from variances and hang on the units of the columns (variances grow along "
            f"{share:.0%} of this graph's paths); they were not compared with those on standardised columns."
        )
    else:
        turned = found & standardised.T
        parts = (
            found & standardised,
            turned,
            found & ~standardised & ~standardised.T,
            standardised & ~found & ~found.T,
        )
        kept, other_way, lost, gained = (int(part.sum()) for part in parts)
        counts = (kept, other_way, lost, gained)
        reversals = [f"{names[i]} -> {names[j]}" for i, j in np.argwhere(turned)]
        said.append(_compared(int(found.sum()), (kept, other_way, lost, gained), reversals, share))
    return ScaleReport(None if np.isnan(share) else round(float(share), 3), ratio, *counts, tuple(said))


def _compared(edges: int, counts: tuple[int, int, int, int], reversals: list[str], share: float) -> str:
    kept, turned, lost, gained = counts
    along = f"variances grow along {share:.0%} of this graph's paths"
    noun = "edge" if edges == 1 else "edges"
    if kept == edges:
        more = f", which have {gained} more" if gained else ""
        return (
            f"Found on standardised columns too{more}: {'the edge' if edges == 1 else f'all {edges} edges'}. No "
            f"direction hangs on the units of the columns alone ({along})."
        )
    named = f" ({quote_names(reversals, 4)})" if reversals else ""
    return (
        f"Of {edges} {noun}, on standardised columns: {kept} found again, {turned} the other way round{named}, {lost} "
        "not found. What changes there hangs on the units of the columns, as this search reads directions from "
        f"variances ({along}); {_OTHERS}"
    )
