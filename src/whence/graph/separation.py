"""Separation in graphs with directed, bidirected and undirected edges, by walks, linear in the number of edges."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from whence.errors import GraphError
from whence.graph.marks import Edge, Mark
from whence.graph.projection import member_of_pag

if TYPE_CHECKING:
    from whence.graph.graph import Graph


def separated(graph: Graph, x: str | Collection[str], y: str | Collection[str], given: str | Collection[str]) -> bool:
    """Decide m-separation; see `Graph.separated`."""
    member = representative(graph)
    start, goal, blockers = (set(member.indices(names)) for names in (x, y, given))
    overlap = start & goal | start & blockers | goal & blockers
    if overlap:
        name = graph.names[min(overlap)]
        raise GraphError("E211", f"{name!r} stands in two of the three sets.", "Separation is asked of disjoint sets.")
    return goal.isdisjoint(connected(member, start, blockers))


def connected(graph: Graph, start: set[int], blockers: set[int]) -> set[int]:
    """Return the nodes that some walk, open given ``blockers``, joins to ``start``.

    A walk is open if its inner colliders are ancestors of blockers and its other inner nodes are none. A state is a
    node and whether the walk arrives there with an arrowhead; each is visited once.
    """
    opened = {graph.index(n) for n in graph.ancestors([graph.names[b] for b in blockers], include_self=True)}
    seen: set[tuple[int, bool]] = set()
    stack = [(node, there == Mark.ARROW) for s in start for node, _, there in graph._near[s]]
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        here, into = state
        for node, mine, there in graph._near[here]:
            collider = into and mine == Mark.ARROW
            if here in opened if collider else here not in blockers:
                stack.append((node, there == Mark.ARROW))
    return {node for node, _ in seen} - blockers


def representative(graph: Graph) -> Graph:
    """Return a member of the class a graph stands for, or the graph itself if it is one model."""
    if graph.kind in ("CPDAG", "PDAG"):
        return graph.extension()
    if graph.kind == "PAG":
        return member_of_pag(graph)
    return graph


def markov_blanket(graph: Graph, name: str) -> tuple[str, ...]:
    """Return the Markov blanket; see `Graph.markov_blanket`."""
    model = representative(graph)
    target = model.index(name)
    blanket: set[int] = set()
    stack = [(node, there) for node, _, there in model._near[target]]
    seen: set[tuple[int, int]] = set()
    while stack:
        here, arrived = stack.pop()
        if (here, arrived) in seen or here == target:
            continue
        seen.add((here, arrived))
        blanket.add(here)
        if arrived == Mark.ARROW:  # a collider as seen from the target: what meets it there belongs to the blanket
            stack.extend((node, there) for node, mine, there in model._near[here] if mine == Mark.ARROW)
    return tuple(graph.names[node] for node in sorted(blanket))


def moral(graph: Graph) -> Graph:
    """Return the moral graph; see `Graph.moral`."""
    model = representative(graph)
    pairs = [(a, b) for a in graph.names for b in markov_blanket(model, a)]
    edges = [Edge(a, b, Mark.TAIL, Mark.TAIL) for a, b in pairs]
    return type(graph).from_edges(edges, names=graph.names, kind="MAG")
