"""From a skeleton to an equivalence class: colliders by majority, then the nearest class that contradicts none of them.

Every step is independent of the order of the columns but for exact ties, which go by position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.discovery._scan import Booleans, Integers, Neighbours, Scan, Scanner
from whence.discovery._skeleton import Skeleton
from whence.errors import GraphError
from whence.graph import Mark
from whence.graph.orientation import Marks, cpdag_of_dag, extension, is_acyclic, meek
from whence.graph.validation import find_cycle
from whence.kernels import Kernels

_kernels = Kernels("whence.discovery._kernels_pc")

ColliderRule = Literal["majority", "sepset", "conservative", "max-p"]


@dataclass(frozen=True)
class Orientation:
    """An equivalence class (with the knowledge added, if any) and what had to give way on the way to it.

    Attributes
    ----------
    marks : int8 array, shape (p, p)
    complete : bool
        Whether the marks are exactly those of an equivalence class, knowledge having directed nothing more.
    colliders : int
        Triples that the tests say are colliders.
    dropped : int
        Those that contradict stronger ones or the knowledge.
    added : int
        Triples that must be colliders in any graph with this skeleton and these directions although no test says so.
    tests : int
    ambiguous : int array, shape (k, 3)
        Triples of which some separating sets hold the middle column and some do not; only the conservative rule leaves
        them open.
    """

    marks: Marks
    complete: bool
    colliders: int
    dropped: int
    added: int
    tests: int
    ambiguous: Integers = field(default_factory=lambda: np.zeros((0, 3), np.int64))


def orient(
    skeleton: Skeleton,
    scan: Scanner,
    alpha: float,
    forbidden: Booleans,
    *,
    rule: ColliderRule,
    max_depth: int | None,
    most_sets: float,
) -> Orientation:
    """Direct what can be directed.

    Colliders are directed in order of the evidence for them: the smaller the share of separating sets that hold the
    middle column, then the more separating sets, then the weaker the dependence left. One that would turn an arrow
    around or close a cycle is dropped. If no graph has exactly the colliders that remain, the class of the graph that
    agrees with all of them and has the fewest others is taken.

    Parameters
    ----------
    forbidden : bool array, shape (p, p)
        ``[i, j]`` for ``i -> j``; holds the reverse of what is required.
    rule : {"majority", "sepset", "conservative", "max-p"}
        ``majority`` (Colombo and Maathuis 2014): a collider if the middle column is in fewer than half of all the
        separating sets among neighbours. ``sepset``: if it is in none of those that were found at the size that
        separated the pair. ``conservative`` (Ramsey, Zhang and Spirtes 2006): if it is in none of all; where it is in
        some, nothing is directed because of the triple. ``max-p`` (Ramsey 2016): if it is not in the set with the
        largest p-value of all.
    """
    adjacency = skeleton.adjacency
    known = adjacency & forbidden.T & ~forbidden
    marks = np.where(adjacency, np.int8(Mark.TAIL), np.int8(Mark.NONE))
    marks[known] = Mark.ARROW
    triples, ambiguous, tests = _judged(skeleton, scan, alpha, forbidden, rule, max_depth, most_sets)
    kept = np.zeros(len(triples), dtype=np.bool_)
    near = Neighbours.of(adjacency)
    count = _kernels.direct_colliders(marks, near.start, near.nodes, triples, kept)
    if rule == "conservative" and len(ambiguous):
        dropped = len(triples) - count
        return Orientation(meek_beside(marks, ambiguous), False, len(triples), dropped, 0, tests, ambiguous)
    closed, added = _complete(marks, known)
    complete = not known.any() or np.array_equal(closed, cpdag_of_dag(extension(closed)))
    return Orientation(closed, bool(complete), len(triples), len(triples) - count, added, tests)


def undirected(skeleton: Skeleton, forbidden: Booleans) -> Orientation:
    """Direct nothing but what is known: for a skeleton that is not finished."""
    marks = np.where(skeleton.adjacency, np.int8(Mark.TAIL), np.int8(Mark.NONE))
    marks[skeleton.adjacency & forbidden.T & ~forbidden] = Mark.ARROW
    return Orientation(marks, complete=False, colliders=0, dropped=0, added=0, tests=0)


def _complete(marks: Marks, known: Booleans) -> tuple[Marks, int]:
    """Close under Meek's rules; where that leads to no graph, take the class of the nearest one."""
    closed = meek(marks)
    try:
        extension(closed)
    except GraphError:
        graph = marks.copy()
        near = Neighbours.of(graph != 0)
        added = _kernels.nearest_extension(graph, near.start, near.nodes)
        closed = cpdag_of_dag(graph == Mark.ARROW)
        closed[known] = Mark.ARROW
        return meek(closed), int(added)
    return closed, 0


def meek_beside(marks: Marks, ambiguous: Integers) -> Marks:
    """Close under Meek's rules, but conclude nothing from the ambiguous triples, which may be colliders or not.

    Ramsey, Zhang and Spirtes (2006), section 3. Of the four rules, two rest on a triple that is no collider. What would
    close a directed cycle, as colliders that no graph can have together may make a rule do, stays undirected.
    """
    closed = marks.copy()
    open_triples = {(int(a), int(b), int(c)) for a, b, c in ambiguous} | {
        (int(c), int(b), int(a)) for a, b, c in ambiguous
    }
    changed = True
    while changed:
        changed = False
        for b, c in np.argwhere((closed == Mark.TAIL) & (closed.T == Mark.TAIL)).tolist():
            if (
                closed[b, c] == Mark.TAIL
                and closed[c, b] == Mark.TAIL
                and _directed_by_rules(closed, b, c, open_triples)
            ):
                closed[b, c] = Mark.ARROW
                if is_acyclic((closed == Mark.ARROW) & (closed.T == Mark.TAIL)):
                    changed = True
                else:
                    closed[b, c] = Mark.TAIL
    return closed


def _directed_by_rules(marks: Marks, b: int, c: int, open_triples: set[tuple[int, int, int]]) -> bool:
    """Return whether a rule of Meek's directs ``b -> c``."""
    into_b = np.flatnonzero((marks[:, b] == Mark.ARROW) & (marks[b] == Mark.TAIL)).tolist()
    if any(marks[a, c] == Mark.NONE and (a, b, c) not in open_triples for a in into_b):
        return True
    from_b = (marks[b] == Mark.ARROW) & (marks[:, b] == Mark.TAIL)
    into_c = (marks[:, c] == Mark.ARROW) & (marks[c] == Mark.TAIL)
    if (from_b & into_c).any():
        return True
    beside = np.flatnonzero((marks[b] == Mark.TAIL) & (marks[:, b] == Mark.TAIL) & into_c).tolist()
    return any(
        marks[d, e] == Mark.NONE and (d, b, e) not in open_triples
        for k, d in enumerate(beside)
        for e in beside[k + 1 :]
    )


def _colliders(
    skeleton: Skeleton,
    scan: Scanner,
    alpha: float,
    forbidden: Booleans,
    rule: ColliderRule,
    max_depth: int | None,
    most_sets: float,
) -> tuple[Integers, int]:
    """Return the triples (a, b, c) with ``a -> b <- c``, surest first, shape (k, 3), and how many tests were made."""
    triples, _, tests = _judged(skeleton, scan, alpha, forbidden, rule, max_depth, most_sets)
    return triples, tests


def _judged(
    skeleton: Skeleton,
    scan: Scanner,
    alpha: float,
    forbidden: Booleans,
    rule: ColliderRule,
    max_depth: int | None,
    most_sets: float,
) -> tuple[Integers, Integers, int]:
    """Return the colliders, surest first, the ambiguous triples, and how many tests were made."""
    pairs, mids = unshielded(skeleton.adjacency)
    share, sets, statistic, tests = _shares(skeleton, scan, alpha, forbidden, rule, max_depth, most_sets, pairs, mids)
    owner = np.repeat(np.arange(len(pairs)), mids.lengths)
    a, c = pairs[owner].T if len(owner) else np.zeros((2, 0), np.int64)
    b = mids.nodes
    seldom = share < 0.5 if rule == "majority" else share == 0.0
    chosen = seldom & ~forbidden[a, b] & ~forbidden[c, b]
    order = np.lexsort((statistic[owner], -sets[owner], share))
    order = order[chosen[order]]
    triples = np.column_stack([a, b, c]).astype(np.int64).reshape(-1, 3)
    return triples[order], triples[(share > 0) & (share < 1)], tests


def _shares(
    skeleton: Skeleton,
    scan: Scanner,
    alpha: float,
    forbidden: Booleans,
    rule: ColliderRule,
    max_depth: int | None,
    most_sets: float,
    pairs: Integers,
    mids: Neighbours,
) -> tuple[NDArray[np.float64], Integers, NDArray[np.float64], int]:
    """Return for each mid the share of separating sets that hold it; and by pair the number of sets and a statistic."""
    containing = np.zeros(len(mids.nodes), np.int64)
    separating = np.zeros(len(pairs), np.int64)
    statistic = np.zeros(len(pairs))
    tests = 0
    deepest = scan.deepest if max_depth is None else min(scan.deepest, max_depth)
    level = skeleton.level[pairs[:, 0], pairs[:, 1]]
    every = rule != "sepset"
    for size in [-2] if every else np.flatnonzero(np.bincount(level + 1)) - 1:
        rows = np.arange(len(pairs)) if every else np.flatnonzero(level == size)
        sizes = (0, deepest) if every else (max(int(size), 0), max(int(size), 0))
        adjacency = skeleton.adjacency if every else skeleton.adjacency_at(max(int(size), 0))
        near = Neighbours.of(adjacency & ~forbidden.T)
        sizes = (sizes[0], min(sizes[1], near.most))
        chosen, places = _take(mids, rows)
        found = scan(pairs[rows], near, sizes, alpha, most_sets, chosen)
        containing[places], separating[rows], statistic[rows] = found.containing, found.separating, found.statistic
        if rule == "max-p":
            holds = [
                k in given for given, start, end in _best_sets(found, mids) for k in mids.nodes[start:end].tolist()
            ]
            containing = np.array(holds, dtype=np.int64) * np.repeat(separating, mids.lengths)
        tests += found.tests
    share = np.full(len(mids.nodes), 0.5)
    owner = np.repeat(np.arange(len(pairs)), mids.lengths)
    seen = separating[owner] > 0
    share[seen] = containing[seen] / separating[owner][seen]
    for place in np.flatnonzero(~seen):
        # No set of final neighbours separates the pair: what separated it while searching decides.
        i, j = (int(node) for node in pairs[owner[place]])
        if skeleton.level[i, j] >= 0:
            share[place] = float(mids.nodes[place] in skeleton.sets.get((i, j), ()))
    return share, separating, np.where(np.isnan(statistic), np.inf, statistic), tests


def _best_sets(found: Scan, mids: Neighbours) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Yield for each pair the set with its largest p-value, and where its mids begin and end."""
    sets = found.sets_of(np.arange(len(found.size)))
    yield from ((given, int(a), int(b)) for given, a, b in zip(sets, mids.start[:-1], mids.start[1:]))


def _take(lists: Neighbours, rows: Integers) -> tuple[Neighbours, Integers]:
    """Return some of the lists, and where their nodes stand in the whole."""
    length = lists.lengths[rows]
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    places = np.repeat(lists.start[rows] - start[:-1], length) + np.arange(start[-1])
    return Neighbours(start, lists.nodes[places]), places


def unshielded(adjacency: Booleans) -> tuple[Integers, Neighbours]:
    """Return the pairs that are not joined but share a neighbour, shape (k, 2), and for each those neighbours."""
    near = Neighbours.of(adjacency)
    p = len(adjacency)
    mids = np.repeat(np.arange(p), near.lengths)
    later = near.start[mids + 1] - np.arange(len(mids)) - 1  # how many neighbours of the same node follow in its list
    first = np.repeat(np.arange(len(mids)), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    a, c = near.nodes[first], near.nodes[second]
    apart = ~adjacency[a, c]
    key, mid_nodes = a[apart] * p + c[apart], mids[first[apart]]
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
    found, start = key[begins], np.append(begins, len(key))
    return np.column_stack(np.divmod(found, p)).astype(np.int64).reshape(-1, 2), Neighbours(start, mid_nodes[order])


def break_cycles(skeleton: Skeleton, required: Booleans, forbidden: Booleans) -> tuple[Skeleton, list[tuple[int, int]]]:
    """Remove edges until the directions that knowledge leaves open make no cycle; return which were removed.

    Of the edges on a cycle that are not required, the one with the largest p-value goes.
    """
    adjacency = skeleton.adjacency.copy()
    removed = []
    while True:
        known = adjacency & forbidden.T & ~forbidden
        if is_acyclic(known):
            break
        cycle = [int(node) for node in find_cycle(tuple(map(str, range(len(known)))), known)]
        open_edges = [(a, b) for a, b in pairwise(cycle) if not required[a, b]]
        weakest = max(open_edges, key=lambda edge: skeleton.p_values.get((min(edge), max(edge)), 0.0))
        adjacency[weakest] = adjacency[weakest[::-1]] = False
        removed.append((min(weakest), max(weakest)))
    return replace(skeleton, adjacency=adjacency), removed
