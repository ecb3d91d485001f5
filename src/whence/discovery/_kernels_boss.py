"""Best order score search, compiled: grow-shrink trees remember for every column which parents a prefix gives it.

A tree node stands for a set of parents grown so far. It keeps the columns that would raise the score from there, best
first, one child for each, and what is left when the set is shrunk. Finding the parents for a prefix is a walk: always
to the best column that the prefix holds. Andrews et al. (2023), section 3.
"""

from __future__ import annotations

import numpy as np

from whence.compile import kernel
from whence.discovery._kernels_score import gains_at, losses_at
from whence.scores._kernels import GAINS, LOSSES, SCORE

# Per tree node: first candidate, number of candidates, where its sets begin, parents grown, which come first there,
# and parents kept, which follow (-1 until a walk ends there).
_FIRST, _COUNT, SETS, GROWN, KEPT = 0, 1, 2, 3, 4
# nodes, sets, scores, candidates, children, used, roots; lists, listed_by: whether any node of the tree of one
# column has another among its candidates, by the tree's column and by the candidate; heads, links: the same as lists,
# for each candidate the last link, which holds the tree's column and the link before; room for sets and for gains
TREES = (
    "Tuple((int64[:,::1], int32[::1], float64[::1], int32[::1], int32[::1], int64[::1], int64[::1], boolean[:,::1], "
    "boolean[:,::1], int32[::1], int32[:,::1], int64[::1], float64[::1]))"
)
# required and allowed, by target and then source; most_parents
FORMS = "Tuple((boolean[:,::1], boolean[:,::1], int64))"
# The columns in their order, the place of each, and the node where the walk of each ends
ORDER = "int64[::1], int64[::1], int64[::1]"
# What a search tells: all is done; there is more to do; the store ran full.
DONE, MORE, FULL = 0, 1, 2
# In ``progress``: whether every column has its place and node, the next turn, and three counts that differ by search
PLACED, TURN = 0, 1
_MOVED, _MOVES, _SWEEPS = 2, 3, 4  # columns moved in this sweep and before it, sweeps ended
# Differences below these shares of the rows are rounding: the logarithms carry errors in proportion to n.
_TIE = 1e-13
_MOVE_TIE = 1e-12


@kernel(f"int64({GAINS}, {SCORE}, {TREES}, {FORMS}, int64, int64, int64)", allocates=False)
def _new_node(gains_of, score, trees, forms, target, before, step):  # type: ignore[no-untyped-def]
    """Make the root of a target's tree, or the child of a node at one of its candidates; -1 where the store is full.

    ``used`` holds how many nodes, candidates, places for sets and links are taken, and how many nodes may grow no
    further.
    """
    nodes, sets, _, candidates, children, used, roots, lists, listed_by, heads, links, parents, gains = trees
    required, allowed, most_parents = forms
    p = len(required)
    node, first, start = used[0], used[1], used[2]
    if node >= len(nodes) or first + p > len(candidates) or start + 2 * p > len(sets):
        return -1
    count = 0
    if before < 0:
        for column in range(p):
            if required[target, column]:
                parents[count] = column
                count += 1
        roots[target] = node
    else:
        count = nodes[before, GROWN] + 1
        for k in range(count - 1):
            parents[k] = sets[nodes[before, SETS] + k]
        parents[count - 1] = candidates[step]
        children[step] = node
    for k in range(count):
        sets[start + k] = parents[k]
    n_candidates = 0
    if count == most_parents:
        used[4] += 1
    else:
        tie = 1e-9 + _TIE * score[6]
        wanted = allowed[target]
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
                if not lists[target, column]:
                    lists[target, column] = listed_by[column, target] = True
                    links[used[3], 0], links[used[3], 1] = target, heads[column]
                    heads[column] = used[3]
                    used[3] += 1
    used[0] += 1
    used[1] += n_candidates
    used[2] += 2 * count
    nodes[node, _FIRST] = first
    nodes[node, _COUNT] = n_candidates
    nodes[node, SETS] = start
    nodes[node, GROWN] = count
    nodes[node, KEPT] = -1
    return node


@kernel(f"void({LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, int64)", allocates=False)
def _shrink(losses_of, score, trees, forms, target, node):  # type: ignore[no-untyped-def]
    """Take out of a node's parents the one whose loss raises the score most, again and again; write what is left."""
    nodes, sets, scores, left, losses = trees[0], trees[1], trees[2], trees[11], trees[12]
    required = forms[0]
    tie = 1e-9 + _TIE * score[6]
    start, count = nodes[node, SETS], nodes[node, GROWN]
    for k in range(count):
        left[k] = sets[start + k]
    while True:
        scores[node] = losses_of(score, target, left, count, losses)
        least, worst = -tie, -1
        for out in range(count):
            if losses[out] < least and not required[target, left[out]]:
                least, worst = losses[out], out
        if worst < 0:
            break
        for k in range(worst, count - 1):
            left[k] = left[k + 1]
        count -= 1
    for k in range(count):
        sets[start + nodes[node, GROWN] + k] = left[k]
    nodes[node, KEPT] = count


@kernel("UniTuple(int64, 2)(int64[:,::1], int32[::1], int32[::1], int64[::1], int64, int64)", allocates=False)
def _follow(nodes, children, candidates, position, node, limit):  # type: ignore[no-untyped-def]
    """Walk from a node as far as the tree is made; return the last node, and at which candidate it goes on, -1 if not.

    The prefix is what stands before a place.
    """
    while True:
        step = -1
        for place in range(nodes[node, _FIRST], nodes[node, _FIRST] + nodes[node, _COUNT]):
            if position[candidates[place]] < limit:
                step = place
                break
        if step < 0 or children[step] < 0:
            return node, step
        node = np.int64(children[step])


@kernel(f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, int64[::1], int64, int64, int64)", allocates=False)
def _walk_on(gains_of, losses_of, score, trees, forms, target, position, limit, node, step):  # type: ignore[no-untyped-def]
    """Return the node at which a walk ends, making those on the way that are missing; -1 where the store is full."""
    nodes, candidates, children = trees[0], trees[3], trees[4]
    while step >= 0 or node < 0:
        node = _new_node(gains_of, score, trees, forms, target, node, step)
        if node < 0:
            return node
        node, step = _follow(nodes, children, candidates, position, node, limit)
    if nodes[node, KEPT] < 0:
        _shrink(losses_of, score, trees, forms, target, node)
    return node


@kernel(f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, int64, int64[::1], int64)", allocates=False)
def walk(gains_of, losses_of, score, trees, forms, target, position, limit):  # type: ignore[no-untyped-def]
    """Return the node at which the walk ends when the prefix is what stands before a place; -1 where the store is full.

    Nodes on the way are made when first needed.
    """
    nodes, candidates, children, roots = trees[0], trees[3], trees[4], trees[6]
    node, step = roots[target], np.int64(-1)
    if node >= 0:
        node, step = _follow(nodes, children, candidates, position, node, limit)
        if step < 0 and nodes[node, KEPT] >= 0:
            return node
    return _walk_on(gains_of, losses_of, score, trees, forms, target, position, limit, node, step)


@kernel(f"boolean({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, {ORDER})", allocates=False)
def place_columns(gains_of, losses_of, score, trees, forms, order, position, node_of):  # type: ignore[no-untyped-def]
    """Write each column's place and the node of its parents; False where the store ran full."""
    for place in range(len(order)):
        position[order[place]] = place
    for column in order:
        node_of[column] = walk(gains_of, losses_of, score, trees, forms, column, position, position[column])
        if node_of[column] < 0:
            return False
    return True


@kernel("boolean(int64[:,::1], int32[::1], int64, int64)", allocates=False)
def has_grown(nodes, sets, node, column):  # type: ignore[no-untyped-def]
    """Return whether a column was taken on the walk to a node."""
    found = False
    for k in range(nodes[node, SETS], nodes[node, SETS] + nodes[node, GROWN]):
        found = found or sets[k] == column
    return found


@kernel(
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, {ORDER}, int64, int64, int64, int64[::1], int64[::1], "
    "int64[::1])",
    allocates=False,
)
def _find_affected(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, order, position, node_of, column, lowest, highest, where, with_it, without
):
    """List the columns whose parents depend on whether one column stands before them; -1 where the store ran full.

    Of the columns in places ``lowest`` to ``highest``, the one itself aside: their places and the nodes in which their
    walks end with it before them and without. Only trees that have it among their candidates are walked.
    """
    nodes, sets, listed_by = trees[0], trees[1], trees[8]
    start = position[column]
    count = 0
    for place in range(lowest, highest + 1):
        other = order[place]
        if other == column or not listed_by[column, other]:
            continue
        here = node_of[other]
        if place > start:
            if not has_grown(nodes, sets, here, column):  # a walk that did not take it ends there without it as well
                continue
            position[column] = len(order)
            with_it[count] = here
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


@kernel(f"void({ORDER}, int64, int64, int64, int64, int64[::1], int64[::1], int64[::1])", allocates=False)
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
    f"int64({GAINS}, {LOSSES}, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, int64, int64[:,::1])",
    allocates=False,
)
def _move_column(  # type: ignore[no-untyped-def]
    gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, column, room
):
    """Put one column at its best place in the order; return how many places changed, -1 where the store ran full.

    ``bound`` tells whether anything must stand before anything, and ``room`` is space of shape (3, p).
    """
    scores, lists = trees[2], trees[7]
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
        return -1
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
                    return -1
            total = scores[node] + after
            stale = False
            if total > best + 1e-7 + _MOVE_TIE * n:
                best, best_place, best_node = total, place, node
        if place == start:
            stay = total
    position[column] = start
    if best_place == start or not best > stay + 1e-6 + _MOVE_TIE * n:
        return 0
    _move(order, position, node_of, column, best_place, best_node, count, where, with_it, without)
    return 1


@kernel(
    f"int64(int64, int64, {SCORE}, {TREES}, {FORMS}, boolean[:,::1], boolean, {ORDER}, int64[::1], int64[::1], int64)"
)
def move_columns(  # type: ignore[no-untyped-def]
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
    progress,
    most,
):
    """Put up to ``most`` columns at their best places, in turns, sweep after sweep until one moves none.

    Return whether the search is done, has more to do, or has no room; ``progress`` is where it stands.
    """
    gains_of, losses_of = gains_at(gains_address), losses_at(losses_address)
    if progress[PLACED] == 0:
        if not place_columns(gains_of, losses_of, score, trees, forms, order, position, node_of):
            return FULL
        progress[PLACED] = 1
    room = np.empty((3, len(order)), np.int64)
    for _ in range(most):
        moved = _move_column(
            gains_of, losses_of, score, trees, forms, before, bound, order, position, node_of, turns[progress[TURN]],
            room,
        )  # fmt: skip
        if moved < 0:
            return FULL
        progress[_MOVED] += moved
        progress[TURN] += 1
        if progress[TURN] == len(order):
            found = progress[_MOVED]
            progress[TURN] = progress[_MOVED] = 0
            progress[_MOVES] += found
            progress[_SWEEPS] += 1
            if found == 0:
                return DONE
    return MORE


@kernel("void(int64[:,::1], int32[::1], int64[::1], boolean[:,::1])", allocates=False)
def write_graph(nodes, sets, node_of, adjacency):  # type: ignore[no-untyped-def]
    """Give each column the parents that its node keeps."""
    for target in range(len(node_of)):
        start = nodes[node_of[target], SETS] + nodes[node_of[target], GROWN]
        for k in range(start, start + nodes[node_of[target], KEPT]):
            adjacency[sets[k], target] = True
