"""PC: the equivalence class of causal graphs from tests of conditional independence."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from whence.data import Dataset
from whence.discovery._common import (
    SORT_RULES,
    SeparatingSets,
    Sort,
    dependent_columns,
    discrete_input,
    gaussian_input,
    knowledge_arrays,
    open_table,
    sort_of,
)
from whence.discovery._incomplete import TEST_WISE_RULE, deletion_test, has_gaps
from whence.discovery._mixed import mixed_input
from whence.discovery._orient import ColliderRule, Orientation, break_cycles, orient, undirected
from whence.discovery._scan import scanner_of
from whence.discovery._skeleton import Apart, Skeleton, find_skeleton
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge
from whence.independence import ChiSquare, DegenerateGaussian, FisherZ, GSquare, IndependenceTest
from whence.registry import Card, Paper, lookup, register

TestName = Literal[
    "auto",
    "fisher-z",
    "chi-square",
    "g-square",
    "rank-fisher-z",
    "missing-value-fisher-z",
    "degenerate-gaussian",
    "conditional-gaussian",
    "rcot",
    "rcit",
    "kci",
    "cmi-knn",
]
_ON_ROWS = ("rank-fisher-z", "missing-value-fisher-z", "conditional-gaussian", "rcot", "rcit", "kci", "cmi-knn")
_SORT_OF: dict[str, Sort] = {
    "fisher-z": "numeric",
    "chi-square": "discrete",
    "g-square": "discrete",
    "degenerate-gaussian": "mixed",
}
# A column with up to 15 neighbours is searched in full; one with more up to the first size with more sets than this.
MOST_SETS = 10_000.0

CARD = Card(
    name="pc",
    family="search",
    answers="Which graphs explain the conditional independences in the table?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "faithful", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="CPDAG",
    missing="test-wise",
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
class Setup:
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
        ``"fisher-z"``, ``"chi-square"``, ``"g-square"``, ``"degenerate-gaussian"``; ``"auto"`` takes Fisher's z for
        numeric columns, G2 for discrete ones and the degenerate Gaussian for tables of numbers and categories. Where
        values are missing, ``"auto"`` makes each test on all rows that have its columns; the tests named use complete
        rows.
        ``"conditional-gaussian"`` lets relations change with a category, ``"rank-fisher-z"`` reads ranks alone, and
        ``"missing-value-fisher-z"`` uses incomplete rows and corrects for what decides which values are missing (MVPC).
        ``"rcot"``, ``"rcit"``, ``"kci"`` and
        ``"cmi-knn"`` see relations of any form, for more time. Or any object with ``names`` and ``test(x, y, given)``,
        such as an `Oracle`.
    max_depth : int, optional
        Columns that are conditioned on at most. By default there is no limit, but a column with more than 15 neighbours
        is tried only up to the first size with more than 10,000 sets.
    collider : {"majority", "sepset", "conservative", "max-p"}
        How the middle of ``a - b - c`` is judged: by whether it is in fewer than half of all separating sets of a and c
        among their neighbours; in none of those found at the size that separated them; in none of all, where a triple
        that is in some directs nothing (conservative PC); or not in the one with the largest p-value (PC-max).
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
        check_settings(alpha, test, max_depth, collider, get_args(ColliderRule))
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
            For columns that do not vary, are the same, or are unfit for the test, or too few complete rows.
        """
        started = time.perf_counter()
        setup = self.set_up(data)
        names = setup.test.names
        required, forbidden = knowledge_arrays(self.knowledge, names, self.card)
        alpha, alpha_rule = self.level(setup.test)
        most_sets = MOST_SETS if self.max_depth is None else np.inf
        scan = scanner_of(setup.test)
        apart = self._apart(setup.test, alpha)
        never = forbidden if apart is None else forbidden | apart.pairs(required)
        skeleton = find_skeleton(scan, alpha, required, never, max_depth=self.max_depth, most_sets=most_sets)
        skeleton = skeleton if apart is None else apart.recorded(skeleton, required)
        skeleton, cut = break_cycles(skeleton, required, forbidden)
        interrupted = skeleton.interrupted_at is not None
        oriented = (
            undirected(skeleton, forbidden)
            if interrupted
            else orient(
                skeleton, scan, alpha, forbidden, rule=self.collider, max_depth=self.max_depth, most_sets=most_sets
            )
        )
        place = {name: k for k, name in enumerate(names)}
        back = [place[name] for name in setup.names]
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
            evidence=evidence_of(graph, skeleton, names),
            separating_sets=SeparatingSets(setup.names, names, skeleton.level >= 0, skeleton.sets),
            rows_used=setup.test.rows_used,
            seconds=time.perf_counter() - started,
            warnings=(*setup.warnings, *_warnings(skeleton, oriented, cut, names)),
            details={
                "tests": skeleton.tests + oriented.tests + (apart.tests if apart else 0),
                "largest_set": max(map(len, skeleton.sets.values()), default=0),
                "colliders": oriented.colliders,
                "colliders_dropped": oriented.dropped,
                "colliders_added": oriented.added,
                "ambiguous_triples": [tuple(names[k] for k in triple) for triple in oriented.ambiguous.tolist()],
            },
            library=setup.library,
            interrupted=interrupted,
        )

    def _apart(self, test: IndependenceTest, alpha: float) -> Apart | None:
        """Return what is known to be apart before any set of neighbours is tried; nothing in PC itself."""
        return None

    def set_up(self, data: Any, *, gaps: bool = True) -> Setup:
        """Return the test over sorted columns that settings and data lead to; ``gaps`` allows test-wise deletion."""
        if not isinstance(self.test, str):
            if data is not None:
                raise ParameterError("E311", "both data and a test object were given.", "Call fit() without data.")
            name = getattr(getattr(self.test, "card", None), "name", type(self.test).__name__)
            return Setup(self.test, self.test.names, name, "given", (), "pyarrow")
        dataset = open_table(data, self.card)
        # Sorted by name, so that not even rounding or ties depend on the order of the columns.
        ordered = dataset.select(sorted(dataset.names))
        if self.test in _ON_ROWS:
            on_rows = lookup("test", self.test)(ordered)
            left_out = dataset.n_rows - on_rows.rows_used
            said = (f"{left_out:,} of {dataset.n_rows:,} rows have a missing value and were left out.",)
            return Setup(on_rows, dataset.names, self.test, "given", said if left_out else (), dataset.library)
        sort = sort_of(ordered) if self.test == "auto" else _SORT_OF[self.test]
        if gaps and self.test == "auto" and has_gaps(ordered):
            on_gaps, said_of_gaps = deletion_test(ordered, sort)
            rule = TEST_WISE_RULE.format(sort)
            return Setup(on_gaps, dataset.names, on_gaps.card.name, rule, said_of_gaps, dataset.library)
        rule = "given" if self.test != "auto" else SORT_RULES[sort]
        test: ChiSquare | DegenerateGaussian | FisherZ | GSquare
        if sort == "mixed":
            found = mixed_input(ordered)
            test, warnings = DegenerateGaussian(found.embedded), found.warnings
        else:
            test, warnings = self._discrete_test(ordered) if sort == "discrete" else _gaussian_test(ordered)
        return Setup(test, dataset.names, test.card.name, rule, warnings, dataset.library)

    def _discrete_test(self, data: Dataset) -> tuple[ChiSquare | GSquare, tuple[str, ...]]:
        found = discrete_input(data)
        codes = found.as_codes()
        return (ChiSquare(codes) if self.test == "chi-square" else GSquare(codes)), found.warnings

    def level(self, test: IndependenceTest) -> tuple[float, str]:
        """Return the level of the tests and the rule behind it."""
        if self.alpha is not None:
            return self.alpha, "given"
        if not test.rows_used:
            return 0.5, "an oracle answers 0 or 1"
        n, p, counts = test.rows_used, len(test.names), isinstance(test, (ChiSquare, GSquare))
        rule = "min(0.05, 100 / n) * sqrt(min(1, 100 / p))" if counts else "min(0.05, 10 / n * sqrt(min(1, 10 / p)))"
        return default_alpha(n, p, counts=counts), f"{rule} at n = {n}, p = {p}"


def check_settings(
    alpha: float | None,
    test: TestName | IndependenceTest,
    max_depth: int | None,
    collider: ColliderRule = "majority",
    rules: Sequence[ColliderRule] = ("majority", "sepset"),
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
    if collider not in rules:
        raise ParameterError("E311", f"there is no collider rule {collider!r}.", f"Choose {', '.join(rules)}.")


def default_alpha(n: int, p: int, *, counts: bool = False) -> float:
    """Return the level for n rows and p columns.

    ``10 / n``, times ``sqrt(10 / p)`` beyond 10 columns, at most 0.05. For tests on ``counts`` ``100 / n``, at most
    0.05, times ``sqrt(100 / p)`` beyond 100 columns: their degrees of freedom take power, most given other columns, and
    a low level misses more edges than it spares.

    A level that falls with the rows leads to the truth as they grow, a fixed one does not (Kalisch and Bühlmann 2007,
    theorem 1). A fixed level also lets false edges grow with the columns, most on sparse graphs; one that falls like
    1 / p misses edges on dense ones. The root lies between; `benchmarks.pc_rules` compares levels by sort of table.

    >>> default_alpha(200, 10), default_alpha(10_000, 10), default_alpha(10_000, 1000)
    (0.05, 0.001, 0.0001)
    >>> default_alpha(1000, 20, counts=True), default_alpha(10_000, 20, counts=True)
    (0.05, 0.01)
    """
    if counts:
        return min(0.05, 100.0 / n) * math.sqrt(min(1.0, 100.0 / p))
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


def evidence_of(graph: Graph, skeleton: Skeleton, names: tuple[str, ...]) -> tuple[EdgeEvidence, ...]:
    """Return the largest p-value of each edge and its statistic; ``names`` are the columns as searched."""
    index = {name: k for k, name in enumerate(names)}
    listed = []
    for edge in graph.edges():
        i, j = index[edge.source], index[edge.target]
        pair = (i, j) if i < j else (j, i)
        p_value = skeleton.p_values[pair]
        seen = () if math.isnan(p_value) else (p_value, skeleton.statistics[pair])
        listed.append(EdgeEvidence(edge.source, edge.target, *seen))
    return tuple(listed)


def unfinished(size: int) -> str:
    """Return what is to be said of a search that was interrupted while sets of a size were tried."""
    return (
        f"The search was interrupted while sets of {size} column{'s' * (size != 1)} were tried: pairs separated until "
        "then are apart, others stay joined, and nothing was directed by the data."
    )


def _warnings(
    skeleton: Skeleton, oriented: Orientation, cut: list[tuple[int, int]], names: tuple[str, ...]
) -> list[str]:
    found = []
    if skeleton.interrupted_at is not None:
        found.append(unfinished(skeleton.interrupted_at))
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
    if len(oriented.ambiguous):
        found.append(
            f"{len(oriented.ambiguous):,} triples are ambiguous: the tests do not agree whether the middle column is a "
            "collider, and nothing was directed because of them"
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
