"""Markov blankets, and graphs from them: what makes all others irrelevant to one column, around one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from whence.discovery._orient import ColliderRule
from whence.discovery._scan import Booleans
from whence.discovery._skeleton import Skeleton
from whence.discovery.pc import CARD as PC_CARD
from whence.discovery.pc import PC, TestName
from whence.errors import ParameterError, suggest
from whence.graph import Knowledge
from whence.independence import IndependenceTest
from whence.registry import Card, Paper, register
from whence.results import SCHEMA_VERSION

BlanketMethod = Literal["iamb", "inter-iamb", "fast-iamb", "grow-shrink"]

_PAPER = Paper(
    "Tsamardinos, Aliferis and Statnikov",
    "Algorithms for large scale Markov blanket discovery",
    2003,
    "FLAIRS, 376-381",
)
CARD = replace(
    PC_CARD,
    name="iamb",
    answers="Which class of graphs do the Markov blankets of all columns allow, found around one column at a time?",
    paper=_PAPER,
)


@dataclass(frozen=True)
class Blanket:
    """The columns that make all others irrelevant to one column.

    In a graph without hidden causes they are its parents, its children and the other parents of its children.

    Attributes
    ----------
    target : str
    members : tuple of str
        In the order of the columns.
    p_values : dict of str to float
        Of each member, given the other members.
    alpha : float
    method : str
    tests : int
    rows_used : int
    """

    target: str
    members: tuple[str, ...]
    p_values: dict[str, float]
    alpha: float
    method: str
    tests: int
    rows_used: int

    def to_dict(self) -> dict[str, Any]:
        """Return the blanket as plain JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "target": self.target,
            "members": list(self.members),
            "p_values": dict(self.p_values),
            "alpha": self.alpha,
            "method": self.method,
            "tests": self.tests,
            "rows_used": self.rows_used,
        }

    def __repr__(self) -> str:
        return f"Blanket({self.target}: {', '.join(self.members) or 'nothing'})"


def markov_blanket(
    data: Any,
    target: str,
    *,
    method: BlanketMethod = "iamb",
    alpha: float | None = None,
    test: TestName | IndependenceTest = "auto",
) -> Blanket:
    """Find the Markov blanket of one column.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes; None with a test object
    target : str
    method : {"iamb", "inter-iamb", "fast-iamb", "grow-shrink"}
        ``iamb`` takes in the column with the strongest dependence given those taken, until none is left, then takes out
        what is independent given the rest (Tsamardinos et al. 2003). ``inter-iamb`` takes out after every step, which
        keeps sets small. ``fast-iamb`` takes in all that are dependent at once (Yaramakala and Margaritis 2005).
        ``grow-shrink`` takes in the first that is dependent, in order of their marginal dependence (Margaritis and
        Thrun 1999).
    alpha : float, optional
        Level of the tests; by default as in `PC`.
    test : str or IndependenceTest
        As in `PC`.

    Raises
    ------
    DataError
        If the table cannot be searched.
    ParameterError
        If the target is not among the columns, or the method is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age, rain = rng.normal(size=(3, 1000))
    >>> cure = dose + age + rng.normal(size=1000)
    >>> markov_blanket({"dose": dose, "age": age, "rain": rain, "cure": cure}, "dose")
    Blanket(dose: age, cure)
    """
    _check_method(method)
    pc = PC(alpha=alpha, test=test)
    setup = pc.set_up(data)
    if target not in setup.names:
        raise ParameterError("E301", f"there is no column {target!r}.", suggest(target, setup.names))
    level, _ = pc.level(setup.test)
    search = _Search(setup.test, level)
    found = search.blanket(target, method)
    members = tuple(name for name in setup.names if name in found)
    p_values = dict(zip(members, search.p_values(target, members, members).tolist()))
    return Blanket(target, members, p_values, level, method, search.tests, setup.test.rows_used)


@register(CARD)
class IAMB(PC):
    """From the Markov blankets of all columns to a class of graphs.

    Two columns are candidates for an edge if each is in the blanket of the other. Among these, pairs are separated by
    sets of their neighbours and colliders directed as in `PC`; the other parents of a column's children fall out there.
    Where blankets are small this needs fewer tests than PC on tables in which almost everything is related.

    Parameters
    ----------
    method : {"iamb", "inter-iamb", "fast-iamb", "grow-shrink"}
        How blankets are found; see `markov_blanket`.
    alpha, test, max_depth, collider, knowledge
        As in `PC`.

    References
    ----------
    Margaritis and Thrun (1999), Bayesian network induction via local neighborhoods, NIPS 12; Tsamardinos, Aliferis and
    Statnikov (2003).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 1000))
    >>> cure = dose + age + rng.normal(size=1000)
    >>> [str(edge) for edge in IAMB().fit({"dose": dose, "age": age, "cure": cure}).graph.edges()]
    ['dose -> cure', 'age -> cure']
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        method: BlanketMethod = "iamb",
        alpha: float | None = None,
        test: TestName | IndependenceTest = "auto",
        max_depth: int | None = None,
        collider: ColliderRule = "majority",
        knowledge: Knowledge | None = None,
    ) -> None:
        _check_method(method)
        super().__init__(alpha=alpha, test=test, max_depth=max_depth, collider=collider, knowledge=knowledge)
        self.method: BlanketMethod = method

    def _apart(self, test: IndependenceTest, alpha: float) -> _Blankets:
        search = _Search(test, alpha)
        return _Blankets(test.names, [search.blanket(name, self.method) for name in test.names], search.tests)


@dataclass(frozen=True)
class _Blankets:
    """The blankets of all columns, by which pairs outside of each other's are apart."""

    names: tuple[str, ...]
    blankets: list[list[str]]
    tests: int

    def pairs(self, required: Booleans) -> Booleans:
        """Return which pairs are apart: not in each other's blanket, and not required."""
        index = {name: k for k, name in enumerate(self.names)}
        inside = np.zeros((len(self.names), len(self.names)), dtype=bool)
        for k, members in enumerate(self.blankets):
            inside[k, [index[name] for name in members]] = True
        apart: Booleans = ~(inside & inside.T) & ~(required | required.T)
        np.fill_diagonal(apart, val=False)
        return apart

    def recorded(self, skeleton: Skeleton, required: Booleans) -> Skeleton:
        """Return the skeleton with the blankets entered as separating sets: the smaller one that lacks the other."""
        index = {name: k for k, name in enumerate(self.names)}
        members = [tuple(sorted(index[name] for name in blanket)) for blanket in self.blankets]
        level, sets = skeleton.level.copy(), dict(skeleton.sets)
        for i, j in np.argwhere(np.triu(self.pairs(required))).tolist():
            lacking = [members[a] for a, b in ((i, j), (j, i)) if b not in members[a]]
            given = min(lacking, key=len)
            level[i, j] = level[j, i] = len(given)
            if given:
                sets[i, j] = given
        return replace(skeleton, level=level, sets=sets)


class _Search:
    """Grows and shrinks blankets by one test, and counts what it asks."""

    def __init__(self, test: IndependenceTest, alpha: float) -> None:
        self.test = test
        self.alpha = alpha
        self.tests = 0

    def p_values(self, target: str, columns: Sequence[str], given: Sequence[str]) -> NDArray[np.float64]:
        """Return the p-value of each column with the target, given the others of a set; 1 where it cannot be tested."""
        self.tests += len(columns)
        found = self.test.batch([(target, name, tuple(k for k in given if k != name)) for name in columns])
        return np.nan_to_num(np.asarray(found, dtype=np.float64), nan=1.0)

    def blanket(self, target: str, method: BlanketMethod) -> list[str]:
        """Return the blanket of a column."""
        others = [name for name in self.test.names if name != target]
        if method == "grow-shrink":
            marginal = self.p_values(target, others, ())
            others = [others[k] for k in np.argsort(marginal, kind="stable")]
        members: list[str] = []
        seen: set[frozenset[str]] = set()
        while True:
            grown = self._grown(target, others, members, method)
            if not grown:
                break
            members += grown
            if method in ("inter-iamb", "fast-iamb"):
                members = self._shrunk(target, members)
                if frozenset(members) in seen:  # what comes in goes out again
                    break
                seen.add(frozenset(members))
        return self._shrunk(target, members)

    def _grown(self, target: str, others: list[str], members: list[str], method: BlanketMethod) -> list[str]:
        outside = [name for name in others if name not in members]
        if not outside:
            return []
        p_values = self.p_values(target, outside, members)
        dependent = np.flatnonzero(p_values <= self.alpha)
        if not len(dependent):
            return []
        if method == "fast-iamb":
            return [outside[k] for k in dependent]
        if method == "grow-shrink":
            return [outside[dependent[0]]]
        return [self._strongest(target, [outside[k] for k in dependent], p_values[dependent], members)]

    def _strongest(self, target: str, names: list[str], p_values: NDArray[np.float64], given: list[str]) -> str:
        """Return the column with the smallest p-value; of several that are too small to tell, the largest statistic."""
        tied = [name for name, p_value in zip(names, p_values) if p_value == p_values.min()]
        if len(tied) == 1:
            return tied[0]
        self.tests += len(tied)
        return max(tied, key=lambda name: self.test(target, name, tuple(given)).statistic)

    def _shrunk(self, target: str, members: list[str]) -> list[str]:
        """Take out the column with the largest p-value given the rest until every one is below the level."""
        left = list(members)
        while left:
            p_values = self.p_values(target, left, left)
            worst = int(np.argmax(p_values))
            if p_values[worst] <= self.alpha:
                break
            del left[worst]
        return left


def _check_method(method: str) -> None:
    if method not in get_args(BlanketMethod):
        raise ParameterError(
            "E311", f"there is no way {method!r} to find a blanket.", f"Choose {', '.join(get_args(BlanketMethod))}."
        )
