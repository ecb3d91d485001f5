"""Truths under hidden causes and selection, by definition: MAGs of DAGs, and PAGs by listing every MAG of the class."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from whence.data import simulate
from whence.graph import Graph, Mark
from whence.independence import TestResult

NONE, TAIL, ARROW, CIRCLE = (int(mark) for mark in Mark)


class Partly:
    """An oracle on a DAG of which some nodes are measured, on rows that others select."""

    def __init__(self, dag: Graph, names: list[str], selected: list[str]) -> None:
        self.dag, self.names, self.selected, self.rows_used = dag, tuple(names), tuple(selected), 0
        self._known: dict[tuple, float] = {}

    def __call__(self, x, y, given=()):
        key = (*sorted((x, y)), frozenset(given))
        if key not in self._known:
            self._known[key] = float(self.dag.separated(x, y, {*given, *self.selected}))
        return TestResult(self._known[key], 1 - self._known[key], 0)


def random_case(
    seed: int, measured: int, hidden: int, selected: int = 0, degree: float = 4.0
) -> tuple[Graph, list[str], list[str]]:
    """Return a random DAG of up to a degree, which of its nodes are measured, and which select the rows."""
    rng = np.random.default_rng(seed)
    p = measured + hidden + selected
    adjacency = simulate.random_dag(p, degree=float(rng.uniform(1.5, degree)), random_state=seed)
    dag = Graph.from_adjacency([f"V{k:02d}" for k in range(p)], adjacency)
    names = [dag.names[k] for k in rng.permutation(p)]
    return dag, sorted(names[:measured]), names[measured + hidden :]


def confounded_case(seed: int, measured: int, pairs: int) -> tuple[Graph, list[str], list[str]]:
    """Return a sparse DAG in which each of so many hidden nodes causes two measured ones and nothing else."""
    rng = np.random.default_rng(seed)
    p = measured + pairs
    adjacency = np.zeros((p, p), dtype=bool)
    adjacency[:measured, :measured] = simulate.random_dag(measured, degree=1.5, random_state=seed)
    for node in range(measured, p):
        adjacency[node, rng.choice(measured, 2, replace=False)] = True
    dag = Graph.from_adjacency([f"V{k:02d}" for k in range(p)], adjacency)
    return dag, list(dag.names[:measured]), []


def above(dag: Graph, name: str, selected: list[str]) -> set[str]:
    """Return the ancestors of a node or of what selects the rows, themselves included."""
    return set(dag.ancestors([name, *selected], include_self=True))


def mag_of(dag: Graph, names: list[str], selected: list[str]) -> Graph:
    """Return the MAG of a DAG (Richardson and Spirtes 2002, section 4.2): joined where no ancestors separate."""
    over = {name: above(dag, name, selected) for name in names}
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        given = ((over[a] | over[b]) & set(names) | set(selected)) - {a, b}
        if not dag.separated(a, b, given):
            marks[i, j], marks[j, i] = (TAIL if b in over[a] else ARROW), (TAIL if a in over[b] else ARROW)
    return Graph(names, marks, "MAG")


def pag_of(mag: Graph, *, selection: bool = False) -> tuple[np.ndarray, int]:
    """Return the marks on which all MAGs with the separations of one agree, circles elsewhere; and their number."""
    members = _ancestral(_same_colliders(mag, selection))
    truth = separations(mag.marks[None])[0]
    members = members[(separations(members) == truth).all(axis=1)]
    return np.where((members == members[0]).all(axis=0), members[0], CIRCLE), len(members)


def _same_colliders(mag: Graph, selection: bool) -> np.ndarray:
    """Return all marks on the edges of a MAG that have its unshielded colliders, shape (k, p, p)."""
    i, j = np.nonzero(np.triu(mag.marks))
    kinds = np.array([(TAIL, ARROW), (ARROW, TAIL), (ARROW, ARROW), (TAIL, TAIL)][: 4 if selection else 3], np.int8)
    chosen = np.array(list(product(range(len(kinds)), repeat=len(i))), np.int64).reshape(len(kinds) ** len(i), len(i))
    graphs = np.zeros((len(chosen), *mag.marks.shape), np.int8)
    graphs[:, i, j], graphs[:, j, i] = kinds[chosen, 0], kinds[chosen, 1]
    into, true = graphs == ARROW, mag.marks == ARROW
    fits = np.ones(len(graphs), bool)
    for b in range(mag.n_nodes):
        for a, c in combinations(np.flatnonzero(mag.marks[b]), 2):
            if not mag.marks[a, c]:
                fits &= (into[:, a, b] & into[:, c, b]) == (true[a, b] & true[c, b])
    return graphs[fits]


def _ancestral(graphs: np.ndarray) -> np.ndarray:
    """Keep the graphs without a directed or almost directed cycle and without an arrowhead at an undirected edge."""
    back = graphs.transpose(0, 2, 1)
    reach = _descendants(graphs)
    wrong = np.einsum("kii->ki", reach).any(axis=1) | (reach & (graphs == ARROW) & (back == ARROW)).any(axis=(1, 2))
    wrong |= (((graphs == TAIL) & (back == TAIL)).any(axis=1) & (graphs == ARROW).any(axis=1)).any(axis=1)
    return graphs[~wrong]


def _descendants(graphs: np.ndarray) -> np.ndarray:
    """Return ``[k, i, j]``: a directed path of one edge or more leads from i to j."""
    directed = ((graphs == ARROW) & (graphs.transpose(0, 2, 1) == TAIL)).astype(np.int16)
    reach = directed
    for _ in range(graphs.shape[1]):
        reach = ((reach + reach @ directed) > 0).astype(np.int16)
    return reach.astype(bool)


def separations(graphs: np.ndarray) -> np.ndarray:
    """Return for many graphs which pairs are m-connected given which sets, shape (k, number of questions), by walks."""
    p = graphs.shape[1]
    into, back = graphs == ARROW, graphs.transpose(0, 2, 1) == ARROW
    joined = graphs != NONE
    reach = _descendants(graphs) | np.eye(p, dtype=bool)
    answers = []
    for size in range(p - 1):
        for given in map(list, combinations(range(p), size)):
            blocked = np.isin(np.arange(p), given)
            opened = reach[:, :, given].any(axis=2)  # ancestors of what is given
            plain = joined & ~blocked[:, None]  # from a node that is no collider on the walk
            met = joined & np.where(back, opened[:, :, None], ~blocked[:, None])  # from one entered by an arrowhead
            for a in np.flatnonzero(~blocked):
                by_tail, by_arrow = joined[:, a] & ~into[:, a], joined[:, a] & into[:, a]
                for _ in range(2 * p):
                    step = (by_tail[:, :, None] & plain) | (by_arrow[:, :, None] & met)
                    by_tail, by_arrow = by_tail | (step & ~into).any(axis=1), by_arrow | (step & into).any(axis=1)
                answers.append((by_tail | by_arrow)[:, ~blocked & (np.arange(p) > a)])
    return np.concatenate(answers, axis=1)


def unproven(mag: Graph, pag: np.ndarray, most: int = 1000) -> list[tuple[int, int]]:
    """Return the circles for which no two MAGs of the class were found that differ there; [] proves a PAG complete.

    The search starts from the MAG and from the members in which a circle path is directed one way or the other, and
    changes one edge at a time (Zhang and Spirtes 2005). What counts as a member is decided by its separations.
    """
    open_ends = {(int(i), int(j)) for i, j in np.argwhere(pag == CIRCLE)}
    seen: dict[tuple[int, int], set[int]] = {end: set() for end in open_ends}
    tried: set[bytes] = set()
    queue: list[np.ndarray] = []

    def add(marks: np.ndarray) -> None:
        if marks.tobytes() in tried:
            return
        tried.add(marks.tobytes())
        if not any(marks[end] not in seen[end] for end in open_ends) and len(queue) > most:
            return
        fits = _unshielded_colliders_are_those_of(mag.marks, marks) and len(_ancestral(marks[None]))
        if fits and Graph(mag.names, marks, "MAG").equivalent_to(mag):
            queue.append(marks)
            for end in open_ends:
                seen[end].add(int(marks[end]))

    for start in (mag.marks, *_members(pag)):
        add(start)
    for marks in queue:
        missing = sorted(end for end in open_ends if len(seen[end]) < 2)
        if not missing or len(queue) > most:
            break
        for other in _one_edge_changed(marks, pag, missing):
            add(other)
    return sorted(end for end in open_ends if len(seen[end]) < 2)


def _members(pag: np.ndarray) -> Iterator[np.ndarray]:
    """Yield graphs with tails for the circles of ``o->``, and each ``o-o`` directed both ways in turn."""
    base = np.array(pag)
    base[(pag == CIRCLE) & (pag.T == ARROW)] = TAIL
    circles = (pag == CIRCLE) & (pag.T == CIRCLE)
    names = tuple(map(str, range(len(pag))))
    for i, j in [*np.argwhere(circles)] or [(None, None)]:
        component = np.where(circles, np.int8(TAIL), np.int8(NONE))
        if i is not None:
            component[i, j] = ARROW
        directed = Graph(names, component, "PDAG").extension().marks
        yield np.where(circles, directed, base)


def _unshielded_colliders_are_those_of(one: np.ndarray, other: np.ndarray) -> bool:
    into, into_other, apart = one == ARROW, other == ARROW, (one == NONE) & ~np.eye(len(one), dtype=bool)
    return all(
        not ((np.outer(into[:, b], into[:, b]) != np.outer(into_other[:, b], into_other[:, b])) & apart).any()
        for b in range(len(one))
    )


def _one_edge_changed(marks: np.ndarray, pag: np.ndarray, missing: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Yield the marks with one edge changed at its circles, first where a circle is still to be proven."""
    first = [(min(end), max(end)) for end in missing]
    rest = [(int(i), int(j)) for i, j in np.argwhere(np.triu((pag == CIRCLE) | (pag.T == CIRCLE)))]
    for i, j in dict.fromkeys([*first, *rest]):
        for ends in ((ARROW, ARROW), (TAIL, ARROW), (ARROW, TAIL)):
            now = (marks[i, j], marks[j, i])
            kept = all(pag[end] in (CIRCLE, mark) for end, mark in zip(((i, j), (j, i)), ends))
            if kept and ends != now:
                other = np.array(marks)
                other[i, j], other[j, i] = ends
                yield other
