"""Directions between columns whose mechanisms both change: the way round in which the changes are independent wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from whence.discovery._cd_nod_mechanisms import FEWEST_DOMAINS, Comparison, Mechanisms, Names
from whence.discovery._scan import Booleans
from whence.errors import GraphError, quote_names
from whence.graph import Mark
from whence.graph.orientation import Marks, extension, meek
from whence.parallel import Progress

FEW_SWINGS = 4


@dataclass(frozen=True)
class Decision:
    """One column taken for the last of those left, and whether the changes say so clearly.

    Attributes
    ----------
    effect : str
    causes : tuple of str
        Whose edges into it are, or would be, directed.
    score, other : float
        Dependence of the changes of causes and mechanism for this column, and for the one that came second.
    p_value : float
        How often a difference as large comes up where changes are not aligned.
    decided : bool
    reason : str
        Why it is not decided; empty where it is.
    swings : int
        As in `Comparison`.
    """

    effect: str
    causes: Names
    score: float
    other: float
    p_value: float
    decided: bool
    reason: str
    swings: int


def verdict(found: Comparison, level: float, enough: bool = True) -> tuple[bool, str]:
    """Return whether a comparison decides, and if not why."""
    if not enough:
        return False, f"fewer than {FEWEST_DOMAINS} domains cannot tell whether changes are independent"
    if found.narrow:
        return False, (
            f"{quote_names(found.narrow)} covers little of its range within a window of the index while the slope on "
            "it changes: its own change leaks into the estimate, and the comparison misleads"
        )
    if found.p_value > level:
        return False, f"unaligned changes differ as much in {found.p_value:.0%} of the cases"
    return True, ""


@dataclass(frozen=True)
class Directed:
    """Marks with what the changes direct, the decisions on the way, and the edges they directed."""

    marks: Marks
    decisions: tuple[Decision, ...]
    edges: set[tuple[int, int]]


def direct_by_changes(
    marks: Marks, names: Names, mechanisms: Mechanisms, forbidden: Booleans, level: float, progress: Progress
) -> Directed:
    """Direct undirected edges between columns that are joined to the index, sinks first.

    In each connected part the column with the smallest dependence between the changes of its causes (its undirected
    neighbours and known parents) and of its own mechanism is a sink: the edges from these neighbours point to it,
    Meek's rules follow, and the rest is looked at again (Huang et al. 2020, algorithm 3). A column qualifies only if
    these neighbours are joined to one another, so that no new collider appears. Where it does not differ clearly from
    the best of these neighbours, the part stays as it is.

    Parameters
    ----------
    marks : int8 array, shape (p + 1, p + 1)
        The index last.
    names : tuple of str, length p + 1
    forbidden : bool array, shape (p + 1, p + 1)
    level : float
        Of the p-value below which a difference decides.
    """
    index = len(names) - 1
    enough = mechanisms.index.timed or len(mechanisms.index.grid) >= FEWEST_DOMAINS
    decisions: list[Decision] = []
    edges: set[tuple[int, int]] = set()
    settled: set[int] = set()
    while True:
        part = next((p for p in _parts(marks, index) if not settled.intersection(p)), None)
        if part is None:
            break
        ranked = sorted(_ranked(marks, names, part, mechanisms, forbidden), key=lambda one: (one.score, one.node))
        if not any(one.sink for one in ranked):
            settled.update(part)
            continue
        progress("directions", len(decisions), len(decisions) + len(part))
        decision, node = _decide(ranked, names, mechanisms, level, enough)
        decisions.append(decision)
        causes = [names.index(cause) for cause in decision.causes]
        turned = _directed(marks, causes, node) if decision.decided else None
        if turned is None:
            settled.update(part)
            continue
        edges |= {(i, j) for i, j in np.argwhere(_arrows(turned) & ~_arrows(marks)).tolist() if j == node}
        marks = turned
    return Directed(marks, tuple(decisions), edges)


def _parts(marks: Marks, index: int) -> Iterator[list[int]]:
    """Yield the connected parts of the undirected edges between columns that are joined to the index."""
    changing = marks[index] != Mark.NONE
    open_edges = (marks == Mark.TAIL) & (marks.T == Mark.TAIL) & np.outer(changing, changing)
    left = set(np.flatnonzero(open_edges.any(axis=0)).tolist())
    while left:
        part, new = set(), {min(left)}
        while new:
            part |= new
            new = {int(k) for node in new for k in np.flatnonzero(open_edges[node])} - part
        left -= part
        yield sorted(part)


@dataclass(frozen=True)
class _Ranked:
    """A column with all its causes were it a sink, those among them to be directed, and whether it may be one."""

    score: float
    node: int
    causes: Names
    turned: Names
    sink: bool


def _ranked(
    marks: Marks, names: Names, part: list[int], mechanisms: Mechanisms, forbidden: Booleans
) -> Iterator[_Ranked]:
    """Yield each column of a part with the dependence between the changes of its causes and of its mechanism."""
    arrows, index = _arrows(marks), len(names) - 1
    for node in part:
        open_to = [k for k in part if marks[k, node] == marks[node, k] == Mark.TAIL]
        causes = [*open_to, *(int(k) for k in np.flatnonzero(arrows[:, node]) if k != index)]
        joined = all(marks[a, b] != Mark.NONE for a in open_to for b in causes if a != b)
        sink = joined and not any(forbidden[k, node] for k in open_to)
        all_causes, turned = (tuple(sorted(names[k] for k in some)) for some in (causes, open_to))
        yield _Ranked(mechanisms.dependence(names[node], all_causes), node, all_causes, turned, sink)


def _decide(
    ranked: list[_Ranked], names: Names, mechanisms: Mechanisms, level: float, enough: bool
) -> tuple[Decision, int]:
    """Return the decision on the first column that may be a sink, held against the best of its causes."""
    first = next(one for one in ranked if one.sink)
    rival = next(one for one in ranked if names[one.node] in first.turned)
    found = mechanisms.compare((names[first.node], first.causes), (names[rival.node], rival.causes))
    decided, reason = verdict(found, level, enough)
    if decided and rival.score < first.score:
        decided, reason = (
            False,
            f"{names[rival.node]!r} would be the better sink, and the tests or the knowledge rule it out",
        )
    decision = Decision(
        names[first.node], first.turned, found.score, found.other, found.p_value, decided, reason, found.swings
    )
    return decision, first.node


def _directed(marks: Marks, causes: list[int], node: int) -> Marks | None:
    """Return the marks with these edges directed and Meek's rules applied; None if no acyclic graph has them."""
    turned = marks.copy()
    for cause in causes:
        turned[cause, node] = Mark.ARROW
    try:
        closed = meek(turned)
        extension(closed)
    except GraphError:
        return None
    return closed


def _arrows(marks: Marks) -> Booleans:
    return np.asarray((marks == Mark.ARROW) & (marks.T == Mark.TAIL))
