"""Possibly directed paths in graphs of every kind: what a treatment may change, and through which edges."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from whence.graph import Graph, Mark

_CLASSES_OF_DAGS = ("CPDAG", "PDAG")
_ANCESTRAL = ("MAG", "PAG")


@dataclass(frozen=True, slots=True)
class Walker:
    """The edges of a graph as neighbour lists, and walks that never go against an arrowhead.

    Attributes
    ----------
    kind : str
        The graph's kind.
    ends : tuple of dict
        For each node: neighbour -> (mark at the node, mark at the neighbour).
    """

    kind: str
    ends: tuple[dict[int, tuple[int, int]], ...]

    @classmethod
    def of(cls, graph: Graph) -> Walker:
        """Read the marks of a graph once."""
        marks = np.asarray(graph.marks)
        ends: list[dict[int, tuple[int, int]]] = [{} for _ in graph.names]
        for i, j in np.argwhere(marks).tolist():
            ends[i][j] = (int(marks[j, i]), int(marks[i, j]))
        return cls(graph.kind, tuple(ends))

    def parents(self, node: int) -> set[int]:
        """Return the nodes with a directed edge into ``node``."""
        return {other for other, marks in self.ends[node].items() if marks == (Mark.ARROW, Mark.TAIL)}

    def directed(self, source: int, target: int) -> bool:
        """Tell whether there is the edge ``source -> target``."""
        return self.ends[source].get(target) == (Mark.TAIL, Mark.ARROW)

    def onward(self, node: int) -> list[int]:
        """Return the neighbours that ``node`` may be a cause of: no arrowhead at ``node``."""
        return [other for other, (here, _) in self.ends[node].items() if here != Mark.ARROW]

    def backward(self, node: int) -> list[int]:
        """Return the neighbours that may be causes of ``node``: no arrowhead at the neighbour."""
        return [other for other, (_, there) in self.ends[node].items() if there != Mark.ARROW]

    def possible_descendants(self, nodes: Iterable[int], avoiding: Collection[int] = ()) -> set[int]:
        """Return ``nodes`` and all nodes with a possibly directed path from them that does not pass ``avoiding``."""
        return self._walk(nodes, avoiding, against=False)

    def possible_ancestors(self, nodes: Iterable[int], avoiding: Collection[int] = ()) -> set[int]:
        """Return ``nodes`` and all nodes with a possibly directed path to them that does not pass ``avoiding``."""
        return self._walk(nodes, avoiding, against=True)

    def _walk(self, nodes: Iterable[int], avoiding: Collection[int], *, against: bool) -> set[int]:
        """Follow edges between possible causes and effects; in a partly directed graph along unshielded paths only.

        With background knowledge an undirected path may have an edge that runs back from its end to its start, so that
        no member of the class directs it all the way. Unshielded paths have no such edge, and where there is a possibly
        directed path there is an unshielded one (Perković, Kalisch & Maathuis 2017, Lemmas 3.2 and 3.6).
        """
        step = self.backward if against else self.onward
        start = [node for node in nodes if node not in avoiding]
        found = set(start)
        arrivals = {(-1, node) for node in start}
        stack = list(arrivals)
        while stack:
            before, node = stack.pop()
            for after in step(node):
                if after in avoiding or not self._passes(before, node, after, against=against):
                    continue
                # Only a partly directed graph needs to remember which way a node was reached.
                arrival = (node if self.kind in _CLASSES_OF_DAGS else -1, after)
                if arrival not in arrivals:
                    arrivals.add(arrival)
                    found.add(after)
                    stack.append(arrival)
        return found

    def _passes(self, before: int, node: int, after: int, *, against: bool) -> bool:
        """Tell whether a walk that came from ``before`` through ``node`` may go on to ``after``."""
        if before < 0 or after not in self.ends[before]:
            return before != after
        return self.directed(node, before if against else after)

    def settled(self, source: int, target: int) -> bool:
        """Tell whether an edge is known to be directed and to hide no common cause."""
        if not self.directed(source, target):
            return False
        return self.kind not in _ANCESTRAL or self.visible(source, target)

    def visible(self, source: int, target: int) -> bool:
        """Tell whether the edge ``source -> target`` of a MAG or PAG is visible (Zhang 2008, definition 8).

        Some node not adjacent to ``target`` has an edge into ``source``, or reaches it by a collider path into
        ``source`` on which every inner node is a parent of ``target``.
        """
        seen, stack = {source}, [source]
        while stack:
            node = stack.pop()
            for other, (here, there) in self.ends[node].items():
                if here != Mark.ARROW or other in seen or other == target:
                    continue
                if other not in self.ends[target]:
                    return True
                # `other` may be an inner node: a collider on the path and a parent of the target.
                if there == Mark.ARROW and self.directed(other, target):
                    seen.add(other)
                    stack.append(other)
        return False
