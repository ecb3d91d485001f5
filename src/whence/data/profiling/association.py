"""Columns that say the same: near copies and collinear groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from whence.data.profiling.view import View
from whence.errors import quote_names
from whence.results import CheckResult

NEAR_COPY = 0.99
COLLINEAR = 0.95


def correlations(view: View) -> NDArray[np.float64]:
    """Return the correlations of the numeric columns, shape (p, p).

    Beyond memory they come from the moments of all complete rows, one aggregate query, unless most rows have gaps.
    """
    if not view.data.in_memory and view.numeric:
        moments = view.data.moments(view.numeric)
        if moments.n >= view.data.n_rows / 2:
            return np.asarray(moments.correlation)
    return pairwise_correlation(view.values)


def pairwise_correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return correlations of shape (p, p), each over the rows that both columns have; 0 where undefined."""
    present = ~np.isnan(values)
    if present.all():
        return _correlation_complete(values)
    centre = np.nanmean(np.where(present.any(axis=0), values, 0.0), axis=0)
    x = np.where(present, values - centre, 0.0)
    mask = present.astype(np.float64)
    rows = mask.T @ mask
    safe = np.maximum(rows, 1.0)
    sums = x.T @ mask  # [i, j]: sum of column i over the rows that j has too
    squares = (x * x).T @ mask
    cross = x.T @ x - sums * sums.T / safe
    spread = squares - sums**2 / safe
    scale = np.sqrt(np.maximum(spread * spread.T, 0.0))
    defined = (rows >= 3) & (scale > 1e-12 * np.maximum(squares, squares.T))
    correlation = np.where(defined, cross / np.where(defined, scale, 1.0), 0.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(np.clip(correlation, -1.0, 1.0))


def _correlation_complete(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(length > 0, length, 1.0)
    correlation = unit.T @ unit
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(np.clip(correlation, -1.0, 1.0))


def groups_above(correlation: NDArray[np.float64], threshold: float) -> list[list[int]]:
    """Return the connected groups of columns linked by correlations of at least the threshold."""
    _, label = connected_components(csr_array(np.abs(correlation) >= threshold), directed=False)
    return [np.flatnonzero(label == group).tolist() for group in np.unique(label) if (label == group).sum() > 1]


def near_duplicates(view: View, correlation: NDArray[np.float64]) -> tuple[CheckResult, dict[str, Any]]:
    """Find columns that are all but copies: correlated by 0.99 or more, or the same categories relabelled."""
    groups = [[view.numeric[place] for place in group] for group in groups_above(correlation, NEAR_COPY)]
    groups += _same_categories(view)
    sentence = (
        f"{len(groups)} groups of columns are all but copies of each other (|r| >= {NEAR_COPY}): "
        + "; ".join(quote_names(group) for group in groups[:5])
        + ". One of each is enough."
        if groups
        else f"No two columns are all but copies (|r| < {NEAR_COPY})."
    )
    table = {"group": [", ".join(group) for group in groups]}
    check = CheckResult("near-duplicates", "Near copies", not groups, sentence, len(groups), table=table)
    return check, {"near_duplicates": groups}


def _same_categories(view: View) -> list[list[str]]:
    """Find categorical columns that divide the rows alike, by renumbering levels in order of appearance."""
    found: dict[bytes, list[str]] = {}
    for place, name in enumerate(view.coded):
        _, first, inverse = np.unique(view.codes[:, place], return_index=True, return_inverse=True)
        order = np.empty(len(first), dtype=np.int64)
        order[np.argsort(first)] = np.arange(len(first))
        if len(first) > 1:
            found.setdefault(order[inverse].tobytes(), []).append(name)
    return [group for group in found.values() if len(group) > 1]


def collinearity(view: View, correlation: NDArray[np.float64]) -> tuple[CheckResult, dict[str, Any]]:
    """Find columns that others predict linearly, in pairs or in larger groups."""
    groups = [[view.numeric[place] for place in group] for group in groups_above(correlation, COLLINEAR)]
    p = len(view.numeric)
    if p < 2:
        check = CheckResult(
            "collinearity", "Collinear columns", None, "Not applicable: fewer than two numeric columns."
        )
        return check, {"collinear_groups": groups, "collinear_columns": [], "rank_deficient": False}
    spectrum, vectors = np.linalg.eigh(correlation)
    # Pairwise complete correlations may have slightly negative eigenvalues: those directions are void.
    floor = 1e-10 * p
    rank = int((spectrum > floor).sum())
    inflation = (vectors**2 / np.maximum(spectrum, floor)).sum(axis=1)
    limit = 1.0 / (1.0 - COLLINEAR)
    found = [view.numeric[place] for place in np.flatnonzero(inflation > limit)]
    few_rows = view.data.n_rows <= p
    if few_rows:
        sentence = f"There are no more rows ({view.data.n_rows}) than numeric columns ({p}): all are collinear."
    elif found:
        sentence = (
            f"{len(found)} of {p} numeric columns are predicted by the others with R² above {COLLINEAR} "
            f"({quote_names(found, 6)}){', some of them exactly' if rank < p else ''}."
        )
    else:
        sentence = f"No numeric column is predicted by the others with R² above {COLLINEAR}."
    check = CheckResult(
        "collinearity",
        "Collinear columns",
        not found and not few_rows,
        sentence,
        statistic=float(inflation.max()),
        table={"column": list(view.numeric), "variance inflation": inflation.tolist()},
    )
    facts = {"collinear_groups": groups, "collinear_columns": found, "rank_deficient": rank < p}
    return check, facts
