"""Who is an ancestor of whom, where some causes may be hidden: the first and longest stage of RCD."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from whence.discovery._pair_hsic import Side, dependence, side

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Nodes = frozenset[int]

_MOST_FOR_SHAPIRO = 5000


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of the three tests: of correlation, of independence of a residual, and of Gaussian shape."""

    correlation: float
    independence: float
    gaussian: float


@dataclass
class Residuals:
    """Residuals of columns on others by least squares, and what the tests need of them; each is computed once.

    Attributes
    ----------
    values : float array, shape (n, p)
        Standardised columns.
    """

    values: Array
    _kept: dict[tuple[int, Nodes], Array] = field(default_factory=dict)
    _sides: dict[tuple[int, Nodes], Side] = field(default_factory=dict)
    _shapes: dict[tuple[int, Nodes], float] = field(default_factory=dict)

    def of(self, node: int, given: Nodes) -> Array:
        """Return the residual of a column on others, shape (n,)."""
        key = (node, given)
        if key not in self._kept:
            self._kept[key] = left_over(self.values[:, node], self.values[:, sorted(given)])
        return self._kept[key]

    def side(self, node: int, given: Nodes) -> Side:
        """Return the residual as one side of the test of independence."""
        key = (node, given)
        if key not in self._sides:
            self._sides[key] = side(self.of(node, given), "standard")
        return self._sides[key]

    def gaussian_p(self, node: int, given: Nodes) -> float:
        """Return the p-value of the residual being Gaussian."""
        key = (node, given)
        if key not in self._shapes:
            self._shapes[key] = gaussian_p(self.of(node, given))
        return self._shapes[key]


def left_over(target: Array, given: Array) -> Array:
    """Return the residual of a centred target of shape (n,) on centred columns of shape (n, k)."""
    if given.shape[1] == 0:
        return target
    return np.asarray(target - given @ np.linalg.lstsq(given, target, rcond=None)[0])


def correlation_p(one: Array, other: Array) -> float:
    """Return the p-value of Pearson's correlation of two centred columns; 1 where one does not vary."""
    size = float(np.sqrt((one @ one) * (other @ other)))
    if size == 0.0:
        return 1.0
    freedom = len(one) - 2
    r = float(np.clip(one @ other / size, -1.0, 1.0))
    return float(2.0 * stdtr(freedom, -abs(r) * np.sqrt(freedom / max(1.0 - r * r, 1e-300))))


def gaussian_p(values: Array) -> float:
    """Return the p-value of Shapiro and Wilk's test, beyond 5,000 rows of D'Agostino and Pearson's."""
    from scipy.stats import normaltest, shapiro

    test = shapiro if len(values) <= _MOST_FOR_SHAPIRO else normaltest
    return float(test(values).pvalue) if np.ptp(values) > 0 else 1.0


def find_ancestors(values: Array, before: Flags, known: Flags, levels: Levels, most_causes: int) -> Flags:
    """Return which columns are ancestors of which: ``[j, i]`` for j of i, shape (p, p), without a cycle.

    Maeda and Shimizu (2020), algorithm 1. In a set of columns, less what their common ancestors explain, the one column
    whose regression on the others leaves something independent of each of them has the others as ancestors. Sets of two
    come first; after every set of claims it starts again. Claims of one round are taken together, the surest first, so
    that the order of the columns decides nothing; one that would close a cycle or contradict ``before`` is left out.

    Parameters
    ----------
    before : bool array, shape (p, p)
        ``[i, j]``: i must come before j.
    known : bool array, shape (p, p)
        Ancestors to start from.
    """
    p = values.shape[1]
    residuals = Residuals(values)
    ancestors, order = known.copy(), before | known
    tried: dict[tuple[int, ...], Nodes] = {}
    size = 2
    while size <= min(most_causes + 1, p):
        claims = []
        for group in combinations(range(p), size):
            common = _common(ancestors, group)
            if tried.get(group) == common:
                continue
            claim = _sink(residuals, group, common, ancestors, order, levels)
            tried[group] = common
            if claim is not None:
                claims.append(claim)
        changed = False
        for _, sink, others in sorted(claims, reverse=True):
            if not order[sink, list(others)].any() and not ancestors[list(others), sink].all():
                ancestors[list(others), sink] = True
                order[list(others), sink] = True
                order = closure(order)
                changed = True
        size = 2 if changed else size + 1
    return ancestors


def _common(ancestors: Flags, group: tuple[int, ...]) -> Nodes:
    return frozenset(np.flatnonzero(ancestors[:, list(group)].all(axis=1)).tolist())


def _sink(
    residuals: Residuals, group: tuple[int, ...], common: Nodes, ancestors: Flags, order: Flags, levels: Levels
) -> tuple[float, int, tuple[int, ...]] | None:
    """Return how sure it is, the column that the others of a group are ancestors of, and the others; None without."""
    if any(residuals.gaussian_p(node, common) > levels.gaussian for node in group):
        return None
    left = {node: residuals.of(node, common) for node in group}
    if any(correlation_p(left[a], left[b]) >= levels.correlation for a, b in combinations(group, 2)):
        return None
    found = None
    for node in group:
        others = tuple(other for other in group if other != node)
        if order[node, list(others)].any() or ancestors[list(others), node].all():
            continue
        noise = side(left_over(left[node], np.column_stack([left[other] for other in others])), "standard")
        surest = 1.0
        for other in others:
            surest = min(surest, dependence(noise, residuals.side(other, common)).p_value)
            if surest <= levels.independence:
                break
        if surest > levels.independence:
            if found is not None:
                return None
            found = surest, node, others
    return found


def closure(edges: Flags) -> Flags:
    """Return which nodes lead to which along edges, ``[i, j]`` for i to j."""
    closed = edges.copy()
    for k in range(len(edges)):
        closed |= np.outer(closed[:, k], closed[k])
    return closed
