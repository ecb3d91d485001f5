"""Deletions of edges from a class of graphs, compiled: the second half of greedy equivalence search."""

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
    settle,
)
from whence.discovery._kernels_score import gains_at
from whence.scores._kernels import GAINS, SCORE


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64, int64, int8[:,:,::1])")
def apply_delete(marks, near, degree, source, target, kept, scratch):  # type: ignore[no-untyped-def]
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
    f"Tuple((float64, int64))({GAINS}, {SCORE}, {GRAPH}, int64, int64, float64, float64, boolean[::1], float64[::1])"
)
def best_deletion(  # type: ignore[no-untyped-def]
    gains_of, score, marks, near, degree, source, target, above, below, wanted, gains
):
    """Return the best deletion of one edge with a gain between two bounds, and the clique it keeps; else ``above``.

    ``wanted`` is false everywhere, ``gains`` room.
    """
    parents = np.empty(degree[target] + 1, np.int64)
    neighbours = np.empty(degree[target] + 1, np.int64)
    packed = around(marks, near, degree, target, parents, neighbours)
    n_parents, n_neighbours = packed // 4294967296, packed % 4294967296
    n_others = 0
    for k in range(n_parents):
        if parents[k] != source:
            parents[n_others] = parents[k]
            n_others += 1
    given = np.empty(n_parents + n_neighbours + 1, np.int64)
    best, kept = above, np.int64(0)
    wanted[source] = True
    cliques = [np.int64(0)]
    last = [np.int64(-1)]
    while len(cliques) > 0:
        clique = cliques.pop()
        top = last.pop()
        count = gather(parents, n_others, neighbours, clique, given)
        gains_of(score, target, given, count, wanted, gains)
        if best < -gains[source] < below:
            best, kept = -gains[source], clique
        for k in range(top + 1, n_neighbours):
            joined = neighbours[k] != source and marks[neighbours[k], source] != 0
            if joined and joins_clique(marks, neighbours, clique, k):
                cliques.append(clique | (np.int64(1) << k))
                last.append(np.int64(k))
    wanted[source] = False
    return best, kept


@kernel(
    f"boolean(int64, {SCORE}, {GRAPH}, boolean[:,::1], boolean[:,::1], boolean, int8[:,::1], int8[:,:,::1], "
    "boolean[::1], boolean[::1], float64, int64, int64[::1], float64[::1])"
)
def delete_edges(  # type: ignore[no-untyped-def]
    gains_address,
    score,
    marks,
    near,
    degree,
    required,
    forbidden,
    known,
    before,
    scratch,
    look,
    dirty,
    least,
    most,
    steps,
    rise,
):
    """Delete the edge whose loss raises the score most, up to ``most`` times; return whether none is left. Theorem 17.

    Arguments are those of `insert_edges`; ``look`` tells at which targets to look, ``dirty`` those whose insertions may
    be others afterwards, and a deletion is made if it is worth more than ``least``.
    """
    gains_of = gains_at(gains_address)
    p = len(degree)
    refused = [(np.int64(-1), np.int64(-1), np.inf)]  # deletions that what is known forbids, and their gains
    touched = np.zeros(p, np.bool_)
    wanted = np.zeros(p, np.bool_)
    gains = np.empty(p)
    done = 0
    while done < most:
        best, source, target, kept = least, np.int64(-1), np.int64(-1), np.int64(0)
        for y in range(p):
            if not look[y]:
                continue
            for i in range(degree[y]):
                x = near[y, i]
                if marks[y, x] == ARROW or required[x, y] or required[y, x]:
                    continue
                bound = np.inf
                for was_source, was_target, was_gain in refused:
                    if was_source == x and was_target == y:
                        bound = min(bound, was_gain)
                worth, clique = best_deletion(gains_of, score, marks, near, degree, x, y, best, bound, wanted, gains)
                if worth > best:
                    best, source, target, kept = worth, np.int64(x), np.int64(y), clique
        if target < 0:
            look[:] = False
            return True
        copy_marks(marks, near, degree, before)
        apply_delete(marks, near, degree, source, target, kept, scratch)
        touched[:] = False
        if settle(marks, near, degree, forbidden, known, before, scratch, touched):
            done += 1
            steps[1] += 1
            rise[0] += best
            mark_changed(marks, near, degree, source, target, touched, look)
            mark_changed(marks, near, degree, source, target, touched, dirty)
            refused = [(np.int64(-1), np.int64(-1), np.inf)]
        else:
            join(marks, near, degree, source, target)
            copy_marks(before, near, degree, marks)
            refused.append((np.int64(source), np.int64(target), best))
    return False
