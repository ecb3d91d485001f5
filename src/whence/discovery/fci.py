"""FCI and RFCI: what causes what where common causes may be hidden, from tests of conditional independence."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from whence.discovery._hidden import Problem, checked_judge, judge_of, result_of, unfinished_result, with_colliders
from whence.discovery._orient import ColliderRule, _colliders
from whence.discovery._pag import PartialGraph, complete
from whence.discovery._possible_d_sep import search_possible_d_sep
from whence.discovery._skeleton import Skeleton
from whence.discovery._triple_checks import Checks
from whence.discovery.pc import TestName, check_settings
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.independence import IndependenceTest
from whence.registry import Card, Paper, register

# The shortest path that can discriminate has three edges.
SHORTEST = 3

FCI_CARD = Card(
    name="fci",
    family="search",
    answers="Which causes do the independences in the table leave possible if common causes may be hidden?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "faithful", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="PAG",
    missing="test-wise",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper(
        "Zhang",
        "On the completeness of orientation rules for causal discovery in the presence of latent confounders and "
        "selection bias",
        2008,
        "Artificial Intelligence 172, 1873-1896",
    ),
)

RFCI_CARD = Card(
    name="rfci",
    family="search",
    answers="The question of FCI, answered on large tables with fewer tests and at times an edge too many.",
    assumes=FCI_CARD.assumes,
    kinds=FCI_CARD.kinds,
    output="PAG",
    missing="test-wise",
    knowledge=FCI_CARD.knowledge,
    moments_only=True,
    paper=Paper(
        "Colombo, Maathuis, Kalisch and Richardson",
        "Learning high-dimensional directed acyclic graphs with latent and selection variables",
        2012,
        "Annals of Statistics 40, 294-321",
    ),
)


@register(FCI_CARD)
class FCI:
    """The FCI algorithm in an order-independent form, with the complete orientation rules.

    Pairs are separated by sets of their neighbours, as in PC, then by sets of what the colliders found so far leave
    possible (possible-d-sep), since with hidden causes neighbours need not suffice. The result is a PAG: an arrowhead
    at a column says that it does not cause the column at the other end, a tail that it does, over whatever columns; a
    circle leaves that open. ``a <-> b`` says that neither causes the other, so that both have a hidden cause in common.

    Parameters
    ----------
    alpha : float, optional
        Level of the tests, as in `PC`.
    test : str or IndependenceTest
        As in `PC`: ``"auto"``, ``"fisher-z"``, ``"chi-square"``, ``"g-square"`` or an object such as an `Oracle`.
    max_depth : int, optional
        Columns that are conditioned on at most. By default there is no limit, but what is tried for a pair stops at the
        first size with more than 10,000 sets.
    collider : {"majority", "sepset"}
        How the middle of ``a - b - c``, and the last but one node of a discriminating path, is judged: by whether it is
        in fewer than half of the separating sets of the two ends among their neighbours, or in none of those found.
    max_possible_d_sep : int, optional
        Possible-d-sep sets with more columns than this are not searched. By default there is no limit.
    max_path_length : int, optional
        Edges of a discriminating path at most, from 3. By default there is no limit.
    selection : bool
        Whether rows may have entered the table because of what was measured: then rules R5 to R7 are used, and a tail
        says that the column causes the other or being selected. Without, ``a --- b`` cannot occur.
    knowledge : Knowledge, optional
        Read as statements on ancestors, which is what the marks of a PAG are. A required ``a -> b`` is never removed
        and a causes b, by whatever way. A forbidden ``a -> b``: where the two are joined, a does not cause b, nor, with
        ``selection``, being selected; forbidden both ways leaves ``a <-> b``. Columns of a later tier cause none of an
        earlier one, roots have no cause and leaves no effect in the table; all may have hidden causes. What is known to
        be an ancestor of neither column is not conditioned on. The rules stay sound; with tiers alone they stay
        complete (Andrews, Spirtes and Cooper 2020), with other forms a circle may be left that knowledge would settle.

    References
    ----------
    Spirtes, Glymour and Scheines (2000), Causation, Prediction, and Search, section 6.7; Zhang (2008); Colombo and
    Maathuis (2014), section 4.4, for the order; Colombo, Maathuis, Kalisch and Richardson (2012) for possible-d-sep.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age, habit = rng.normal(size=(3, 2000))
    >>> table = {"dose": dose, "age": age, "pain": dose + habit + rng.normal(size=2000)}
    >>> table["sleep"] = age + habit + rng.normal(size=2000)
    >>> [str(edge) for edge in FCI().fit(table).graph.edges()]
    ['dose o-> pain', 'age o-> sleep', 'pain <-> sleep']
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        alpha: float | None = None,
        test: TestName | IndependenceTest = "auto",
        max_depth: int | None = None,
        collider: ColliderRule = "majority",
        max_possible_d_sep: int | None = None,
        max_path_length: int | None = None,
        selection: bool = False,
        knowledge: Knowledge | None = None,
    ) -> None:
        check_settings(alpha, test, max_depth, collider)
        check_least("max_possible_d_sep", max_possible_d_sep, 0)
        check_least("max_path_length", max_path_length, SHORTEST)
        self.alpha = alpha
        self.test = test
        self.max_depth = max_depth
        self.collider: ColliderRule = collider
        self.max_possible_d_sep = max_possible_d_sep
        self.max_path_length = max_path_length
        self.selection = selection
        self.knowledge = knowledge

    def fit(self, data: Any = None) -> DiscoveryResult:
        """Search a table; without data, ask the test object that was passed.

        Raises
        ------
        DataError
            For columns that do not vary, are the same, or mix categories with numbers, or too few complete rows.
        """
        started = time.perf_counter()
        problem = Problem.of(self, data, self.max_possible_d_sep)
        skeleton = problem.skeleton()
        if skeleton.interrupted_at is not None:
            return unfinished_result(self, problem, skeleton, started)
        graph, found, tests = self._directed(problem, skeleton)
        searched = search_possible_d_sep(problem.scan, skeleton, graph, problem.required, problem.limits)
        skeleton = searched.skeleton
        if searched.removed:
            graph, found, more = self._directed(problem, skeleton)
            tests += more
        dropped = len(graph.refused)
        judge = judge_of(problem, skeleton, self.collider)
        complete(graph, judge, selection=self.selection, longest=self.max_path_length)
        return result_of(
            self,
            problem,
            skeleton,
            graph,
            started=started,
            own={
                "collider": self.collider,
                "max_possible_d_sep": self.max_possible_d_sep,
            },
            details={
                "tests": skeleton.tests + tests,
                "possible_d_sep_removed": searched.removed,
                "colliders": found,
                "colliders_dropped": dropped,
            },
            searched=searched,
        )

    def _directed(self, problem: Problem, skeleton: Skeleton) -> tuple[PartialGraph, int, int]:
        """Return the graph with its unshielded colliders directed (R0), how many were found and the tests made."""
        open_to_all = np.zeros_like(problem.required)
        limits = problem.limits
        triples, tests = _colliders(
            skeleton, problem.scan, limits.alpha, open_to_all, self.collider, limits.max_depth, limits.most_sets
        )
        return with_colliders(problem, skeleton, triples), len(triples), tests


@register(RFCI_CARD)
class RFCI:
    """The RFCI algorithm: FCI without the search of possible-d-sep sets, for large tables.

    Pairs are separated by sets of their neighbours alone. What directions are read from is checked by a few more tests,
    which at times remove an edge; so every mark means what it means in FCI. An edge says less: that no set of
    neighbours separates the two.

    Parameters
    ----------
    alpha, test, max_depth, max_path_length, selection, knowledge
        As in `FCI`. The middle of ``a - b - c`` is judged by the separating set that the check was made with.

    References
    ----------
    Colombo, Maathuis, Kalisch and Richardson (2012), algorithms 3.2, 4.4 and 4.5.

    Examples
    --------
    >>> from whence.graph import Graph
    >>> from whence.independence import Oracle
    >>> truth = Graph.from_edges(["dose -> pain", "habit -> pain", "habit -> sleep", "age -> sleep"])
    >>> found = RFCI(test=Oracle(truth, ["dose", "pain", "sleep", "age"])).fit()
    >>> [str(edge) for edge in found.graph.edges()]
    ['dose o-> pain', 'pain <-> sleep', 'age o-> sleep']
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        alpha: float | None = None,
        test: TestName | IndependenceTest = "auto",
        max_depth: int | None = None,
        max_path_length: int | None = None,
        selection: bool = False,
        knowledge: Knowledge | None = None,
    ) -> None:
        check_settings(alpha, test, max_depth)
        check_least("max_path_length", max_path_length, SHORTEST)
        self.alpha = alpha
        self.test = test
        self.max_depth = max_depth
        self.max_path_length = max_path_length
        self.selection = selection
        self.knowledge = knowledge

    def fit(self, data: Any = None) -> DiscoveryResult:
        """Search a table; without data, ask the test object that was passed.

        Raises
        ------
        DataError
            For columns that do not vary, are the same, or mix categories with numbers, or too few complete rows.
        """
        started = time.perf_counter()
        problem = Problem.of(self, data)
        skeleton = problem.skeleton()
        if skeleton.interrupted_at is not None:
            return unfinished_result(self, problem, skeleton, started)
        checks = Checks(problem.scan, skeleton, problem.required, problem.limits)
        while True:
            triples = checks.triples()
            colliders = triples[[b not in checks.separating(a, c) for a, b, c in triples.tolist()]]
            graph = with_colliders(problem, checks.skeleton, colliders)
            dropped = len(graph.refused)
            judged: dict[tuple[int, ...], dict[Any, Any]] = {}
            judge = checked_judge(checks, judged)
            complete(graph, judge, selection=self.selection, longest=self.max_path_length)
            apart = {pair: sets for found in judged.values() for pair, sets in found.items()}
            if not apart:
                break
            checks.remove(apart)
        return result_of(
            self,
            problem,
            checks.skeleton,
            graph,
            started=started,
            own={},
            details={
                "tests": checks.skeleton.tests + checks.tests,
                "checks_removed": checks.removed,
                "colliders": len(colliders),
                "colliders_dropped": dropped,
            },
        )


def check_least(name: str, value: int | None, least: int) -> None:
    """Raise ParameterError for a limit that is too small."""
    if value is not None and value < least:
        raise ParameterError("E311", f"{name} is {value}.", f"Give {least} or more, or None for no limit.")
