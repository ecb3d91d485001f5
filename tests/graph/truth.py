"""Truths from outside the library: all small graphs, separation by listing paths, classes by listing members."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import combinations, permutations, product

import numpy as np

from whence.graph import Edge, Graph, Mark

Separation = tuple[str, str, frozenset[str]]


def letters(p: int) -> tuple[str, ...]:
    return tuple("abcdefgh"[:p])


def subsets(items: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for size in range(len(items) + 1):
        yield from combinations(items, size)


@cache
def all_dags(p: int) -> tuple[Graph, ...]:
    """Return every DAG: 3 on two nodes, 25 on three, 543 on four."""
    names, found = letters(p), set()
    for order in permutations(range(p)):
        for chosen in product((False, True), repeat=p * (p - 1) // 2):
            adjacency = np.zeros((p, p), bool)
            for (i, j), there in zip(combinations(range(p), 2), chosen):
                adjacency[order[i], order[j]] = there
            found.add(adjacency.tobytes())
    return tuple(Graph.from_adjacency(names, np.frombuffer(raw, bool).reshape(p, p)) for raw in sorted(found))


def random_dag(p: int, density: float, rng: np.random.Generator) -> Graph:
    """Return a DAG whose node order says nothing about its causal order."""
    order = rng.permutation(p)
    adjacency = np.zeros((p, p), bool)
    adjacency[np.ix_(order, order)] = np.triu(rng.random((p, p)) < density, k=1)
    return Graph.from_adjacency(letters(p), adjacency)


def random_admg(p: int, density: float, rng: np.random.Generator) -> Graph:
    """Return an ADMG, bows included."""
    dag = random_dag(p, density, rng)
    edges = [*dag.edges()]
    edges += [Edge(a, b, Mark.ARROW, Mark.ARROW) for a, b in combinations(dag.names, 2) if rng.random() < density / 2]
    return Graph.from_edges(edges, names=dag.names, kind="ADMG")


def ends(graph: Graph) -> list[tuple[str, str, bool, bool]]:
    """Return every edge from either side: from, to, arrowhead at from, arrowhead at to."""
    listed = [(e.source, e.target, e.mark_source == Mark.ARROW, e.mark_target == Mark.ARROW) for e in graph.edges()]
    return listed + [(b, a, there, here) for a, b, here, there in listed]


def directed_descendants(graph: Graph, name: str) -> set[str]:
    found, waiting = {name}, [name]
    children = [(e.source, e.target) for e in graph.edges() if e.is_directed]
    for here in waiting:
        waiting += [child for parent, child in children if parent == here and child not in found]
        found.update(waiting)
    return found


@lru_cache(maxsize=4000)
def paths(graph: Graph) -> dict[tuple[str, str], list[tuple[frozenset[str], tuple[frozenset[str], ...]]]]:
    """List the paths between every two nodes: what blocks each if given, and for each collider what opens it."""
    near = {name: [edge[1:] for edge in ends(graph) if edge[0] == name] for name in graph.names}
    below = {name: frozenset(directed_descendants(graph, name)) for name in graph.names}
    found = defaultdict(list)

    def follow(path: list[str], into: bool, blocking: frozenset[str], opening: tuple[frozenset[str], ...]) -> None:
        here = path[-1]
        if len(path) > 1:
            found[path[0], here].append((blocking, opening))
        for onward, head_here, head_there in near[here]:
            if onward in path:
                continue
            if len(path) == 1:
                follow([*path, onward], head_there, blocking, opening)
            elif into and head_here:
                follow([*path, onward], head_there, blocking, (*opening, below[here]))
            else:
                follow([*path, onward], head_there, blocking | {here}, opening)

    for name in graph.names:
        follow([name], False, frozenset(), ())
    return found


def open_path(graph: Graph, x: str, y: str, given: Iterable[str]) -> bool:
    """Return whether some path without a repeated node is open: the definition, path by path."""
    fixed = frozenset(given)
    return any(
        not blocking & fixed and all(opens & fixed for opens in opening) for blocking, opening in paths(graph)[x, y]
    )


@lru_cache(maxsize=4000)
def separations(graph: Graph) -> frozenset[Separation]:
    """Return every separation of two nodes, by listing paths."""
    return frozenset(
        (x, y, frozenset(given))
        for x, y in combinations(sorted(graph.names), 2)
        for given in subsets([n for n in sorted(graph.names) if n not in (x, y)])
        if not open_path(graph, x, y, given)
    )


def skeleton(graph: Graph) -> frozenset[frozenset[str]]:
    return frozenset(frozenset((e.source, e.target)) for e in graph.edges())


def v_structures(graph: Graph) -> frozenset[tuple[frozenset[str], str]]:
    """Return the unshielded colliders of directed edges, by name."""
    joined = skeleton(graph)
    return frozenset(
        (frozenset((a, b)), c)
        for c in graph.names
        for a, b in combinations(graph.parents(c), 2)
        if frozenset((a, b)) not in joined
    )


def arrows(graph: Graph) -> frozenset[tuple[str, str]]:
    return frozenset((e.source, e.target) for e in graph.edges() if e.is_directed)


def consistent_extensions(graph: Graph) -> list[Graph]:
    """Return the DAGs with the same skeleton and v-structures that keep every directed edge, by trying all."""
    open_edges = [e for e in graph.edges() if e.is_undirected]
    found = []
    for turned in product((False, True), repeat=len(open_edges)):
        edges = [(e.source, e.target) for e in graph.edges() if e.is_directed]
        edges += [(e.target, e.source) if turn else (e.source, e.target) for e, turn in zip(open_edges, turned)]
        if acyclic(graph.names, edges):
            dag = Graph.from_edges(edges, names=graph.names)
            if v_structures(dag) == v_structures(graph):
                found.append(dag)
    return found


def acyclic(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> bool:
    left = set(names)
    while left:
        sources = {name for name in left if not any(b == name and a in left for a, b in edges)}
        if not sources:
            return False
        left -= sources
    return True


@cache
def all_mags(p: int, undirected: bool = False) -> tuple[Graph, ...]:
    """Return every maximal ancestral graph: ancestral by definition, maximal by listing paths."""
    names = letters(p)
    pairs = list(combinations(names, 2))
    tail, arrow = Mark.TAIL, Mark.ARROW
    choices = [None, (tail, arrow), (arrow, tail), (arrow, arrow), *([(tail, tail)] if undirected else [])]
    found = []
    for chosen in product(choices, repeat=len(pairs)):
        edges = [Edge(a, b, *marks) for (a, b), marks in zip(pairs, chosen) if marks]
        if is_ancestral(names, edges):
            mag = Graph.from_edges(edges, names=names, kind="MAG")
            if all(frozenset((x, y)) in skeleton(mag) or separable(mag, x, y) for x, y in pairs):
                found.append(mag)
    return tuple(found)


def is_ancestral(names: Sequence[str], edges: Sequence[Edge]) -> bool:
    """Richardson and Spirtes (2002), Definition 3.1."""
    directed = [(e.source, e.target) if e.is_directed else (e.target, e.source) for e in edges if directed_any(e)]
    if not acyclic(names, directed):
        return False
    for e in edges:
        if e.is_bidirected and not acyclic(names, [*directed, (e.source, e.target)]):
            return False
        if e.is_bidirected and not acyclic(names, [*directed, (e.target, e.source)]):
            return False
    selected = {end for e in edges if e.is_undirected for end in (e.source, e.target)}
    pointed = {e.source for e in edges if e.mark_source == Mark.ARROW}
    pointed |= {e.target for e in edges if e.mark_target == Mark.ARROW}
    return not selected & pointed


def directed_any(edge: Edge) -> bool:
    return {edge.mark_source, edge.mark_target} == {Mark.TAIL, Mark.ARROW}


def separable(graph: Graph, x: str, y: str) -> bool:
    others = [name for name in graph.names if name not in (x, y)]
    return any(not open_path(graph, x, y, given) for given in subsets(others))
