"""Directions that are known, carried through a partly directed graph."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whence.errors import GraphError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.classes import is_extendable
from whence.graph.orientation import Marks, meek

_CONTRADICTION = "E404"


def is_consistent(graph: Graph) -> bool:
    """Tell whether some model has the edges of a class; a graph found on few rows may contradict itself."""
    marks = np.asarray(graph.marks)
    if graph.kind in ("CPDAG", "PDAG"):
        return is_extendable(marks)
    return graph.kind != "PAG" or is_extendable(circle_component(marks))


def circle_component(marks: Marks) -> Marks:
    """Return the edges of a PAG that have a circle at both ends, as undirected edges."""
    circles = (marks == Mark.CIRCLE) & (marks.T == Mark.CIRCLE)
    return np.where(circles, Mark.TAIL, Mark.NONE).astype(np.int8)


def apply_knowledge(graph: Graph, knowledge: Knowledge | None) -> Graph:
    """Return a graph with the directions that knowledge and Meek's rules settle.

    A partly directed graph is closed under the rules also without knowledge; one without undirected edges becomes a
    DAG. Graphs with hidden variables are returned as they are: what knowledge implies for circles is not worked out.

    The graph must be consistent (`is_consistent`).

    Raises
    ------
    GraphError
        If knowledge contradicts the graph.
    """
    if graph.kind in ("MAG", "PAG"):
        return graph
    edges = [] if knowledge is None else _known_directions(graph, knowledge)
    return orient(graph, edges) if graph.kind in ("CPDAG", "PDAG") else graph


def orient(graph: Graph, edges: Iterable[tuple[int, int]]) -> Graph:
    """Direct undirected edges as ``(source, target)``, then close under Meek's rules.

    Raises
    ------
    GraphError
        If no DAG with the graph's adjacencies and unshielded colliders has these directions.
    """
    before = np.asarray(graph.marks)
    marks = before.copy()
    for source, target in edges:
        marks[source, target] = Mark.ARROW
    marks = meek(marks)
    if (collider := _new_collider(before, marks)) is not None:
        raise _contradiction(graph, collider)
    if not is_extendable(marks):
        raise GraphError(
            _CONTRADICTION,
            "no model in the class of the graph has all the known directions.",
            "Drop one of the directions, or give the knowledge to the search that makes the graph.",
        )
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    return Graph(graph.names, marks, "PDAG" if undirected.any() else "DAG")


def _known_directions(graph: Graph, knowledge: Knowledge) -> list[tuple[int, int]]:
    """Return the undirected edges that knowledge directs, as ``(source, target)``."""
    _, excluded = knowledge.for_names(graph.names)  # the reverse of what is required included
    marks = np.asarray(graph.marks)
    directed = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    wrong = np.argwhere(excluded & (directed | (undirected & excluded.T)))
    if len(wrong):
        source, target = (graph.names[node] for node in wrong[0])
        raise GraphError(
            _CONTRADICTION,
            f"the graph has the edge '{graph.edge(source, target)}', which the knowledge excludes.",
            "Drop one of the two, or give the knowledge to the search that makes the graph.",
        )
    return [(j, i) for i, j in np.argwhere(undirected & excluded).tolist()]


def _new_collider(before: Marks, after: Marks) -> tuple[int, int, int] | None:
    """Return an unshielded collider that ``after`` has and ``before`` has not, or None."""
    fresh = (after == Mark.ARROW) & (before != Mark.ARROW)
    for node in np.flatnonzero(fresh.any(axis=0)).tolist():
        parents = np.flatnonzero(after[:, node] == Mark.ARROW)
        for parent in np.flatnonzero(fresh[:, node]).tolist():
            apart = parents[(after[parent, parents] == Mark.NONE) & (parents != parent)]
            if len(apart):
                return parent, node, int(apart[0])
    return None


def _contradiction(graph: Graph, collider: tuple[int, int, int]) -> GraphError:
    left, middle, right = (graph.names[node] for node in collider)
    return GraphError(
        _CONTRADICTION,
        f"the known directions would make {left!r} -> {middle!r} <- {right!r} a collider, which the graph excludes.",
        "Drop one of the directions, or give the knowledge to the search that makes the graph.",
    )
