"""Tests of whether groups of rows follow one distribution: rank scores once, then matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import eval_legendre

_DEGREES = 4


@dataclass(frozen=True, slots=True)
class RankScores:
    """Orthonormal polynomials of the ranks of every column.

    Attributes
    ----------
    scores : ndarray, shape (degrees, n, p)
        Location, scale, skewness and tails; over the rows that are there each has sum 0 and square sum 1, and
        those of one column are orthogonal. 0 where missing, and for degrees a column has too few values for.
    present : ndarray of bool, shape (n, p)
    """

    scores: NDArray[np.float64]
    present: NDArray[np.bool_]


def rank_scores(values: NDArray[np.float64]) -> RankScores:
    """Return the rank scores of columns of shape (n, p); equal values share their mean rank."""
    n, p = values.shape
    present = ~np.isnan(values)
    scores = np.zeros((_DEGREES, n, p))
    for column in range(p):
        rows = present[:, column]
        seen = values[rows, column]
        distinct = len(np.unique(seen)) if len(seen) else 0
        degrees = min(_DEGREES, distinct - 1)
        if degrees < 1:
            continue
        position = 2.0 * (stats.rankdata(seen) - 0.5) / len(seen) - 1.0
        basis = np.column_stack([eval_legendre(degree, position) for degree in range(1, degrees + 1)])
        scores[:degrees, rows, column] = np.linalg.qr(basis - basis.mean(axis=0))[0].T
    return RankScores(scores, present)


def group_tests(
    ranks: RankScores, groups: NDArray[np.float64], degrees: int = _DEGREES
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Test for every column whether its distribution is the same in all groups.

    A smooth k-sample test: the Kruskal-Wallis statistic of each polynomial of the ranks, added up, so that changes
    of location, scale and shape all count (Neyman's smooth test on ranks; Wylupek 2010).

    Parameters
    ----------
    ranks : RankScores
    groups : ndarray, shape (n, k)
        Membership of every row as 0 and 1.
    degrees : int
        How many polynomials take part.

    Returns
    -------
    statistic, p_value, share : ndarray, shape (p,)
        Chi-square statistic, its p-value, and the largest share of a polynomial's variance between the groups;
        NaN where a column has a single value or fewer than two groups have values.
    """
    sizes = groups.T @ ranks.present
    occupied = sizes > 0
    between = np.stack(
        [((groups.T @ score) ** 2 / np.where(occupied, sizes, 1.0)).sum(axis=0) for score in ranks.scores[:degrees]]
    )
    used = (ranks.scores[:degrees] != 0).any(axis=1)
    rows = ranks.present.sum(axis=0)
    statistic = (rows - 1) * np.where(used, between, 0.0).sum(axis=0)
    freedom = used.sum(axis=0) * (occupied.sum(axis=0) - 1)
    testable = freedom > 0
    p_value = np.where(testable, stats.chi2.sf(statistic, np.maximum(freedom, 1)), np.nan)
    return (
        np.where(testable, statistic, np.nan),
        p_value,
        np.where(testable, between.max(axis=0), np.nan),
    )


def membership(labels: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Return labels 0 .. k-1 as a 0/1 matrix of shape (n, k); negative labels belong to no group."""
    return np.asarray(labels[:, None] == np.arange(k), dtype=np.float64)


def contingency_test(first: NDArray[np.integer], second: NDArray[np.integer]) -> tuple[float, float]:
    """Return Pearson's chi-square statistic and p-value of two code columns; rows with -1 are left out."""
    rows = (first >= 0) & (second >= 0)
    a, b = first[rows], second[rows]
    if len(a) == 0:
        return float("nan"), float("nan")
    wide = int(b.max()) + 1
    table = np.bincount(a * wide + b, minlength=(int(a.max()) + 1) * wide).reshape(-1, wide).astype(np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    if freedom == 0:
        return float("nan"), float("nan")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(stats.chi2.sf(statistic, freedom))
