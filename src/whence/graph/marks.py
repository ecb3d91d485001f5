"""Endpoint marks and edges: the letters of every graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError, quote_names


class Mark(IntEnum):
    """What stands at one end of an edge; NONE where there is no edge."""

    NONE = 0
    TAIL = 1
    ARROW = 2
    CIRCLE = 3


_LEFT = {"-": Mark.TAIL, "<": Mark.ARROW, "o": Mark.CIRCLE}
_RIGHT = {"-": Mark.TAIL, ">": Mark.ARROW, "o": Mark.CIRCLE}
_LEFT_TEXT = {mark: text for text, mark in _LEFT.items()}
_RIGHT_TEXT = {mark: text for text, mark in _RIGHT.items()}
# The connector stands between spaces, so that names may hold hyphens, arrows without spaces and anything else.
_PATTERNS = (
    (r"(?<=\s)--?>(?=\s)", Mark.TAIL, Mark.ARROW),
    (r"(?<=\s)<--?(?=\s)", Mark.ARROW, Mark.TAIL),
    (r"(?<=\s)---?(?=\s)", Mark.TAIL, Mark.TAIL),
    (r"(?<=\s)<->(?=\s)", Mark.ARROW, Mark.ARROW),
    (r"(?<=\s)o->(?=\s)", Mark.CIRCLE, Mark.ARROW),
    (r"(?<=\s)<-o(?=\s)", Mark.ARROW, Mark.CIRCLE),
    (r"(?<=\s)o-o(?=\s)", Mark.CIRCLE, Mark.CIRCLE),
    (r"(?<=\s)(?:o--|o-)(?=\s)", Mark.CIRCLE, Mark.TAIL),
    (r"(?<=\s)(?:--o|-o)(?=\s)", Mark.TAIL, Mark.CIRCLE),
)


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge with the mark at each end.

    >>> str(Edge("age", "dose", Mark.TAIL, Mark.ARROW))
    'age -> dose'
    """

    source: str
    target: str
    mark_source: Mark
    mark_target: Mark

    @property
    def connector(self) -> str:
        """The edge without its names: ``->``, ``---``, ``<->``, ``o->``, ``o-o``, ``--o``."""
        return connector(self.mark_source, self.mark_target)

    @property
    def is_directed(self) -> bool:
        """True for a tail at the source and an arrowhead at the target."""
        return self.mark_source == Mark.TAIL and self.mark_target == Mark.ARROW

    @property
    def is_undirected(self) -> bool:
        """True for a tail at either end."""
        return self.mark_source == Mark.TAIL and self.mark_target == Mark.TAIL

    @property
    def is_bidirected(self) -> bool:
        """True for an arrowhead at either end."""
        return self.mark_source == Mark.ARROW and self.mark_target == Mark.ARROW

    def __str__(self) -> str:
        return f"{self.source} {self.connector} {self.target}"


def connector(left: int, right: int) -> str:
    """Return the text between two names for the marks at either end."""
    if left == Mark.TAIL and right == Mark.ARROW:
        return "->"
    if left == Mark.ARROW and right == Mark.TAIL:
        return "<-"
    return f"{_LEFT_TEXT[Mark(left)]}-{_RIGHT_TEXT[Mark(right)]}"


def parse_edge(text: str) -> Edge:
    """Read ``"A -> B"``, ``"A <- B"``, ``"A --- B"``, ``"A <-> B"``, ``"A o-> B"``, ``"A o-o B"``; also ``-->``.

    The connector must stand between spaces and occur once; edges between names that hold one are given as tuples.

    >>> parse_edge("dose o-> blood pressure")
    Edge(source='dose', target='blood pressure', mark_source=<Mark.CIRCLE: 3>, mark_target=<Mark.ARROW: 2>)
    """
    found = [
        (match.start(), match.end(), left, right)
        for pattern, left, right in _PATTERNS
        for match in re.finditer(pattern, text)
    ]
    if len(found) != 1:
        raise GraphError(
            "E201",
            f"the edge {text!r} holds {'no' if not found else 'more than one'} connector between spaces.",
            "Write 'A -> B', 'A --- B', 'A <-> B', 'A o-> B' or 'A o-o B', or give the pair as a tuple (A, B).",
        )
    start, end, left, right = found[0]
    source, target = text[:start].strip(), text[end:].strip()
    if not source or not target:
        raise GraphError("E201", f"the edge {text!r} lacks a name.", "Write 'A -> B'.")
    return Edge(source, target, left, right)


def as_edge(edge: str | Edge | Sequence[str]) -> Edge:
    """Return an edge from its text, a pair (directed) or itself."""
    if isinstance(edge, Edge):
        return edge
    if isinstance(edge, str):
        return parse_edge(edge)
    pair = tuple(edge)
    if len(pair) != 2:
        raise GraphError("E201", f"the edge {pair!r} does not have two ends.", "Give a pair (A, B) or 'A -> B'.")
    return Edge(pair[0], pair[1], Mark.TAIL, Mark.ARROW)


def assemble(edges: Iterable[Edge], order: Sequence[str], kind: str) -> tuple[NDArray[np.int8], list[tuple[int, int]]]:
    """Return the mark matrix of a list of edges, and the pairs that carry a bidirected edge beside a directed one."""
    listed = list(edges)
    index = {name: k for k, name in enumerate(order)}
    absent = [name for name in dict.fromkeys(end for e in listed for end in (e.source, e.target)) if name not in index]
    if absent:
        raise GraphError("E202", f"the edges name {quote_names(absent)}, not among the given names.", "Add them.")
    marks = np.zeros((len(order), len(order)), dtype=np.int8)
    bows = []
    for edge in listed:
        i, j = index[edge.source], index[edge.target]
        if marks[i, j] and (marks[j, i], marks[i, j]) != (edge.mark_source, edge.mark_target):
            bidirected = bool(marks[i, j] == marks[j, i] == Mark.ARROW)
            if kind != "ADMG" or not (bidirected or edge.is_bidirected):
                raise GraphError("E203", f"two edges join {edge.source!r} and {edge.target!r}.", "Give one.")
            bows.append((i, j))
            if edge.is_bidirected:
                continue
        marks[i, j], marks[j, i] = edge.mark_target, edge.mark_source
    return marks, bows
