"""How far a found graph is from the true one.

Strict scores ask for the exact mark. Class-aware scores compare equivalence classes, so that a search is not punished
for leaving open what no data could settle, nor rewarded for guessing it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError
from whence.graph.graph import Graph
from whence.graph.marks import Mark
from whence.graph.orientation import cpdag_of_dag, extension

_CLASSES = ("DAG", "CPDAG", "PDAG")


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1; 1 where nothing was claimed or nothing was there to find."""

    precision: float
    recall: float
    f1: float


def shd(truth: Graph, found: Graph, *, class_aware: bool = False) -> int:
    """Return the structural Hamming distance: pairs of nodes whose edge differs in presence or in a mark.

    Tsamardinos, Brown and Aliferis (2006). With ``class_aware`` both graphs are first brought to their CPDAGs.

    >>> a, b = Graph.from_edges(["x -> y", "y -> z"]), Graph.from_edges(["y -> x", "y -> z"])
    >>> shd(a, b), shd(a, b, class_aware=True)
    (1, 0)
    """
    one, other = _aligned(truth, found, class_aware)
    different = (one != other) | (one.T != other.T)
    return int(np.triu(different, k=1).sum())


def skeleton_scores(truth: Graph, found: Graph) -> Scores:
    """Return precision, recall and F1 of the adjacencies, marks ignored."""
    one, other = _aligned(truth, found, class_aware=False)
    return _scores(np.triu(one != 0), np.triu(other != 0))


def arrowhead_scores(truth: Graph, found: Graph, *, class_aware: bool = False) -> Scores:
    """Return precision, recall and F1 of the arrowheads, each ``x *-> y`` a claim of its own.

    With ``class_aware`` only the arrowheads of the CPDAGs count: those that data can settle.
    """
    one, other = _aligned(truth, found, class_aware)
    return _scores(one == Mark.ARROW, other == Mark.ARROW)


def sid(truth: Graph, found: Graph) -> int:
    """Return the structural intervention distance between two DAGs: pairs whose effect the found graph gets wrong.

    Peters and Bühlmann (2015), definition 2: the pairs (x, y) for which adjusting for the parents of x in ``found``
    does not give the effect of x on y in ``truth``.
    """
    for graph in (truth, found):
        if graph.kind != "DAG":
            raise GraphError("E206", f"the intervention distance is defined for DAGs, not a {graph.kind}.", "")
    found = found.subgraph(truth.names)
    return sum(not _parents_give_effect(truth, found, x, y) for x in truth.names for y in truth.names if x != y)


def adjustment_distance(truth: Graph, found: Graph) -> float:
    """Return the share of ordered pairs for which parent adjustment in ``found`` gives the wrong effect in ``truth``.

    The parent-adjustment identification distance of Henckel, Würtzen and Weichwald (2024), normalised to 0..1. Of a
    partly directed graph one consistent extension is compared.
    """
    dags = [graph if graph.kind == "DAG" else graph.extension() for graph in (truth, found)]
    p = truth.n_nodes
    return sid(*dags) / (p * (p - 1)) if p > 1 else 0.0


def _parents_give_effect(truth: Graph, found: Graph, x: str, y: str) -> bool:
    """Return whether the parents of x in ``found`` are a valid adjustment for (x, y) in ``truth``."""
    adjustment = set(found.parents(x))
    if y in adjustment:  # the found graph claims that x has no effect on y
        return y not in truth.descendants(x)
    causal = set(truth.descendants(x)) & set(truth.ancestors(y, include_self=True))
    forbidden = set(truth.descendants(causal, include_self=True)) if causal else set()
    if adjustment & forbidden:
        return False
    # The proper back-door graph: the first edges of causal paths are removed.
    kept = [edge for edge in truth.edges() if not (edge.source == x and edge.target in causal)]
    return Graph.from_edges(kept, names=truth.names).separated(x, y, adjustment)


def _aligned(truth: Graph, found: Graph, class_aware: bool) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    if set(truth.names) != set(found.names):
        odd = sorted(set(truth.names) ^ set(found.names))
        raise GraphError("E213", f"the two graphs differ in the node {odd[0]!r}.", "Compare graphs on the same nodes.")
    both = [truth, found.subgraph(truth.names)]
    if class_aware:
        return tuple(_class_marks(graph) for graph in both)  # type: ignore[return-value]
    return both[0].marks, both[1].marks


def _class_marks(graph: Graph) -> NDArray[np.int8]:
    return cpdag_of_dag(extension(graph.marks)) if graph.kind in _CLASSES else graph.marks


def _scores(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> Scores:
    hits, claimed, there = int((truth & found).sum()), int(found.sum()), int(truth.sum())
    precision = hits / claimed if claimed else 1.0
    recall = hits / there if there else 1.0
    return Scores(precision, recall, 2 * precision * recall / (precision + recall) if hits else float(claimed == there))
