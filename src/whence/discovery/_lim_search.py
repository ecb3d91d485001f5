"""The graph of the highest score: exact by dynamic programming on few columns, by single edges on more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.discovery._lim_scores import MixedScore, Parents, parents_of
from whence.discovery._rcd_ancestors import closure

Flags = NDArray[np.bool_]

_GAIN = 1e-9


@dataclass(frozen=True, slots=True)
class Limits:
    """What the knowledge asks of a graph, shape (p, p) each.

    Attributes
    ----------
    required, forbidden : bool array
        ``[i, j]`` for the edge i -> j.
    before : bool array
        ``[i, j]``: i comes before j in every order, transitively.
    """

    required: Flags
    forbidden: Flags
    before: Flags


def best_graph(score: MixedScore, limits: Limits) -> Flags:
    """Return the graph of the highest score of all: Silander and Myllymäki (2006), over all subsets of the columns."""
    p = score.values.shape[1]
    gained = [_best_parents(score, limits, node) for node in range(p)]
    best = np.full(1 << p, -np.inf)
    best[0] = 0.0
    last = np.zeros(1 << p, dtype=np.int64)
    needed = [sum(1 << int(k) for k in np.flatnonzero(limits.before[:, node])) for node in range(p)]
    for subset in range(1 << p):
        if best[subset] == -np.inf:
            continue
        for node in range(p):
            if subset >> node & 1 or needed[node] & ~subset:
                continue
            total = best[subset] + gained[node][0][subset]
            if total > best[subset | 1 << node]:
                best[subset | 1 << node] = total
                last[subset | 1 << node] = node
    adjacency = np.zeros((p, p), dtype=bool)
    subset = (1 << p) - 1
    while subset:
        node = int(last[subset])
        subset &= ~(1 << node)
        adjacency[list(_members(int(gained[node][1][subset]))), node] = True
    return adjacency


def _best_parents(score: MixedScore, limits: Limits, node: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return for each subset of columns the score of the best parents within it, and those, as bits."""
    p = score.values.shape[1]
    best, chosen = np.full(1 << p, -np.inf), np.zeros(1 << p, dtype=np.int64)
    banned = sum(1 << int(k) for k in np.flatnonzero(limits.forbidden[:, node])) | 1 << node
    wanted = sum(1 << int(k) for k in np.flatnonzero(limits.required[:, node]))
    for subset in range(1 << p):
        if not subset & banned and not wanted & ~subset:
            best[subset], chosen[subset] = score.local(node, tuple(_members(subset))), subset
        for member in _members(subset):
            less = subset & ~(1 << member)
            if best[less] > best[subset]:
                best[subset], chosen[subset] = best[less], chosen[less]
    return best, chosen


def _members(subset: int) -> Iterator[int]:
    place = 0
    while subset >> place:
        if subset >> place & 1:
            yield place
        place += 1


def climb(score: MixedScore, limits: Limits) -> Flags:
    """Return a graph that no single edge put in, taken out or turned around improves, from the required edges."""
    adjacency = limits.required.copy()
    while True:
        reach = closure(adjacency | limits.before)
        best, move = _GAIN, None
        for change, step in _moves(score, limits, adjacency, reach):
            if change > best:
                best, move = change, step
        if move is None:
            return adjacency
        i, j, turned = move
        adjacency[i, j] = not adjacency[i, j]
        if turned:
            adjacency[j, i] = True


def _moves(
    score: MixedScore, limits: Limits, adjacency: Flags, reach: Flags
) -> Iterator[tuple[float, tuple[int, int, bool]]]:
    p = len(adjacency)
    for j in range(p):
        parents = parents_of(adjacency, j)
        now = score.local(j, parents)
        for i in range(p):
            if i == j:
                continue
            if not adjacency[i, j]:
                if not (adjacency[j, i] or limits.forbidden[i, j] or reach[j, i]):
                    yield score.local(j, _with(parents, i)) - now, (i, j, False)
                continue
            if limits.required[i, j]:
                continue
            out = score.local(j, _without(parents, i)) - now
            yield out, (i, j, False)
            if not limits.forbidden[j, i] and not _turns_to_cycle(adjacency, limits, i, j):
                mine = parents_of(adjacency, i)
                yield out + score.local(i, _with(mine, j)) - score.local(i, mine), (i, j, True)


def _turns_to_cycle(adjacency: Flags, limits: Limits, i: int, j: int) -> bool:
    """Return whether i leads to j other than by their edge, or must come before it."""
    rest = adjacency | limits.before
    rest[i, j] = limits.before[i, j]
    return bool(closure(rest)[i, j])


def reversal_loss(score: MixedScore, limits: Limits, adjacency: Flags, i: int, j: int) -> float:
    """Return by how much the score falls when i -> j is turned around; infinite where that is not allowed."""
    if limits.required[i, j] or limits.forbidden[j, i] or _turns_to_cycle(adjacency, limits, i, j):
        return np.inf
    into_j, into_i = parents_of(adjacency, j), parents_of(adjacency, i)
    now = score.local(j, into_j) + score.local(i, into_i)
    return now - score.local(j, _without(into_j, i)) - score.local(i, _with(into_i, j))


def removal_loss(score: MixedScore, adjacency: Flags, i: int, j: int) -> float:
    """Return by how much the score falls when i -> j is taken out."""
    parents = parents_of(adjacency, j)
    return score.local(j, parents) - score.local(j, _without(parents, i))


def _with(parents: Parents, node: int) -> Parents:
    return tuple(sorted((*parents, node)))


def _without(parents: Parents, node: int) -> Parents:
    return tuple(parent for parent in parents if parent != node)
