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
from whence.graph.orientation import Marks, cpdag_of_dag, extension

_CLASSES = ("DAG", "CPDAG", "PDAG")


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1; 1 where nothing was claimed or nothing was there to find."""

    precision: float
    recall: float
    f1: float


def shd(truth: Graph, found: Graph, *, class_aware: bool = False) -> int:
    """Return the structural Hamming distance: pairs of nodes whose edge differs in presence or in a mark.

    Tsamardinos, Brown and Aliferis (2006). With ``class_aware`` graphs that stand for DAGs are first brought to their
    CPDAGs. In an ADMG a pair with a directed and a bidirected edge differs from a pair with one of them.

    >>> a, b = Graph.from_edges(["x -> y", "y -> z"]), Graph.from_edges(["y -> x", "y -> z"])
    >>> shd(a, b), shd(a, b, class_aware=True)
    (1, 0)
    """
    truth, found = _aligned(truth, found)
    one, other = (_marks(graph, class_aware) for graph in (truth, found))
    different = (one != other) | (one.T != other.T)
    pairs = {(int(i), int(j)) for i, j in np.argwhere(np.triu(different, k=1))}
    return len(pairs | (truth.bows ^ found.bows))


def skeleton_scores(truth: Graph, found: Graph) -> Scores:
    """Return precision, recall and F1 of the adjacencies, marks ignored."""
    truth, found = _aligned(truth, found)
    return _scores(np.triu(truth.marks != 0), np.triu(found.marks != 0))


def arrowhead_scores(truth: Graph, found: Graph, *, class_aware: bool = False) -> Scores:
    """Return precision, recall and F1 of the arrowheads, each ``x *-> y`` a claim of its own.

    With ``class_aware`` only the arrowheads of the CPDAGs count: those that data can settle.
    """
    truth, found = _aligned(truth, found)
    return _scores(*(_arrowheads(graph, class_aware) for graph in (truth, found)))


def sid(truth: Graph, found: Graph) -> int:
    """Return the structural intervention distance between two DAGs: pairs whose effect the found graph gets wrong.

    Peters and Bühlmann (2015), Section 2: the pairs (x, y) for which adjusting for the parents of x in ``found`` does
    not give the effect of x on y in ``truth``.

    >>> sid(Graph.from_edges(["x -> y"]), Graph.from_edges(["y -> x"]))
    2
    """
    for graph in (truth, found):
        if graph.kind != "DAG":
            raise GraphError(
                "E206",
                f"the intervention distance is defined for DAGs, not a {graph.kind}.",
                "adjustment_distance also takes CPDAGs; graph.members() lists DAGs.",
            )
    return _mistakes(*_aligned(truth, found))


def adjustment_distance(truth: Graph, found: Graph) -> float:
    """Return the share of ordered pairs for which parent adjustment in ``found`` gives the wrong answer in ``truth``.

    The parent-adjustment identification distance of Henckel, Würtzen and Weichwald (2024), normalised to 0..1, for
    DAGs, CPDAGs and PDAGs. Nothing is completed: where ``found`` leaves open whether x causes y, its answer is that the
    effect is not identified, and right if ``truth`` says the same. Between DAGs this is `sid` over all pairs.

    >>> chain, line = (Graph.from_edges(["x -> y", "y -> z"]), Graph.from_edges(["x --- y", "y --- z"], kind="CPDAG"))
    >>> adjustment_distance(chain.to_cpdag(), line), adjustment_distance(chain, line)
    (0.0, 1.0)
    """
    for graph in (truth, found):
        if graph.kind not in _CLASSES:
            raise GraphError(
                "E206",
                f"the adjustment distance is defined for DAGs and their classes, not a {graph.kind}.",
                "shd and arrowhead_scores compare every kind.",
            )
    p = truth.n_nodes
    mistakes = _mistakes(*_aligned(truth, found))
    return mistakes / (p * (p - 1)) if p > 1 else 0.0


def _mistakes(truth: Graph, found: Graph) -> int:
    """Return for how many ordered pairs (x, y) the found graph gives another answer than the truth.

    An answer is: no effect (y is a parent of x), not identified (open), or adjustment for the parents of x.
    """
    member = truth.extension()
    wrong = 0
    for x in range(truth.n_nodes):
        parents = {node for node, here, there in found._near[x] if (here, there) == (Mark.ARROW, Mark.TAIL)}
        open_found, open_truth = _open(found, x), _open(truth, x)
        invalid = _spoilt(truth, x, parents) | _confounded(member, x, parents)
        effects = _onward(truth, {x}, set())
        for y in range(truth.n_nodes):
            if y == x:
                continue
            if y in parents:
                wrong += y in effects
            elif y in open_found or y in open_truth:
                wrong += (y in open_found) != (y in open_truth)
            else:
                wrong += y in invalid
    return wrong


def _onward(graph: Graph, start: set[int], avoid: set[int]) -> set[int]:
    """Return ``start`` and what possibly directed paths reach from it without ``avoid``."""
    found, stack = set(start), list(start)
    while stack:
        for node, here, _ in graph._near[stack.pop()]:
            if here == Mark.TAIL and node not in found and node not in avoid:
                found.add(node)
                stack.append(node)
    return found


def _open(graph: Graph, x: int) -> set[int]:
    """Return the nodes to which a possibly directed path from x starts with an undirected edge: not amenable."""
    first = {node for node, here, there in graph._near[x] if here == there == Mark.TAIL}
    parents = {node for node, here, there in graph._near[x] if (here, there) == (Mark.ARROW, Mark.TAIL)}
    return _onward(graph, first, parents | {x}) if first else set()


def _spoilt(truth: Graph, x: int, adjustment: set[int]) -> set[int]:
    """Return the y for which the adjustment holds a possible descendant of a node on a causal path from x to y."""
    above, stack = set(adjustment), list(adjustment)
    while stack:
        for node, _, there in truth._near[stack.pop()]:
            if there == Mark.TAIL and node not in above:
                above.add(node)
                stack.append(node)
    return _onward(truth, (_onward(truth, {x}, set()) & above) - {x}, {x})


def _confounded(member: Graph, x: int, adjustment: set[int]) -> set[int]:
    """Return the y that some path from x reaches that is open given the adjustment and not causal throughout.

    A state is a node, whether the path arrives there with an arrowhead, and whether it was causal so far.
    """
    opened = {member.index(n) for n in member.ancestors([member.names[z] for z in adjustment], include_self=True)}
    stack = [(node, there == Mark.ARROW, here == Mark.TAIL) for node, here, there in member._near[x]]
    seen: set[tuple[int, bool, bool]] = set()
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        at, into, causal = state
        for node, here, there in member._near[at]:
            collider = into and here == Mark.ARROW
            if node != x and (at in opened if collider else at not in adjustment):
                stack.append((node, there == Mark.ARROW, causal and here == Mark.TAIL))
    return {node for node, _, causal in seen if not causal}


def _aligned(truth: Graph, found: Graph) -> tuple[Graph, Graph]:
    """Return both graphs with the nodes in one order."""
    if set(truth.names) != set(found.names):
        odd = sorted(set(truth.names) ^ set(found.names))
        raise GraphError("E213", f"the two graphs differ in the node {odd[0]!r}.", "Compare graphs on the same nodes.")
    return truth, found.subgraph(truth.names)


def _marks(graph: Graph, class_aware: bool) -> Marks:
    if not class_aware or graph.kind not in ("DAG", "PDAG"):  # a CPDAG is a class already
        return graph.marks
    return cpdag_of_dag(extension(graph.marks))


def _arrowheads(graph: Graph, class_aware: bool) -> NDArray[np.bool_]:
    """Return the claims of arrowheads, shape (p, 2p): those of single edges, and the second ones of bows."""
    heads = _marks(graph, class_aware) == Mark.ARROW
    beside = np.zeros_like(heads)
    for i, j in graph.bows:
        beside[i, j] = beside[j, i] = True
    return np.hstack([heads, beside])


def _scores(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> Scores:
    hits, claimed, there = int((truth & found).sum()), int(found.sum()), int(truth.sum())
    precision = hits / claimed if claimed else 1.0
    recall = hits / there if there else 1.0
    # The harmonic mean of the two, which is 1 for two empty graphs and 0 where nothing claimed is there.
    f1 = 2 * hits / (claimed + there) if claimed or there else 1.0
    return Scores(precision, recall, f1)
