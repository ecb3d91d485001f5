"""What directions that resampling does not settle do to a question: one answer becomes several.

A search directs an edge on the rows it saw; on resampled rows it may direct it the other way. Taking such an arrow at
its word would give one narrow answer, or an effect of exactly zero, where the data leave several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whence.discovery import Confidence
from whence.effects import AdjustmentSet, Identification
from whence.effects.class_effects import possible_graphs
from whence.errors import GraphError
from whence.graph import Graph, Mark

# The answers that are reported together cover at least this share of the draws.
COVERED = 0.9
_MOST_NAMED = 3

Shares = Mapping[AdjustmentSet | None, float]


def shares_of_answers(graph: Graph, confidence: Confidence, treatment: str, outcome: str) -> Shares:
    """Return what each draw says the treatment's parents are, by share of the draws; None: the outcome comes first.

    Adjusting for the parents of a treatment gives its total effect in any graph without hidden causes (Pearl 2009,
    theorem 3.2.2). Only neighbours in the judged graph count, in the direction of the draw; where a draw lacks the
    edge the judged direction stands. A draw that leaves edges at the treatment open counts for each way equally.
    """
    if confidence.graphs is None or confidence.names != graph.names:
        return {}
    t, y = graph.index(treatment), graph.index(outcome)
    found: Counter[AdjustmentSet | None] = Counter()
    drawn, counts = np.unique(confidence.graphs, axis=0, return_counts=True)
    for marks, count in zip(drawn, counts):
        ways = list(_ways(graph.names, marks, t))
        for way in ways:
            first = y in _ancestors(way, t)
            parents = tuple(graph.names[node] for node in _parents(graph, marks, way, t))
            found[None if first else parents] += count / len(ways) / confidence.draws
    return found


def settle(identification: Identification, shares: Shares) -> Identification:
    """Return the identification as it stands, or as a class of answers where no single one covers the draws."""
    if not shares or identification.strategy not in ("adjustment", "no-effect", "class-range"):
        return identification
    listed = sorted(shares.items(), key=lambda item: (-item[1], item[0] is not None, item[0] or ()))
    covered = np.cumsum([share for _, share in listed])
    sets = [answer for answer, _ in listed[: int(np.searchsorted(covered, COVERED - 1e-9)) + 1]]
    settled_zero = identification.strategy == "no-effect"
    if len(sets) == 1 and (sets[0] is None) == settled_zero:
        return identification
    if settled_zero and None not in sets:
        sets.append(None)
    if all(answer is None for answer in sets):
        return identification
    named = "; ".join(f"{_words(answer)} in {shares.get(answer, 0.0):.0%}" for answer in sets[:_MOST_NAMED])
    more = f"; {len(sets) - _MOST_NAMED} more" if len(sets) > _MOST_NAMED else ""
    reason = (
        f"Resampling the rows does not settle which way the edges around {identification.treatment!r} point, so the "
        f"effect is one of {len(sets)} possibilities: {named}{more} of the draws. Knowing what comes first settles it."
    )
    return replace(
        identification,
        identified=False,
        strategy="class-range",
        reason=reason,
        adjustment=None,
        minimal=None,
        optimal=None,
        alternatives=(),
        adjustment_sets_over_class=tuple(sets),
        functional=None,
    )


def _ways(names: tuple[str, ...], marks: NDArray[np.int8], treatment: int) -> Iterator[NDArray[np.int8]]:
    """Yield the drawn graph with its undirected edges at the treatment directed in every consistent way."""
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    if not undirected[treatment].any():
        yield marks
        return
    try:
        yield from (way.marks for way in possible_graphs(Graph(names, marks, "PDAG"), (treatment,)))
    except GraphError:  # a draw whose arrows contradict each other stands for no graph; its arrows still count
        yield marks


def _parents(graph: Graph, drawn: NDArray[np.int8], way: NDArray[np.int8], treatment: int) -> list[int]:
    here = np.where(drawn[treatment] == Mark.NONE, graph.marks[treatment], way[treatment])
    there = np.where(drawn[:, treatment] == Mark.NONE, graph.marks[:, treatment], way[:, treatment])
    near = graph.marks[treatment] != Mark.NONE
    return np.flatnonzero(near & (there == Mark.ARROW) & (here == Mark.TAIL)).tolist()


def _ancestors(marks: NDArray[np.int8], node: int) -> set[int]:
    into = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
    seen: set[int] = set()
    left = [node]
    while left:
        new = set(np.flatnonzero(into[:, left.pop()]).tolist()) - seen
        seen |= new
        left += new
    return seen


def _words(answer: AdjustmentSet | None) -> str:
    if answer is None:
        return "no effect"
    return f"adjusting for {', '.join(answer)}" if answer else "adjusting for nothing"
