"""From classes and larger graphs to single models: a MAG of a PAG, the MAG of an ADMG, the latent projection."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from whence.graph.marks import Edge, Mark
from whence.graph.orientation import extension

if TYPE_CHECKING:
    from whence.graph.graph import Graph


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
    return type(graph)(graph.names, marks, "MAG")


def maximal_ancestral(graph: Graph) -> Graph:
    """Return the MAG with the separations of a DAG, an ADMG or an ancestral graph.

    Richardson and Spirtes (2002), Section 4.2: two nodes are joined if what is anterior to them does not separate them,
    with a tail at each end that is anterior to the other.
    """
    anterior = {name: set(graph.possible_ancestors(name)) for name in graph.names}
    edges = []
    for a, b in combinations(graph.names, 2):
        if not graph.separated(a, b, (anterior[a] | anterior[b]) - {a, b}):
            ends = (Mark.TAIL if a in anterior[b] else Mark.ARROW, Mark.TAIL if b in anterior[a] else Mark.ARROW)
            edges.append(Edge(a, b, *ends))
    return type(graph).from_edges(edges, names=graph.names, kind="MAG")


def latent_projection(graph: Graph, observed: str | Collection[str]) -> Graph:
    """Return the latent projection; see `Graph.latent_projection`.

    Verma and Pearl (1990): directed and bidirected edges stand for the paths without
    colliders whose inner nodes are hidden.
    """
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
    return type(graph)([graph.names[node] for node in keep], marks, "ADMG", bows)


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
