"""Effects over an equivalence class: one adjustment set for each way the open edges at the treatment may point.

Maathuis, Kalisch & Bühlmann (2009), Estimating high-dimensional intervention effects from observational data (IDA);
with knowledge: Perković, Kalisch & Maathuis (2017); with optimal sets: Witte, Henckel, Maathuis & Didelez (2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from whence.effects.adjustment import find_adjustment
from whence.effects.identify_frame import Frame
from whence.effects.identify_knowledge import orient
from whence.effects.identify_model import Nodes
from whence.errors import GraphError
from whence.graph import Graph, Mark
from whence.registry import Card, Paper, register

MOST_POSSIBILITIES = 512


@dataclass(frozen=True, slots=True)
class ClassRange:
    """What the effect may be over an equivalence class.

    Attributes
    ----------
    sets : tuple of (frozenset of int or None)
        Distinct adjustment sets, each valid in some members of the class and together covering all; None: no effect.
    blocked : Frame or None
        A possibility in which no set of measured variables is valid: the range is then incomplete.
    complete : bool
        False where there are more than `MOST_POSSIBILITIES` possibilities or one is blocked.
    """

    sets: tuple[Nodes | None, ...]
    blocked: Frame | None
    complete: bool


@register(
    Card(
        name="class-range",
        family="identifier",
        answers="Which effects are possible where the graph leaves directions open?",
        output="one adjustment set per possibility",
        knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
        paper=Paper(
            "Maathuis, Kalisch & Bühlmann",
            "Estimating high-dimensional intervention effects from observational data",
            2009,
            "Annals of Statistics 37(6A)",
        ),
    )
)
def find_class_range(frame: Frame) -> ClassRange:
    """Return the adjustment sets of all ways to direct the undirected edges at the treatments."""
    sets: dict[Nodes | None, None] = {}
    for count, graph in enumerate(possible_graphs(frame.graph, frame.x), start=1):
        if count > MOST_POSSIBILITIES:
            return ClassRange(tuple(sets), None, complete=False)
        possibility = Frame.of(graph, frame.x, frame.y, frame.member.observed)
        if frame.y not in possibility.causal:
            sets[None] = None
            continue
        found = find_adjustment(possibility)
        if found is None:
            return ClassRange(tuple(sets), possibility, complete=False)
        sets[found.preferred] = None
    return ClassRange(tuple(sets), None, complete=True)


def possible_graphs(graph: Graph, treatments: tuple[int, ...]) -> Iterator[Graph]:
    """Yield the graph with the undirected edges at the treatments directed in every way some member has them."""
    if not treatments:
        yield graph
        return
    for oriented in _around(graph, treatments[0]):
        yield from possible_graphs(oriented, treatments[1:])


def _around(graph: Graph, node: int) -> Iterator[Graph]:
    """Yield the graph with all undirected edges at ``node`` directed in each consistent way, rules applied after."""
    marks = np.asarray(graph.marks)
    open_ends = np.flatnonzero((marks[node] == Mark.TAIL) & (marks[:, node] == Mark.TAIL)).tolist()
    parents = np.flatnonzero((marks[node] == Mark.TAIL) & (marks[:, node] == Mark.ARROW)).tolist()
    adjacent = marks != Mark.NONE
    # New parents must be adjacent to all other parents, or the node would become a new unshielded collider.
    candidates = [end for end in open_ends if adjacent[end, parents].all()]
    for new_parents in _cliques(candidates, adjacent):
        edges = [(end, node) if end in new_parents else (node, end) for end in open_ends]
        try:
            yield orient(graph, edges)
        except GraphError:
            continue  # knowledge or the rules rule this one out


def _cliques(nodes: list[int], adjacent: np.ndarray) -> Iterator[frozenset[int]]:
    """Yield all cliques among ``nodes``, the empty one first."""
    yield frozenset()
    for k, node in enumerate(nodes):
        later = [other for other in nodes[k + 1 :] if adjacent[node, other]]
        for clique in _cliques(later, adjacent):
            yield clique | {node}
