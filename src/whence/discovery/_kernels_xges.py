"""Extremely greedy equivalence search, compiled, on the insertions and deletions of GES.

What a trial writes is little, so that it is undone by writing back the edges and the rows of the insertions' gains that
it touched.
"""

from __future__ import annotations

import numpy as np

from whence.compile import kernel
from whence.discovery._kernels_class import ARROW, GRAPH, copy_marks, join, mark_changed, settle
from whence.discovery._kernels_deletions import apply_delete, best_deletion, delete_edges
from whence.discovery._kernels_ges import STATE, insert_edges
from whence.discovery._kernels_score import gains_at
from whence.scores._kernels import SCORE

# Steps of a search that is not interrupted.
_ALL = 1 << 62
# A trial is kept if it raises the score by more than this, and this share of the rows: the rest is rounding.
_TIE, _TIE_SHARE = 1e-6, 1e-12


@kernel(
    f"boolean(int64, {SCORE}, {GRAPH}, boolean[:,::1], boolean[:,::1], boolean, int64, int8[:,::1], int8[:,:,::1], "
    f"{STATE}, boolean[::1], float64, int64, int64[::1], float64[::1])"
)
def climb_greedily(  # type: ignore[no-untyped-def]
    gains_address,
    score,
    marks,
    near,
    degree,
    required,
    forbidden,
    known,
    most_parents,
    before,
    scratch,
    state,
    look,
    least,
    most,
    steps,
    rise,
):
    """Make the best deletion while one raises the score, else the best insertion, up to ``most`` of these.

    Return whether there is none left. Nazaret and Blei (2024), algorithm XGES-0; arguments are those of `insert_edges`
    and `delete_edges`.
    """
    dirty = state[2]
    for _ in range(most):
        delete_edges(
            gains_address, score, marks, near, degree, required, forbidden, known, before, scratch, look, dirty, least,
            _ALL, steps, rise,
        )  # fmt: skip
        if insert_edges(
            gains_address, score, marks, near, degree, forbidden, known, most_parents, before, scratch, state, 1, steps,
            rise,
        ):  # fmt: skip
            return True
        for a in range(len(degree)):
            look[a] = look[a] or dirty[a]
    return False


@kernel(f"int64(int64, {SCORE}, {GRAPH}, boolean[:,::1], int64[:,::1], float64[::1])")
def list_deletions(gains_address, score, marks, near, degree, required, ends, worth):  # type: ignore[no-untyped-def]
    """Write the source and target of each edge that may go, both ways where it is undirected, and what that is worth.

    Return how many there are.
    """
    gains_of = gains_at(gains_address)
    p = len(degree)
    wanted, gains = np.zeros(p, np.bool_), np.empty(p)
    count = 0
    for y in range(p):
        for i in range(degree[y]):
            x = near[y, i]
            if marks[y, x] != ARROW and not required[x, y] and not required[y, x]:
                ends[count, 0], ends[count, 1] = x, y
                worth[count] = best_deletion(
                    gains_of, score, marks, near, degree, x, y, -np.inf, np.inf, wanted, gains
                )[0]
                count += 1
    return count


@kernel(f"void({GRAPH}, {GRAPH}, int8[:,:,::1])", allocates=False)
def _write_back(marks, near, degree, to_marks, to_near, to_degree, scratch):  # type: ignore[no-untyped-def]
    """Write the edges of one class over those of another, of which ``scratch`` keeps nothing."""
    for a in range(len(degree)):
        for i in range(to_degree[a]):
            to_marks[a, to_near[a, i]] = 0
            scratch[:, a, to_near[a, i]] = 0
    for a in range(len(degree)):
        to_degree[a] = degree[a]
        for i in range(degree[a]):
            to_near[a, i] = near[a, i]
            to_marks[a, near[a, i]] = marks[a, near[a, i]]


@kernel(f"void({STATE}, {STATE}, int64)", allocates=False)
def _write_rows(state, to, n_barred):  # type: ignore[no-untyped-def]
    """Copy what a search knows of the insertions into the targets that were written, and those that are not valid."""
    written = state[9]
    for y in range(len(written)):
        if written[y]:
            for x in range(len(written)):
                to[0][y, x], to[1][y, x] = state[0][y, x], state[1][y, x]
            to[4][y], to[5][y] = state[4][y], state[5][y]
    for k in range(n_barred):
        for i in range(4):
            to[6][k, i] = state[6][k, i]
        to[7][k] = state[7][k]
        for i in range(state[6][k, 3]):
            to[8][k, i] = state[8][k, i]


@kernel(
    f"int64(int64, {SCORE}, {GRAPH}, {GRAPH}, boolean[:,::1], boolean[:,::1], boolean, int64, int8[:,::1], "
    f"int8[:,:,::1], {STATE}, {STATE}, boolean[::1], int64[:,::1], int64, int64, float64, int64[::1], float64[::1])"
)
def try_deletions(  # type: ignore[no-untyped-def]
    gains_address,
    score,
    marks,
    near,
    degree,
    kept_marks,
    kept_near,
    kept_degree,
    required,
    forbidden,
    known,
    most_parents,
    before,
    scratch,
    state,
    kept,
    look,
    ends,
    first,
    stop,
    least,
    steps,
    rise,
):
    """Delete one edge after the other and climb on without its insertion, until that raises the score or all are tried.

    ``kept_marks`` and so on, and ``kept``, hold what ``marks`` and so on and ``state`` do, and do so at the end, unless
    the trial of the edge ``ends[k]`` is kept; return k then, else -1. Nazaret and Blei (2024), algorithm XGES.
    """
    gains_of = gains_at(gains_address)
    p = len(degree)
    wanted, gains, touched = np.zeros(p, np.bool_), np.empty(p), np.zeros(p, np.bool_)
    dirty, written, banned = state[2], state[9], state[10]
    for k in range(first, stop):
        source, target = ends[k, 0], ends[k, 1]
        if marks[source, target] == 0 or marks[target, source] == ARROW:
            continue  # another trial was kept since
        worth, clique = best_deletion(
            gains_of, score, marks, near, degree, source, target, -np.inf, np.inf, wanted, gains
        )
        n_insertions, n_deletions, n_barred = steps[0], steps[1], steps[2]
        rise[0] = worth
        copy_marks(marks, near, degree, before)
        apply_delete(marks, near, degree, source, target, clique, scratch)
        touched[:] = False
        valid = settle(marks, near, degree, forbidden, known, before, scratch, touched)
        if valid:
            mark_changed(marks, near, degree, source, target, touched, dirty)
            mark_changed(marks, near, degree, source, target, touched, look)
            banned[0], banned[1] = source, target
            steps[1] += 1
            climb_greedily(
                gains_address, score, marks, near, degree, required, forbidden, known, most_parents, before, scratch,
                state, look, least, _ALL, steps, rise,
            )  # fmt: skip
            banned[0] = banned[1] = -1
        else:
            join(marks, near, degree, source, target)
        if valid and rise[0] > _TIE + _TIE_SHARE * score[6]:
            dirty[target] = True  # the insertion may be made again
            return k
        _write_back(kept_marks, kept_near, kept_degree, marks, near, degree, scratch)
        for y in range(p):
            kept[9][y] = written[y]
            written[y] = False
        _write_rows(kept, state, n_barred)
        kept[9][:] = False
        steps[0], steps[1], steps[2] = n_insertions, n_deletions, n_barred
    return -1


@kernel(f"void({GRAPH}, {GRAPH}, int8[:,:,::1], {STATE}, {STATE}, int64)", allocates=False)
def keep(  # type: ignore[no-untyped-def]
    marks, near, degree, kept_marks, kept_near, kept_degree, scratch, state, kept, n_barred
):
    """Take over the class, and what is known of its insertions, as what later trials are measured by."""
    _write_back(marks, near, degree, kept_marks, kept_near, kept_degree, scratch)
    _write_rows(state, kept, n_barred)
    state[9][:] = False
