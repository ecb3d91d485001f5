"""One question put to one graph, in the form that every strategy of identification starts from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.effects.identify_knowledge import circle_component
from whence.effects.identify_model import DirectedModel, Nodes
from whence.effects.identify_walks import Walker
from whence.graph import Graph, Mark
from whence.graph.orientation import Marks, extension, marks_of_dag

SINGLE_MODELS = ("DAG", "ADMG")
_NO_ARROW = (Mark.TAIL, Mark.CIRCLE)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a graph says about the effect of ``x`` on ``y`` before any strategy is tried.

    Attributes
    ----------
    graph : Graph
        The graph, knowledge included.
    x : tuple of int
        The treatments.
    y : int
        The outcome.
    causal : frozenset of int
        The nodes, treatments excepted, on possibly directed paths from ``x`` to ``y`` that leave ``x`` for good.
    forbidden : frozenset of int
        Treatments and possible descendants of causal nodes: what must not be adjusted for.
    unsettled : tuple of (int, int)
        The first edges of such paths that may point the other way or hide a common cause. Where there is one, no set
        is valid for every member of the class (Perković, Textor, Kalisch & Maathuis 2018: not amenable).
    member : DirectedModel
        One model of the class, hidden common causes explicit. In an amenable graph, a set without forbidden nodes is
        valid in every member or in none, so that one is enough to decide on.
    """

    graph: Graph
    x: tuple[int, ...]
    y: int
    causal: Nodes
    forbidden: Nodes
    unsettled: tuple[tuple[int, int], ...]
    member: DirectedModel

    @classmethod
    def of(cls, graph: Graph, x: Sequence[int], y: int, observed: Collection[int]) -> Frame:
        """Walk the graph from treatments to outcome and choose a member."""
        walker = Walker.of(graph)
        treated = frozenset(x)
        causal: set[int] = set()
        unsettled: list[tuple[int, int]] = []
        for start in x:
            # A path that meets a parent of its start would close a cycle, were it directed.
            avoiding = treated | walker.parents(start)
            leading = walker.possible_ancestors([y], avoiding)
            first = [node for node in walker.onward(start) if node in leading]
            unsettled += [(start, node) for node in first if not walker.settled(start, node)]
            causal |= walker.possible_descendants(first, avoiding) & leading
        forbidden = frozenset(walker.possible_descendants(causal) | treated)
        member = member_of(graph, observed)
        return cls(graph, tuple(x), y, frozenset(causal), forbidden, tuple(unsettled), member)

    @property
    def single(self) -> bool:
        """True where the graph stands for one model, False for a class of models."""
        return self.graph.kind in SINGLE_MODELS

    @property
    def allowed(self) -> Nodes:
        """The measured nodes that may be adjusted for."""
        return self.member.observed - self.forbidden - {self.y}

    @property
    def member_causal(self) -> set[int]:
        """The nodes on the member's own directed paths from ``x`` to ``y`` that leave ``x`` for good."""
        treated = frozenset(self.x)
        first = {child for node in self.x for child in self.member.children[node]} - treated
        reached = self.member.descendants(first, avoiding=treated)
        return reached & self.member.ancestors([self.y], avoiding=treated)

    @property
    def back_door(self) -> DirectedModel:
        """The proper back-door graph of the member: without the first edges of its directed paths to the outcome."""
        causal = self.member_causal
        return self.member.cut(
            {(node, child) for node in self.x for child in self.member.children[node] if child in causal}
        )

    def names(self, nodes: Collection[int]) -> tuple[str, ...]:
        """Return names in the graph's order."""
        return tuple(self.graph.names[node] for node in sorted(nodes))


def member_of(graph: Graph, observed: Collection[int]) -> DirectedModel:
    """Return one model of the class that a graph stands for, bidirected edges as hidden common causes."""
    marks = np.asarray(graph.marks)
    if graph.kind in ("CPDAG", "PDAG"):
        marks = marks_of_dag(extension(marks))
    elif graph.kind == "PAG":
        marks = _ancestral_member(graph)
    directed = _pairs((marks == Mark.ARROW) & (marks.T == Mark.TAIL))
    bidirected = _pairs(np.triu((marks == Mark.ARROW) & (marks.T == Mark.ARROW)))
    return DirectedModel.build(len(graph.names), directed, [*bidirected, *sorted(graph.bows)], observed)


def has_selection(graph: Graph) -> bool:
    """Tell whether an ancestral graph has an edge that stands for selection: a tail opposite a tail or a circle."""
    marks = np.asarray(graph.marks)
    return graph.kind in ("MAG", "PAG") and bool(((marks == Mark.TAIL) & np.isin(marks.T, _NO_ARROW)).any())


def _pairs(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return [(i, j) for i, j in np.argwhere(chosen).tolist()]


def _ancestral_member(graph: Graph) -> Marks:
    """Return the marks of a MAG in the class of a PAG (Zhang 2008, theorem 2).

    Circles opposite an arrowhead become tails; the circle component becomes a DAG without new unshielded colliders.
    """
    marks = np.asarray(graph.marks).copy()
    marks[(marks == Mark.CIRCLE) & (marks.T == Mark.ARROW)] = Mark.TAIL
    oriented = marks_of_dag(extension(circle_component(marks)))
    return np.where(oriented != Mark.NONE, oriented, marks)
