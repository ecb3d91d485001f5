"""Compiled loops over mark matrices with neighbour lists: orientation rules, classes, consistent extensions.

``marks`` is the (p, p) mark matrix; ``near[a, :degree[a]]`` lists the nodes joined to a, so that a loop costs what
the edges cost and not p squared.
"""

from __future__ import annotations

import numpy as np

from whence.compile import kernel

TAIL = 1
ARROW = 2


@kernel("void(int8[:,::1], int32[:,::1], int32[::1])")
def list_neighbours(marks, near, degree):  # type: ignore[no-untyped-def]
    """Fill the neighbour lists from a mark matrix; ``near`` must be as wide as the largest degree."""
    for a in range(len(degree)):
        degree[a] = 0
        for b in range(len(degree)):
            if marks[a, b] != 0:
                near[a, degree[a]] = b
                degree[a] += 1


@kernel("boolean(int8[:,::1], int32[:,::1], int32[::1])")
def extend_lists(marks, near, degree):  # type: ignore[no-untyped-def]
    """Direct all undirected edges in place without a cycle or a new collider (Dor and Tarsi 1992)."""
    p = len(degree)
    alive = np.ones(p, np.bool_)
    queued = np.ones(p, np.bool_)
    queue = np.empty(p, np.int64)
    for x in range(p):
        queue[x] = p - 1 - x
    waiting = p
    left = p
    while waiting > 0:
        waiting -= 1
        x = queue[waiting]
        queued[x] = False
        if not alive[x]:
            continue
        fits = True
        for i in range(degree[x]):
            y = near[x, i]
            if not alive[y]:
                continue
            if marks[x, y] == ARROW:
                fits = False
                break
            if marks[y, x] == TAIL:  # undirected: y must be joined to all others around x
                for j in range(degree[x]):
                    z = near[x, j]
                    if z != y and alive[z] and marks[y, z] == 0:
                        fits = False
                        break
                if not fits:
                    break
        if not fits:
            continue
        alive[x] = False
        left -= 1
        for i in range(degree[x]):
            y = near[x, i]
            if alive[y]:
                marks[y, x] = ARROW
                marks[x, y] = TAIL
                if not queued[y]:
                    queued[y] = True
                    queue[waiting] = y
                    waiting += 1
    return left == 0


@kernel("boolean(int8[:,::1], int32[:,::1], int32[::1], int64, int64)")
def _forced(marks, near, degree, a, b):  # type: ignore[no-untyped-def]
    """Return whether one of Meek's rules directs the undirected edge a - b as a -> b."""
    for i in range(degree[a]):
        c = near[a, i]
        if c == b:
            continue
        if marks[a, c] == TAIL and marks[c, a] == ARROW and marks[c, b] == 0:
            return True
        if marks[a, c] == ARROW and marks[c, b] == ARROW:
            return True
        if marks[a, c] == TAIL and marks[c, a] == TAIL:
            for j in range(degree[a]):
                d = near[a, j]
                if d == c or marks[d, b] != ARROW or marks[b, d] != TAIL:  # d is not b: no loops
                    continue
                both = marks[a, d] == TAIL and marks[d, a] == TAIL
                if both and marks[c, b] == ARROW and marks[b, c] == TAIL and marks[c, d] == 0:
                    return True
                if marks[c, d] == ARROW and marks[d, c] == TAIL and marks[c, b] == 0:
                    return True
    return False


@kernel("void(int8[:,::1], int32[:,::1], int32[::1])")
def meek_lists(marks, near, degree):  # type: ignore[no-untyped-def]
    """Close the marks under Meek's rules in place."""
    changed = True
    while changed:
        changed = False
        for a in range(len(degree)):
            for i in range(degree[a]):
                b = near[a, i]
                if marks[a, b] == TAIL and marks[b, a] == TAIL and _forced(marks, near, degree, a, b):
                    marks[a, b] = ARROW
                    changed = True


@kernel("void(int8[:,::1], int8[:,::1], int32[:,::1], int32[::1])")
def class_of_dag(dag, marks, near, degree):  # type: ignore[no-untyped-def]
    """Write the CPDAG of a DAG with the same neighbour lists."""
    for b in range(len(degree)):
        for i in range(degree[b]):
            marks[b, near[b, i]] = TAIL
    for b in range(len(degree)):
        for i in range(degree[b]):
            u = near[b, i]
            if dag[u, b] != ARROW:
                continue
            for j in range(i + 1, degree[b]):
                v = near[b, j]
                if dag[v, b] == ARROW and dag[u, v] == 0:
                    marks[u, b] = ARROW
                    marks[v, b] = ARROW
    meek_lists(marks, near, degree)
