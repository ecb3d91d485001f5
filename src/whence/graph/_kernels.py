"""Compiled loops over mark matrices: orientation rules, v-structures, consistent extensions."""

from __future__ import annotations

import numpy as np

from whence.compile import kernel

TAIL = 1
ARROW = 2


@kernel("boolean(int8[:,::1], int64, int64, int64)")
def _must_point(marks, a, b, p):  # type: ignore[no-untyped-def]
    """Return whether some rule directs the undirected edge a - b as a -> b."""
    for c in range(p):
        if marks[a, c] == 0 or c == b:
            continue
        into_a = marks[c, a] == ARROW and marks[a, c] == TAIL
        # Rule 1: c -> a - b, c and b not adjacent.
        if into_a and marks[c, b] == 0:
            return True
        # Rule 2: a -> c -> b.
        if marks[a, c] == ARROW and marks[c, a] == TAIL and marks[c, b] == ARROW and marks[b, c] == TAIL:
            return True
        if marks[a, c] != TAIL or marks[c, a] != TAIL:
            continue
        for d in range(p):
            if d in (b, c) or marks[a, d] == 0:
                continue
            d_into_b = marks[d, b] == ARROW and marks[b, d] == TAIL
            # Rule 3: a - c -> b and a - d -> b, c and d not adjacent.
            if (
                d_into_b
                and marks[c, b] == ARROW
                and marks[b, c] == TAIL
                and marks[a, d] == TAIL
                and marks[d, a] == TAIL
                and marks[c, d] == 0
            ):
                return True
            # Rule 4: a - c -> d -> b, a adjacent to d, c and b not adjacent.
            if d_into_b and marks[c, d] == ARROW and marks[d, c] == TAIL and marks[c, b] == 0:
                return True
    return False


@kernel("int64(int8[:,::1])")
def close_under_meek(marks):  # type: ignore[no-untyped-def]
    """Apply Meek's rules 1 to 4 in place until nothing changes; return how many edges were directed.

    Meek (1995), Causal inference and causal explanation with background knowledge, figure 1.
    """
    p = marks.shape[0]
    count = 0
    changed = True
    while changed:
        changed = False
        for a in range(p):
            for b in range(p):
                if marks[a, b] != TAIL or marks[b, a] != TAIL:
                    continue
                if _must_point(marks, a, b, p):
                    marks[a, b] = ARROW
                    count += 1
                    changed = True
    return count


@kernel("void(int8[:,::1], int8[:,::1])")
def mark_colliders(dag, marks):  # type: ignore[no-untyped-def]
    """Write the skeleton of a DAG into ``marks``, directed where a v-structure demands it."""
    p = dag.shape[0]
    parents = np.empty(p, np.int64)
    for b in range(p):
        count = 0
        for a in range(p):
            if dag[a, b]:
                parents[count] = a
                count += 1
                marks[a, b] = TAIL if marks[a, b] == 0 else marks[a, b]
                marks[b, a] = TAIL
        for i in range(count):
            for j in range(i + 1, count):
                u, v = parents[i], parents[j]
                if not dag[u, v] and not dag[v, u]:
                    marks[u, b] = ARROW
                    marks[v, b] = ARROW


@kernel("boolean(int8[:,::1])")
def extend(marks):  # type: ignore[no-untyped-def]
    """Direct all undirected edges in place without a cycle or a new v-structure; False if that is impossible.

    Dor and Tarsi (1992), A simple algorithm to construct a consistent extension of a partially oriented graph.
    """
    p = marks.shape[0]
    alive = np.ones(p, np.bool_)
    near = np.empty(p, np.int64)
    left = p
    while left > 0:
        found = False
        for x in range(p):
            if not alive[x]:
                continue
            count = 0
            sink = True
            for y in range(p):
                if alive[y] and marks[x, y] != 0:
                    if marks[x, y] == ARROW and marks[y, x] == TAIL:
                        sink = False
                        break
                    near[count] = y
                    count += 1
            if not sink:
                continue
            fits = True
            for i in range(count):
                y = near[i]
                if marks[x, y] == TAIL and marks[y, x] == TAIL:
                    for j in range(count):
                        z = near[j]
                        if z != y and marks[y, z] == 0:
                            fits = False
                            break
                if not fits:
                    break
            if not fits:
                continue
            for i in range(count):
                marks[near[i], x] = ARROW
                marks[x, near[i]] = TAIL
            alive[x] = False
            left -= 1
            found = True
        if not found:
            return False
    return True
