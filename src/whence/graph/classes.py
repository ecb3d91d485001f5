"""Equivalence: the members of a class of DAGs, and whether two graphs imply the same independences."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError
from whence.graph.marks import Mark
from whence.graph.orientation import Marks, cpdag_of_dag, extension, meek
from whence.graph.projection import maximal_ancestral
from whence.graph.separation import representative

if TYPE_CHECKING:
    from whence.graph.graph import Graph

_DAGS = ("DAG", "CPDAG", "PDAG")


def members(graph: Graph, limit: int | None) -> Iterator[Graph]:
    """Return the DAGs of a CPDAG or PDAG one by one; see `Graph.members`."""
    if graph.kind == "DAG":
        return islice([graph], limit)
    graph._require(_DAGS, "listing members")
    return (type(graph)(graph.names, marks, "DAG") for marks in islice(_completions(graph.marks), limit))


def _completions(marks: Marks) -> Iterator[Marks]:
    """Direct one open edge both ways, close under Meek's rules, go on (Meek 1995, Theorem 4: no branch is in vain)."""
    # Asked before the rules are applied: they may direct an edge into a new collider where there is no member.
    stack = [np.array(marks)] if is_extendable(marks) else []
    while stack:
        closed = meek(stack.pop())
        undirected = np.argwhere(np.triu((closed == Mark.TAIL) & (closed.T == Mark.TAIL)))
        if not undirected.size:
            yield closed
            continue
        i, j = undirected[0]
        for a, b in ((j, i), (i, j)):
            directed = closed.copy()
            directed[a, b] = Mark.ARROW
            stack.append(directed)


def is_extendable(marks: Marks) -> bool:
    """Return whether some DAG agrees with the marks and adds no v-structure."""
    try:
        extension(marks)
    except GraphError:
        return False
    return True


def equivalent(graph: Graph, other: Graph) -> bool:
    """Return whether two graphs over the same names imply the same independences; see `Graph.equivalent_to`.

    Classes of DAGs by their CPDAGs (Verma and Pearl 1990), all others by the MAGs with their separations.
    """
    if set(graph.names) != set(other.names):
        return False
    both = (graph, other.subgraph(graph.names))
    if graph.kind in _DAGS and other.kind in _DAGS:
        ours, theirs = (cpdag_of_dag(extension(one.marks)) for one in both)
        return bool(np.array_equal(ours, theirs))
    return _same_separations(*(maximal_ancestral(representative(one)).marks for one in both))


def _same_separations(one: Marks, other: Marks) -> bool:
    """Return whether two MAGs are Markov equivalent.

    Spirtes and Richardson (1997), Theorem 1: the same adjacencies, the same unshielded colliders, and the same
    colliders at the end of every path that discriminates in both.
    """
    joined = one != 0
    if not np.array_equal(joined, other != 0):
        return False
    into, into_other = one == Mark.ARROW, other == Mark.ARROW
    apart = ~joined & ~np.eye(len(joined), dtype=bool)
    for b in range(len(joined)):
        differ = np.outer(into[:, b], into[:, b]) != np.outer(into_other[:, b], into_other[:, b])
        if (differ & apart & np.outer(joined[:, b], joined[:, b])).any():
            return False
    agreed = into & into_other
    for y in range(len(joined)):
        parents = agreed[:, y] & (one[y] == Mark.TAIL) & (other[y] == Mark.TAIL)
        for b in np.flatnonzero(joined[y]).tolist():
            for q in _discriminating(agreed, parents, apart[:, y], b):
                if joined[q, b] and agreed[b, q] and (into[q, b] & into[y, b]) != (into_other[q, b] & into_other[y, b]):
                    return False
    return True


def _discriminating(
    agreed: NDArray[np.bool_], parents: NDArray[np.bool_], apart: NDArray[np.bool_], b: int
) -> NDArray[np.intp]:
    """Return the nodes from which a path of colliders, all parents of y, leads to a node not joined to y, without b."""
    inner = parents.copy()
    inner[b] = False
    found = inner & agreed[apart].any(axis=0)
    while True:
        more = inner & ((agreed & agreed.T)[found].any(axis=0) | found)
        if np.array_equal(more, found):
            return np.flatnonzero(found)
        found = more
