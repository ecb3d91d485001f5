"""What each kind of graph allows; a graph that does not keep to its kind is never built."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError, ParameterError, quote_names
from whence.graph.marks import Mark, connector
from whence.graph.orientation import is_acyclic

_DIRECTED = frozenset({(Mark.TAIL, Mark.ARROW), (Mark.ARROW, Mark.TAIL)})
_UNDIRECTED = frozenset({(Mark.TAIL, Mark.TAIL)})
_BIDIRECTED = frozenset({(Mark.ARROW, Mark.ARROW)})
_ANY = frozenset((a, b) for a in (1, 2, 3) for b in (1, 2, 3))
_ALLOWED = {
    "DAG": _DIRECTED,
    "CPDAG": _DIRECTED | _UNDIRECTED,
    "PDAG": _DIRECTED | _UNDIRECTED,
    "ADMG": _DIRECTED | _BIDIRECTED,
    "MAG": _DIRECTED | _BIDIRECTED | _UNDIRECTED,
    "PAG": _ANY,
}


def check(names: tuple[str, ...], marks: NDArray[np.int8], kind: str, bows: frozenset[tuple[int, int]]) -> None:
    """Raise GraphError naming the node or edge that the kind does not allow.

    Acyclicity of the directed edges is checked for every kind, ancestrality for MAGs (Richardson and Spirtes 2002,
    Definition 3.1). That a CPDAG is complete and a
    MAG maximal is not checked: finite samples give graphs that are neither.
    """
    if kind not in _ALLOWED:
        raise ParameterError("E301", f"there is no graph kind {kind!r}.", f"Kinds: {quote_names(_ALLOWED)}.")
    _check_names(names)
    p = len(names)
    if marks.shape != (p, p):
        raise GraphError(
            "E207", f"{p} names need a {p} x {p} mark matrix, not {marks.shape}.", "Pass one row per name."
        )
    if p == 0 and not bows:
        return
    loops = np.flatnonzero(np.diag(marks))
    if loops.size:
        raise GraphError("E207", f"node {names[loops[0]]!r} is joined to itself.", "Remove the loop.")
    present = marks != 0
    if (present != present.T).any() or marks.min() < 0 or marks.max() > Mark.CIRCLE:
        i, j = np.argwhere((present != present.T) | (marks < 0) | (marks > Mark.CIRCLE))[0]
        raise GraphError(
            "E207",
            f"the edge between {names[i]!r} and {names[j]!r} lacks a mark at one end or has an unknown one.",
            "Set both marks[i, j] and marks[j, i] to TAIL, ARROW or CIRCLE.",
        )
    _check_edges(names, marks, kind)
    _check_bows(names, marks, kind, bows)
    _check_acyclic(names, marks, kind)


def _check_names(names: tuple[str, ...]) -> None:
    wrong = [name for name in names if not isinstance(name, str) or not name]
    if wrong:
        raise GraphError("E207", f"node names must be non-empty text; found {wrong[0]!r}.", "Rename the node.")
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise GraphError("E207", f"the node names {quote_names(twice)} occur more than once.", "Make them unique.")


def _check_edges(names: tuple[str, ...], marks: NDArray[np.int8], kind: str) -> None:
    first, second = np.divmod(np.flatnonzero(marks), len(marks))
    codes = marks[second, first] * 4 + marks[first, second]
    codes[first > second] = 0  # each edge once
    for code in np.flatnonzero(np.bincount(codes)[1:]) + 1:
        if divmod(int(code), 4) not in _ALLOWED[kind]:
            at = np.flatnonzero(codes == code)[0]
            i, j = first[at], second[at]
            edge = f"{names[i]} {connector(*divmod(int(code), 4))} {names[j]}"
            raise GraphError("E208", f"a {kind} cannot hold the edge {edge!r}.", "Choose the kind that allows it.")


def _check_bows(names: tuple[str, ...], marks: NDArray[np.int8], kind: str, bows: frozenset[tuple[int, int]]) -> None:
    if bows and kind != "ADMG":
        raise GraphError("E203", f"a {kind} has at most one edge between two nodes.", "Use the kind ADMG.")
    for i, j in sorted(bows):
        if not 0 <= i < j < len(names) or {int(marks[i, j]), int(marks[j, i])} != {Mark.TAIL, Mark.ARROW}:
            ends = quote_names(names[k] for k in (i, j) if 0 <= k < len(names))
            raise GraphError(
                "E207", f"the bow {(i, j)} ({ends}) is not beside a directed edge.", "Bows are bidirected edges there."
            )


def _check_acyclic(names: tuple[str, ...], marks: NDArray[np.int8], kind: str) -> None:
    arrows = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
    if not is_acyclic(arrows):
        raise GraphError(
            "E205",
            f"the graph has a directed cycle: {' -> '.join(find_cycle(names, arrows))}.",
            "Remove one of its edges.",
        )
    if kind == "MAG":
        _check_ancestral(names, marks, arrows)


def _check_ancestral(names: tuple[str, ...], marks: NDArray[np.int8], arrows: NDArray[np.bool_]) -> None:
    hidden = (marks == Mark.ARROW) & (marks.T == Mark.ARROW)
    if hidden.any():
        reach = arrows.copy()
        for k in np.flatnonzero(arrows.any(axis=0) & arrows.any(axis=1)):  # nodes that a directed path can pass
            reach |= reach[:, [k]] & reach[[k], :]
        almost = np.argwhere(reach & hidden)
        if almost.size:
            a, b = (names[k] for k in almost[0])
            raise GraphError(
                "E209", f"{a!r} is an ancestor of {b!r} and yet {a} <-> {b}.", "A MAG allows only one of them."
            )
    mixed = ((marks == Mark.TAIL) & (marks.T == Mark.TAIL)).any(axis=0) & (marks == Mark.ARROW).any(axis=0)
    if mixed.any():
        node = names[int(np.flatnonzero(mixed)[0])]
        raise GraphError(
            "E209",
            f"{node!r} has both an undirected edge and an arrowhead.",
            "In a MAG an undirected edge stands for selection, which no arrowhead may point at.",
        )


def find_cycle(names: tuple[str, ...], arrows: NDArray[np.bool_]) -> list[str]:
    """Return the nodes of one directed cycle, the first repeated at the end."""
    alive: NDArray[np.bool_] = np.ones(len(arrows), dtype=bool)
    while True:  # strip nodes without a parent or without a child until only cycles and what joins them are left
        inner = arrows & alive[:, None] & alive[None, :]
        keep: NDArray[np.bool_] = np.any(inner, axis=0) & np.any(inner, axis=1)
        if (keep == alive).all():
            break
        alive = keep
    path = [int(np.flatnonzero(alive)[0])]
    while True:
        step = int(np.flatnonzero(arrows[path[-1]] & alive)[0])
        if step in path:
            return [names[node] for node in [*path[path.index(step) :], step]]
        path.append(step)
