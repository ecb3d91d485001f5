"""The loops of PC: all conditioning sets of many pairs in one call, and colliders directed without a cycle."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.independence._kernels_discrete import TABLES, contingency_test, strata_room
from whence.independence._kernels_gaussian import correlation_given, correlation_given_one, grow_factor

TAIL = 1
ARROW = 2


@kernel("int64(int64[::1], int64, int64)", allocates=False)
def next_subset(position, size, count):  # type: ignore[no-untyped-def]
    """Move ``position`` to the next set of ``size`` out of ``count``; return the first place that changed, or -1."""
    k = size - 1
    while k >= 0 and position[k] == count - size + k:
        k -= 1
    if k >= 0:
        position[k] += 1
        for i in range(k + 1, size):
            position[i] = position[i - 1] + 1
    return k


@kernel("float64(int64, int64)", allocates=False)
def subsets(count, size):  # type: ignore[no-untyped-def]
    """Return how many sets of ``size`` there are among ``count``."""
    found = 1.0
    for k in range(size):
        found = found * (count - k) / (k + 1)
    return found


@kernel(
    f"UniTuple(int64, 2)(boolean, float64[:,::1], float64[::1], {TABLES}, int64[:,::1], int64[::1], int64[::1], int64,"
    "int64, float64, float64, int64[::1], int64[::1], float64[:,::1], int64[::1], int64[:,::1], int64[::1], int64[::1])"
)
def scan(  # type: ignore[no-untyped-def]
    gaussian,
    correlation,
    root,
    tables,
    pairs,
    near_start,
    near,
    smallest,
    largest,
    least,
    most_sets,
    mid_start,
    mids,
    evidence,
    best_size,
    best,
    separating,
    containing,
):
    """Test each pair given every set of its neighbours of ``smallest`` to ``largest`` columns.

    One enumeration serves both sorts of data; what it looks at is a degree of independence, larger for more of it:
    minus the absolute z of a partial correlation, or the p-value of a table. A set separates if that is above
    ``least``. Sets of neighbours of the first and of the second column are both tried, smaller ones first, each set
    once; a side stops at the first size with more than ``most_sets`` sets.

    Parameters
    ----------
    gaussian : bool
        Whether ``correlation`` and ``root`` (sqrt(n - size - 3) by size) are read, or ``tables``.
    pairs : shape (k, 2)
    near_start, near
        Neighbours that may be conditioned on: those of column v are ``near[near_start[v]:near_start[v + 1]]``.
    mid_start, mids
        Columns to be counted in the separating sets of pair q: ``mids[mid_start[q]:mid_start[q + 1]]``.
    evidence : shape (k, 2), written
        The largest degree of independence and its statistic; NaN where no set could be tested.
    best_size, best : shapes (k,), (k, largest), written
        The set that gave it.
    separating, containing : shapes (k,), (length of mids,), written
        Separating sets of each pair, and how many of them contain each of its mids.

    Returns
    -------
    tests, stopped : int
        Tests made, and sides that were stopped.
    """
    p = len(near_start) - 1
    room = largest + 1
    candidates = np.empty(p, np.int64)
    position = np.empty(room, np.int64)
    given = np.empty(room, np.int64)
    factor = np.empty((room, room))
    with_x = np.empty(room)
    with_y = np.empty(room)
    strata = strata_room(tables, largest)
    ready = np.zeros(2, np.int64)
    slot = np.full(p, -1, np.int64)
    seen = np.full(p, -1, np.int64)  # the last pair whose first column has this neighbour
    tests = 0
    stopped = 0
    for q in range(len(pairs)):
        x, y = pairs[q, 0], pairs[q, 1]
        evidence[q, 0] = -math.inf
        evidence[q, 1] = math.nan
        for k in range(mid_start[q], mid_start[q + 1]):
            slot[mids[k]] = k
        tried = 0  # up to this size all sets of neighbours of the first column were tried
        for side in range(2):
            centre, other = (x, y) if side == 0 else (y, x)
            count = 0
            for k in range(near_start[centre], near_start[centre + 1]):
                if near[k] != other:
                    candidates[count] = near[k]
                    count += 1
                    if side == 0:
                        seen[near[k]] = q
            for size in range(max(smallest, side), min(largest, count) + 1):  # the empty set once, not for both sides
                if subsets(count, size) > most_sets:
                    stopped += 1
                    break
                for k in range(size):
                    position[k] = k
                changed = 0
                known = 0  # columns of the last set tested that are still in this one
                while changed >= 0:
                    for k in range(changed, size):
                        given[k] = candidates[position[k]]
                    known = min(known, changed)
                    if side == 1 and size <= tried:
                        common = 0
                        while common < size and seen[given[common]] == q:
                            common += 1
                        if common == size:
                            changed = next_subset(position, size, count)
                            continue
                    if gaussian:
                        if size == 1:
                            partial = abs(correlation_given_one(correlation, x, y, given[0]))
                        else:
                            grow_factor(correlation, x, y, given, known, size, factor, with_x, with_y)
                            partial = abs(correlation_given(correlation[x, y], size, with_x, with_y))
                        statistic = root[size] * partial  # atanh is no less, which spares most of them
                        if not -statistic < min(evidence[q, 0], least):
                            statistic = root[size] * math.atanh(partial)
                        independence = -statistic
                    else:
                        ready[0] = min(ready[0], known)
                        ready[1] = min(ready[1], known)
                        independence, statistic, _ = contingency_test(
                            tables, strata, ready, x, y, given, size, min(evidence[q, 0], least)
                        )
                    known = size
                    tests += 1
                    if independence > evidence[q, 0] or (independence == evidence[q, 0] and statistic < evidence[q, 1]):
                        evidence[q, 0] = independence
                        evidence[q, 1] = statistic
                        best_size[q] = size
                        for k in range(size):
                            best[q, k] = given[k]
                    if independence > least:
                        separating[q] += 1
                        for k in range(size):
                            if slot[given[k]] >= 0:
                                containing[slot[given[k]]] += 1
                    changed = next_subset(position, size, count)
                if side == 0:
                    tried = size
        if math.isinf(evidence[q, 0]) and math.isnan(evidence[q, 1]):
            evidence[q, 0] = math.nan
        for k in range(mid_start[q], mid_start[q + 1]):
            slot[mids[k]] = -1
    return tests, stopped


@kernel("int64(int8[:,::1], int64[::1], int64[::1], int64[:,::1], boolean[::1])")
def direct_colliders(marks, near_start, near, triples, kept):  # type: ignore[no-untyped-def]
    """Direct ``a -> b <- c`` for each triple in order, in place; skip one against an arrow or with a cycle.

    ``kept`` tells which were directed; their number is returned.
    """
    p = marks.shape[0]
    stack = np.empty(p, np.int64)
    seen = np.zeros(p, np.int64)
    visit = 0
    count = 0
    for t in range(len(triples)):
        a, b, c = triples[t, 0], triples[t, 1], triples[t, 2]
        kept[t] = False
        if marks[b, a] == ARROW or marks[b, c] == ARROW:
            continue
        # A cycle arises if a directed path leads from b to a or c.
        visit += 1
        top = 1
        stack[0] = b
        seen[b] = visit
        while top > 0 and seen[a] != visit and seen[c] != visit:
            top -= 1
            node = stack[top]
            for k in range(near_start[node], near_start[node + 1]):
                child = near[k]
                if marks[node, child] == ARROW and seen[child] != visit:
                    seen[child] = visit
                    stack[top] = child
                    top += 1
        if seen[a] == visit or seen[c] == visit:
            continue
        marks[a, b] = ARROW
        marks[c, b] = ARROW
        kept[t] = True
        count += 1
    return count


@kernel("int64(int8[:,::1], int64[::1], int64[::1])")
def nearest_extension(marks, near_start, near):  # type: ignore[no-untyped-def]
    """Direct all undirected edges in place without a cycle and with few new colliders; return how many are new.

    Dor and Tarsi (1992) take out one sink after another that makes no new collider; where there is none, the sink that
    makes the fewest is taken, the first of equals. Directed edges must be acyclic.
    """
    p = marks.shape[0]
    alive = np.ones(p, np.bool_)
    around = np.empty(p, np.int64)
    new = 0
    for _ in range(p):
        chosen = -1
        fewest = p * p
        for x in range(p):
            if not alive[x]:
                continue
            count = 0
            sink = True
            for k in range(near_start[x], near_start[x + 1]):
                y = near[k]
                if alive[y]:
                    if marks[x, y] == ARROW:
                        sink = False
                        break
                    around[count] = y
                    count += 1
            if not sink:
                continue
            colliders = 0
            for i in range(count):
                for j in range(i + 1, count):
                    y, z = around[i], around[j]
                    open_edge = marks[y, x] == TAIL or marks[z, x] == TAIL
                    if open_edge and marks[y, z] == 0:
                        colliders += 1
            if colliders < fewest:
                fewest = colliders
                chosen = x
                if colliders == 0:
                    break
        new += fewest
        alive[chosen] = False
        for k in range(near_start[chosen], near_start[chosen + 1]):
            y = near[k]
            if alive[y]:
                marks[y, chosen] = ARROW
                marks[chosen, y] = TAIL
    return new
