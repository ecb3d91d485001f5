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
    TAIL,
    agrees,
    around,
    copy_marks,
    disconnect,
    gather,
    join,
    joins_clique,
    path,
    points_in,
)
from whence.graph._kernels import class_of_dag, extend_lists
from whence.scores._kernels import GAINS, SCORE

_GRAPH = "int8[:,::1], int32[:,::1], int32[::1]"


@kernel(f"void({GAINS}, {SCORE}, {_GRAPH}, boolean[:,::1], int64, int64, float64[:,::1], int64[:,::1], int64, float64)")
def _score_target(  # type: ignore[no-untyped-def]
    gains_of,
    score,
    marks,
    near,
    degree,
    forbidden,
    target,
    most_parents,
    gain,
    clique_of,
    only,
    below,
):
    """Write for every source its best insertion into the target with a gain below a bound, path condition aside.

    With ``only`` >= 0 just that source is scored, and only cliques that block every semi-directed path count.
    """
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
        ruled_out = forbidden[x, target] and (forbidden[target, x] or shielding[x] < n_parents)
        wanted[x] = x != target and marks[x, target] == 0 and not ruled_out and only in (-1, x)
        if only in (-1, x):
            gain[target, x] = -np.inf
    gains = np.empty(p)
    given = np.empty(n_parents + n_neighbours + 1, np.int64)
    blocked = np.zeros(p, np.bool_)
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
                if not wanted[x] or not gain[target, x] < gains[x] < below or needed[x] & ~clique:
                    continue
                if only >= 0:
                    for k in range(n_parents, count):
                        blocked[given[k]] = True
                    open_path = path(marks, near, degree, target, x, blocked)
                    for k in range(n_parents, count):
                        blocked[given[k]] = False
                    if open_path:
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
    "boolean(int8[:,::1], int32[:,::1], int32[::1], boolean[:,::1], boolean, int8[:,::1], int8[:,:,::1], boolean[::1])"
)
def _settle(marks, near, degree, forbidden, known, before, scratch, touched):  # type: ignore[no-untyped-def]
    """Bring edited marks back to a class in place and mark the nodes whose edges changed.

    False if the edit leads to no class, or to one without a member that keeps to what is forbidden. ``before`` holds
    the marks before the edit; ``scratch`` three matrices that are zero wherever there is no edge.
    """
    dag = scratch[0]
    copy_marks(marks, near, degree, dag)
    if not extend_lists(dag, near, degree):
        return False
    class_of_dag(dag, marks, near, degree)
    for a in range(len(degree)):
        for i in range(degree[a]):
            b = near[a, i]
            if marks[a, b] != before[a, b]:
                touched[a] = True
                touched[b] = True
    return not known or agrees(marks, near, degree, forbidden, scratch[1], scratch[2])


@kernel("boolean(int8[:,::1], int32[:,::1], int32[::1], int64, int64, int64)")
def _blocks(marks, near, degree, source, target, clique):  # type: ignore[no-untyped-def]
    """Return whether the clique of the target's neighbours blocks every semi-directed path to the source."""
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    n_neighbours = around(marks, near, degree, target, parents, neighbours) % 4294967296
    blocked = np.zeros(len(degree), np.bool_)
    for k in range(n_neighbours):
        if (clique >> k) & 1:
            blocked[neighbours[k]] = True
    return not path(marks, near, degree, target, source, blocked)


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


@kernel(f"float64({GAINS}, {SCORE}, {_GRAPH}, boolean[:,::1], boolean, int64, int8[:,::1], int8[:,:,::1], int64[::1])")
def insert_edges(  # type: ignore[no-untyped-def]
    gains_of,
    score,
    marks,
    near,
    degree,
    forbidden,
    known,
    most_parents,
    before,
    scratch,
    steps,
):
    """Insert the best valid edge until none raises the score; return the rise. Chickering (2002), theorem 15.

    ``known`` says whether anything is forbidden beyond self-loops, ``before`` and ``scratch`` are room for marks, zero
    at first, and ``steps[0]`` counts the insertions.
    """
    p = len(degree)
    gain = np.full((p, p), -np.inf)  # by target, source
    clique_of = np.zeros((p, p), np.int64)
    dirty = np.ones(p, np.bool_)
    best_source = np.zeros(p, np.int64)
    rescan = np.ones(p, np.bool_)
    touched = np.zeros(p, np.bool_)
    held_target = np.empty(p * 4 + 64, np.int64)
    held_source = np.empty(p * 4 + 64, np.int64)
    held_gain = np.empty(p * 4 + 64)
    held_clique = np.empty(p * 4 + 64, np.int64)
    rise = 0.0
    while True:
        held = 0
        for y in range(p):
            if dirty[y]:
                _score_target(
                    gains_of,
                    score,
                    marks,
                    near,
                    degree,
                    forbidden,
                    y,
                    most_parents,
                    gain,
                    clique_of,
                    -1,
                    np.inf,
                )
                dirty[y] = False
                rescan[y] = True
        while True:
            target = -1
            best = 0.0
            for y in range(p):
                if rescan[y]:
                    best_source[y] = np.argmax(gain[y])
                    rescan[y] = False
                if gain[y, best_source[y]] > best:
                    best = gain[y, best_source[y]]
                    target = y
            if target < 0:
                break
            source = best_source[target]
            clique = clique_of[target, source]
            if _blocks(marks, near, degree, source, target, clique):
                copy_marks(marks, near, degree, before)
                before[source, target] = before[target, source] = 0
                _apply_insert(marks, near, degree, source, target, clique)
                touched[:] = False
                if _settle(marks, near, degree, forbidden, known, before, scratch, touched):
                    touched[source] = touched[target] = True
                    rise += best
                    steps[0] += 1
                    break
                # What is known forbids every member of the class this would lead to: undo.
                disconnect(marks, near, degree, source, target, scratch)
                copy_marks(before, near, degree, marks)
            # Not valid now: keep it for later, and take the best valid one of the same pair.
            if held < len(held_gain):
                held_target[held], held_source[held] = target, source
                held_gain[held], held_clique[held] = best, clique
                held += 1
            else:
                dirty[target] = True
            _score_target(
                gains_of,
                score,
                marks,
                near,
                degree,
                forbidden,
                target,
                most_parents,
                gain,
                clique_of,
                source,
                best,
            )
            rescan[target] = True
        if target < 0:
            return rise
        for k in range(held - 1, -1, -1):  # of several for a pair the first is the best
            gain[held_target[k], held_source[k]] = held_gain[k]
            clique_of[held_target[k], held_source[k]] = held_clique[k]
            rescan[held_target[k]] = True
        gain[target, source] = gain[source, target] = -np.inf
        rescan[source] = rescan[target] = True
        for a in range(p):
            if touched[a]:
                dirty[a] = True
        for end in (source, target):
            for i in range(degree[end]):
                z = near[end, i]
                if marks[z, end] == TAIL and marks[end, z] == TAIL:
                    dirty[z] = True


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64, int64, int8[:,:,::1])")
def _apply_delete(marks, near, degree, source, target, kept, scratch):  # type: ignore[no-untyped-def]
    """Delete the edge and direct those of NA(target, source) that are not kept away from both ends."""
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    n_neighbours = around(marks, near, degree, target, parents, neighbours) % 4294967296
    for k in range(n_neighbours):
        h = neighbours[k]
        if h == source or (kept >> k) & 1 or marks[h, source] == 0:
            continue
        marks[target, h] = ARROW
        if marks[source, h] == TAIL and marks[h, source] == TAIL:
            marks[source, h] = ARROW
    disconnect(marks, near, degree, source, target, scratch)


@kernel(
    f"float64({GAINS}, {SCORE}, {_GRAPH}, boolean[:,::1], boolean[:,::1], boolean, int8[:,::1], int8[:,:,::1], "
    "int64[::1])"
)
def delete_edges(  # type: ignore[no-untyped-def]
    gains_of,
    score,
    marks,
    near,
    degree,
    required,
    forbidden,
    known,
    before,
    scratch,
    steps,
):
    """Delete the edge whose loss raises the score most until none does; return the rise. Theorem 17; see above."""
    p = len(degree)
    below = np.full((p, p), np.inf)  # deletions of an edge that gain more are refused
    touched = np.zeros(p, np.bool_)
    wanted = np.zeros(p, np.bool_)
    gains = np.empty(p)
    rise = 0.0
    while True:
        best, source, target, kept = 0.0, -1, -1, np.int64(0)
        for y in range(p):
            parents = np.empty(degree[y] + 1, np.int64)
            neighbours = np.empty(degree[y] + 1, np.int64)
            packed = around(marks, near, degree, y, parents, neighbours)
            n_parents, n_neighbours = packed // 4294967296, packed % 4294967296
            others = np.empty(n_parents + 1, np.int64)
            given = np.empty(n_parents + n_neighbours + 1, np.int64)
            for i in range(degree[y]):
                x = near[y, i]
                if marks[y, x] == ARROW or required[x, y] or required[y, x]:
                    continue
                n_others = 0
                for k in range(n_parents):
                    if parents[k] != x:
                        others[n_others] = parents[k]
                        n_others += 1
                wanted[x] = True
                cliques = [np.int64(0)]
                last = [np.int64(-1)]
                while len(cliques) > 0:
                    clique = cliques.pop()
                    top = last.pop()
                    count = gather(others, n_others, neighbours, clique, given)
                    gains_of(score, y, given, count, wanted, gains)
                    if best < -gains[x] < below[x, y]:
                        best, source, target, kept = -gains[x], x, y, clique
                    for k in range(top + 1, n_neighbours):
                        joined = neighbours[k] != x and marks[neighbours[k], x] != 0
                        if joined and joins_clique(marks, neighbours, clique, k):
                            cliques.append(clique | (np.int64(1) << k))
                            last.append(np.int64(k))
                wanted[x] = False
        if target < 0:
            return rise
        copy_marks(marks, near, degree, before)
        _apply_delete(marks, near, degree, source, target, kept, scratch)
        if _settle(marks, near, degree, forbidden, known, before, scratch, touched):
            rise += best
            steps[1] += 1
            below[:] = np.inf
        else:
            join(marks, near, degree, source, target)
            copy_marks(before, near, degree, marks)
            below[source, target] = best
