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
# nodes, children, grown, kept, scores, candidates, used, roots, lists, listed_by: whether any node of the tree of one
# column has another among its candidates, by the tree's column and by the candidate
TREES = (
    "Tuple((int64[:,::1], int64[::1], int32[:,::1], int32[:,::1], float64[::1], int32[::1], int64[::1], int64[::1], "
    "boolean[:,::1], boolean[:,::1]))"
)
# required and forbidden, by target and then source; most_parents
FORMS = "Tuple((boolean[:,::1], boolean[:,::1], int64))"
# The columns in their order, the place of each, and the node where the walk of each ends
ORDER = "int64[::1], int64[::1], int64[::1]"
# Differences below these shares of the rows are rounding: the logarithms carry errors in proportion to n.
_TIE = 1e-13
_MOVE_TIE = 1e-12


@kernel(f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, int64[::1], int64)")
def _new_node(gains_of, losses_of, score, trees, forms, target, parents, count):  # type: ignore[no-untyped-def]
    """Make the node for a set of grown parents; return its number, -1 where the store is full.

    ``used`` holds how many nodes and candidates are taken, and how many nodes may grow no further.
    """
    nodes, children, grown, kept, scores, candidates, used, _, lists, listed_by = trees
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
            wanted[column] = not forbidden[target, column]
        gains_of(score, target, parents, count, wanted, gains)
        for column in range(p):
            if wanted[column] and gains[column] > tie:
                place = first + n_candidates  # best first, of equals the earlier column
                while place > first and gains[candidates[place - 1]] < gains[column]:
                    candidates[place] = candidates[place - 1]
                    place -= 1
                candidates[place] = column
                children[first + n_candidates] = -1
                lists[target, column] = True
                listed_by[column, target] = True
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
            if losses[out] < least and not required[target, left[out]]:
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


@kernel(f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, int64[::1], int64)")
def walk(gains_of, losses_of, score, trees, forms, target, position, limit):  # type: ignore[no-untyped-def]
    """Return the node at which the walk ends when the prefix is what stands before a place; -1 where the store is full.

    Nodes on the way are made when first needed.
    """
    nodes, children, grown, _, _, candidates, _, roots, _, _ = trees
    required = forms[0]
    parents = np.empty(len(required), np.int64)
    node, before, step = roots[target], -1, -1
    while True:
        if node < 0:  # not made yet: the root, or a child of the node before
            count = 0
            if before < 0:
                for column in range(len(required)):
                    if required[target, column]:
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
            if position[candidates[place]] < limit:
                step = place
                break
        if step < 0:
            return node
        node = children[step]


@kernel(f"boolean({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, {ORDER})")
def place_columns(gains_of, losses_of, score, trees, forms, order, position, node_of):  # type: ignore[no-untyped-def]
    """Write each column's place and the node of its parents; False where the store ran full."""
    for place in range(len(order)):
        position[order[place]] = place
    for column in order:
        node_of[column] = walk(gains_of, losses_of, score, trees, forms, column, position, position[column])
        if node_of[column] < 0:
            return False
    return True


@kernel("boolean(int64[:,::1], int32[:,::1], int64, int64)")
def has_grown(nodes, grown, node, column):  # type: ignore[no-untyped-def]
    """Return whether a column was taken on the walk to a node."""
    found = False
    for k in range(nodes[node, _GROWN]):
        found = found or grown[node, k] == column
    return found


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, {ORDER}, int64, int64, int64, int64[::1], int64[::1], "
    "int64[::1])"
)
def _find_affected(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, order, position, node_of, column, lowest, highest, where, with_it, without
):
    """List the columns whose parents depend on whether one column stands before them; -1 where the store ran full.

    Of the columns in places ``lowest`` to ``highest``, the one itself aside: their places and the nodes in which their
    walks end with it before them and without. Only trees that have it among their candidates are walked.
    """
    nodes, grown, listed_by = trees[0], trees[2], trees[9]
    start = position[column]
    count = 0
    for place in range(lowest, highest + 1):
        other = order[place]
        if other == column or not listed_by[column, other]:
            continue
        here = node_of[other]
        if place > start:
            with_it[count] = without[count] = here
            if has_grown(nodes, grown, here, column):  # a walk that did not take it ends there without it as well
                position[column] = len(order)
                without[count] = walk(gains_of, losses_of, score, trees, forms, other, position, place)
        else:
            position[column] = -1
            without[count] = here
            with_it[count] = walk(gains_of, losses_of, score, trees, forms, other, position, place)
        if min(with_it[count], without[count]) < 0:
            position[column] = start
            return -1
        if with_it[count] != without[count]:
            where[count] = place
            count += 1
    position[column] = start
    return count


@kernel(f"void({ORDER}, int64, int64, int64, int64, int64[::1], int64[::1], int64[::1])")
def _move(order, position, node_of, column, target, node, count, where, with_it, without):  # type: ignore[no-untyped-def]
    """Move a column to another place, and give it and the affected columns in between their nodes."""
    start = position[column]
    for k in range(count):
        if target <= where[k] < start:
            node_of[order[where[k]]] = with_it[k]
        elif start < where[k] <= target:
            node_of[order[where[k]]] = without[k]
    step = 1 if target > start else -1
    for place in range(start, target, step):
        order[place] = order[place + step]
        position[order[place]] = place
    order[target] = column
    position[column] = target
    node_of[column] = node


@kernel(
    f"boolean({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, int64, int64[::1], "
    "int64[:,::1])"
)
def move_column(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, column, moved, room
):
    """Put one column at its best place in the order; return False where the store ran full (nothing is changed).

    ``bound`` tells whether anything must stand before anything, ``moved[0]`` counts the columns that changed place, and
    ``room`` is space of shape (3, p).
    """
    scores, lists = trees[4], trees[8]
    n, p, start = score[6], len(order), position[column]
    lowest, highest = 0, p - 1
    if bound:
        for place in range(p):
            if before[order[place], column]:
                lowest = place + (place < start)
            if before[column, order[p - 1 - place]]:
                highest = p - 1 - place - (p - 1 - place > start)
    where, with_it, without = room[0], room[1], room[2]
    count = _find_affected(
        gains_of, losses_of, score, trees, forms, order, position, node_of, column, lowest, highest, where, with_it,
        without,
    )  # fmt: skip
    if count < 0:
        return False
    after = 0.0  # what it is worth to stand before those affected that are still to come
    for k in range(count):
        after += scores[with_it[k]] - scores[without[k]]
    position[column] = p
    best, best_place, best_node, stay = -np.inf, start, -1, -np.inf
    total, node, passed, stale = 0.0, -1, 0, True
    for place in range(lowest, highest + 1):  # where it would stand
        if place > lowest:  # one more column is now before it
            index = place - 1 if place <= start else place
            other = order[index]
            if lists[column, other]:
                node, stale = -1, True
            if passed < count and where[passed] == index:
                after -= scores[with_it[passed]] - scores[without[passed]]
                passed += 1
                stale = True
        if stale:
            if node < 0:
                limit = place if place <= start else place + 1
                node = walk(gains_of, losses_of, score, trees, forms, column, position, limit)
                if node < 0:
                    position[column] = start
                    return False
            total = scores[node] + after
            stale = False
            if total > best + 1e-7 + _MOVE_TIE * n:
                best, best_place, best_node = total, place, node
        if place == start:
            stay = total
    position[column] = start
    if best_place == start or not best > stay + 1e-6 + _MOVE_TIE * n:
        return True
    _move(order, position, node_of, column, best_place, best_node, count, where, with_it, without)
    moved[0] += 1
    return True


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, int64[::1], int64, int64,"
    " int64[::1])"
)
def move_columns(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, turns, start, stop, moved
):
    """Put the columns ``turns[start:stop]`` at their best places; return where the store ran full, else ``stop``."""
    room = np.empty((3, len(order)), np.int64)
    for turn in range(start, stop):
        if not move_column(
            gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, turns[turn], moved, room
        ):
            return turn
    return stop


@kernel("void(int64[:,::1], int32[:,::1], int64[::1], boolean[:,::1])")
def write_graph(nodes, kept, node_of, adjacency):  # type: ignore[no-untyped-def]
    """Give each column the parents that its node keeps."""
    for target in range(len(node_of)):
        for k in range(nodes[node_of[target], _KEPT]):
            adjacency[kept[node_of[target], k], target] = True
