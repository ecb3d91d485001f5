"""The rules of causal de Finetti on answers of tests: the pair, the levels, the edges, what varies between groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.discovery._definetti_rows import at, combine
from whence.independence import IndependenceTest, TestResult
from whence.independence.result import Query

Booleans = NDArray[np.bool_]
Direction = Literal["forward", "backward", "none", "undecided"]

# How many times larger than the p-value of the direction given up must the one of the direction kept be.
CLEAR = 10.0
# Beyond so many columns a test given all others at both positions says too little.
_MOST_CONDITIONED = 4


@dataclass
class Asked:
    """A test, and a record of what it was asked for the result."""

    test: IndependenceTest
    record: dict[str, float] = field(default_factory=dict)
    untested: int = 0

    def __call__(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return p-values; NaN where the test could not be made."""
        found = self.test.batch(queries)
        for (x, y, given), p_value in zip(queries, found):
            said = f"{x} and {y}" + (f" given {', '.join(given)}" if given else "")
            self.untested += said not in self.record and bool(np.isnan(p_value))
            self.record[said] = float(p_value)
        return found


@dataclass(frozen=True)
class Levels:
    """Columns by level, sinks first, and those that were taken for a sink though a test spoke against it."""

    levels: tuple[tuple[str, ...], ...]
    doubtful: tuple[str, ...]


def variation(ask: Asked, names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Return how well groups that do not differ explain the table, one p-value, and one for each column.

    Rows of a group depend on each other exactly if groups differ in some mechanism. Each column is compared with
    itself in the other row, and, for few columns, also given all others in both.
    """
    plain: list[Query] = [(at(name, 1), at(name, 2), ()) for name in names]
    given: list[Query] = []
    if len(names) <= _MOST_CONDITIONED:
        for name in names:
            rest = [at(other, place) for place in (1, 2) for other in names if other != name]
            given.append((at(name, 1), at(name, 2), rest))
    found = ask([*plain, *given])
    by_column = dict(zip(names, found.tolist()))
    return float(combine(found[:, None])[0]), by_column


def pair_p_values(ask: Asked, x: str, y: str) -> tuple[float, float, float]:
    """Return the p-values of x1 and y2 given x2, of y1 and x2 given y2, and of x1 and y1.

    The first two are independent under ``x -> y``, the second under ``y -> x``, all where there is no edge.
    """
    forward, backward, together = ask(
        [
            (at(x, 1), at(y, 2), (at(x, 2),)),
            (at(y, 1), at(x, 2), (at(y, 2),)),
            (at(x, 1), at(y, 1), ()),
        ]
    )
    return float(forward), float(backward), float(together)


def pair_verdict(p_values: tuple[float, float, float], alpha: float, *, varies: bool = True) -> Direction:
    """Return what three p-values say of two columns; see `pair_p_values`.

    There is no edge unless the least of the three, by Bonferroni, rejects at the level. Of an edge the direction is
    kept whose test does not reject, if the other's does; the two must lie a factor of 10 apart, and the one kept not
    below a tenth of the level. Anything else, and any edge where mechanisms do not vary, stays undecided.

    >>> pair_verdict((0.4, 1e-5, 1e-9), 0.05), pair_verdict((0.6, 0.4, 1e-9), 0.05), pair_verdict((0.2, 0.3, 0.4), 0.05)
    ('forward', 'undecided', 'none')
    """
    forward, backward, _ = p_values
    least = np.nanmin(p_values) if not np.isnan(p_values).all() else 1.0
    if 3.0 * least >= alpha:
        return "none"
    kept, given_up = max(forward, backward), min(forward, backward)
    clear = kept >= alpha / CLEAR and given_up < alpha and kept >= CLEAR * given_up
    if not varies or not clear:
        return "undecided"
    return "forward" if forward > backward else "backward"


def find_levels(ask: Asked, names: Sequence[str], alpha: float, before: Booleans) -> Levels:
    """Return the levels of a graph, its sinks first, then the sinks of what is left.

    A column is a sink of those left exactly if it is independent of each other one in the second row given all others
    left in the first. A column that must come before another left is none.

    Parameters
    ----------
    before : bool array, shape (p, p)
        ``before[i, k]``: i must come before k; in the order of ``names``.
    """
    index = {name: k for k, name in enumerate(names)}
    left = list(names)
    levels: list[tuple[str, ...]] = []
    doubtful: list[str] = []
    while len(left) > 1:
        here = [index[name] for name in left]
        free = [name for name in left if not before[index[name], here].any()]
        support = {name: _sink_p_value(ask, name, left) for name in free}
        sinks = [name for name in free if support[name] >= alpha]
        if not sinks:
            sinks = [max(free, key=lambda name: support[name])]
            doubtful += sinks
        levels.append(tuple(sinks))
        left = [name for name in left if name not in sinks]
    return Levels((*levels, tuple(left)) if left else tuple(levels), tuple(doubtful))


def _sink_p_value(ask: Asked, name: str, left: Sequence[str]) -> float:
    """Return the least p-value against a column being a sink; 1 where no test could be made."""
    others = [other for other in left if other != name]
    given = tuple(at(other, 1) for other in others)
    found = ask([(at(name, 1), at(other, 2), given) for other in others])
    return 1.0 if np.isnan(found).all() else float(np.nanmin(found))


@dataclass(frozen=True)
class Edges:
    """Directed and undirected edges, (cause, effect) or the two columns, with the p-values of their tests."""

    directed: dict[tuple[str, str], float]
    undirected: dict[tuple[str, str], float]


def find_edges(ask: Asked, levels: Levels, alpha: float) -> Edges:
    """Return the edges between levels and, where no order was found, within them.

    A column of a level points to one of a lower level if they depend on each other given every other column above the
    lower one, in one row: that set holds all its parents and none of its descendants. The direction is kept only where
    a test speaks against the other one; a column may pass for a sink because its mechanism does not differ between
    groups. Two columns of one level that depend on each other are joined without a direction.
    """
    directed: dict[tuple[str, str], float] = {}
    undirected: dict[tuple[str, str], float] = {}
    for m, lower in enumerate(levels.levels):
        above = [name for level in levels.levels[m + 1 :] for name in level]
        open_pairs = _within(ask, lower, above, alpha)
        undirected.update(open_pairs)
        for effect in lower:
            beside = [a if b == effect else b for a, b in open_pairs if effect in (a, b)]
            for cause in above:
                rest = [name for name in above if name != cause]
                p_value = _dependence(ask, cause, effect, [rest, *([*rest, *some] for some in _subsets(beside))])
                if p_value >= alpha:
                    continue
                others = tuple(at(name, 1) for name in (*rest, *lower))
                against = ask([(at(cause, 1), at(effect, 2), others)])[0]
                (directed if against < alpha else undirected)[cause, effect] = p_value
    return _without_cycles(Edges(directed, undirected))


def _within(ask: Asked, lower: Sequence[str], above: Sequence[str], alpha: float) -> dict[tuple[str, str], float]:
    """Return the pairs of a level that depend on each other, given those above alone and with the rest of the level."""
    found = {}
    for k, a in enumerate(lower):
        for b in lower[k + 1 :]:
            rest = [name for name in lower if name not in (a, b)]
            p_value = _dependence(ask, a, b, [list(above), *([*above, *some] for some in _subsets(rest))])
            if not p_value >= alpha:
                found[a, b] = p_value
    return found


def _dependence(ask: Asked, a: str, b: str, sets: Sequence[Sequence[str]]) -> float:
    """Return the largest p-value of two columns in one row over the sets given; 0 where no test could be made."""
    found = ask([(at(a, 1), at(b, 1), tuple(at(name, 1) for name in given)) for given in sets])
    return 0.0 if np.isnan(found).all() else float(np.nanmax(found))


def _subsets(names: Sequence[str]) -> list[list[str]]:
    """Return the sets of one column and of all of them, which is all sets for up to two."""
    return [*([name] for name in names), *([list(names)] if len(names) > 1 else [])]


def _without_cycles(edges: Edges) -> Edges:
    """Direct open edges whose ends a directed path joins, so that no way to direct the others makes a cycle."""
    directed, undirected = dict(edges.directed), {}
    for (a, b), p_value in edges.undirected.items():
        if leads(directed, a, b):
            directed[a, b] = p_value
        elif leads(directed, b, a):
            directed[b, a] = p_value
        else:
            undirected[a, b] = p_value
    return Edges(directed, undirected)


def leads(directed: Collection[tuple[str, str]], start: str, end: str) -> bool:
    """Return whether directed edges without a cycle lead from one column to another."""
    return any(cause == start and (effect == end or leads(directed, effect, end)) for cause, effect in directed)


def mechanisms(ask: Asked, parents: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Return for each column a p-value against a mechanism, given its parents, that differs between groups."""
    queries: list[Query] = [
        (at(name, 1), at(name, 2), tuple(at(cause, place) for place in (1, 2) for cause in causes))
        for name, causes in parents.items()
    ]
    return dict(zip(parents, ask(queries).tolist()))


class FirstRow:
    """The test of columns in one row of each group, by their plain names; what a search of independent rows takes."""

    def __init__(self, test: IndependenceTest, names: Sequence[str]) -> None:
        self.test = test
        self.names: tuple[str, ...] = tuple(names)
        self.rows_used: int = test.rows_used

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test one pair in the first row."""
        return self.test(at(x, 1), at(y, 1), [at(name, 1) for name in given])

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-values of many tests, shape (number of queries,)."""
        moved: list[Query] = [(at(x, 1), at(y, 1), tuple(at(name, 1) for name in s)) for x, y, s in queries]
        return self.test.batch(moved)
