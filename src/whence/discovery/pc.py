"""PC: the equivalence class of causal graphs from tests of conditional independence."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from whence.data import Dataset
from whence.discovery._common import (
    SeparatingSets,
    dependent_columns,
    discrete_input,
    gaussian_input,
    is_discrete,
    knowledge_arrays,
    open_table,
)
from whence.discovery._orient import ColliderRule, Orientation, break_cycles, orient
from whence.discovery._scan import scanner_of
from whence.discovery._skeleton import Skeleton, find_skeleton
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge
from whence.independence import ChiSquare, FisherZ, GSquare, IndependenceTest
from whence.registry import Card, Paper, lookup, register

TestName = Literal["auto", "fisher-z", "chi-square", "g-square", "rcot", "rcit", "kci", "cmi-knn"]
_OF_ANY_FORM = ("rcot", "rcit", "kci", "cmi-knn")
# A column with up to 15 neighbours is searched in full; one with more up to the first size with more sets than this.
MOST_SETS = 10_000.0

CARD = Card(
    name="pc",
    family="search",
    answers="Which graphs explain the conditional independences in the table?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "faithful", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    moments_only=True,
    paper=Paper(
        "Colombo and Maathuis",
        "Order-independent constraint-based causal structure learning",
        2014,
        "Journal of Machine Learning Research 15, 3921-3962",
    ),
)


@dataclass(frozen=True)
class _Setup:
    """A test over sorted columns, and what reading the data had to say."""

    test: IndependenceTest
    names: tuple[str, ...]
    test_name: str
    test_rule: str
    warnings: tuple[str, ...]
    library: str


@register(CARD)
class PC:
    """The PC algorithm, in its order-independent form (PC-stable).

    Pairs are separated by sets of their neighbours, of one size after another; what the separating sets say of the
    middle columns directs colliders; Meek's rules direct the rest. The result is always an equivalence class of acyclic
    graphs, or such a class with the knowledge added: where the tests contradict each other, weaker colliders give way
    to stronger ones, and a warning says how many.

    Parameters
    ----------
    alpha : float, optional
        Level of the tests: an edge stays while every p-value is below it. By default it follows rows and columns; see
        `default_alpha`.
    test : str or IndependenceTest
        ``"fisher-z"``, ``"chi-square"``, ``"g-square"``; ``"auto"`` takes Fisher's z for numeric and G2 for discrete
        columns. ``"rcot"``, ``"rcit"``, ``"kci"`` and ``"cmi-knn"`` see relations of any form and take numbers and
        categories in one table, for more time. Or any object with ``names`` and ``test(x, y, given)``, such as an
        `Oracle`.
    max_depth : int, optional
        Columns that are conditioned on at most. By default there is no limit, but a column with more than 15 neighbours
        is tried only up to the first size with more than 10,000 sets.
    collider : {"majority", "sepset"}
        How the middle of ``a - b - c`` is judged: by whether it is in fewer than half of all separating sets of a and c
        among their neighbours, or in none of those found at the size that separated them.
    knowledge : Knowledge, optional
        Respected throughout: required edges are never removed, forbidden directions never taken, and columns known to
        be later are not conditioned on.

    References
    ----------
    Spirtes, Glymour and Scheines (2000), Causation, Prediction, and Search, section 5.4.2; Colombo and Maathuis (2014).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 1000))
    >>> cure = dose + age + rng.normal(size=1000)
    >>> PC().fit({"dose": dose, "age": age, "cure": cure}).graph.edges()[0].connector
    '->'
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        alpha: float | None = None,
        test: TestName | IndependenceTest = "auto",
        max_depth: int | None = None,
        collider: ColliderRule = "majority",
        knowledge: Knowledge | None = None,
    ) -> None:
        check_settings(alpha, test, max_depth, collider)
        self.alpha = alpha
        self.test = test
        self.max_depth = max_depth
        self.collider: ColliderRule = collider
        self.knowledge = knowledge

    def fit(self, data: Any = None) -> DiscoveryResult:
        """Search a table; without data, ask the test object that was passed.

        Raises
        ------
        DataError
            For columns that do not vary, are the same, or mix categories with numbers, or too few complete rows.
        """
        started = time.perf_counter()
        setup = self._set_up(data)
        names = setup.test.names
        required, forbidden = knowledge_arrays(self.knowledge, names, self.card)
        alpha, alpha_rule = self._level(setup.test)
        most_sets = MOST_SETS if self.max_depth is None else np.inf
        scan = scanner_of(setup.test)
        skeleton = find_skeleton(scan, alpha, required, forbidden, max_depth=self.max_depth, most_sets=most_sets)
        skeleton, cut = break_cycles(skeleton, required, forbidden)
        oriented = orient(
            skeleton, scan, alpha, forbidden, rule=self.collider, max_depth=self.max_depth, most_sets=most_sets
        )
        back = [names.index(name) for name in setup.names]
        graph = Graph(setup.names, oriented.marks[np.ix_(back, back)], "CPDAG" if oriented.complete else "PDAG")
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "alpha": alpha,
                "alpha_rule": alpha_rule,
                "test": setup.test_name,
                "test_rule": setup.test_rule,
                "max_depth": self.max_depth,
                "max_depth_rule": "given"
                if self.max_depth is not None
                else f"sizes with {MOST_SETS:,.0f} sets or fewer",
                "collider": self.collider,
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=_evidence(graph, skeleton, names),
            separating_sets=_separating_sets(skeleton, setup.names, back),
            rows_used=setup.test.rows_used,
            seconds=time.perf_counter() - started,
            warnings=(*setup.warnings, *_warnings(skeleton, oriented, cut, names)),
            details={
                "tests": skeleton.tests + oriented.tests,
                "largest_set": max((len(given) for given in skeleton.sets.values()), default=0),
                "colliders": oriented.colliders,
                "colliders_dropped": oriented.dropped,
                "colliders_added": oriented.added,
            },
            library=setup.library,
        )

    def _set_up(self, data: Any) -> _Setup:
        if not isinstance(self.test, str):
            if data is not None:
                raise ParameterError("E311", "both data and a test object were given.", "Call fit() without data.")
            name = getattr(getattr(self.test, "card", None), "name", type(self.test).__name__)
            return _Setup(self.test, self.test.names, name, "given", (), "pyarrow")
        dataset = open_table(data, self.card)
        # Sorted by name, so that not even rounding or ties depend on the order of the columns.
        ordered = dataset.select(sorted(dataset.names))
        if self.test in _OF_ANY_FORM:
            any_form = lookup("test", self.test)(ordered)
            left_out = dataset.n_rows - any_form.rows_used
            said = (f"{left_out:,} of {dataset.n_rows:,} rows have a missing value and were left out.",)
            return _Setup(any_form, dataset.names, self.test, "given", said if left_out else (), dataset.library)
        discrete = is_discrete(ordered) if self.test == "auto" else self.test != "fisher-z"
        test, warnings = self._discrete_test(ordered) if discrete else _gaussian_test(ordered)
        rule = "given" if self.test != "auto" else f"all columns are {'discrete' if discrete else 'numeric'}"
        return _Setup(test, dataset.names, test.card.name, rule, warnings, dataset.library)

    def _discrete_test(self, data: Dataset) -> tuple[ChiSquare | GSquare, tuple[str, ...]]:
        found = discrete_input(data)
        codes = found.as_codes()
        return (ChiSquare(codes) if self.test == "chi-square" else GSquare(codes)), found.warnings

    def _level(self, test: IndependenceTest) -> tuple[float, str]:
        if self.alpha is not None:
            return self.alpha, "given"
        if not test.rows_used:
            return 0.5, "an oracle answers 0 or 1"
        n, p = test.rows_used, len(test.names)
        return default_alpha(n, p), f"min(0.05, 10 / n * sqrt(min(1, 10 / p))) at n = {n}, p = {p}"


def check_settings(
    alpha: float | None, test: TestName | IndependenceTest, max_depth: int | None, collider: ColliderRule = "majority"
) -> None:
    """Raise ParameterError for a level, test, depth or rule that does not exist."""
    if alpha is not None and not 0 < alpha < 1:
        raise ParameterError("E311", f"the level alpha is {alpha}.", "Give a number between 0 and 1.")
    if isinstance(test, str) and test not in get_args(TestName):
        raise ParameterError(
            "E311", f"there is no test {test!r}.", f"Choose {', '.join(get_args(TestName))}, or pass a test object."
        )
    if max_depth is not None and max_depth < 0:
        raise ParameterError("E311", f"max_depth is {max_depth}.", "Give 0 or more, or None for no limit.")
    if collider not in ("majority", "sepset"):
        raise ParameterError("E311", f"there is no collider rule {collider!r}.", "Choose majority or sepset.")


def default_alpha(n: int, p: int) -> float:
    """Return the level for n rows and p columns: ``10 / n``, times ``sqrt(10 / p)`` beyond 10 columns, at most 0.05.

    A level that falls with the rows leads to the truth as they grow, a fixed one does not (Kalisch and Bühlmann 2007,
    theorem 1). A fixed level also lets false edges grow with the columns, most on sparse graphs; one that falls like
    1 / p misses edges on dense ones. The root lies between; the accuracy figures of `benchmarks` hold all three.

    >>> default_alpha(200, 10), default_alpha(10_000, 10), default_alpha(10_000, 1000)
    (0.05, 0.001, 0.0001)
    """
    return min(0.05, 10.0 / n * math.sqrt(min(1.0, 10.0 / p)))


def _gaussian_test(data: Dataset) -> tuple[FisherZ, tuple[str, ...]]:
    found = gaussian_input(data)
    warnings = list(found.warnings)
    if found.moments.n > len(found.names):
        dependent = dependent_columns(found.moments.correlation, found.names)
        if dependent:
            warnings.append(
                f"{quote_names(dependent, 4)} follows exactly from other columns: tests given all of those say nothing "
                "and were left out"
            )
    return FisherZ(found.moments), tuple(warnings)


def _evidence(graph: Graph, skeleton: Skeleton, names: tuple[str, ...]) -> tuple[EdgeEvidence, ...]:
    index = {name: k for k, name in enumerate(names)}
    listed = []
    for edge in graph.edges():
        i, j = sorted((index[edge.source], index[edge.target]))
        p_value, statistic = skeleton.p_values[i, j], skeleton.statistics[i, j]
        tested = not math.isnan(p_value)
        listed.append(
            EdgeEvidence(
                edge.source,
                edge.target,
                p_value=p_value if tested else None,
                statistic=statistic if tested else None,
            )
        )
    return tuple(listed)


def _separating_sets(skeleton: Skeleton, names: tuple[str, ...], back: list[int]) -> SeparatingSets:
    """Return the sets by name, in the order of the user's columns."""
    place = np.empty(len(back), dtype=np.int64)
    place[back] = np.arange(len(back))
    sets = {
        (min(place[i], place[j]), max(place[i], place[j])): tuple(sorted(int(place[node]) for node in given))
        for (i, j), given in skeleton.sets.items()
    }
    return SeparatingSets(names, (skeleton.level >= 0)[np.ix_(back, back)], sets)


def _warnings(
    skeleton: Skeleton, oriented: Orientation, cut: list[tuple[int, int]], names: tuple[str, ...]
) -> list[str]:
    found = []
    if skeleton.stopped:
        found.append(
            "some columns have more than 15 neighbours: conditioning sizes with more than "
            f"{MOST_SETS:,.0f} sets were not tried ({skeleton.stopped:,} times)"
        )
    untested = sum(map(math.isnan, skeleton.p_values.values()))
    if untested:
        found.append(f"{untested:,} pairs could not be tested and stay joined")
    if oriented.dropped:
        found.append(
            f"{oriented.dropped:,} of {oriented.colliders:,} colliders contradict others with more evidence or the "
            "knowledge, and were not directed"
        )
    if oriented.added:
        found.append(
            "no graph has exactly the colliders that the tests ask for: the class of the nearest one is returned, with "
            f"{oriented.added:,} more"
        )
    for i, j in cut:
        found.append(
            f"the knowledge directs a cycle through {names[i]!r} and {names[j]!r}: the edge between them, its weakest, "
            "was left out"
        )
    return found
