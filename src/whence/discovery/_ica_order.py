"""From an unmixing matrix to an order of the columns: scale, threshold, then moves of single columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from whence.discovery._common import order_within
from whence.graph.orientation import is_acyclic, topological_order

Array = NDArray[np.float64]

_GAIN = 1e-12


def effects(unmixing: Array) -> Array:
    """Return coefficients B, ``[i, j]`` of j in the equation of i, from an unmixing matrix in any order and scale.

    Components are given to columns so that no diagonal entry is near zero: the assignment of the least sum of
    ``1 / |W_ii|`` (Shimizu et al. 2006, algorithm A, steps 2 to 4).
    """
    component, column = linear_sum_assignment(1.0 / np.maximum(np.abs(unmixing), 1e-12))
    assigned = np.empty_like(unmixing)
    assigned[column] = unmixing[component]
    return np.asarray(np.eye(len(unmixing)) - assigned / np.diag(assigned)[:, None])


def order_of(coefficients: Array, before: NDArray[np.bool_]) -> list[int]:
    """Return the order of the columns that leaves the least squared coefficients from later ones to earlier ones.

    ``before[i, j]`` says that i must come before j, transitively. Two orders are made, and the better one of them is
    improved by moving single columns until no move helps: one from the smallest threshold below which coefficients can
    be cut to leave no cycle (Shimizu et al. 2006, algorithm C), and one that takes the column next whose coefficients
    on the columns left are smallest.
    """
    cost = coefficients**2
    np.fill_diagonal(cost, 0.0)
    starts = _by_threshold(cost, before), _one_by_one(cost, before)
    order = min(starts, key=lambda one: _against(cost, one))
    return _improved(cost, order, before)


def _against(cost: Array, order: list[int]) -> float:
    """Return the sum of what later columns do to earlier ones."""
    return float(np.triu(cost[np.ix_(order, order)], k=1).sum())


def _by_threshold(cost: Array, before: NDArray[np.bool_]) -> list[int]:
    """Return an order of the graph that is left when as few of the smallest entries as possible are cut."""
    sizes = np.sort(cost, axis=None)
    low, high = 0, len(sizes) - 1
    while low < high:  # the first place at which what is larger has no cycle
        middle = (low + high) // 2
        if is_acyclic((cost > sizes[middle]).T):
            high = middle
        else:
            low = middle + 1
    wish = topological_order((cost > sizes[low]).T) or list(range(len(cost)))
    return [int(node) for node in order_within(before, np.array(wish, dtype=np.int64))]


def _one_by_one(cost: Array, before: NDArray[np.bool_]) -> list[int]:
    left = np.arange(len(cost))
    order: list[int] = []
    into = cost.sum(axis=1)
    while len(left):
        free = ~before[np.ix_(left, left)].any(axis=0)
        chosen = int(left[np.argmin(np.where(free, into[left], np.inf))])
        order.append(chosen)
        left = left[left != chosen]
        into = into - cost[:, chosen]
    return order


def _improved(cost: Array, order: list[int], before: NDArray[np.bool_]) -> list[int]:
    """Return the order after the best moves of single columns to other places, while one gains."""
    p = len(order)
    for _ in range(10 * p):
        ordered = cost[np.ix_(order, order)]
        swap = ordered.T - ordered  # of a pair in order: what it costs more the other way round
        held = before[np.ix_(order, order)]
        best, move = -_GAIN * max(1.0, float(cost.sum())), (0, 0)
        for place in range(p):
            right = np.cumsum(np.where(held[place, place + 1 :], np.inf, swap[place, place + 1 :]))
            left = np.cumsum(np.where(held[:place, place], np.inf, swap[:place, place])[::-1])
            for change, step in ((right, 1), (left, -1)):
                if len(change) and change.min() < best:
                    best, move = float(change.min()), (place, place + step * (1 + int(np.argmin(change))))
        if move[0] == move[1]:
            return order
        node = order.pop(move[0])
        order.insert(move[1], node)
    return order
