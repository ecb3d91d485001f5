"""Possible-d-sep: with hidden causes two columns may be separated only by columns that are joined to neither."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import comb, isnan

import numpy as np

from whence.discovery._orient import _take
from whence.discovery._pag import ARROW, PartialGraph
from whence.discovery._scan import Booleans, Integers, Neighbours, Scan, Scanner, no_mids
from whence.discovery._skeleton import Skeleton

Pair = tuple[int, int]


@dataclass(frozen=True)
class Limits:
    """What bounds a search.

    Attributes
    ----------
    alpha : float
        Level of the tests.
    max_depth : int or None
        Columns that are conditioned on at most.
    most_sets : float
        Candidates are tried up to the first size with more sets than this.
    most_candidates : int or None
        Possible-d-sep sets with more columns than this are left out.
    """

    alpha: float
    max_depth: int | None
    most_sets: float
    most_candidates: int | None = None

    def deepest(self, scan: Scanner) -> int:
        """Return how many columns can be conditioned on."""
        return scan.deepest if self.max_depth is None else min(scan.deepest, self.max_depth)

    def binding(self, scan: Scanner) -> bool:
        """Return whether more columns could be conditioned on than are allowed."""
        return self.max_depth is not None and self.max_depth < scan.deepest


class TimedScanner:
    """A scanner that gives no pair a column which is known to be an ancestor of neither.

    Richardson and Spirtes (2002), section 4: two columns that can be separated are separated by some of their
    ancestors.

    Parameters
    ----------
    scan : Scanner
    before : bool array, shape (p, p)
        ``[i, j]`` where j is known to be no ancestor of i.
    """

    def __init__(self, scan: Scanner, before: Booleans) -> None:
        self.scan, self.before = scan, before
        self.pairs_at_once = scan.pairs_at_once
        self.deepest = scan.deepest
        self._sort = np.unique(before, axis=0, return_inverse=True)[1].reshape(-1)

    def __call__(
        self,
        pairs: Integers,
        near: Neighbours,
        sizes: tuple[int, int],
        alpha: float,
        most_sets: float,
        mids: Neighbours,
    ) -> Scan:
        """Scan the pairs in groups that share what they are not given."""
        if sizes[1] == 0 or not len(pairs):
            return self.scan(pairs, near, sizes, alpha, most_sets, mids)
        lists = np.zeros_like(self.before)
        lists[np.repeat(np.arange(len(lists)), np.diff(near.start)), near.nodes] = True
        parts = []
        for rows in self._groups(pairs):
            x, y = pairs[rows[0]]
            kept, places = _take(mids, rows)
            earlier = Neighbours.of(lists & ~(self.before[x] & self.before[y]))
            parts.append((rows, places, self.scan(pairs[rows], earlier, sizes, alpha, most_sets, kept)))
        return _joined(parts, len(pairs), len(mids.nodes), max(sizes[1], 1))

    def _groups(self, pairs: Integers) -> list[Integers]:
        sorts = np.sort(self._sort[pairs], axis=1)
        _, group = np.unique(sorts, axis=0, return_inverse=True)
        order = np.argsort(group.reshape(-1), kind="stable")
        cuts = np.flatnonzero(np.diff(group.reshape(-1)[order])) + 1
        return list(np.split(order, cuts))


def _joined(parts: list[tuple[Integers, Integers, Scan]], k: int, mids: int, width: int) -> Scan:
    whole = Scan(
        p_value=np.full(k, np.nan),
        statistic=np.full(k, np.nan),
        size=np.zeros(k, np.int64),
        members=np.zeros((k, width), np.int64),
        separating=np.zeros(k, np.int64),
        containing=np.zeros(mids, np.int64),
        tests=sum(found.tests for _, _, found in parts),
        stopped=sum(found.stopped for _, _, found in parts),
    )
    for rows, places, found in parts:
        for field in ("p_value", "statistic", "size", "members", "separating"):
            getattr(whole, field)[rows] = getattr(found, field)
        whole.containing[places] = found.containing
    return whole


def possible_d_sep(graph: PartialGraph, x: int) -> set[int]:
    """Return what a path leads to from x on which every inner node is a collider or the middle of a triangle.

    Colombo, Maathuis, Kalisch and Richardson (2012), definition 3.3; walks are followed, which may reach more.
    """
    at = graph.at
    steps = [(x, node) for node in at[x]]
    seen = set(steps)
    for u, v in steps:  # grows while it is walked
        for w in at[v]:
            if w not in (u, x) and (v, w) not in seen and (w in at[u] or at[u][v] == at[w][v] == ARROW):
                seen.add((v, w))
                steps.append((v, w))
    return {node for _, node in steps}


def blocks(graph: PartialGraph) -> dict[Pair, frozenset[int]]:
    """Return for each edge the nodes on paths between its ends: its biconnected component (Hopcroft, Tarjan 1973)."""
    found: dict[Pair, frozenset[int]] = {}
    depth: dict[int, int] = {}
    low: dict[int, int] = {}
    for root in range(len(graph.at)):
        if root in depth:
            continue
        depth[root] = low[root] = 0
        edges: list[Pair] = []
        stack = [(root, -1, iter(graph.at[root]))]
        while stack:
            node, parent, rest = stack[-1]
            for other in rest:
                if other not in depth:
                    depth[other] = low[other] = depth[node] + 1
                    edges.append((node, other))
                    stack.append((other, node, iter(graph.at[other])))
                    break
                if other != parent and depth[other] < depth[node]:
                    edges.append((node, other))
                    low[node] = min(low[node], depth[other])
            else:
                stack.pop()
                if parent >= 0:
                    low[parent] = min(low[parent], low[node])
                    if low[node] >= depth[parent]:
                        start = edges.index((parent, node))
                        block = frozenset(end for edge in edges[start:] for end in edge)
                        found.update(((min(edge), max(edge)), block) for edge in edges[start:])
                        del edges[start:]
    return found


@dataclass(frozen=True)
class Searched:
    """A skeleton after possible-d-sep sets were tried, and what was left out of them.

    Attributes
    ----------
    removed : int
        Pairs that were separated.
    too_many, cut, deeper : int
        Sides of pairs left out for too many candidates, tried only up to the first size with too many sets, or only up
        to the largest size that was allowed.
    """

    skeleton: Skeleton
    removed: int
    too_many: int
    cut: int
    deeper: int


def search_possible_d_sep(
    scan: Scanner, skeleton: Skeleton, graph: PartialGraph, required: Booleans, limits: Limits
) -> Searched:
    """Separate joined pairs by sets of possible-d-sep; all of them are found first, so that the order does not matter.

    Spirtes, Glymour and Scheines (2000), section 6.7, step C; Colombo and Maathuis (2014), section 4.4, for the order;
    only candidates between the two are taken, as in FCI-path of Colombo et al. (2012), definition 3.4.

    Parameters
    ----------
    graph : PartialGraph
        The skeleton with its unshielded colliders.
    """
    lists, too_many = _candidates(graph, required | required.T, limits)
    adjacency, level, sets = skeleton.adjacency.copy(), skeleton.level.copy(), dict(skeleton.sets)
    p_values, statistics = dict(skeleton.p_values), dict(skeleton.statistics)
    tests = cut = removed = 0
    for size in range(1, limits.deepest(scan) + 1):
        for side in [side for side, nodes in lists.items() if comb(len(nodes), size) > limits.most_sets]:
            del lists[side]
            cut += 1
        open_pairs = {(min(side), max(side)) for side, nodes in lists.items() if len(nodes) >= size}
        if not open_pairs:
            break
        for batch in _matchings(sorted(open_pairs)):
            pairs = np.array(batch, dtype=np.int64)
            near = lists_of(batch, lists, len(adjacency))
            found = scan(pairs, near, (size, size), limits.alpha, np.inf, no_mids(pairs))
            tests += found.tests
            for q, pair in enumerate(batch):
                if found.p_value[q] > p_values[pair] or isnan(p_values[pair]):
                    p_values[pair], statistics[pair] = float(found.p_value[q]), float(found.statistic[q])
                if found.separating[q]:
                    removed += 1
                    adjacency[pair] = adjacency[pair[::-1]] = False
                    level[pair] = level[pair[::-1]] = len(adjacency)  # after all sets of neighbours
                    sets[pair] = found.sets_of([q])[0]
                    for which in (p_values, statistics):
                        del which[pair]
                    for side in (pair, pair[::-1]):
                        lists.pop(side, None)
    searched = Skeleton(adjacency, level, sets, p_values, statistics, skeleton.tests + tests, skeleton.stopped)
    deeper = sum(len(nodes) > limits.deepest(scan) for nodes in lists.values()) if limits.binding(scan) else 0
    return Searched(searched, removed, too_many, cut, deeper)


def _candidates(graph: PartialGraph, kept: Booleans, limits: Limits) -> tuple[dict[Pair, list[int]], int]:
    """Return by (centre, other) the columns to try where they are not all neighbours, and how many sides were left."""
    lists: dict[Pair, list[int]] = {}
    too_many = 0
    reached: dict[int, set[int]] = {}
    for pair, block in blocks(graph).items():
        if len(block) < 4 or kept[pair]:
            continue
        for centre, other in (pair, pair[::-1]):
            if centre not in reached:
                reached[centre] = possible_d_sep(graph, centre)
            nodes = (reached[centre] & block) - {other}
            if nodes <= graph.at[centre].keys():
                continue
            if limits.most_candidates is not None and len(nodes) > limits.most_candidates:
                too_many += 1
            else:
                lists[centre, other] = sorted(nodes)
    return lists, too_many


def lists_of(batch: list[Pair], lists: dict[Pair, list[int]], p: int) -> Neighbours:
    """Return the candidates of pairs that share no node as lists of neighbours."""
    of = {side[0]: lists[side] for pair in batch for side in (pair, pair[::-1]) if side in lists}
    length = np.zeros(p + 1, np.int64)
    for node, nodes in of.items():
        length[node + 1] = len(nodes)
    flat = [node for centre in sorted(of) for node in of[centre]]
    return Neighbours(np.cumsum(length), np.array(flat, dtype=np.int64))


def _matchings(pairs: list[Pair]) -> list[list[Pair]]:
    """Return the pairs in batches, in none of which a node occurs twice."""
    batches: list[list[Pair]] = []
    used: defaultdict[int, set[int]] = defaultdict(set)
    for i, j in pairs:
        taken = used[i] | used[j]
        batch = next(k for k in range(len(taken) + 1) if k not in taken)
        if batch == len(batches):
            batches.append([])
        batches[batch].append((i, j))
        used[i].add(batch)
        used[j].add(batch)
    return batches
