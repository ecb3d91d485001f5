"""Tests for several regimes in one table: named domains, or a drift from the first rows to the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whence.data.profiling.groups import RankScores, contingency_test, group_tests, membership
from whence.data.profiling.multiple import benjamini_yekutieli
from whence.data.profiling.view import View
from whence.errors import quote_names
from whence.results import CheckResult

_LEVEL = 0.05
_BLOCKS = 10
# A domain with fewer rows than this many times the number of columns has no regression of its own.
_ROWS_PER_COEFFICIENT = 3


def heterogeneity(
    view: View, ranks: RankScores, domain: str | None, labels: NDArray[np.int64], levels: Sequence[Any]
) -> tuple[list[CheckResult], dict[str, Any]]:
    """Test whether the columns, and the relations between them, differ between the named domains.

    ``labels`` holds the domain of every row of the view as a code into ``levels``.
    """
    if domain is None or len(levels) < 2:
        why = "no domain column is named" if domain is None else f"column {domain!r} holds one value"
        check = CheckResult("heterogeneity", "Differences between domains", None, f"Not applicable: {why}.")
        return [check], {"heterogeneous": None, "shifted_columns": [], "shifted_mechanisms": []}
    groups = membership(labels, len(levels))
    columns, statistic, p_value = _distribution_tests(view, ranks, labels, groups)
    adjusted = benjamini_yekutieli(p_value)
    differing = [name for name, p in zip(columns, adjusted) if p <= _LEVEL]
    sentence = (
        f"{len(differing)} of {len(columns)} columns are distributed differently over the {len(levels)} values of "
        f"{domain!r} ({quote_names(differing, 6)})."
        if differing
        else f"No column is distributed differently over the {len(levels)} values of {domain!r}."
    )
    first = CheckResult(
        "heterogeneity",
        "Differences between domains",
        not differing,
        sentence,
        statistic=float(np.nanmax(statistic, initial=0.0)),
        p_value=float(np.nanmin(adjusted, initial=1.0)),
        table={"column": columns, "statistic": list(statistic), "adjusted p": adjusted.tolist()},
    )
    second, mechanisms = _mechanism_check(view, labels, len(levels), domain)
    facts = {
        "heterogeneous": bool(differing or mechanisms),
        "shifted_columns": differing,
        "shifted_mechanisms": mechanisms,
    }
    return [first, second], facts


def _distribution_tests(
    view: View, ranks: RankScores, labels: NDArray[np.int64], groups: NDArray[np.float64]
) -> tuple[list[str], list[float], list[float]]:
    statistic, p_value, _ = group_tests(ranks, groups)
    coded = [contingency_test(labels, view.codes[:, place]) for place in range(len(view.coded))]
    columns = [*view.numeric, *view.coded]
    return (
        columns,
        [*map(float, statistic), *(one for one, _ in coded)],
        [*map(float, p_value), *(one for _, one in coded)],
    )


def _mechanism_check(view: View, labels: NDArray[np.int64], k: int, domain: str) -> tuple[CheckResult, list[str]]:
    values = view.values[:, view.smooth]
    names = [view.numeric[place] for place in view.smooth]
    rows = ~np.isnan(values).any(axis=1) & (labels >= 0)
    title = "Relations that differ between domains"
    needed = _ROWS_PER_COEFFICIENT * (values.shape[1] + 1)
    big = [code for code in range(k) if (labels[rows] == code).sum() >= needed]
    if values.shape[1] < 2 or len(big) < 2:
        sentence = "Not applicable: fewer than two continuous columns, or domains with too few rows."
        return CheckResult("mechanisms", title, None, sentence), []
    rows &= np.isin(labels, big)
    statistic, p_value = chow_tests(values[rows], labels[rows])
    adjusted = benjamini_yekutieli(p_value)
    differing = [name for name, p in zip(names, adjusted) if p <= _LEVEL]
    sentence = (
        f"Given all other columns, {len(differing)} of {len(names)} columns follow another regression in another "
        f"{domain!r} ({quote_names(differing, 6)}): they, or causes of theirs, have a mechanism that changes."
        if differing
        else f"Given all other columns, every column follows one regression in all values of {domain!r}."
    )
    check = CheckResult(
        "mechanisms",
        title,
        not differing,
        sentence,
        statistic=float(statistic.max()),
        p_value=float(np.nanmin(adjusted)),
        table={"column": names, "statistic": statistic.tolist(), "adjusted p": adjusted.tolist()},
    )
    return check, differing


def chow_tests(
    values: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Test for every column whether its regression on all others is one and the same in all groups (Chow 1960).

    The residual sums of squares of all p regressions are the reciprocals of the diagonal of one inverse, so that the
    cost is one p x p inverse per group.

    Returns
    -------
    statistic, p_value : ndarray, shape (p,)
        F statistics with ((k - 1) p, n - k p) degrees of freedom.
    """
    n, p = values.shape
    present = np.unique(labels)
    pooled = _residual_squares(values)
    separate = sum(_residual_squares(values[labels == code]) for code in present)
    numerator, denominator = (len(present) - 1) * p, n - len(present) * p
    statistic = np.maximum(pooled - separate, 0.0) / numerator / np.maximum(separate / denominator, 1e-300)
    return statistic, stats.f.sf(statistic, numerator, denominator)


def _residual_squares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    unit = centred / scale
    # A trace of ridge keeps exact copies from dividing by zero; they have no residual either way.
    inverse = np.linalg.inv(unit.T @ unit + 1e-10 * np.eye(values.shape[1]))
    return np.asarray(scale**2 / np.diag(inverse))


def drift(view: View, ranks: RankScores, *, ordered: bool, sorted_by: str | None) -> tuple[CheckResult, dict[str, Any]]:
    """Test whether columns change from the first rows to the last, over ten blocks of rows.

    In a series neighbouring rows are alike, in a sorted table columns change with what it is sorted by: then blocks
    differ by that alone, and the check informs and does not judge.
    """
    title = "Drift over the rows"
    if view.rows is None or len(view.rows) < _BLOCKS * 10 or not view.numeric:
        sentence = "Not applicable: too few rows, no numeric column, or rows without an order."
        return CheckResult("drift", title, None, sentence), {"drift": None, "drifting_columns": []}
    labels = view.rows * _BLOCKS // view.data.n_rows
    statistic, p_value, share = group_tests(ranks, membership(labels, _BLOCKS))
    adjusted = benjamini_yekutieli(p_value)
    drifting = [name for name, p in zip(view.numeric, adjusted) if p <= _LEVEL]
    judged = not ordered and sorted_by is None
    if drifting:
        worst = int(np.nanargmax(share))
        sentence = (
            f"{len(drifting)} of {len(view.numeric)} columns change from block to block of rows "
            f"({quote_names(drifting, 6)}); {view.numeric[worst]!r} most. "
        )
        if sorted_by is not None:
            sentence += f"The table is sorted by {sorted_by!r}, which looks like this too."
        elif ordered:
            sentence += "The rows are a series, in which slow movement looks like this too."
        else:
            sentence += "The rows are sorted, or the process changed while they were collected."
    else:
        sentence = f"No column changes over {_BLOCKS} blocks of rows."
    check = CheckResult(
        "drift",
        title,
        not drifting if judged or not drifting else None,
        sentence,
        statistic=float(np.nanmax(statistic, initial=0.0)),
        p_value=float(np.nanmin(adjusted, initial=1.0)),
        table={"column": list(view.numeric), "statistic": statistic.tolist(), "adjusted p": adjusted.tolist()},
    )
    return check, {"drift": bool(drifting) if judged else None, "drifting_columns": drifting}
