"""Greedy equivalence search, compiled. Neighbour lists beside the mark matrix keep every step local.

For each target, one factorisation per clique of its neighbours serves all sources; a target is rescored only when
its surroundings changed. Whether a semi-directed path forbids an insertion is checked when the insertion is about to
be made: an operator that is invalid now may be valid later, so it is set aside, not forgotten.
"""

from __future__ import annotations

import numpy as np

from whence.compile import kernel
from whence.discovery._kernels_class import (
    ARROW,
    GRAPH,
    TAIL,
    around,
    copy_marks,
    disconnect,
    gather,
    join,
    joins_clique,
    mark_changed,
    passable,
    path,
    points_in,
    settle,
)
from whence.discovery._kernels_score import gains_at
from whence.scores._kernels import GAINS, SCORE

# By target and source the gain of the best insertion and its clique of neighbours; targets to score anew and to look
# through anew, and their best source and its gain; insertions that are not valid now: target, source, clique and length
# of a path that this does not block, their gains, and those paths; targets of which anything was written, to be read by
# the caller; and an insertion that is not to be made: source and target, -1 if there is none.
STATE = (
    "Tuple((float64[:,::1], int64[:,::1], boolean[::1], boolean[::1], int64[::1], float64[::1], int64[:,::1], "
    "float64[::1], int32[:,::1], boolean[::1], int64[::1]))"
)


@kernel(f"void({GAINS}, {SCORE}, {GRAPH}, boolean[:,::1], boolean, int64, int64, float64[:,::1], int64[:,::1])")
def _score_target(  # type: ignore[no-untyped-def]
    gains_of,
    score,
    marks,
    near,
    degree,
    forbidden,
    known,
    target,
    most_parents,
    gain,
    clique_of,
):
    """Write for every source its best insertion into the target, path condition aside."""
    p = len(degree)
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    packed = around(marks, near, degree, target, parents, neighbours)
    n_parents, n_neighbours = packed // 4294967296, packed % 4294967296
    needed = np.zeros(p, np.int64)  # bit k: neighbour k of the target is joined to the source
    for k in range(n_neighbours):
        z = neighbours[k]
        for i in range(degree[z]):
            needed[near[z, i]] |= np.int64(1) << k
    shielding = np.zeros(p, np.int64)  # parents of the target that are joined to the source
    for k in range(n_parents):
        for i in range(degree[parents[k]]):
            shielding[near[parents[k], i]] += 1
    wanted = np.zeros(p, np.bool_)
    for x in range(p):
        # Without a collider at the target some member of the class may have the edge the other way round.
        ruled_out = known and forbidden[x, target] and (forbidden[target, x] or shielding[x] < n_parents)
        wanted[x] = x != target and marks[target, x] == 0 and not ruled_out
        gain[target, x] = -np.inf
    gains = np.empty(p)
    given = np.empty(n_parents + n_neighbours + 1, np.int64)
    cliques = [np.int64(0)]
    last = [np.int64(-1)]
    while len(cliques) > 0:
        clique = cliques.pop()
        top = last.pop()
        count = gather(parents, n_parents, neighbours, clique, given)
        if count < most_parents:
            gains_of(score, target, given, count, wanted, gains)
            for x in range(p):
                # The clique is NA(target, x) and T: it holds all neighbours that x is joined to, and T none of them.
                if not wanted[x] or not gain[target, x] < gains[x] or needed[x] & ~clique:
                    continue
                joining = clique & ~needed[x]
                if (joining and forbidden[x, target]) or not points_in(forbidden, neighbours, joining, target):
                    continue
                gain[target, x] = gains[x]
                clique_of[target, x] = clique
        for k in range(top + 1, n_neighbours):
            if joins_clique(marks, neighbours, clique, k):
                cliques.append(clique | (np.int64(1) << k))
                last.append(np.int64(k))


@kernel(
    f"Tuple((float64, int64))({GAINS}, {SCORE}, {GRAPH}, boolean[:,::1], int64, int64, int64, float64, boolean[::1], "
    "float64[::1])"
)
def _next_insertion(  # type: ignore[no-untyped-def]
    gains_of, score, marks, near, degree, forbidden, source, target, most_parents, below, wanted, gains
):
    """Return the best insertion of one edge with a gain below a bound, and its clique, path condition aside.

    ``wanted`` is false everywhere, ``gains`` room.
    """
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    packed = around(marks, near, degree, target, parents, neighbours)
    n_parents, n_neighbours = packed // 4294967296, packed % 4294967296
    needed = np.int64(0)
    for k in range(n_neighbours):
        if marks[neighbours[k], source] != 0:
            needed |= np.int64(1) << k
    given = np.empty(n_parents + n_neighbours + 1, np.int64)
    best, best_clique = -np.inf, np.int64(0)
    cliques = [np.int64(0)]
    last = [np.int64(-1)]
    wanted[source] = True
    while len(cliques) > 0:
        clique = cliques.pop()
        top = last.pop()
        count = gather(parents, n_parents, neighbours, clique, given)
        joining = clique & ~needed
        free = not (joining and forbidden[source, target]) and points_in(forbidden, neighbours, joining, target)
        if count < most_parents and free and not needed & ~clique:
            gains_of(score, target, given, count, wanted, gains)
            if best < gains[source] < below:
                best, best_clique = gains[source], clique
        for k in range(top + 1, n_neighbours):
            if joins_clique(marks, neighbours, clique, k):
                cliques.append(clique | (np.int64(1) << k))
                last.append(np.int64(k))
    wanted[source] = False
    return best, best_clique


@kernel("boolean(int8[:,::1], int32[:,::1], int32[::1], int64, int64, int64, int32[::1])")
def _blocks(marks, near, degree, source, target, clique, came):  # type: ignore[no-untyped-def]
    """Return whether the clique of the target's neighbours blocks every semi-directed path to the source."""
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    n_neighbours = around(marks, near, degree, target, parents, neighbours) % 4294967296
    blocked = np.zeros(len(degree), np.bool_)
    for k in range(n_neighbours):
        if (clique >> k) & 1:
            blocked[neighbours[k]] = True
    return not path(marks, near, degree, target, source, blocked, came)


@kernel("int64(int64, int64, int32[::1], int32[::1])")
def _trace(source, target, came, nodes):  # type: ignore[no-untyped-def]
    """Write the path found from target to source, backwards; return how many nodes it has, 0 if there is no room."""
    node, length = source, 1
    nodes[0] = source
    while node != target:
        node = came[node]
        if length == len(nodes):
            return 0
        nodes[length] = node
        length += 1
    return length


@kernel("boolean(int8[:,::1], int32[::1], int64)")
def _stands(marks, nodes, length):  # type: ignore[no-untyped-def]
    """Return whether a path written by `_trace` is still semi-directed."""
    stands = True
    for k in range(length - 1):
        stands = stands and passable(marks, nodes[k + 1], nodes[k])
    return stands


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64, int64)")
def _apply_insert(marks, near, degree, source, target, clique):  # type: ignore[no-untyped-def]
    """Insert source -> target and direct the members of T into the target."""
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    n_neighbours = around(marks, near, degree, target, parents, neighbours) % 4294967296
    for k in range(n_neighbours):
        if (clique >> k) & 1 and marks[source, neighbours[k]] == 0:
            marks[neighbours[k], target] = ARROW
    join(marks, near, degree, source, target)
    marks[source, target] = ARROW
    marks[target, source] = TAIL


@kernel(
    f"boolean(int64, {SCORE}, {GRAPH}, boolean[:,::1], boolean, int64, int8[:,::1], int8[:,:,::1], {STATE}, int64, "
    "int64[::1], float64[::1])"
)
def insert_edges(  # type: ignore[no-untyped-def]
    gains_address,
    score,
    marks,
    near,
    degree,
    forbidden,
    known,
    most_parents,
    before,
    scratch,
    state,
    most,
    steps,
    rise,
):
    """Insert the best valid edge up to ``most`` times; return whether none is left that raises the score.

    Chickering (2002), theorem 15. ``known`` says whether anything is forbidden beyond self-loops; ``before`` and
    ``scratch`` are room for marks, zero at first; ``state`` is what is known of the insertions, from call to call.
    ``steps[0]`` counts the insertions, ``steps[2]`` holds how many are not valid now, and ``rise[0]`` sums what they
    are worth.
    """
    gains_of = gains_at(gains_address)
    p = len(degree)
    gain, clique_of, dirty, rescan, best_source, best_gain, barred, barred_gain, barrier, written, banned = state
    touched = np.zeros(p, np.bool_)
    wanted = np.zeros(p, np.bool_)
    gains = np.empty(p)
    came = np.empty(p, np.int32)
    n_barred = steps[2]
    for _ in range(most):
        # Insertions that are not valid wait until the path that forbids them is no longer there, their target is scored
        # anew, or a better one of the same edge is back.
        kept = 0
        for k in range(n_barred):
            y, x = barred[k, 0], barred[k, 1]
            if dirty[y] or gain[y, x] >= barred_gain[k]:
                continue
            if barred[k, 3] == 0 or not _stands(marks, barrier[k], barred[k, 3]):
                gain[y, x], clique_of[y, x], rescan[y] = barred_gain[k], barred[k, 2], True
                continue
            if kept < k:
                barred[kept], barred_gain[kept], barrier[kept] = barred[k], barred_gain[k], barrier[k]
            kept += 1
        n_barred = steps[2] = kept
        for y in range(p):
            if dirty[y]:
                _score_target(
                    gains_of,
                    score,
                    marks,
                    near,
                    degree,
                    forbidden,
                    known,
                    y,
                    most_parents,
                    gain,
                    clique_of,
                )
                if y == banned[1]:
                    gain[y, banned[0]] = -np.inf
                dirty[y] = False
                rescan[y] = True
        while True:
            target = -1
            best = 0.0
            for y in range(p):
                if rescan[y]:
                    written[y] = True
                    best_source[y] = np.argmax(gain[y])
                    best_gain[y] = gain[y, best_source[y]]
                    rescan[y] = False
                if best_gain[y] > best:
                    best = best_gain[y]
                    target = y
            if target < 0:
                break
            source = best_source[target]
            clique = clique_of[target, source]
            length = 0
            if _blocks(marks, near, degree, source, target, clique, came):
                copy_marks(marks, near, degree, before)
                before[source, target] = before[target, source] = 0
                _apply_insert(marks, near, degree, source, target, clique)
                touched[:] = False
                if settle(marks, near, degree, forbidden, known, before, scratch, touched):
                    touched[source] = touched[target] = True
                    steps[0] += 1
                    rise[0] += best
                    break
                # What is known forbids every member of the class this would lead to: undo.
                disconnect(marks, near, degree, source, target, scratch)
                copy_marks(before, near, degree, marks)
            elif n_barred < len(barred):
                length = _trace(source, target, came, barrier[n_barred])
            if n_barred < len(barred):
                barred[n_barred, 0], barred[n_barred, 1] = target, source
                barred[n_barred, 2], barred[n_barred, 3] = clique, length
                barred_gain[n_barred] = best
                n_barred += 1
                steps[2] = n_barred
            else:
                dirty[target] = True
            gain[target, source], clique_of[target, source] = _next_insertion(
                gains_of, score, marks, near, degree, forbidden, source, target, most_parents, best, wanted, gains
            )
            rescan[target] = True
        if target < 0:
            return True
        gain[target, source] = gain[source, target] = -np.inf
        rescan[source] = rescan[target] = True
        mark_changed(marks, near, degree, source, target, touched, dirty)
    return False
