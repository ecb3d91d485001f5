"""Compiled steps on the mark matrix of a class of graphs: joining, parting, paths, cliques of neighbours."""

from __future__ import annotations

import numpy as np

from whence.compile import kernel
from whence.graph._kernels import class_of_dag, extend_lists, meek_lists

TAIL = 1
ARROW = 2
MOST_NEIGHBOURS = 60
# The marks of a class, and beside them the neighbours of each node and their number
GRAPH = "int8[:,::1], int32[:,::1], int32[::1]"


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64)", allocates=False)
def join(marks, near, degree, a, b):  # type: ignore[no-untyped-def]
    """Enter a and b in each other's neighbour list."""
    near[a, degree[a]] = b
    degree[a] += 1
    near[b, degree[b]] = a
    degree[b] += 1


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64)", allocates=False)
def part(marks, near, degree, a, b):  # type: ignore[no-untyped-def]
    """Strike a and b from each other's neighbour list and their marks."""
    for first, second in ((a, b), (b, a)):
        for k in range(degree[first]):
            if near[first, k] == second:
                for later in range(k, degree[first] - 1):
                    near[first, later] = near[first, later + 1]
                degree[first] -= 1
                break
        marks[first, second] = 0


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int8[:,::1])", allocates=False)
def copy_marks(marks, near, degree, target):  # type: ignore[no-untyped-def]
    """Copy the marks of all edges."""
    for a in range(len(degree)):
        for i in range(degree[a]):
            target[a, near[a, i]] = marks[a, near[a, i]]


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64, int8[:,:,::1])", allocates=False)
def disconnect(marks, near, degree, a, b, scratch):  # type: ignore[no-untyped-def]
    """Take an edge out of marks, lists and scratch matrices."""
    part(marks, near, degree, a, b)
    scratch[:, a, b] = 0
    scratch[:, b, a] = 0


@kernel("boolean(int8[:,::1], int32[:,::1], int32[::1], boolean[:,::1], int8[:,::1], int8[:,::1])")
def agrees(marks, near, degree, forbidden, trial, work):  # type: ignore[no-untyped-def]
    """Write into ``trial`` the class narrowed by what is forbidden; False if no member keeps to it."""
    p = len(degree)
    for a in range(p):
        for i in range(degree[a]):
            trial[a, near[a, i]] = marks[a, near[a, i]]
    for a in range(p):
        for i in range(degree[a]):
            b = near[a, i]
            if trial[a, b] == TAIL and trial[b, a] == TAIL and forbidden[b, a]:
                trial[a, b] = ARROW
    meek_lists(trial, near, degree)
    for a in range(p):
        for i in range(degree[a]):
            b = near[a, i]
            if trial[a, b] == ARROW and (trial[b, a] == ARROW or forbidden[a, b]):
                return False
            work[a, b] = trial[a, b]
    # What is forbidden may not make a collider that the class does not have: its members have none.
    for b in range(p):
        for i in range(degree[b]):
            u = near[b, i]
            if trial[u, b] != ARROW or marks[u, b] == ARROW:
                continue
            for j in range(degree[b]):
                v = near[b, j]
                if v != u and trial[v, b] == ARROW and marks[u, v] == 0:
                    return False
    return extend_lists(work, near, degree)


@kernel("boolean(int8[:,::1], int64, int64)", allocates=False)
def passable(marks, a, b):  # type: ignore[no-untyped-def]
    """Return whether a semi-directed path may go from a to b: they are joined, and not by b -> a."""
    return marks[a, b] != 0 and not (marks[b, a] == ARROW and marks[a, b] == TAIL)


@kernel("boolean(int8[:,::1], int32[:,::1], int32[::1], int64, int64, boolean[::1], int32[::1])")
def path(marks, near, degree, start, goal, blocked, came):  # type: ignore[no-untyped-def]
    """Return whether a semi-directed path leads from start to goal around the blocked nodes.

    ``came[b]`` is then the node before b on a shortest one, from the goal back to the start.
    """
    queue = np.empty(len(degree), np.int64)
    queue[0] = start
    came[:] = -1
    came[start] = start
    done, waiting = 0, 1
    while done < waiting:
        a = queue[done]
        done += 1
        for i in range(degree[a]):
            b = near[a, i]
            if came[b] >= 0 or blocked[b] or not passable(marks, a, b):
                continue
            came[b] = a
            if b == goal:
                return True
            queue[waiting] = b
            waiting += 1
    return False


@kernel("int64(int8[:,::1], int32[:,::1], int32[::1], int64, int64[::1], int64[::1])", allocates=False)
def around(marks, near, degree, target, parents, neighbours):  # type: ignore[no-untyped-def]
    """Write parents and undirected neighbours of a target; return parents * 2^32 + neighbours, their numbers."""
    n_parents = 0
    n_neighbours = 0
    for i in range(degree[target]):
        other = near[target, i]
        if marks[target, other] == TAIL and marks[other, target] == TAIL:
            if n_neighbours < MOST_NEIGHBOURS:
                neighbours[n_neighbours] = other
                n_neighbours += 1
        elif marks[other, target] == ARROW:
            parents[n_parents] = other
            n_parents += 1
    return n_parents * 4294967296 + n_neighbours


@kernel("boolean(int8[:,::1], int64[::1], int64, int64)", allocates=False)
def joins_clique(marks, neighbours, clique, k):  # type: ignore[no-untyped-def]
    """Return whether neighbour k is joined to every member of the clique, a bit mask."""
    place = 0
    rest = clique
    while rest:
        if rest & 1 and marks[neighbours[k], neighbours[place]] == 0:
            return False
        rest >>= 1
        place += 1
    return True


@kernel("int64(int64[::1], int64, int64[::1], int64, int64[::1])", allocates=False)
def gather(parents, n_parents, neighbours, clique, given):  # type: ignore[no-untyped-def]
    """Write parents and the neighbours in the clique one after the other; return how many."""
    count = n_parents
    for k in range(n_parents):  # a loop compiles ten times as fast as a copy of slices
        given[k] = parents[k]
    place = 0
    while clique:
        if clique & 1:
            given[count] = neighbours[place]
            count += 1
        clique >>= 1
        place += 1
    return count


@kernel("boolean(boolean[:,::1], int64[::1], int64, int64)", allocates=False)
def points_in(forbidden, neighbours, members, target):  # type: ignore[no-untyped-def]
    """Return whether every member, a bit mask over the neighbours, may point into the target."""
    place = 0
    while members:
        if members & 1 and forbidden[neighbours[place], target]:
            return False
        members >>= 1
        place += 1
    return True


@kernel(
    "boolean(int8[:,::1], int32[:,::1], int32[::1], boolean[:,::1], boolean, int8[:,::1], int8[:,:,::1], boolean[::1])"
)
def settle(marks, near, degree, forbidden, known, before, scratch, touched):  # type: ignore[no-untyped-def]
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


@kernel("void(int8[:,::1], int32[:,::1], int32[::1], int64, int64, boolean[::1], boolean[::1])", allocates=False)
def mark_changed(marks, near, degree, source, target, touched, changed):  # type: ignore[no-untyped-def]
    """Mark the nodes whose steps may change with an edge that came or went: touched, its ends, their neighbours."""
    for a in range(len(degree)):
        changed[a] = changed[a] or touched[a]
    for end in (source, target):
        changed[end] = True
        for i in range(degree[end]):
            z = near[end, i]
            if marks[z, end] == TAIL and marks[end, z] == TAIL:
                changed[z] = True
