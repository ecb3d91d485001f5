"""What RFCI makes sure of before it reads a direction from a triple or a path."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from whence.discovery._orient import unshielded
from whence.discovery._possible_d_sep import Limits, Pair, lists_of
from whence.discovery._scan import Booleans, Integers, Scan, Scanner, no_mids
from whence.discovery._skeleton import Skeleton

Triple = tuple[int, int, int]


@dataclass
class Checks:
    """The tests by which RFCI makes sure of what it reads directions from, and the skeleton that they leave.

    Colombo, Maathuis, Kalisch and Richardson (2012), Learning high-dimensional directed acyclic graphs with latent and
    selection variables, Annals of Statistics 40, algorithms 4.4 and 4.5 of the supplement; edges are removed only after
    all triples of a round, or all paths, were looked at, so that their order does not matter.
    """

    scan: Scanner
    skeleton: Skeleton
    required: Booleans
    limits: Limits
    tests: int = 0
    removed: int = 0

    def triples(self) -> Integers:
        """Check all unshielded triples, remove what turns out to be separated; return them as (a, b, c), shape (k, 3).

        A triple is sound if a and b, and b and c, depend on each other given what separates a from c (lemma 3.1).
        """
        pairs, mids = unshielded(self.skeleton.adjacency)
        pending = [(int(a), int(b), int(c)) for q, (a, c) in enumerate(pairs) for b in mids[q]]
        while pending:
            found: dict[Pair, list[tuple[int, ...]]] = defaultdict(list)
            for a, b, c in pending:
                given = [node for node in self.separating(a, c) if node != b]
                for end in (a, c):
                    if given and self._independent(end, b, given):
                        found[min(end, b), max(end, b)].append(self._smallest(end, b, given))
            pending = self._remove(found)
        pairs, mids = unshielded(self.skeleton.adjacency)
        ends = np.repeat(pairs, np.diff(mids.start), axis=0)
        return np.column_stack([ends[:, 0], mids.nodes, ends[:, 1]]).reshape(-1, 3)

    def path(self, path: tuple[int, ...]) -> dict[Pair, list[tuple[int, ...]]]:
        """Return the neighbours on a discriminating path that some of what separates its ends separates."""
        found: dict[Pair, list[tuple[int, ...]]] = defaultdict(list)
        between = self.separating(path[0], path[-1])
        for i, j in [(min(edge), max(edge)) for edge in pairwise(path)]:
            given = [node for node in between if node not in (i, j)]
            smallest = self._smallest(i, j, given)
            if smallest:
                found[i, j].append(smallest)
        return found

    def separating(self, a: int, c: int) -> tuple[int, ...]:
        """Return what separated a pair."""
        return self.skeleton.sets.get((min(a, c), max(a, c)), ())

    def remove(self, found: dict[Pair, list[tuple[int, ...]]]) -> None:
        """Remove edges for the given sets; the triples that come up are checked by the next call of `triples`."""
        self._remove(found)

    def _independent(self, i: int, j: int, given: list[int]) -> bool:
        """Test a joined pair given one set, unless every set of these neighbours was tried before."""
        near = self.skeleton.adjacency
        if self.required[i, j] or self.required[j, i]:
            return False
        if self.skeleton.stopped == 0 and (near[i, given].all() or near[j, given].all()):
            return False
        return bool(self._scan(i, j, given, len(given)).separating[0])

    def _smallest(self, i: int, j: int, given: list[int]) -> tuple[int, ...]:
        """Return the smallest separating subset of what is given, of those the one with the largest p-value, or ()."""
        if self.required[i, j] or self.required[j, i]:
            return ()
        for size in range(1, min(len(given), self.limits.deepest(self.scan)) + 1):
            found = self._scan(i, j, given, size)
            if found.separating[0]:
                return found.sets_of([0])[0]
        return ()

    def _scan(self, i: int, j: int, given: list[int], size: int) -> Scan:
        pairs = np.array([(i, j)], dtype=np.int64)
        near = lists_of([(i, j)], {(i, j): sorted(given)}, len(self.skeleton.adjacency))
        found = self.scan(pairs, near, (size, size), self.limits.alpha, np.inf, no_mids(pairs))
        self.tests += found.tests
        return found

    def _remove(self, found: dict[Pair, list[tuple[int, ...]]]) -> list[Triple]:
        """Remove edges and return the triples that this leaves unshielded."""
        skeleton = self.skeleton
        adjacency, level, sets = skeleton.adjacency.copy(), skeleton.level.copy(), dict(skeleton.sets)
        p_values, statistics = dict(skeleton.p_values), dict(skeleton.statistics)
        for (i, j), given in found.items():
            adjacency[i, j] = adjacency[j, i] = False
            level[i, j] = level[j, i] = len(adjacency)
            sets[i, j] = min(given, key=lambda nodes: (len(nodes), nodes))
            del p_values[i, j], statistics[i, j]
        self.removed += len(found)
        self.skeleton = replace(
            skeleton, adjacency=adjacency, level=level, sets=sets, p_values=p_values, statistics=statistics
        )
        shared = [(i, j, np.flatnonzero(adjacency[i] & adjacency[j]).tolist()) for i, j in sorted(found)]
        return [(i, int(mid), j) for i, j, mids in shared for mid in mids]
