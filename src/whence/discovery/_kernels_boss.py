"""Best order score search, compiled: grow-shrink trees remember for every column which parents a prefix gives it.

A tree node stands for a set of parents grown so far. It keeps the columns that would raise the score from there, best
first, one child for each, and what is left when the set is shrunk. Finding the parents for a prefix is a walk: always
to the best column that the prefix holds. Andrews et al. (2023), section 3.
"""

from __future__ import annotations

import numpy as np

from whence.compile import kernel
from whence.scores._kernels import GAINS, LOSSES, SCORE

# Per tree node: first candidate, number of candidates, parents grown, parents kept.
_FIRST, _COUNT, _GROWN, _KEPT = 0, 1, 2, 3
# nodes, children, grown, kept, scores, candidates, used, roots
TREES = (
    "Tuple((int64[:,::1], int64[::1], int32[:,::1], int32[:,::1], float64[::1], int32[::1], int64[::1], int64[::1]))"
)
# required, forbidden, most_parents
FORMS = "Tuple((boolean[:,::1], boolean[:,::1], int64))"
# Differences below these shares of the rows are rounding: the logarithms carry errors in proportion to n.
_TIE = 1e-13
_MOVE_TIE = 1e-12


@kernel(f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, int64[::1], int64)")
def _new_node(gains_of, losses_of, score, trees, forms, target, parents, count):  # type: ignore[no-untyped-def]
    """Make the node for a set of grown parents; return its number, -1 where the store is full.

    ``used`` holds how many nodes and candidates are taken, and how many nodes may grow no further.
    """
    nodes, children, grown, kept, scores, candidates, used, _ = trees
    required, forbidden, most_parents = forms
    p = len(required)
    tie = 1e-9 + _TIE * score[6]
    node, first = used[0], used[1]
    if node >= len(nodes) or first + p > len(candidates):
        return -1
    used[0] += 1
    for k in range(count):
        grown[node, k] = parents[k]
    n_candidates = 0
    if count == most_parents:
        used[2] += 1
    else:
        gains = np.empty(p)
        wanted = np.empty(p, np.bool_)
        for column in range(p):
            wanted[column] = not forbidden[column, target]
        gains_of(score, target, parents, count, wanted, gains)
        for column in range(p):
            if wanted[column] and gains[column] > tie:
                place = first + n_candidates  # best first, of equals the earlier column
                while place > first and gains[candidates[place - 1]] < gains[column]:
                    candidates[place] = candidates[place - 1]
                    place -= 1
                candidates[place] = column
                children[first + n_candidates] = -1
                n_candidates += 1
    used[1] += n_candidates
    left = np.empty(max(count, 1), np.int64)
    for k in range(count):
        left[k] = parents[k]
    n_left = count
    losses = np.empty(max(count, 1))
    while True:  # shrink: take out the parent whose loss raises the score most
        here = losses_of(score, target, left, n_left, losses)
        least, worst = -tie, -1
        for out in range(n_left):
            if losses[out] < least and not required[left[out], target]:
                least, worst = losses[out], out
        if worst < 0:
            break
        for k in range(worst, n_left - 1):
            left[k] = left[k + 1]
        n_left -= 1
    for k in range(n_left):
        kept[node, k] = left[k]
    scores[node] = here
    nodes[node, _FIRST] = first
    nodes[node, _COUNT] = n_candidates
    nodes[node, _GROWN] = count
    nodes[node, _KEPT] = n_left
    return node


@kernel(f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, boolean[::1])")
def walk(gains_of, losses_of, score, trees, forms, target, prefix):  # type: ignore[no-untyped-def]
    """Return the node at which the walk for a prefix ends; nodes on the way are made when first needed."""
    nodes, children, grown, _, _, candidates, _, roots = trees
    required = forms[0]
    parents = np.empty(len(required), np.int64)
    node, before, step = roots[target], -1, -1
    while True:
        if node < 0:  # not made yet: the root, or a child of the node before
            count = 0
            if before < 0:
                for column in range(len(required)):
                    if required[column, target]:
                        parents[count] = column
                        count += 1
            else:
                for k in range(nodes[before, _GROWN]):
                    parents[k] = grown[before, k]
                count = nodes[before, _GROWN] + 1
                parents[count - 1] = candidates[step]
            node = _new_node(gains_of, losses_of, score, trees, forms, target, parents, count)
            if before < 0:
                roots[target] = node
            else:
                children[step] = node
            if node < 0:
                return node
        before, step = node, -1
        for place in range(nodes[node, _FIRST], nodes[node, _FIRST] + nodes[node, _COUNT]):
            if prefix[candidates[place]]:
                step = place
                break
        if step < 0:
            return node
        node = children[step]


@kernel(f"boolean({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], int64[::1], int64, int64[::1])")
def move_column(gains_of, losses_of, score, trees, forms, before, order, column, moved):  # type: ignore[no-untyped-def]
    """Put one column at its best place in the order; return False where the store ran full (nothing is changed).

    ``moved[0]`` counts the columns that changed place.
    """
    nodes, grown, scores = trees[0], trees[2], trees[4]
    n, p = score[6], len(order)
    rest = np.empty(p - 1, np.int64)
    place, k = 0, 0
    for position in range(p):
        if order[position] == column:
            place = position
        else:
            rest[k] = order[position]
            k += 1
    lowest, highest = 0, p - 1
    for position in range(p - 1):
        if before[rest[position], column]:
            lowest = position + 1
        if before[column, rest[p - 2 - position]]:
            highest = p - 2 - position
    # Score of the columns after a place, with the moved column before them.
    after = np.zeros(p)
    with_it = np.empty(p, np.int64)
    prefix = np.ones(p, np.bool_)
    for position in range(p - 2, -1, -1):
        other = rest[position]
        prefix[other] = False
        if position < lowest:
            break
        node = walk(gains_of, losses_of, score, trees, forms, other, prefix)
        if node < 0:
            return False
        with_it[position] = node
        after[position] = after[position + 1] + scores[node]
    prefix[:] = False
    for position in range(lowest):
        prefix[rest[position]] = True
    best, best_place, stay = -np.inf, place, -np.inf
    ahead = 0.0
    for position in range(lowest, highest + 1):
        node = walk(gains_of, losses_of, score, trees, forms, column, prefix)
        if node < 0:
            return False
        total = ahead + scores[node] + after[position]
        if total > best + 1e-7 + _MOVE_TIE * n:
            best, best_place = total, position
        if position == place:
            stay = total
        if position < highest:
            other = rest[position]
            node = with_it[position]  # a walk that did not take the moved column ends there without it as well
            for k in range(nodes[node, _GROWN]):
                if grown[node, k] == column:
                    node = walk(gains_of, losses_of, score, trees, forms, other, prefix)
                    break
            if node < 0:
                return False
            ahead += scores[node]
            prefix[other] = True
    if best_place == place or not best > stay + 1e-6 + _MOVE_TIE * n:
        return True
    for position in range(best_place):
        order[position] = rest[position]
    order[best_place] = column
    for position in range(best_place + 1, p):
        order[position] = rest[position - 1]
    moved[0] += 1
    return True


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], int64[::1], int64[::1], int64, int64,"
    " int64[::1])"
)
def move_columns(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, order, turns, start, stop, moved
):
    """Put the columns ``turns[start:stop]`` at their best places; return where the store ran full, else ``stop``."""
    for turn in range(start, stop):
        if not move_column(gains_of, losses_of, score, trees, forms, before, order, turns[turn], moved):
            return turn
    return stop


@kernel(f"boolean({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64[::1], boolean[:,::1])")
def write_graph(gains_of, losses_of, score, trees, forms, order, adjacency):  # type: ignore[no-untyped-def]
    """Give each column the best parents among those before it in the order; False where the store ran full."""
    nodes, kept = trees[0], trees[3]
    prefix = np.zeros(len(order), np.bool_)
    for target in order:
        node = walk(gains_of, losses_of, score, trees, forms, target, prefix)
        if node < 0:
            return False
        for k in range(nodes[node, _KEPT]):
            adjacency[kept[node, k], target] = True
        prefix[target] = True
    return True
