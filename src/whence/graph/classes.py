"""Equivalence: members of a class, a member of a PAG, latent projection."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError
from whence.graph.graph import Graph
from whence.graph.marks import Mark
from whence.graph.orientation import cpdag_of_dag, extension, meek


def members(graph: Graph, limit: int | None) -> Iterator[Graph]:
    """Yield the DAGs of a CPDAG or PDAG: direct one open edge both ways, close under Meek's rules, go on."""
    if graph.kind == "DAG":
        yield graph
        return
    graph._require(("CPDAG", "PDAG"), "listing members")
    for marks in islice(_completions(np.array(graph.marks)), limit):
        yield Graph(graph.names, marks, "DAG")


def _completions(marks: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    marks = meek(marks)
    undirected = np.argwhere(np.triu((marks == Mark.TAIL) & (marks.T == Mark.TAIL)))
    if not undirected.size:
        if is_extendable(marks):
            yield marks
        return
    i, j = undirected[0]
    for a, b in ((i, j), (j, i)):
        directed = marks.copy()
        directed[a, b] = Mark.ARROW
        if is_extendable(meek(directed)):
            yield from _completions(directed)


def is_extendable(marks: NDArray[np.int8]) -> bool:
    """Return whether some DAG agrees with the marks and adds no v-structure."""
    try:
        extension(marks)
    except GraphError:
        return False
    return True


def equivalent(graph: Graph, other: Graph) -> bool:
    """Return whether two graphs over the same names imply the same independences; see `Graph.equivalent_to`."""
    if set(graph.names) != set(other.names):
        return False
    other = other.subgraph(graph.names)
    dags = ("DAG", "CPDAG", "PDAG")
    if graph.kind in dags and other.kind in dags:
        ours, theirs = (cpdag_of_dag(extension(g.marks)) for g in (graph, other))
        return bool(np.array_equal(ours, theirs))
    if graph.kind == other.kind == "PAG":
        return bool(np.array_equal(graph.marks, other.marks))
    raise GraphError(
        "E206",
        f"equivalence of a {graph.kind} and a {other.kind} is not decided here.",
        "Compare DAGs, CPDAGs, or two PAGs.",
    )


def member_of_pag(graph: Graph) -> Graph:
    """Return one MAG of a PAG: ``o->`` becomes ``->``, the circle component an acyclic orientation without colliders.

    Zhang (2008), On the completeness of orientation rules, Lemma 3.3.1 (the arrowhead augmentation).
    """
    marks = np.array(graph.marks)
    circle, arrow = marks == Mark.CIRCLE, marks == Mark.ARROW
    marks[circle & arrow.T] = Mark.TAIL  # o-> to ->
    marks[circle & (graph.marks.T == Mark.TAIL)] = Mark.ARROW  # o-- to <-
    both = circle & circle.T
    component = np.where(both, np.int8(Mark.TAIL), np.int8(0))
    directed = extension(component)
    marks[directed] = Mark.ARROW
    marks[directed.T] = Mark.TAIL
    return Graph(graph.names, marks, "MAG")


def latent_projection(graph: Graph, observed: Collection[str]) -> Graph:
    """Return the latent projection; see `Graph.latent_projection`."""
    graph._require(("DAG", "ADMG"), "a latent projection")
    keep = graph.indices(observed)
    kept = set(keep)
    place = {node: k for k, node in enumerate(keep)}
    marks = np.zeros((len(keep), len(keep)), dtype=np.int8)
    for node in keep:
        for target in _through_latent(graph, [node], kept) - {node}:
            marks[place[node], place[target]], marks[place[target], place[node]] = Mark.ARROW, Mark.TAIL
    bows = set()
    for a, b in _confounded(graph, kept):
        i, j = place[a], place[b]
        if marks[i, j]:
            bows.add((i, j))
        else:
            marks[i, j] = marks[j, i] = Mark.ARROW
    return Graph(observed, marks, "ADMG", bows)


def _through_latent(graph: Graph, start: list[int], kept: set[int]) -> set[int]:
    """Return the kept nodes that directed paths from ``start`` reach first, passing hidden nodes only."""
    found: set[int] = set()
    seen = set(start)
    stack = list(start)
    while stack:
        for node, here, there in graph._near[stack.pop()]:
            if (here, there) == (Mark.TAIL, Mark.ARROW) and node not in seen:
                seen.add(node)
                (found.add if node in kept else stack.append)(node)
    return found


def _confounded(graph: Graph, kept: set[int]) -> set[tuple[int, int]]:
    """Return the pairs of kept nodes with a path between them that starts and ends with an arrowhead, hidden inside."""
    pairs: set[tuple[int, int]] = set()

    def ends(node: int) -> set[int]:
        return {node} if node in kept else _through_latent(graph, [node], kept)

    def add(left: set[int], right: set[int]) -> None:
        pairs.update((min(a, b), max(a, b)) for a in left for b in right if a != b)

    for node in range(graph.n_nodes):
        if node not in kept:
            reached = _through_latent(graph, [node], kept)
            add(reached, reached)
        for sibling, here, there in graph._near[node]:
            if here == there == Mark.ARROW and node < sibling:
                add(ends(node), ends(sibling))
    return pairs
