"""From a search's graph and its bootstrap to the graph the study stands on.

Adjacency and direction are judged apart: a stable edge whose direction is open stays, undirected. An edge is removed
only if it is nearly never seen again; an undirected one is directed only if its direction is nearly always seen and no
rule forbids it. An arrow of the search that resampling reverses cannot be made undirected here, for that would make
colliders of the class into others; questions are answered for each way it may point, see `open_directions`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whence.autopilot.study import EdgeJudgement
from whence.discovery import Confidence, DiscoveryResult
from whence.errors import GraphError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import meek

REMOVE_BELOW = 0.1
ORIENT_ABOVE = 0.9
EXPECT_ABOVE = 0.9


def judge(result: DiscoveryResult, knowledge: Knowledge) -> tuple[DiscoveryResult, tuple[EdgeJudgement, ...]]:
    """Return the result with its judged graph, and what was decided about every pair that was in question.

    A required edge is never removed; an orientation is kept only if it is consistent with the rest (no cycle, no new
    collider against the evidence) after closing the graph under Meek's rules.
    """
    confidence = result.confidence
    if confidence is None:
        return result, ()
    graph, removed = _remove(result.graph, confidence, knowledge)
    graph, oriented = _orient(graph, confidence, knowledge)
    rest = _remaining(graph, confidence)
    judged = result if graph is result.graph else replace(result, graph=graph)
    return judged, (*removed, *oriented, *rest)


def _remove(graph: Graph, confidence: Confidence, knowledge: Knowledge) -> tuple[Graph, list[EdgeJudgement]]:
    required = {frozenset(pair) for pair in knowledge.required}
    marks = graph.marks.copy()
    notes = []
    for edge in graph.edges():
        share = confidence.edge(edge.source, edge.target).adjacency
        if share <= REMOVE_BELOW and frozenset((edge.source, edge.target)) not in required:
            i, j = graph.index(edge.source), graph.index(edge.target)
            marks[i, j] = marks[j, i] = Mark.NONE
            why = f"adjacent in {share:.0%} of {confidence.draws} bootstrap draws"
            notes.append(EdgeJudgement(edge.source, edge.target, "removed", why))
    return (class_graph(graph, marks), notes) if notes else (graph, notes)


def _orient(graph: Graph, confidence: Confidence, knowledge: Knowledge) -> tuple[Graph, list[EdgeJudgement]]:
    """Direct undirected edges whose direction the bootstrap settles, surest first, each closed under Meek's rules."""
    open_edges = [e for e in graph.edges() if e.mark_source == Mark.TAIL and e.mark_target == Mark.TAIL]
    votes = []
    for edge in open_edges:
        seen = confidence.edge(edge.source, edge.target)
        directed = seen.forward + seen.backward
        if directed > 0 and seen.adjacency >= EXPECT_ABOVE:
            share = max(seen.forward, seen.backward) / seen.adjacency
            source, target = (edge.source, edge.target) if seen.forward >= seen.backward else (edge.target, edge.source)
            if share >= ORIENT_ABOVE:
                votes.append((share, source, target))
    notes = []
    for share, source, target in sorted(votes, key=lambda vote: (-vote[0], vote[1], vote[2])):
        closed = _with_orientation(graph, source, target, knowledge)
        if closed is not None:
            graph = closed
            why = f"directed this way in {share:.0%} of the {confidence.draws} draws that join them"
            notes.append(EdgeJudgement(source, target, "oriented", why))
    return graph, notes


def _with_orientation(graph: Graph, source: str, target: str, knowledge: Knowledge) -> Graph | None:
    """Return the graph with one more direction, closed under Meek's rules, or None if that contradicts it."""
    i, j = graph.index(source), graph.index(target)
    if graph.marks[i, j] != Mark.TAIL or graph.marks[j, i] != Mark.TAIL:
        return None
    if knowledge.for_names(graph.names)[1][i, j]:
        return None
    marks = graph.marks.copy()
    marks[i, j] = Mark.ARROW
    try:
        closed = class_graph(graph, meek(marks))
        closed.extension()
    except GraphError:
        return None
    return closed


def _remaining(graph: Graph, confidence: Confidence) -> list[EdgeJudgement]:
    """Say which directions stay open, and which pairs the draws join although the search did not."""
    notes = []
    for edge in graph.edges():
        if edge.mark_source == Mark.TAIL and edge.mark_target == Mark.TAIL:
            seen = confidence.edge(edge.source, edge.target)
            ways = f"directed {seen.forward:.0%} one way and {seen.backward:.0%} the other"
            why = f"adjacent in {seen.adjacency:.0%} of draws, {ways}"
            notes.append(EdgeJudgement(edge.source, edge.target, "undecided", why))
    absent = (confidence.adjacency >= EXPECT_ABOVE) & (graph.marks == Mark.NONE)
    for i, j in np.argwhere(np.triu(absent, k=1)):
        a, b = graph.names[i], graph.names[j]
        why = f"adjacent in {confidence.adjacency[i, j]:.0%} of draws but not in the search on all rows"
        notes.append(EdgeJudgement(a, b, "not added", why))
    return notes


def class_graph(graph: Graph, marks: np.ndarray) -> Graph:
    """Return the marks as a DAG if all edges are directed, else as a partly directed graph."""
    if graph.kind not in ("DAG", "CPDAG", "PDAG"):
        return Graph(graph.names, marks, graph.kind)
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    return Graph(graph.names, marks, "PDAG" if undirected.any() else "DAG")
