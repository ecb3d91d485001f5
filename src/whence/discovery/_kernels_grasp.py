"""GRaSP, compiled: tucks, on the trees that tell which parents a prefix gives a column.

A tuck of an edge ``x -> y`` moves y, and its ancestors that stand behind x, to right before x. Columns outside of that
stretch of the order keep their parents, so that only the stretch is walked anew.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.discovery._kernels_boss import FORMS, ORDER, TREES, walk
from whence.scores._kernels import GAINS, LOSSES, SCORE

_KEPT = 3  # of a tree node: parents kept
_TIE, _TIE_SHARE = 1e-6, 1e-12


@kernel("boolean(int64[:,::1], int32[:,::1], int64, int64)")
def keeps(nodes, kept, node, column):  # type: ignore[no-untyped-def]
    """Return whether a column is among the parents that a node keeps."""
    found = False
    for k in range(nodes[node, _KEPT]):
        found = found or kept[node, k] == column
    return found


@kernel("boolean(int64[:,::1], int32[:,::1], int64[::1], int64, int64)")
def covered(nodes, kept, node_of, x, y):  # type: ignore[no-untyped-def]
    """Return whether y has exactly the parents of x, and x: the edge can be turned without a change of the class."""
    of_x, of_y = node_of[x], node_of[y]
    if nodes[of_y, _KEPT] != nodes[of_x, _KEPT] + 1:
        return False
    same = True
    for k in range(nodes[of_x, _KEPT]):
        same = same and keeps(nodes, kept, of_y, kept[of_x, k])
    return same


@kernel(
    f"UniTuple(float64, 2)({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], {ORDER}, int64, int64, "
    "int64[::1], int64[::1])"
)
def tuck(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, order, position, node_of, first, last, columns, placed
):
    """Write the stretch ``order[first:last + 1]`` as it is after a tuck of its ends, and the nodes of its columns.

    Returns
    -------
    rise, moved : float
        By how much the score rises: -inf if what is known forbids the new order, NaN where the store ran full. And how
        many columns of the stretch moved ahead.
    """
    nodes, kept, scores = trees[0], trees[3], trees[4]
    size = last - first + 1
    ahead = np.zeros(size, np.bool_)  # by place in the stretch
    ahead[size - 1] = True
    count = 0
    for place in range(last, first, -1):
        if ahead[place - first]:
            count += 1
            node = node_of[order[place]]
            for k in range(nodes[node, _KEPT]):
                if position[kept[node, k]] >= first:
                    ahead[position[kept[node, k]] - first] = True
    front, back = 0, count
    for place in range(first, last + 1):
        if place > first and ahead[place - first]:
            columns[front] = order[place]
            front += 1
        else:
            columns[back] = order[place]
            back += 1
    for i in range(count):
        for j in range(count, size):
            if before[columns[j], columns[i]] and position[columns[j]] < position[columns[i]]:
                return -math.inf, float(count)
    for k in range(size):
        position[columns[k]] = first + k
    rise = 0.0
    for k in range(size):
        placed[k] = walk(gains_of, losses_of, score, trees, forms, columns[k], position, first + k)
        if placed[k] < 0:
            rise = math.nan
            break
        rise += scores[placed[k]] - scores[node_of[columns[k]]]
    for place in range(first, last + 1):
        position[order[place]] = place
    return rise, float(count)


@kernel("uint64(int64, int64, int64)")
def key_of(a, b, p):  # type: ignore[no-untyped-def]
    """Return a random-looking word for a pair of columns: a set of pairs is known by the exclusive or of its words."""
    word = np.uint64(min(a, b) * p + max(a, b) + 1) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel(f"uint64({TREES}, {ORDER}, int64, int64, int64[::1], int64[::1])")
def turned_edges(trees, order, position, node_of, moved, count, columns, placed):  # type: ignore[no-untyped-def]
    """Return the word of the set of edges that a tuck turns round."""
    nodes, kept = trees[0], trees[3]
    word = np.uint64(0)
    for i in range(moved):
        for j in range(moved, count):
            turned = keeps(nodes, kept, node_of[columns[i]], columns[j])
            if turned and keeps(nodes, kept, placed[j], columns[i]):
                word ^= key_of(columns[i], columns[j], len(order))
    return word


@kernel(f"void({ORDER}, int64, int64, int64[::1], int64[::1])")
def put(order, position, node_of, first, count, columns, placed):  # type: ignore[no-untyped-def]
    """Write a stretch of columns and their nodes into the order."""
    for k in range(count):
        order[first + k] = columns[k]
        position[columns[k]] = first + k
        node_of[columns[k]] = placed[k]


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], {ORDER}, int64[::1], int64, int64, "
    "int64[::1])"
)
def climb(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, order, position, node_of, turns, start, depth, steps
):
    """Look depth first for tucks that raise the score; return the turn of the first of them, -1 if there are none.

    The first tuck may be of any edge, later ones are of covered edges; tucks before the last leave the score as it is,
    and no set of turned edges is seen twice on the way. -2 where the store ran full: the order is then as good as
    before. ``steps`` counts the tucks tried and taken.
    """
    nodes, kept = trees[0], trees[3]
    p = len(order)
    tie = _TIE + _TIE_SHARE * score[6]
    columns, placed = np.empty(p, np.int64), np.empty(p, np.int64)
    turn, parent = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
    # What the tuck made at each level put aside, to be put back; and which edges the tucks up to there turned.
    was, was_placed = np.empty((depth, p), np.int64), np.empty((depth, p), np.int64)
    was_first, was_count = np.empty(depth, np.int64), np.empty(depth, np.int64)
    history = np.zeros(depth, np.uint64)
    level = 0
    while True:
        if turn[level] == p:
            level -= 1
            if level < 0:
                return -1
            put(order, position, node_of, was_first[level], was_count[level], was[level], was_placed[level])
            continue
        y = turns[(start + turn[level]) % p]
        if parent[level] >= nodes[node_of[y], _KEPT]:
            turn[level] += 1
            parent[level] = 0
            continue
        x = np.int64(kept[node_of[y], parent[level]])
        parent[level] += 1
        if level > 0 and not covered(nodes, kept, node_of, x, y):
            continue
        first, count = position[x], position[y] - position[x] + 1
        steps[0] += 1
        rise, moved = tuck(
            gains_of, losses_of, score, trees, forms, before, order, position, node_of, first, position[y], columns,
            placed,
        )  # fmt: skip
        if math.isnan(rise):
            return -2
        if rise > tie:
            put(order, position, node_of, first, count, columns, placed)
            steps[1] += 1
            return (start + turn[0]) % p
        if rise < -tie or level + 1 >= depth:
            continue
        word = turned_edges(trees, order, position, node_of, np.int64(moved), count, columns, placed)
        if level > 0:
            word ^= history[level - 1]
        seen = word == 0
        for past in range(level):
            seen = seen or history[past] == word
        if seen:
            continue
        for k in range(count):
            was[level, k] = order[first + k]
            was_placed[level, k] = node_of[order[first + k]]
        was_first[level], was_count[level] = first, count
        put(order, position, node_of, first, count, columns, placed)
        history[level] = word
        level += 1
        turn[level] = parent[level] = 0


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], {ORDER}, int64[::1], int64, int64, int64, "
    "int64[::1])"
)
def climb_often(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, order, position, node_of, turns, start, depth, most, steps
):
    """Raise the score up to ``most`` times; return where to go on, -1 where nothing raises it, -2 if out of room."""
    for _ in range(most):
        start = climb(
            gains_of, losses_of, score, trees, forms, before, order, position, node_of, turns, start, depth, steps
        )
        if start < 0:
            return start
    return start
