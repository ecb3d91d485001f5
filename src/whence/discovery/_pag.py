"""The orientation rules R0 to R10 of Zhang (2008) for graphs under hidden causes and selection.

Zhang (2008), On the completeness of orientation rules for causal discovery in the presence of latent confounders and
selection bias, Artificial Intelligence 172, 1873-1896; rule numbers are those of its section 3. A mark that would make
a column its own ancestor, or an ancestor of one that it is said not to cause, is refused and its end stays a circle:
among true marks this never happens, among marks from finite data it keeps cycles out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import combinations, pairwise

import numpy as np

from whence.discovery._scan import Booleans
from whence.errors import GraphError
from whence.graph import Graph, Mark
from whence.graph.orientation import Marks
from whence.graph.projection import member_of_pag

NONE, TAIL, ARROW, CIRCLE = (int(mark) for mark in Mark)

End = tuple[int, int, int]
"""(i, j, mark): what stands at j's end of the edge between i and j."""

Judge = Callable[[tuple[int, ...]], "bool | None"]
"""Of a discriminating path ``(d, ..., a, b, c)``: whether b is in the sets that separate d from c; None if untold."""


class PartialGraph:
    """The marks found so far, as a dictionary for each node, so that a rule costs what the edges cost.

    Parameters
    ----------
    adjacency : bool array, shape (p, p)
        Which pairs are joined; every end starts as a circle.

    Attributes
    ----------
    at : list of dict
        ``at[i][j]`` is the mark at j's end of the edge between i and j; j is absent where there is none.
    refused : set
        Ends that were to be marked and contradict marks set before.
    cut : bool
        Whether a discriminating path could have gone on beyond the longest that was allowed.
    """

    def __init__(self, adjacency: Booleans) -> None:
        self.at: list[dict[int, int]] = [dict.fromkeys(np.flatnonzero(row).tolist(), CIRCLE) for row in adjacency]
        self.refused: set[tuple[End, ...]] = set()
        self.cut = False

    def know(self, required: Booleans, forbidden: Booleans) -> None:
        """Mark what is known, ``[i, j]`` for ``i -> j``: where forbidden, an arrowhead at i if the two are joined."""
        for i, j in np.argwhere(forbidden).tolist():
            if j in self.at[i]:
                self.at[j][i] = ARROW
        for i, j in np.argwhere(required).tolist():
            self.at[j][i], self.at[i][j] = TAIL, ARROW

    def put(self, *ends: End) -> bool:
        """Set all the ends, or none if one contradicts what is there; return whether anything changed."""
        new = [(i, j, mark) for i, j, mark in ends if self.at[i][j] != mark]
        if not new or ends in self.refused:
            return False
        fits = all(self.at[i][j] == CIRCLE for i, j, _ in new)
        if fits:
            for i, j, mark in new:
                self.at[i][j] = mark
            fits = not any(self._contradicted(i, j) for i, j, _ in new)
            if not fits:
                for i, j, _ in new:
                    self.at[i][j] = CIRCLE
        if not fits:
            self.refused.add(ends)
        return fits

    def arrow(self, i: int, j: int) -> bool:
        """Mark ``i *-> j``."""
        return self.put((i, j, ARROW))

    def direct(self, i: int, j: int) -> bool:
        """Mark ``i -> j``."""
        return self.put((i, j, ARROW), (j, i, TAIL))

    def collide(self, a: int, b: int, c: int) -> bool:
        """Mark ``a *-> b <-* c`` (rule R0)."""
        return self.put((a, b, ARROW), (c, b, ARROW))

    def marks(self) -> Marks:
        """Return the mark matrix, shape (p, p)."""
        marks = np.zeros((len(self.at), len(self.at)), dtype=np.int8)
        for i, near in enumerate(self.at):
            marks[i, list(near)] = list(near.values())
        return marks

    def is_parent(self, i: int, j: int) -> bool:
        """Return whether ``i -> j``."""
        return self.at[i].get(j) == ARROW and self.at[j][i] == TAIL

    def may_lead(self, i: int, j: int) -> bool:
        """Return whether the edge between i and j, which are joined, is neither into i nor out of j."""
        return self.at[j][i] != ARROW and self.at[i][j] != TAIL

    def _contradicted(self, i: int, j: int) -> bool:
        """Return whether the edge between i and j makes an ancestor of something that bears an arrowhead from it."""
        if self.is_parent(i, j) or self.is_parent(j, i):
            cause, effect = (i, j) if self.is_parent(i, j) else (j, i)
            below, above = self._reach(effect, self.is_parent), self._reach(cause, lambda v, u: self.is_parent(u, v))
            return cause in below or any(self.at[t][s] == ARROW for s in above for t in self.at[s] if t in below)
        into_i, into_j = self.at[j][i] == ARROW, self.at[i][j] == ARROW
        return (into_j and i in self._reach(j, self.is_parent)) or (into_i and j in self._reach(i, self.is_parent))

    def _reach(self, start: int, leads: Callable[[int, int], bool]) -> set[int]:
        found, stack = {start}, [start]
        while stack:
            node = stack.pop()
            for other in self.at[node]:
                if other not in found and leads(node, other):
                    found.add(other)
                    stack.append(other)
        return found


def complete(graph: PartialGraph, judge: Judge, *, selection: bool, longest: int | None = None) -> None:
    """Apply the rules until none applies, in place.

    Parameters
    ----------
    graph : PartialGraph
        With its unshielded colliders directed.
    judge : callable
        Decides rule R4.
    selection : bool
        Whether rows may have been selected by what was measured: without, R5 to R7 are not needed, and a tail at one
        end means an arrowhead at the other.
    longest : int, optional
        Edges of a discriminating path at most.
    """
    while True:
        if _rule_1(graph) | _rule_2(graph) | _rule_3(graph):
            continue
        if _rule_4(graph, judge, longest):
            continue
        if selection and (_rule_5(graph) or _rule_6(graph) | _rule_7(graph)):
            continue
        if not _rule_8(graph) | _rules_9_and_10(graph):
            return


def _rule_1(graph: PartialGraph) -> bool:
    """Mark ``b -> c`` where ``a *-> b o-* c`` with a and c apart."""
    at, changed = graph.at, False
    for b, near in enumerate(at):
        into = [a for a in near if at[a][b] == ARROW]
        for c in [c for c in near if at[c][b] == CIRCLE] if into else ():
            if any(a not in at[c] for a in into):
                changed |= graph.direct(b, c)
    return changed


def _rule_2(graph: PartialGraph) -> bool:
    """Mark ``a *-> c`` where ``a *-o c`` and ``a -> b *-> c`` or ``a *-> b -> c``."""
    at, changed = graph.at, False
    for a, near in enumerate(at):
        for c in [c for c, mark in near.items() if mark == CIRCLE]:
            if any(
                mark == ARROW and at[b].get(c) == ARROW and TAIL in (at[b][a], at[c][b]) for b, mark in near.items()
            ):
                changed |= graph.arrow(a, c)
    return changed


def _rule_3(graph: PartialGraph) -> bool:
    """Mark ``d *-> b`` where ``d *-o b``, ``a *-> b <-* c`` and ``a *-o d o-* c`` with a and c apart."""
    at, changed = graph.at, False
    for d, near in enumerate(at):
        sides = [a for a in near if at[a][d] == CIRCLE]
        for b in [b for b, mark in near.items() if mark == CIRCLE]:
            if _some_apart([a for a in sides if at[a].get(b) == ARROW], graph):
                changed |= graph.arrow(d, b)
    return changed


def _rule_4(graph: PartialGraph, judge: Judge, longest: int | None) -> bool:
    """Mark ``b -> c`` where what separates the ends of a discriminating path holds b, else ``a <-> b <-> c``."""
    changed = False
    for path, inside in [(path, judge(path)) for path in _discriminating_paths(graph, longest)]:
        a, b, c = path[-3:]
        if inside is not None:
            changed |= graph.direct(b, c) if inside else graph.put((a, b, ARROW), (c, b, ARROW), (b, c, ARROW))
    return changed


def _discriminating_paths(graph: PartialGraph, longest: int | None) -> Iterator[tuple[int, ...]]:
    """Yield the shortest discriminating path for each ``b o-* c`` that has one."""
    for b, near in enumerate(graph.at):
        for c in near:
            if graph.at[c][b] == CIRCLE:
                path = discriminating_path(graph, b, c, longest)
                if path is not None:
                    yield path


def discriminating_path(graph: PartialGraph, b: int, c: int, longest: int | None = None) -> tuple[int, ...] | None:
    """Return a shortest path ``(d, ..., a, b, c)`` that discriminates for b, of at most ``longest`` edges, or None.

    d and c are apart, and all nodes between d and b are parents of c and colliders on the path.
    """
    at = graph.at
    layer = [a for a, mark in at[b].items() if mark == ARROW and graph.is_parent(a, c)]
    towards = dict.fromkeys(layer, b)
    edges = 2
    while layer:
        if longest is not None and edges == longest:
            graph.cut = True
            return None
        edges += 1
        following = []
        for q in layer:
            for e, mark in at[q].items():
                if e in towards or e in (b, c) or at[e][q] != ARROW:
                    continue
                if e not in at[c]:
                    return (*_walk_back({**towards, e: q}, e, b), c)
                if mark == ARROW and graph.is_parent(e, c):
                    towards[e] = q
                    following.append(e)
        layer = following
    return None


def _walk_back(towards: dict[int, int], start: int, end: int) -> list[int]:
    path = [start]
    while path[-1] != end:
        path.append(towards[path[-1]])
    return path


def _rule_5(graph: PartialGraph) -> bool:
    """Undirect ``a o-o b`` and an uncovered path of circles from a to b whose ends are shielded by neither."""
    changed = False
    for a, near in enumerate(graph.at):
        for b in near:
            cycle = _uncovered_circle(graph, a, b) if a < b and _is_circle(graph, a, b) else None
            if cycle is not None:
                changed |= graph.put(*(end for i, j in pairwise(cycle) for end in ((i, j, TAIL), (j, i, TAIL))))
    return changed


def _is_circle(graph: PartialGraph, i: int, j: int) -> bool:
    return graph.at[i][j] == graph.at[j][i] == CIRCLE


def _uncovered_circle(graph: PartialGraph, a: int, b: int) -> list[int] | None:
    """Return ``[a, c, ..., d, b, a]``, uncovered all the way round and of circles alone, or None."""
    at = graph.at
    layer = [(a, c) for c in at[a] if _is_circle(graph, a, c) and c != b and c not in at[b]]
    before: dict[tuple[int, int], tuple[int, int] | None] = dict.fromkeys(layer)
    for step in layer:  # grows while it is walked: breadth first over (node before, node)
        u, v = step
        for w in at[v]:
            if w in (u, a) or w in at[u] or not _is_circle(graph, v, w) or (v, w) in before:
                continue
            if w == b and v not in at[a]:
                cycle = [a, b]
                back: tuple[int, int] | None = step
                while back is not None:
                    cycle.append(back[1])
                    back = before[back]
                return [*cycle, a]
            if w != b:
                before[v, w] = step
                layer.append((v, w))
    return None


def _rule_6(graph: PartialGraph) -> bool:
    """Mark ``b -* c`` where ``a --- b o-* c``."""
    at, changed = graph.at, False
    for b, near in enumerate(at):
        if any(mark == TAIL and at[a][b] == TAIL for a, mark in near.items()):
            for c in near:
                changed |= at[c][b] == CIRCLE and graph.put((c, b, TAIL))
    return changed


def _rule_7(graph: PartialGraph) -> bool:
    """Mark ``b -* c`` where ``a -o b o-* c`` with a and c apart."""
    at, changed = graph.at, False
    for b, near in enumerate(at):
        for a in [a for a, mark in near.items() if mark == TAIL and at[a][b] == CIRCLE]:
            for c in near:
                changed |= c != a and at[c][b] == CIRCLE and c not in at[a] and graph.put((c, b, TAIL))
    return changed


def _rule_8(graph: PartialGraph) -> bool:
    """Mark ``a -> c`` where ``a o-> c`` and ``a -> b -> c`` or ``a -o b -> c``."""
    at, changed = graph.at, False
    for a, near in enumerate(at):
        for c in _open_effects(graph, a):
            if any(at[b][a] == TAIL and mark != TAIL and graph.is_parent(b, c) for b, mark in near.items()):
                changed |= graph.put((c, a, TAIL))
    return changed


def _rules_9_and_10(graph: PartialGraph) -> bool:
    """Mark ``a -> c`` where ``a o-> c`` and one way or another a leads to c.

    R9: over an uncovered path that may be directed and whose first node is apart from c. R10: over two such paths to
    parents of c, whose first nodes are apart. Walks serve as well as paths: in a graph where a did not cause c, one of
    them would be directed all along, which closes no cycle.
    """
    at, changed = graph.at, False
    for a, near in enumerate(at):
        effects = _open_effects(graph, a)
        reached = {first: _uncovered(graph, a, first) for first in near if graph.may_lead(a, first)} if effects else {}
        for c in effects:
            parents = {b for b in at[c] if graph.is_parent(b, c)}
            first = [m for m in reached if m != c and not parents.isdisjoint(reached[m])]
            if any(m != c and m not in at[c] and c in reached[m] for m in reached) or _some_apart(first, graph):
                changed |= graph.put((c, a, TAIL))
    return changed


def _open_effects(graph: PartialGraph, a: int) -> list[int]:
    """Return every c with ``a o-> c``."""
    return [c for c, mark in graph.at[a].items() if mark == ARROW and graph.at[c][a] == CIRCLE]


def _uncovered(graph: PartialGraph, a: int, first: int) -> set[int]:
    """Return what uncovered walks that may be directed reach from a over a first node."""
    at = graph.at
    steps = [(a, first)]
    seen = set(steps)
    for u, v in steps:  # grows while it is walked
        for w in at[v]:
            if w not in (u, a) and w not in at[u] and (v, w) not in seen and graph.may_lead(v, w):
                seen.add((v, w))
                steps.append((v, w))
    return {v for _, v in steps}


def _some_apart(nodes: Collection[int], graph: PartialGraph) -> bool:
    """Return whether two of the nodes are not joined."""
    return any(d not in graph.at[b] for b, d in combinations(nodes, 2))


def is_class(marks: Marks, *, selection: bool, known: bool) -> bool:
    """Return whether the marks are those of a class: of one member of it, completed by the same rules.

    Parameters
    ----------
    marks : int8 array, shape (p, p)
    known : bool
        Whether knowledge may have set marks that the class leaves open.
    """
    try:
        found = Graph(tuple(map(str, range(len(marks)))), marks, "PAG")
        member = Graph(found.names, member_of_pag(found).marks, "MAG").marks
    except GraphError:
        return False
    graph = PartialGraph(member != NONE)
    into = member == ARROW
    for b, near in enumerate(graph.at):
        for a, c in combinations([node for node in near if into[node, b]], 2):
            if not member[a, c]:
                graph.collide(a, b, c)
    complete(graph, lambda path: not (into[path[-3], path[-2]] and into[path[-1], path[-2]]), selection=selection)
    whole = graph.marks()
    return bool(((whole == marks) | (known & (whole == CIRCLE))).all())
