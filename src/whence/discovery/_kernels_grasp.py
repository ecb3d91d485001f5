"""GRaSP, compiled: tucks, on the trees that tell which parents a prefix gives a column.

A tuck of an edge ``x -> y`` moves y, and its ancestors that stand behind x, to right before x. Columns outside of that
stretch of the order keep their parents; so do those in it that took none of the columns that they lose, and in whose
trees none of those is that they gain. Only the others are walked anew.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.discovery._kernels_boss import (
    DONE,
    FORMS,
    FULL,
    GROWN,
    KEPT,
    MORE,
    ORDER,
    PLACED,
    SETS,
    TREES,
    TURN,
    place_columns,
    walk,
)
from whence.discovery._kernels_score import gains_at, losses_at
from whence.scores._kernels import GAINS, LOSSES, SCORE

_TAKEN, _TRIED = 3, 4  # in ``progress``: tucks
_TIE, _TIE_SHARE = 1e-6, 1e-12
# The columns that a tuck moves ahead, in their order, and those that it gives other parents, with their nodes; by
# column, the last tuck that moved it and the last that gave it other parents; the number of tucks
_TUCK = "Tuple((int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1]))"


@kernel("UniTuple(int64, 2)(int64[:,::1], int64)", allocates=False)
def _kept(nodes, node):  # type: ignore[no-untyped-def]
    """Return where the parents that a node keeps begin and end."""
    start = nodes[node, SETS] + nodes[node, GROWN]
    return start, start + nodes[node, KEPT]


@kernel("boolean(int64[:,::1], int32[::1], int64, int64)", allocates=False)
def _keeps(nodes, sets, node, column):  # type: ignore[no-untyped-def]
    """Return whether a column is among the parents that a node keeps."""
    start, end = _kept(nodes, node)
    found = False
    for k in range(start, end):
        found = found or sets[k] == column
    return found


@kernel("boolean(int64[:,::1], int32[::1], int64[::1], int64, int64)", allocates=False)
def _covered(nodes, sets, node_of, x, y):  # type: ignore[no-untyped-def]
    """Return whether y has exactly the parents of x, and x: the edge can be turned without a change of the class."""
    if nodes[node_of[y], KEPT] != nodes[node_of[x], KEPT] + 1:
        return False
    start, end = _kept(nodes, node_of[x])
    same = True
    for k in range(start, end):
        same = same and _keeps(nodes, sets, node_of[y], sets[k])
    return same


@kernel(f"int64(int64[:,::1], int32[::1], int64[::1], int64[::1], int64, int64, {_TUCK})", allocates=False)
def _moved_ahead(nodes, sets, position, node_of, first, y, tuck):  # type: ignore[no-untyped-def]
    """List a column and its ancestors that stand behind a place, in their order; return how many they are."""
    ahead, moved_by, number = tuck[0], tuck[3], tuck[5]
    number[0] += 1
    ahead[0], moved_by[y] = y, number[0]
    done, count = 0, 1
    while done < count:
        start, end = _kept(nodes, node_of[ahead[done]])
        done += 1
        for k in range(start, end):
            parent = sets[k]
            if position[parent] > first and moved_by[parent] != number[0]:
                moved_by[parent] = number[0]
                ahead[count] = parent
                count += 1
    for k in range(1, count):
        column, place = ahead[k], k
        while place > 0 and position[ahead[place - 1]] > position[column]:
            ahead[place] = ahead[place - 1]
            place -= 1
        ahead[place] = column
    return count


@kernel(f"int64({TREES}, int64[::1], int64[::1], int64, int64, {_TUCK})", allocates=False)
def _maybe_affected(trees, position, node_of, first, count, tuck):  # type: ignore[no-untyped-def]
    """List the columns whose parents may be others after a tuck; return how many they are."""
    nodes, sets, heads, links = trees[0], trees[1], trees[9], trees[10]
    ahead, affected, _, moved_by, affected_by, number = tuck
    n_affected = 0
    for i in range(count):
        column = ahead[i]
        node = node_of[column]
        loses = False
        for k in range(nodes[node, SETS], nodes[node, SETS] + nodes[node, GROWN]):
            taken = sets[k]
            loses = loses or (position[taken] >= first and moved_by[taken] != number[0])
        if loses:
            affected[n_affected] = column
            n_affected += 1
        link = heads[column]
        while link >= 0:
            other = links[link, 0]
            link = links[link, 1]
            between = first <= position[other] < position[column]
            if between and moved_by[other] != number[0] and affected_by[other] != number[0]:
                affected_by[other] = number[0]
                affected[n_affected] = other
                n_affected += 1
    return n_affected


@kernel(f"boolean(boolean[:,::1], int64[::1], int64[::1], int64, int64, {_TUCK})", allocates=False)
def _is_ruled_out(before, order, position, first, count, tuck):  # type: ignore[no-untyped-def]
    """Return whether a tuck puts a column before one that must stand before it."""
    ahead, moved_by, number = tuck[0], tuck[3], tuck[5]
    for i in range(count):
        for place in range(first, position[ahead[i]]):
            if moved_by[order[place]] != number[0] and before[order[place], ahead[i]]:
                return True
    return False


@kernel(
    f"Tuple((float64, int64, int64))({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, "
    f"int64[::1], int64, int64, {_TUCK})",
    allocates=False,
)
def _try_tuck(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, rank, x, y, tuck
):
    """Find what a tuck of ``x -> y`` moves and whom it gives other parents, without doing it.

    ``rank`` orders the columns as ``position`` does, with room for all of them before each.

    Returns
    -------
    rise : float
        By how much the score rises: -inf if what is known forbids the new order, NaN where the store ran full.
    moved, affected : int
    """
    scores = trees[2]
    ahead, affected, placed = tuck[0], tuck[1], tuck[2]
    first = position[x]
    moved = _moved_ahead(trees[0], trees[1], position, node_of, first, y, tuck)
    if bound and _is_ruled_out(before, order, position, first, moved, tuck):
        return -math.inf, moved, np.int64(0)
    maybe = _maybe_affected(trees, position, node_of, first, moved, tuck)
    for k in range(moved):
        rank[ahead[k]] = rank[x] - moved + k
    rise, n_affected = 0.0, 0
    for k in range(maybe):
        column = affected[k]
        node = walk(gains_of, losses_of, score, trees, forms, column, rank, rank[column])
        if node < 0:
            rise = math.nan
            break
        if node != node_of[column]:
            affected[n_affected], placed[n_affected] = column, node
            n_affected += 1
            rise += scores[node] - scores[node_of[column]]
    for k in range(moved):
        rank[ahead[k]] = (position[ahead[k]] + 1) * (len(order) + 1)
    return rise, moved, n_affected


@kernel("void(int64[::1], int64[::1], int64[::1], int64, int64)", allocates=False)
def _rank_stretch(order, position, rank, first, last):  # type: ignore[no-untyped-def]
    """Write the places and ranks of the columns of a stretch of the order."""
    for place in range(first, last + 1):
        position[order[place]] = place
        rank[order[place]] = (place + 1) * (len(order) + 1)


@kernel(f"void({ORDER}, int64[::1], int64, int64, int64, int64, {_TUCK})", allocates=False)
def _do_tuck(order, position, node_of, rank, first, last, moved, n_affected, tuck):  # type: ignore[no-untyped-def]
    """Put the columns that a tuck moves before the others of the stretch, and give those affected their nodes."""
    ahead, affected, placed, moved_by, number = tuck[0], tuck[1], tuck[2], tuck[3], tuck[5]
    place = last
    for source in range(last, first - 1, -1):
        if moved_by[order[source]] != number[0]:
            order[place] = order[source]
            place -= 1
    for k in range(moved):
        order[first + k] = ahead[k]
    _rank_stretch(order, position, rank, first, last)
    for k in range(n_affected):
        node_of[affected[k]] = placed[k]


@kernel("uint64(int64, int64, int64)", allocates=False)
def _key_of(a, b, p):  # type: ignore[no-untyped-def]
    """Return a random-looking word for a pair of columns: a set of pairs is known by the exclusive or of its words."""
    word = np.uint64(min(a, b) * p + max(a, b) + 1) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel(f"uint64(int64[:,::1], int32[::1], int64[::1], int64[::1], int64, {_TUCK})", allocates=False)
def _turned_edges(nodes, sets, position, node_of, n_affected, tuck):  # type: ignore[no-untyped-def]
    """Return the word of the set of edges that a tuck turns round: both ends are among the columns affected."""
    affected, placed, moved_by, number = tuck[1], tuck[2], tuck[3], tuck[5]
    word = np.uint64(0)
    for i in range(n_affected):
        if moved_by[affected[i]] != number[0]:
            continue
        for j in range(n_affected):
            if moved_by[affected[j]] == number[0] or position[affected[j]] > position[affected[i]]:
                continue
            turned = _keeps(nodes, sets, node_of[affected[i]], affected[j])
            if turned and _keeps(nodes, sets, placed[j], affected[i]):
                word ^= _key_of(affected[i], affected[j], len(position))
    return word


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, int64[::1], int64[::1], "
    f"int64, int64, int64[::1], {_TUCK})"
)
def _climb(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, rank, turns, start, depth,
    progress, tuck,
):  # fmt: skip
    """Look depth first for tucks that raise the score; return the turn of the first of them, -1 if there are none.

    The first tuck may be of any edge, later ones are of covered edges; tucks before the last leave the score as it is,
    and no set of turned edges is seen twice on the way. -2 where the store ran full: the order is then as good as
    before. ``progress`` counts the tucks tried and taken.
    """
    nodes, sets = trees[0], trees[1]
    p = len(order)
    tie = _TIE + _TIE_SHARE * score[6]
    turn, parent = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
    # What the tuck at each level found, to be put back; and which edges the tucks up to there turned.
    was, was_affected = np.empty((depth, p), np.int64), np.empty((depth, p), np.int64)
    was_placed = np.empty((depth, p), np.int64)
    stretch = np.empty((depth, 3), np.int64)
    history = np.zeros(depth, np.uint64)
    level = 0
    while True:
        if turn[level] == p:
            level -= 1
            if level < 0:
                return -1
            first, last, n_affected = stretch[level, 0], stretch[level, 1], stretch[level, 2]
            for place in range(first, last + 1):
                order[place] = was[level, place - first]
            _rank_stretch(order, position, rank, first, last)
            for k in range(n_affected):
                node_of[was_affected[level, k]] = was_placed[level, k]
            continue
        y = turns[(start + turn[level]) % p]
        if parent[level] >= nodes[node_of[y], KEPT]:
            turn[level] += 1
            parent[level] = 0
            continue
        x = np.int64(sets[_kept(nodes, node_of[y])[0] + parent[level]])
        parent[level] += 1
        if level > 0 and not _covered(nodes, sets, node_of, x, y):
            continue
        first, last = position[x], position[y]
        progress[_TRIED] += 1
        rise, moved, n_affected = _try_tuck(
            gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, rank, x, y, tuck
        )
        if math.isnan(rise):
            return -2
        if rise > tie:
            _do_tuck(order, position, node_of, rank, first, last, moved, n_affected, tuck)
            progress[_TAKEN] += 1
            return (start + turn[0]) % p
        if rise < -tie or level + 1 >= depth:
            continue
        word = _turned_edges(nodes, sets, position, node_of, n_affected, tuck)
        if level > 0:
            word ^= history[level - 1]
        seen = word == 0
        for past in range(level):
            seen = seen or history[past] == word
        if seen:
            continue
        for place in range(first, last + 1):
            was[level, place - first] = order[place]
        for k in range(n_affected):
            was_affected[level, k], was_placed[level, k] = tuck[1][k], node_of[tuck[1][k]]
        stretch[level, 0], stretch[level, 1], stretch[level, 2] = first, last, n_affected
        _do_tuck(order, position, node_of, rank, first, last, moved, n_affected, tuck)
        history[level] = word
        level += 1
        turn[level] = parent[level] = 0


@kernel(
    f"int64(int64, int64, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, int64[::1], int64, int64[::1], "
    "int64)"
)
def climb_often(  # type: ignore[no-untyped-def]
    gains_address,
    losses_address,
    score,
    trees,
    forms,
    before,
    bound,
    order,
    position,
    node_of,
    turns,
    depth,
    progress,
    most,
):
    """Raise the score up to ``most`` times; return whether the search is done, has more to do, or has no room.

    ``progress`` is where it stands.
    """
    gains_of, losses_of = gains_at(gains_address), losses_at(losses_address)
    if progress[PLACED] == 0:
        if not place_columns(gains_of, losses_of, score, trees, forms, order, position, node_of):
            return FULL
        progress[PLACED] = 1
    p = len(order)
    rank = np.empty(p, np.int64)
    _rank_stretch(order, position, rank, 0, p - 1)
    room, stamps = np.empty((3, p), np.int64), np.zeros((3, p), np.int64)
    tuck = (room[0], room[1], room[2], stamps[0], stamps[1], stamps[2])
    for _ in range(most):
        start = _climb(
            gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, rank, turns,
            progress[TURN], depth, progress, tuck,
        )  # fmt: skip
        if start == -2:
            return FULL
        if start == -1:
            return DONE
        progress[TURN] = start
    return MORE
